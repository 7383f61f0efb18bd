//! The table of options: from one row come the flag, the environment variable, the file key and the help text.

/// One option of the node.
pub(super) struct Setting {
    /// Spelled as the flag, without the dashes in front.
    pub(super) name: &'static str,
    /// The environment variable: `PEERWRIGHT_` and the name, upper case.
    pub(super) environment: &'static str,
    /// The key in the file: the name in camel case.
    pub(super) key: &'static str,
    /// What the value is called in the help.
    pub(super) value: &'static str,
    /// Used when nobody says otherwise; `None` asks for a value.
    pub(super) default: Option<&'static str>,
    /// May be given several times, or separated by commas, or as a list in the file.
    pub(super) list: bool,
    /// One sentence.
    pub(super) help: &'static str,
}

/// Flag, environment variable, file key.
type Names = (&'static str, &'static str, &'static str);

const fn required(names: Names, value: &'static str, help: &'static str) -> Setting {
    Setting { name: names.0, environment: names.1, key: names.2, value, default: None, list: false, help }
}

const fn defaulted(names: Names, value: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting { default: Some(default), ..required(names, value, help) }
}

pub(super) const LOG: Setting = defaulted(
    ("log", "PEERWRIGHT_LOG", "log"),
    "FILTER",
    "info",
    "What is logged: a level, or a tracing filter such as info,peerwright_node=debug",
);
pub(super) const LOG_FORMAT: Setting = defaulted(
    ("log-format", "PEERWRIGHT_LOG_FORMAT", "logFormat"),
    "FORMAT",
    "text",
    "How log lines look: text or json",
);

/// The options of `run`, in the order in which the help lists them.
pub(super) const RUN: &[Setting] = &[
    required(("network", "PEERWRIGHT_NETWORK", "network"), "NAME", "Name of the PeerNetwork that this node belongs to"),
    required(("namespace", "PEERWRIGHT_NAMESPACE", "namespace"), "NAME", "Kubernetes namespace of the network"),
    required(
        ("network-uid", "PEERWRIGHT_NETWORK_UID", "networkUid"),
        "UID",
        "UID of the PeerNetwork; the volume records it and serves no other network",
    ),
    required(("node-name", "PEERWRIGHT_NODE_NAME", "nodeName"), "NAME", "Name of this node: the name of its pod"),
    required(
        ("trust-domain", "PEERWRIGHT_TRUST_DOMAIN", "trustDomain"),
        "DOMAIN",
        "Trust domain of the network, such as demo.default.peerwright.internal",
    ),
    required(
        ("operator", "PEERWRIGHT_OPERATOR", "operator"),
        "HOST:PORT",
        "Where the operator answers: its Service name and port",
    ),
    required(
        ("install-root-sha256", "PEERWRIGHT_INSTALL_ROOT_SHA256", "installRootSha256"),
        "HEX",
        "SHA-256 of the install root's file; another file is refused",
    ),
    Setting {
        list: true,
        ..defaulted(
            ("seeds", "PEERWRIGHT_SEEDS", "seeds"),
            "HOST:PORT",
            "",
            "Where other nodes are found: names that resolve to nodes, separated by commas",
        )
    },
    Setting {
        list: true,
        ..defaulted(
            ("own-ranges", "PEERWRIGHT_OWN_RANGES", "ownRanges"),
            "RANGE",
            "",
            "Private address ranges that are the network's own, such as a cluster's pods: dialled when a peer names them",
        )
    },
    Setting {
        list: true,
        ..defaulted(
            ("multicast-dns", "PEERWRIGHT_MULTICAST_DNS", "multicastDns"),
            "INTERFACE",
            "off",
            "Where nodes on the same cable are told of this one and found: off, on, or names of network interfaces",
        )
    },
    defaulted(
        ("data-dir", "PEERWRIGHT_DATA_DIR", "dataDir"),
        "DIRECTORY",
        "/var/lib/peerwright",
        "Where keys, certificate, snapshot and registers are kept",
    ),
    defaulted(
        ("storage-url", "PEERWRIGHT_STORAGE_URL", "storageUrl"),
        "URL",
        "sqlite",
        "Where registers are kept: sqlite in data-dir, or a database such as postgres://peerwright@db.example/peerwright",
    ),
    defaulted(
        ("storage-url-file", "PEERWRIGHT_STORAGE_URL_FILE", "storageUrlFile"),
        "FILE",
        "",
        "The URL of the database with the password in it, instead of storage-url; read anew for each connection",
    ),
    defaulted(
        ("storage-schema", "PEERWRIGHT_STORAGE_SCHEMA", "storageSchema"),
        "NAME",
        "",
        "Schema of the database that is this node's alone; without it storage-schema-prefix, _ and the node's name",
    ),
    defaulted(
        ("storage-schema-prefix", "PEERWRIGHT_STORAGE_SCHEMA_PREFIX", "storageSchemaPrefix"),
        "NAME",
        "",
        "How the schema's name begins, for networks that share a database and a name; without it peerwright",
    ),
    defaulted(
        ("storage-password-file", "PEERWRIGHT_STORAGE_PASSWORD_FILE", "storagePasswordFile"),
        "FILE",
        "",
        "Password for the database; read anew for each connection",
    ),
    defaulted(
        ("storage-authorities-file", "PEERWRIGHT_STORAGE_AUTHORITIES_FILE", "storageAuthoritiesFile"),
        "FILE",
        "",
        "Who signs the certificate of the database, PEM: connections are then under TLS",
    ),
    defaulted(
        ("install-root", "PEERWRIGHT_INSTALL_ROOT", "installRoot"),
        "FILE",
        "/etc/peerwright/trust/install-root.pem",
        "Certificate of the operator's install root, PEM",
    ),
    defaulted(
        ("token-file", "PEERWRIGHT_TOKEN_FILE", "tokenFile"),
        "FILE",
        "/var/run/secrets/peerwright/token",
        "Service-account token that the operator exchanges for a certificate; read anew each time",
    ),
    defaulted(
        ("snapshot-file", "PEERWRIGHT_SNAPSHOT_FILE", "snapshotFile"),
        "FILE",
        "/etc/peerwright/snapshot/snapshot.bin",
        "Signed snapshot from the network's ConfigMap, for starts without the operator; may be absent",
    ),
    defaulted(
        ("listen-peer", "PEERWRIGHT_LISTEN_PEER", "listenPeer"),
        "ADDRESS:PORT",
        "0.0.0.0:5000",
        "Where other nodes connect, mutual TLS",
    ),
    defaulted(
        ("listen-api", "PEERWRIGHT_LISTEN_API", "listenApi"),
        "ADDRESS:PORT",
        "0.0.0.0:8443",
        "Where applications connect, REST over TLS",
    ),
    defaulted(
        ("listen-probe", "PEERWRIGHT_LISTEN_PROBE", "listenProbe"),
        "ADDRESS:PORT",
        "0.0.0.0:8080",
        "Where probes and metrics are read, plain HTTP",
    ),
    defaulted(
        ("drain-seconds", "PEERWRIGHT_DRAIN_SECONDS", "drainSeconds"),
        "SECONDS",
        "30",
        "How long a stopping node finishes what it has begun, 1 to 300",
    ),
    Setting {
        list: true,
        ..defaulted(
            ("carriers", "PEERWRIGHT_CARRIERS", "carriers"),
            "CARRIER",
            "stream,unary,https",
            "What links may be carried by, to and from this node: stream, unary, https, separated by commas",
        )
    },
    defaulted(
        ("breaker-failures", "PEERWRIGHT_BREAKER_FAILURES", "breakerFailures"),
        "COUNT",
        "5",
        "After so many failed dials in a row a peer, or a carrier to it, is left alone for a while, 3 to 20",
    ),
    defaulted(
        ("breaker-reset-seconds", "PEERWRIGHT_BREAKER_RESET_SECONDS", "breakerResetSeconds"),
        "SECONDS",
        "300",
        "The longest such while, 60 to 1800; it begins with 10 seconds and doubles",
    ),
    defaulted(
        ("external-requests-per-minute", "PEERWRIGHT_EXTERNAL_REQUESTS_PER_MINUTE", "externalRequestsPerMinute"),
        "COUNT",
        "1000",
        "How many REST calls one subject, or one address without a token, may make in a minute; none is no limit",
    ),
    defaulted(
        ("external-megabytes-per-minute", "PEERWRIGHT_EXTERNAL_MEGABYTES_PER_MINUTE", "externalMegabytesPerMinute"),
        "MEGABYTES",
        "100",
        "How much may come and go in these calls",
    ),
    defaulted(
        (
            "external-transactions-per-minute",
            "PEERWRIGHT_EXTERNAL_TRANSACTIONS_PER_MINUTE",
            "externalTransactionsPerMinute",
        ),
        "COUNT",
        "100",
        "How many transactions may be handed in by them",
    ),
    defaulted(
        ("member-megabytes-per-minute", "PEERWRIGHT_MEMBER_MEGABYTES_PER_MINUTE", "memberMegabytesPerMinute"),
        "MEGABYTES",
        "1000",
        "How much one member may hand in and read by gRPC in a minute; frames of links are bounded otherwise",
    ),
    defaulted(
        ("outbox-transactions", "PEERWRIGHT_OUTBOX_TRANSACTIONS", "outboxTransactions"),
        "COUNT",
        "10000",
        "How many accepted transactions may wait for what becomes of them, 100 to 100000; beyond that none is taken",
    ),
    defaulted(
        ("hand-in-after-milliseconds", "PEERWRIGHT_HAND_IN_AFTER_MILLISECONDS", "handInAfterMilliseconds"),
        "MILLISECONDS",
        "2000",
        "After so long without a docket a transaction is handed straight to the sealers, 200 to 60000",
    ),
    defaulted(
        ("otlp-endpoint", "PEERWRIGHT_OTLP_ENDPOINT", "otlpEndpoint"),
        "HOST:PORT",
        "",
        "Where traces are sent: a collector that takes OTLP over gRPC without TLS; without it none are made",
    ),
    LOG,
    LOG_FORMAT,
];

/// The options of `dev`.
pub(super) const DEV: &[Setting] = &[
    defaulted(("nodes", "PEERWRIGHT_NODES", "nodes"), "COUNT", "3", "How many nodes the network has, 1 to 16"),
    defaulted(
        ("data-dir", "PEERWRIGHT_DATA_DIR", "dataDir"),
        "DIRECTORY",
        "",
        "Keep the network in this directory; without it everything is gone when the program ends",
    ),
    LOG,
    LOG_FORMAT,
];

//! What each CEL rule of the definitions accepts and refuses.

use peerwright_tests::SchemaRule;
use peerwright_tests::manifests::{ban, network, subscription, with, without};
use serde_json::{Value, json};

/// A rule and both sides of it.
pub(crate) struct Case {
    pub(crate) rule: SchemaRule,
    pub(crate) accepted: Vec<Attempt>,
    pub(crate) refused: Vec<Attempt>,
}

/// What somebody does.
#[derive(Debug)]
pub(crate) enum Attempt {
    Create(Value),
    Change { from: Value, to: Value },
}

const PEER_ID: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const GROUP_NAME: &str =
    "write a group's name as a lower-case letter, then lower-case letters, digits and dashes, not ending in a dash";
const NODE_NAME: &str = "write a node's name as <network>-<group>-<number>, as in demo-peer-2";
const ONE_SUBJECT: &str = "write exactly one of node (a node's name), peerId, fingerprint (each 64 hex digits), spiffeId \
                           (spiffe://<trust domain>/node/<namespace>/<node>) and cidr (<address>/<length>)";
const SPIFFE_ID: &str = "write a SPIFFE id as spiffe://<trust domain>/node/<namespace>/<node>, in lower case";
const FINGERPRINT: &str = "write a fingerprint as 64 lower-case hex digits";
const RANGE: &str =
    "write a range as <address>/<length> without bits behind the length, as in 203.0.113.0/24 or 2001:db8::/32";
const PEER_ID_DIGITS: &str = "write a peer id as 64 lower-case hex digits";
const QUANTITY: &str = "write each resource as a quantity of zero or more, as in cpu: 500m or memory: 64Mi";
const REFERENCE: &str = "write the name of a PeerNetwork in this namespace";
const TIME: &str = "write a time as RFC 3339 with a zone, as in 2027-01-31T12:00:00Z";

/// Every rule of every definition.
pub(crate) fn table() -> Vec<Case> {
    let mut cases = network_names();
    cases.extend(network_parts());
    cases.extend(network_bans());
    cases.extend(network_settings());
    cases.extend(network_changes());
    cases.extend(subscriptions());
    cases.extend(bans());
    cases
}

fn network_names() -> Vec<Case> {
    let named = |names: &[&str]| created(names.iter().map(|name| network(name)));
    let grouped = |names: &[&str]| {
        created(names.iter().map(|name| with(&network("demo"), "spec.nodeGroups.0.name", json!(name))))
    };
    let trusting = |domains: &[&str]| {
        created(domains.iter().map(|domain| with(&network("demo"), "spec.trustDomain", json!(domain))))
    };
    vec![
        case(
            "PeerNetwork",
            "",
            "a network's name is at most 24 characters: a lower-case letter, then lower-case letters, digits and dashes, not ending in a dash",
            named(&["a", "a-1", "abcdefghijklmnopqrstuvwx"]),
            named(&["abcdefghijklmnopqrstuvwxy", "1a", "a.b"]),
        ),
        case(
            "PeerNetwork",
            "spec.nodeGroups[].name",
            GROUP_NAME,
            grouped(&["a", "a-1", "abcdefghijklmnop"]),
            grouped(&["1", "-a", "a-", "A", "a.b", "a_b"]),
        ),
        case(
            "PeerNetwork",
            "spec.trustDomain",
            "write a trust domain as lower-case labels of letters, digits and dashes, separated by dots, as in demo.default.peerwright.internal",
            trusting(&["a", "demo.default.peerwright.internal", "1.2-3.4"]),
            trusting(&["Demo", "a..b", ".a", "a.", "a b", "a_b", "-a.b", "spiffe://a", "a/b"]),
        ),
    ]
}

fn network_parts() -> Vec<Case> {
    let sized =
        |sizes: &[&str]| created(sizes.iter().map(|size| with(&network("demo"), "spec.storage.size", json!(size))));
    let resources = |field: &str, values: &[Value]| {
        let path = format!("spec.nodeGroups.0.resources.{field}");
        created(values.iter().map(|value| with(&network("demo"), &path, value.clone())))
    };
    let right = [json!({}), json!({ "cpu": 2, "memory": "64Mi" }), json!({ "cpu": "0" }), json!({ "cpu": "500m" })];
    let wrong = [
        json!({ "cpu": "much" }),
        json!({ "memory": "64MiB" }),
        json!({ "cpu": "-1" }),
        json!({ "cpu": -1 }),
        json!({ "cpu": "" }),
    ];
    let both = |requests: Value, limits: Value| {
        vec![Attempt::Create(with(
            &network("demo"),
            "spec.nodeGroups.0.resources",
            json!({ "requests": requests, "limits": limits }),
        ))]
    };
    let mut not_above = both(json!({ "cpu": "500m", "memory": "1Gi" }), json!({ "cpu": "0.5", "memory": "1024Mi" }));
    not_above.extend(both(json!({ "memory": "2Gi" }), json!({ "cpu": 1 })));
    vec![
        case(
            "PeerNetwork",
            "spec.storage.size",
            "write a quantity above zero, as in 1Gi",
            sized(&["1Gi", "1", "1.5G", "500M"]),
            sized(&["0", "-1Gi", "1 Gi", "1GiB", "big"]),
        ),
        case(
            "PeerNetwork",
            "spec.nodeGroups[].resources.limits",
            QUANTITY,
            resources("limits", &right),
            resources("limits", &wrong),
        ),
        case(
            "PeerNetwork",
            "spec.nodeGroups[].resources.requests",
            QUANTITY,
            resources("requests", &right),
            resources("requests", &wrong),
        ),
        case(
            "PeerNetwork",
            "spec.nodeGroups[].resources",
            "write requests that are not above limits",
            not_above,
            both(json!({ "cpu": 1, "memory": "65Mi" }), json!({ "cpu": 1, "memory": "64Mi" })),
        ),
    ]
}

fn network_bans() -> Vec<Case> {
    let banning = |ban: Value| {
        Attempt::Create(with(&network("demo"), "spec.bans", json!([{ "name": "first", "peerId": PEER_ID }, ban])))
    };
    let nodes = |names: &[&str]| names.iter().map(|node| banning(json!({ "name": "a", "node": node }))).collect();
    let of = |path: &str, message: &str, accepted: Vec<Attempt>, refused: Vec<Attempt>| {
        case("PeerNetwork", path, message, accepted, refused)
    };
    vec![
        of(
            "",
            "spec.bans[].node names a node of this network: write <network>-<group>-<number>, as in demo-peer-2",
            nodes(&["demo-peer-2", "demo-x-y-0"]),
            nodes(&["other-peer-2", "dem-peer-2", "demos-peer-2", "d-0"]),
        ),
        of(
            "spec.bans[].name",
            "write a ban's name as lower-case letters, digits and dashes, not beginning or ending with a dash",
            ["a", "1", "a-b"].map(|name| banning(json!({ "name": name, "peerId": PEER_ID }))).into(),
            ["A", "-a", "a-", "a b"].map(|name| banning(json!({ "name": name, "peerId": PEER_ID }))).into(),
        ),
        of(
            "spec.bans[]",
            ONE_SUBJECT,
            vec![
                banning(json!({ "name": "a", "peerId": PEER_ID })),
                banning(json!({ "name": "a", "spiffeId": right_spiffe_ids()[0] })),
                banning(json!({ "name": "a", "fingerprint": PEER_ID })),
                banning(json!({ "name": "a", "cidr": "203.0.113.0/24" })),
                banning(json!({ "name": "a", "node": "demo-peer-0" })),
            ],
            vec![
                banning(json!({ "name": "a" })),
                banning(json!({ "name": "a", "node": "demo-peer-0", "peerId": PEER_ID })),
                banning(json!({ "name": "a", "cidr": "203.0.113.0/24", "fingerprint": PEER_ID })),
                banning(json!({ "name": "a", "spiffeId": right_spiffe_ids()[0], "node": "demo-peer-0" })),
            ],
        ),
        of(
            "spec.bans[].peerId",
            PEER_ID_DIGITS,
            vec![banning(json!({ "name": "a", "peerId": PEER_ID }))],
            wrong_peer_ids().into_iter().map(|id| banning(json!({ "name": "a", "peerId": id }))).collect(),
        ),
        of(
            "spec.bans[].spiffeId",
            SPIFFE_ID,
            right_spiffe_ids().map(|id| banning(json!({ "name": "a", "spiffeId": id }))).into(),
            wrong_spiffe_ids().map(|id| banning(json!({ "name": "a", "spiffeId": id }))).into(),
        ),
        of(
            "spec.bans[].fingerprint",
            FINGERPRINT,
            vec![banning(json!({ "name": "a", "fingerprint": PEER_ID }))],
            wrong_peer_ids().map(|id| banning(json!({ "name": "a", "fingerprint": id }))).into(),
        ),
        of(
            "spec.bans[].cidr",
            RANGE,
            right_ranges().map(|range| banning(json!({ "name": "a", "cidr": range }))).into(),
            wrong_ranges().map(|range| banning(json!({ "name": "a", "cidr": range }))).into(),
        ),
        of(
            "spec.bans[].node",
            NODE_NAME,
            nodes(&["demo-peer-0", "demo-x-10"]),
            nodes(&["demo-peer", "demo-peer-", "demo-Peer-0", "demo", "1-demo-0"]),
        ),
        of(
            "spec.bans[].expiresAt",
            TIME,
            right_times()
                .into_iter()
                .map(|time| banning(json!({ "name": "a", "peerId": PEER_ID, "expiresAt": time })))
                .collect(),
            wrong_times()
                .into_iter()
                .map(|time| banning(json!({ "name": "a", "peerId": PEER_ID, "expiresAt": time })))
                .collect(),
        ),
    ]
}

fn ban_rule(offence: &str) -> Case {
    let path = format!("spec.autoBans.{offence}");
    let lasting =
        |times: &[i64]| created(times.iter().map(|time| with(&network("demo"), &path, json!({ "banSeconds": time }))));
    let message = "write banSeconds of at least 60, or 0 for a ban that does not end";
    case("PeerNetwork", &path, message, lasting(&[0, 60, 2_592_000]), lasting(&[1, 59]))
}

fn network_settings() -> Vec<Case> {
    let rule = |group: &str, message: &str, accepted: &[Value], refused: &[Value]| {
        let path = format!("spec.{group}");
        let tried = |values: &[Value]| created(values.iter().map(|value| with(&network("demo"), &path, value.clone())));
        case("PeerNetwork", &path, message, tried(accepted), tried(refused))
    };
    vec![
        rule(
            "sealing.sealers",
            "write 1, 3 or 5: an even number of sealers survives no more failures than one less",
            &[json!(1), json!(3), json!(5)],
            &[json!(2), json!(4)],
        ),
        rule(
            "detection",
            "write a suspicionAfterMilliseconds of at least five quarters of keepaliveMilliseconds; absent they are 1500 and 1000",
            &[
                json!({}),
                json!({ "keepaliveMilliseconds": 1200 }),
                json!({ "suspicionAfterMilliseconds": 1250 }),
                json!({ "keepaliveMilliseconds": 4000, "suspicionAfterMilliseconds": 5000 }),
            ],
            &[
                json!({ "keepaliveMilliseconds": 1201 }),
                json!({ "suspicionAfterMilliseconds": 1249 }),
                json!({ "keepaliveMilliseconds": 4000, "suspicionAfterMilliseconds": 4999 }),
            ],
        ),
        rule(
            "overlay",
            "write a minActivePeers that is not above activePeers; absent they are 6 and 8",
            &[json!({}), json!({ "activePeers": 6 }), json!({ "activePeers": 20, "minActivePeers": 20 })],
            &[json!({ "activePeers": 5 }), json!({ "minActivePeers": 9 })],
        ),
        rule(
            "overlay",
            "write a minOutboundPeers that is not above activePeers; absent they are 3 and 8",
            &[json!({ "minOutboundPeers": 8 }), json!({ "activePeers": 3, "minActivePeers": 3, "searchingPeers": 3 })],
            &[json!({ "minOutboundPeers": 9 })],
        ),
        rule(
            "overlay",
            "write a searchingPeers that is not above activePeers; absent they are 4 and 8",
            &[json!({ "searchingPeers": 8 }), json!({ "activePeers": 4, "minActivePeers": 4 })],
            &[json!({ "searchingPeers": 9 }), json!({ "activePeers": 3, "minActivePeers": 3 })],
        ),
        rule(
            "connections",
            "write a retryLimitSeconds that is not shorter than retryFirstMilliseconds; absent they are 60 and 1000",
            &[json!({ "retryFirstMilliseconds": 60_000 }), json!({ "retryLimitSeconds": 1 })],
            &[json!({ "retryLimitSeconds": 1, "retryFirstMilliseconds": 1_001 })],
        ),
        rule(
            "links",
            "write a breakerFirstSeconds that is not above breakerResetSeconds; absent they are 10 and 300",
            &[json!({ "breakerResetSeconds": 60 }), json!({ "breakerFirstSeconds": 300 })],
            &[json!({ "breakerFirstSeconds": 301 }), json!({ "breakerFirstSeconds": 61, "breakerResetSeconds": 60 })],
        ),
        ban_rule("invalidMessage"),
        ban_rule("spam"),
        ban_rule("protocolViolation"),
        ban_rule("maliciousContent"),
        rule(
            "scoring",
            "write weights that sum to 100; absent reliabilityPercent is 40, performancePercent 30 and behaviourPercent 30",
            &[
                json!({}),
                json!({ "reliabilityPercent": 50, "performancePercent": 20 }),
                json!({ "reliabilityPercent": 0, "performancePercent": 0, "behaviourPercent": 100 }),
            ],
            &[
                json!({ "behaviourPercent": 31 }),
                json!({ "reliabilityPercent": 40, "performancePercent": 30, "behaviourPercent": 29 }),
            ],
        ),
    ]
}

fn network_changes() -> Vec<Case> {
    let plain = network("demo");
    let frozen = |path: &str, message: &str, is: &str, other: &str, absent: bool| {
        let set = with(&plain, path, json!(is));
        let mut refused = vec![change(&set, &with(&plain, path, json!(other)))];
        if absent {
            refused.extend([change(&plain, &set), change(&set, &plain)]);
        }
        let grown = with(&set, "spec.nodeGroups.0.replicas", json!(5));
        case(
            "PeerNetwork",
            "spec",
            message,
            vec![change(&set, &set), change(&set, &grown), change(&plain, &plain)],
            refused,
        )
    };
    let mut size = frozen(
        "spec.storage.size",
        "storage.size cannot change after creation: the volumes of a StatefulSet keep their size; write the size that it was",
        "2Gi",
        "3Gi",
        false,
    );
    let two = with(&plain, "spec.storage.size", json!("2Gi"));
    size.refused.extend([change(&plain, &two), change(&two, &plain)]);
    size.accepted.push(change(&plain, &with(&plain, "spec.storage.size", json!("1Gi"))));
    vec![
        frozen(
            "spec.trustDomain",
            "trustDomain cannot be set, changed or removed after creation: every member's certificate carries it; write what it was, or create another network",
            "a.example",
            "b.example",
            true,
        ),
        size,
        frozen(
            "spec.storage.storageClassName",
            "storage.storageClassName cannot be set, changed or removed after creation: the volumes of a StatefulSet keep their class; write what it was",
            "fast",
            "slow",
            true,
        ),
    ]
}

fn subscriptions() -> Vec<Case> {
    let plain = subscription("orders");
    let named = with(&plain, "spec.displayName", json!("Orders"));
    let of_register = |id: &str| Attempt::Create(with(&plain, "spec.registerId", json!(id)));
    vec![
        case(
            "RegisterSubscription",
            "spec",
            "networkRef cannot change: delete the subscription and create one for the other network",
            vec![change(&plain, &named), change(&named, &plain)],
            vec![change(&plain, &with(&plain, "spec.networkRef.name", json!("other")))],
        ),
        case(
            "RegisterSubscription",
            "spec",
            "registerId cannot change: delete the subscription and create one for the other register",
            vec![change(&plain, &named)],
            vec![change(&plain, &with(&plain, "spec.registerId", json!("ff".repeat(16))))],
        ),
        case(
            "RegisterSubscription",
            "spec.registerId",
            "write a register id as 32 lower-case hex digits",
            vec![of_register(&"09".repeat(16)), of_register(&"af".repeat(16))],
            vec![
                of_register(""),
                of_register("0"),
                of_register(&"AF".repeat(16)),
                of_register(&"g0".repeat(16)),
                of_register(&"0".repeat(31)),
            ],
        ),
        references("RegisterSubscription", &plain),
    ]
}

fn bans() -> Vec<Case> {
    let by_node = ban("a");
    let by_peer = with(&without(&by_node, "spec.node"), "spec.peerId", json!(PEER_ID));
    let of_node = |node: &str| Attempt::Create(with(&by_node, "spec.node", json!(node)));
    let by = |kind: &str, value: &str| {
        Attempt::Create(with(&without(&by_node, "spec.node"), &format!("spec.{kind}"), json!(value)))
    };
    let labelled = with(&by_node, "metadata.labels.team", json!("a"));
    let changes = [
        ("spec.reason", json!("why")),
        ("spec.expiresAt", json!("2027-01-31T12:00:00Z")),
        ("spec.node", json!("demo-peer-1")),
        ("spec.networkRef.name", json!("dem")),
    ];
    vec![
        case(
            "PeerBan",
            "",
            "a ban cannot change: delete it and create another",
            vec![change(&by_node, &by_node), change(&by_node, &labelled)],
            changes.into_iter().map(|(path, value)| change(&by_node, &with(&by_node, path, value))).collect(),
        ),
        case(
            "PeerBan",
            "spec",
            ONE_SUBJECT,
            vec![
                Attempt::Create(by_node.clone()),
                Attempt::Create(by_peer.clone()),
                by("spiffeId", right_spiffe_ids()[0]),
                by("fingerprint", PEER_ID),
                by("cidr", "203.0.113.0/24"),
            ],
            vec![
                Attempt::Create(with(&by_peer, "spec.cidr", json!("203.0.113.0/24"))),
                Attempt::Create(with(&by_node, "spec.spiffeId", json!(right_spiffe_ids()[0]))),
                Attempt::Create(with(&by_peer, "spec.fingerprint", json!(PEER_ID))),
                Attempt::Create(without(&by_node, "spec.node")),
                Attempt::Create(with(&by_node, "spec.peerId", json!(PEER_ID))),
            ],
        ),
        case(
            "PeerBan",
            "spec",
            "node names a node of the network in networkRef: write <network>-<group>-<number>, as in demo-peer-2",
            vec![of_node("demo-peer-2"), of_node("demo-x-y-0")],
            vec![of_node("other-peer-2"), of_node("demos-peer-2")],
        ),
        case(
            "PeerBan",
            "spec.peerId",
            PEER_ID_DIGITS,
            vec![Attempt::Create(by_peer.clone())],
            wrong_peer_ids().into_iter().map(|id| Attempt::Create(with(&by_peer, "spec.peerId", json!(id)))).collect(),
        ),
        case(
            "PeerBan",
            "spec.spiffeId",
            SPIFFE_ID,
            right_spiffe_ids().map(|id| by("spiffeId", id)).into(),
            wrong_spiffe_ids().map(|id| by("spiffeId", id)).into(),
        ),
        case(
            "PeerBan",
            "spec.fingerprint",
            FINGERPRINT,
            vec![by("fingerprint", PEER_ID)],
            wrong_peer_ids().map(|id| by("fingerprint", &id)).into(),
        ),
        case(
            "PeerBan",
            "spec.cidr",
            RANGE,
            right_ranges().map(|range| by("cidr", range)).into(),
            wrong_ranges().map(|range| by("cidr", range)).into(),
        ),
        case(
            "PeerBan",
            "spec.node",
            NODE_NAME,
            vec![of_node("demo-peer-10")],
            vec![of_node("demo-peer"), of_node("demo-peer-"), of_node("demo-Peer-0")],
        ),
        case(
            "PeerBan",
            "spec.expiresAt",
            TIME,
            right_times()
                .into_iter()
                .map(|time| Attempt::Create(with(&by_peer, "spec.expiresAt", json!(time))))
                .collect(),
            wrong_times()
                .into_iter()
                .map(|time| Attempt::Create(with(&by_peer, "spec.expiresAt", json!(time))))
                .collect(),
        ),
        references("PeerBan", &by_peer),
    ]
}

fn references(kind: &str, manifest: &Value) -> Case {
    let to = |names: &[&str]| created(names.iter().map(|name| with(manifest, "spec.networkRef.name", json!(name))));
    case(kind, "spec.networkRef.name", REFERENCE, to(&["demo", "a-1"]), to(&["", "Demo", "a.b", "default/demo", "a-"]))
}

fn wrong_peer_ids() -> [String; 4] {
    [String::new(), "abc".to_owned(), "AB".repeat(32), "g0".repeat(32)]
}

fn right_spiffe_ids() -> [&'static str; 2] {
    ["spiffe://demo.default.peerwright.internal/node/default/demo-peer-2", "spiffe://a_b/node/c/d.e"]
}

fn wrong_spiffe_ids() -> [&'static str; 6] {
    ["", "demo-peer-2", "https://a/node/b/c", "spiffe://a/node/b", "spiffe://a/node/b/c/d", "spiffe://Demo/node/b/c"]
}

fn right_ranges() -> [&'static str; 5] {
    ["203.0.113.0/24", "203.0.113.7/32", "0.0.0.0/0", "2001:db8::/32", "::1/128"]
}

fn wrong_ranges() -> [&'static str; 7] {
    ["", "203.0.113.0", "203.0.113.7/24", "203.0.113.0/33", "2001:db8::1/32", "2001:db8::/129", "a range"]
}

fn right_times() -> [&'static str; 4] {
    ["2027-01-31T12:00:00Z", "2028-02-29T23:59:59+14:00", "2027-01-31T12:00:00.123456789-05:30", "1970-01-01T00:00:01Z"]
}

fn wrong_times() -> [&'static str; 9] {
    [
        "",
        "tomorrow",
        "2027-01-31",
        "2027-01-31T12:00:00",
        "2027-01-31 12:00:00Z",
        "2027-02-30T12:00:00Z",
        "2027-13-01T12:00:00Z",
        "2027-01-31T24:00:00Z",
        "1969-12-31T23:59:59Z",
    ]
}

fn case(kind: &str, at: &str, message: &str, accepted: Vec<Attempt>, refused: Vec<Attempt>) -> Case {
    let rule = SchemaRule { kind: kind.to_owned(), at: at.to_owned(), message: message.to_owned() };
    Case { rule, accepted, refused }
}

fn created(manifests: impl IntoIterator<Item = Value>) -> Vec<Attempt> {
    manifests.into_iter().map(Attempt::Create).collect()
}

fn change(from: &Value, to: &Value) -> Attempt {
    Attempt::Change { from: from.clone(), to: to.clone() }
}

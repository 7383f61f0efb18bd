//! Configuration: flags, `PEERWRIGHT_*` environment variables and a YAML file, in this order of precedence.
//!
//! Every option exists in all three under one name: `--drain-seconds`, `PEERWRIGHT_DRAIN_SECONDS`, `drainSeconds`.
//! Whatever is wrong ends in one line: what, where it stands, what is accepted.

mod command;
mod endpoint;
mod file;
mod settings;
mod storage;
mod values;

pub use endpoint::Endpoint;
pub use storage::Storage;

use crate::{
    discovery::{Interfaces, MulticastDns},
    limits::{Allowance, LimitSettings},
    link::LinkSettings,
    registers::{HAND_IN_AFTER, OUTBOX_CAPACITY, OutboxSettings},
};
use command::Request;
use file::FileValues;
use peerwright_engine::{bounds::MAX_OWN_RANGES, session::Carrier};
use peerwright_secure::Cidr;
use std::{
    ffi::OsString,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};
use thiserror::Error;
use values::Values;

/// What the program was asked to do.
#[derive(Debug)]
pub enum Invocation {
    /// One node of a network on Kubernetes.
    Run(Box<Configuration>, Logging),
    /// A small network in this process.
    Dev(DevConfiguration, Logging),
    /// Help or version: print it and end.
    Print(String),
}

/// What the log shows and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// A tracing filter.
    pub filter: String,
    /// The look of a line.
    pub format: LogFormat,
}

/// The look of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// All that one node needs to know before it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// Name of the PeerNetwork.
    pub network: String,
    /// Its namespace.
    pub namespace: String,
    /// Its UID.
    pub network_uid: String,
    /// This node's name: its pod's.
    pub node_name: String,
    /// Trust domain of the network.
    pub trust_domain: String,
    /// Where the operator answers.
    pub operator: Endpoint,
    /// SHA-256 of the install root's file.
    pub install_root_sha256: [u8; 32],
    /// Where other nodes are found.
    pub seeds: Vec<Endpoint>,
    /// Private addresses that may be dialled on a peer's word.
    pub own_ranges: Vec<Cidr>,
    /// Whether nodes are looked for on the local cable.
    pub multicast_dns: MulticastDns,
    /// Keys, certificate, snapshot, and registers unless they are in a database.
    pub data_dir: PathBuf,
    /// Where registers are kept.
    pub storage: Storage,
    /// Certificate of the install root, PEM.
    pub install_root: PathBuf,
    /// Service-account token for the operator.
    pub token_file: PathBuf,
    /// Snapshot from the network's ConfigMap; may be absent.
    pub snapshot_file: PathBuf,
    /// Where other nodes connect.
    pub listen_peer: SocketAddr,
    /// Where applications connect.
    pub listen_api: SocketAddr,
    /// Where probes and metrics are read.
    pub listen_probe: SocketAddr,
    /// How long a stopping node finishes what it has begun.
    pub drain: Duration,
    /// How links behave.
    pub links: LinkSettings,
    /// How much one identity may ask for in a minute.
    pub limits: LimitSettings,
    /// What this node accepts ahead of the sealers.
    pub outbox: OutboxSettings,
    /// Where traces are sent.
    pub otlp_endpoint: Option<Endpoint>,
}

impl Configuration {
    /// A node of this process: on loopback, on whichever ports are free, with no operator to ask. Its names are to be
    /// given.
    #[must_use]
    pub fn on_loopback(data_dir: PathBuf) -> Self {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            network: String::new(),
            namespace: String::new(),
            network_uid: String::new(),
            node_name: String::new(),
            trust_domain: String::new(),
            operator: Endpoint { host: "localhost".to_owned(), port: 9_443 },
            install_root_sha256: [0; 32],
            seeds: Vec::new(),
            own_ranges: Vec::new(),
            multicast_dns: Interfaces::Off.into(),
            data_dir,
            storage: Storage::Volume,
            install_root: PathBuf::new(),
            token_file: PathBuf::new(),
            snapshot_file: PathBuf::new(),
            listen_peer: free,
            listen_api: free,
            listen_probe: free,
            drain: Duration::from_secs(5),
            links: LinkSettings::default(),
            limits: LimitSettings::default(),
            outbox: OutboxSettings::default(),
            otlp_endpoint: None,
        }
    }
}

/// What `dev` needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevConfiguration {
    /// How many nodes.
    pub nodes: u16,
    /// Where the network is kept; `None` keeps it in memory.
    pub data_dir: Option<PathBuf>,
}

/// Why a configuration is refused. Shown as one line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// The command line itself.
    #[error("{0}; peerwright-node --help and peerwright-node run --help say what is accepted")]
    CommandLine(String),
    /// An option without a value.
    #[error("{name} is missing: give {places}")]
    Missing {
        /// The option.
        name: String,
        /// Where it may stand.
        places: String,
    },
    /// A value that means nothing.
    #[error("{name} is {value:?} ({place}): accepted is {accepted}")]
    Value {
        /// The option.
        name: String,
        /// Its value.
        value: String,
        /// Where it stands.
        place: String,
        /// What would be right.
        accepted: &'static str,
    },
    /// An option whose value may hold a secret, and is not shown.
    #[error("{name} ({place}) {reason}")]
    Hidden {
        /// The option.
        name: &'static str,
        /// Where it stands.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// The file as a whole, or a key of it.
    #[error("configuration file {path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

/// Reads command line, environment and file.
pub fn load(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, ConfigError> {
    match command::parse(arguments)? {
        Request::Print(text) => Ok(Invocation::Print(text)),
        Request::Run(matches) => {
            let file = match matches.get_one::<String>("config") {
                Some(path) => FileValues::read(path.as_ref(), settings::RUN)?,
                None => FileValues::default(),
            };
            let values = Values { settings: settings::RUN, matches: &matches, file };
            Ok(Invocation::Run(Box::new(configuration(&values)?), logging(&values)?))
        }
        Request::Dev(matches) => {
            let values = Values { settings: settings::DEV, matches: &matches, file: FileValues::default() };
            let nodes = values.read("nodes", "a number from 1 to 16", |text| whole(text, 1, 16))?;
            let data_dir = values.read("data-dir", "a directory", |text| Some(text.to_owned()))?;
            let data_dir = (!data_dir.is_empty()).then(|| PathBuf::from(data_dir));
            Ok(Invocation::Dev(DevConfiguration { nodes, data_dir }, logging(&values)?))
        }
    }
}

fn configuration(values: &Values<'_>) -> Result<Configuration, ConfigError> {
    let label = "a DNS label: a-z, 0-9 and -, at most 63";
    let domain = "a DNS name: labels of a-z, 0-9 and - joined by dots, at most 253";
    let name = |option| values.read(option, label, |text| endpoint::is_label(text).then(|| text.to_owned()));
    let path = |option| values.read(option, "a path", |text| (!text.is_empty()).then(|| PathBuf::from(text)));
    let listen =
        |option| values.read(option, "ADDRESS:PORT, such as 0.0.0.0:5000 or [::]:5000", |text| text.parse().ok());
    let endpoint = "HOST:PORT, such as demo-peers.default.svc.cluster.local:5000";
    Ok(Configuration {
        network: name("network")?,
        namespace: name("namespace")?,
        network_uid: values.read("network-uid", "the UID of the PeerNetwork", uid)?,
        node_name: values.read("node-name", domain, |text| endpoint::is_name(text).then(|| text.to_owned()))?,
        trust_domain: values.read("trust-domain", domain, |text| endpoint::is_name(text).then(|| text.to_owned()))?,
        operator: values.read("operator", endpoint, |text| text.parse().ok())?,
        install_root_sha256: values.read("install-root-sha256", "64 hex digits", digest)?,
        seeds: values.read_list("seeds", endpoint, |text| text.parse().ok())?,
        own_ranges: own_ranges(values)?,
        multicast_dns: multicast_dns(values)?,
        data_dir: path("data-dir")?,
        storage: storage::storage(values)?,
        install_root: path("install-root")?,
        token_file: path("token-file")?,
        snapshot_file: path("snapshot-file")?,
        listen_peer: listen("listen-peer")?,
        listen_api: listen("listen-api")?,
        listen_probe: listen("listen-probe")?,
        drain: values
            .read("drain-seconds", "whole seconds from 1 to 300", |text| whole(text, 1, 300))
            .map(|seconds| Duration::from_secs(seconds.into()))?,
        links: links(values)?,
        limits: limits(values)?,
        outbox: outbox(values)?,
        otlp_endpoint: values.read("otlp-endpoint", "HOST:PORT, such as collector.monitoring:4317", |text| {
            if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
        })?,
    })
}

fn multicast_dns(values: &Values<'_>) -> Result<MulticastDns, ConfigError> {
    let accepted = "off, on, or names of network interfaces of at most 15 characters";
    let words = values.read_list("multicast-dns", accepted, |text| is_interface(text).then(|| text.to_owned()))?;
    let interfaces = match words.as_slice() {
        [word] if word == "off" => Interfaces::Off,
        [word] if word == "on" => Interfaces::All,
        _ => Interfaces::Named(words),
    };
    Ok(interfaces.into())
}

/// Whether Linux takes this for the name of an interface.
fn is_interface(text: &str) -> bool {
    text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/' && byte != b':')
}

fn links(values: &Values<'_>) -> Result<LinkSettings, ConfigError> {
    let carriers = values.read_list("carriers", "one or more of stream, unary, https", Carrier::from_label)?;
    let mut settings = LinkSettings { carriers, ..LinkSettings::default() };
    let failures = values.read("breaker-failures", "a number from 3 to 20", |text| whole(text, 3, 20))?;
    settings.breaker.failures = failures.into();
    let seconds =
        values.read("breaker-reset-seconds", "whole seconds from 60 to 1800", |text| whole(text, 60, 1_800))?;
    settings.breaker.reset = Duration::from_secs(seconds.into());
    settings.check().map_err(|refused| ConfigError::CommandLine(refused.to_string()))?;
    Ok(settings)
}

fn outbox(values: &Values<'_>) -> Result<OutboxSettings, ConfigError> {
    let capacity = |text: &str| text.parse().ok().filter(|capacity| OUTBOX_CAPACITY.contains(capacity));
    let millis =
        |text: &str| text.parse().ok().map(Duration::from_millis).filter(|after| HAND_IN_AFTER.contains(after));
    let settings = OutboxSettings {
        capacity: values.read("outbox-transactions", "a number from 100 to 100000", capacity)?,
        hand_in_after: values.read("hand-in-after-milliseconds", "whole milliseconds from 200 to 60000", millis)?,
    };
    settings.check().map_err(|refused| ConfigError::CommandLine(refused.to_string()))?;
    Ok(settings)
}

fn limits(values: &Values<'_>) -> Result<LimitSettings, ConfigError> {
    let count = |name| values.read(name, "a number from 1 to 1000000, or none", |text| up_to_a_million(text, 1));
    let megabytes =
        |name| values.read(name, "megabytes from 1 to 1000000, or none", |text| up_to_a_million(text, 1_000_000));
    let settings = LimitSettings {
        member: Allowance { bytes: megabytes("member-megabytes-per-minute")?, ..Allowance::default() },
        external: Allowance {
            requests: count("external-requests-per-minute")?,
            bytes: megabytes("external-megabytes-per-minute")?,
            transactions: count("external-transactions-per-minute")?,
        },
        ..LimitSettings::default()
    };
    settings.check().map_err(|refused| ConfigError::CommandLine(refused.to_string()))?;
    Ok(settings)
}

/// A number of units, or `none`, which is no limit.
fn up_to_a_million(text: &str, unit: u64) -> Option<Option<u64>> {
    if text == "none" {
        return Some(None);
    }
    let number = text.parse().ok().filter(|number: &u64| (1..=1_000_000).contains(number))?;
    Some(Some(number.saturating_mul(unit)))
}

fn own_ranges(values: &Values<'_>) -> Result<Vec<Cidr>, ConfigError> {
    let accepted = "ADDRESS/BITS, such as 10.244.0.0/16 or fd00::/8, at most 64 of them";
    let ranges = values.read_list("own-ranges", accepted, |text| text.parse().ok())?;
    if ranges.len() > MAX_OWN_RANGES {
        let (name, place) = ("own-ranges".to_owned(), "all places together".to_owned());
        return Err(ConfigError::Value { name, value: format!("{} ranges", ranges.len()), place, accepted });
    }
    Ok(ranges)
}

fn logging(values: &Values<'_>) -> Result<Logging, ConfigError> {
    let filter = values.read("log", "a level (error, warn, info, debug, trace) or a tracing filter", |text| {
        let valid = !text.is_empty() && tracing_subscriber::EnvFilter::try_new(text).is_ok();
        valid.then(|| text.to_owned())
    })?;
    let format = values.read("log-format", "text or json", |text| match text {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    })?;
    Ok(Logging { filter, format })
}

fn whole(text: &str, lowest: u16, highest: u16) -> Option<u16> {
    text.parse().ok().filter(|number| (lowest..=highest).contains(number))
}

fn uid(text: &str) -> Option<String> {
    let shaped =
        (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    shaped.then(|| text.to_owned())
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text, &mut digest).ok().map(|()| digest)
}

#[cfg(test)]
mod tests;

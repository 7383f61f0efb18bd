//! What the operator is told: flags, each also an environment variable `PEERWRIGHT_...`.

use std::{
    net::{Ipv6Addr, SocketAddr},
    num::NonZeroU16,
    str::FromStr,
};

use clap::{Parser, ValueEnum};
use peerwright_secure::Cidr;

/// Nodes take no more.
const MOST_RANGES: usize = 64;

/// Kubernetes operator of Peerwright: turns PeerNetworks into running peer nodes.
#[derive(Clone, Debug, Parser)]
#[command(name = "peerwright-operator", version, about)]
pub struct Settings {
    /// Namespace of the operator: its Lease, the authorities' Secrets and the member tables live here.
    #[arg(long, env = "PEERWRIGHT_NAMESPACE")]
    pub namespace: String,

    /// Name of this pod: identifies this replica in the Lease and in Events.
    #[arg(long, env = "PEERWRIGHT_POD_NAME")]
    pub pod_name: String,

    /// Image of the nodes of a network that names none. A network keeps the image that it first got.
    #[arg(long, env = "PEERWRIGHT_NODE_IMAGE")]
    pub node_image: String,

    /// Namespaces to watch, separated by commas. Empty: all.
    #[arg(long, env = "PEERWRIGHT_WATCH_NAMESPACES", default_value = "", hide_default_value = true)]
    pub watch_namespaces: Namespaces,

    /// DNS domain of the cluster, as in `<service>.<namespace>.svc.<domain>`.
    #[arg(long, env = "PEERWRIGHT_CLUSTER_DOMAIN", default_value = "cluster.local", value_parser = domain)]
    pub cluster_domain: String,

    /// Address ranges of the cluster's pods, separated by commas: nodes dial inside them when a peer names an address.
    /// Without them nodes dial what DNS tells them, and only public addresses of what peers name.
    #[arg(long, env = "PEERWRIGHT_POD_RANGES", default_value = "", hide_default_value = true, value_parser = ranges)]
    pub pod_ranges: String,

    /// Collector to which nodes send traces, OTLP over gRPC without TLS: HOST:PORT. Without it none are made.
    #[arg(long, env = "PEERWRIGHT_NODE_TRACES", default_value = "", hide_default_value = true, value_parser = collector)]
    pub node_traces: String,

    /// Where nodes ask for certificates and listen for snapshots (gRPC over TLS).
    #[arg(long, env = "PEERWRIGHT_LISTEN_NODES", default_value = "0.0.0.0:9443")]
    pub listen_nodes: SocketAddr,

    /// Where /livez, /readyz and /metrics are served (plain HTTP).
    #[arg(long, env = "PEERWRIGHT_LISTEN_PROBES", default_value = "0.0.0.0:8080")]
    pub listen_probes: SocketAddr,

    /// What to log: a level, or a list such as `info,peerwright_operator=debug`. By default without a line for each
    /// reconciliation.
    #[arg(long, env = "PEERWRIGHT_LOG", default_value = "info,kube_runtime=warn")]
    pub log: String,

    /// How to log.
    #[arg(long, env = "PEERWRIGHT_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// A DNS domain without the final dot.
fn domain(text: &str) -> Result<String, String> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_domain = text.len() <= 128 && text.split('.').all(is_label);
    is_domain.then(|| text.to_owned()).ok_or_else(|| "write a lower-case DNS domain such as `cluster.local`".to_owned())
}

/// `HOST:PORT`, or nothing.
fn collector(text: &str) -> Result<String, String> {
    let is_host = |host: &str| match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => domain(host).is_ok(),
    };
    let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<NonZeroU16>().ok()?)));
    let is_endpoint = text.is_empty() || parts.is_some_and(|(host, _)| is_host(host));
    is_endpoint
        .then(|| text.to_owned())
        .ok_or_else(|| "write HOST:PORT, such as `collector.monitoring:4317`".to_owned())
}

/// Address ranges joined by commas, each as `10.244.0.0/16`.
fn ranges(text: &str) -> Result<String, String> {
    let items: Vec<&str> = text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
    for item in &items {
        item.parse::<Cidr>().map_err(|reason| format!("`{item}` is not a range: {reason}"))?;
    }
    if items.len() > MOST_RANGES {
        return Err(format!("{} ranges: at most {MOST_RANGES}", items.len()));
    }
    Ok(items.join(","))
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Which namespaces the operator looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Namespaces {
    /// Every one, by cluster-wide watches.
    All,
    /// These, by one watch each: needs no cluster-wide right to networks and their children.
    Only(Vec<String>),
}

impl Namespaces {
    /// Says whether a namespace is looked at.
    #[must_use]
    pub fn contains(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.iter().any(|name| name == namespace),
        }
    }
}

impl FromStr for Namespaces {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut names: Vec<String> =
            text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        for name in &names {
            let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if name.len() > 63 || !name.chars().all(allowed) {
                return Err(format!("`{name}` is not a namespace: at most 63 of a-z, 0-9 and `-`"));
            }
        }
        Ok(if names.is_empty() { Self::All } else { Self::Only(names) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Settings, clap::Error> {
        let required = ["operator", "--namespace", "system", "--pod-name", "a", "--node-image", "node:dev"];
        Settings::try_parse_from(required.iter().chain(arguments))
    }

    #[test]
    fn no_list_of_namespaces_means_all() {
        assert_eq!(parse(&[]).unwrap().watch_namespaces, Namespaces::All);
    }

    #[test]
    fn a_list_of_namespaces_is_trimmed_and_unique() {
        let settings = parse(&["--watch-namespaces", "b, a,b,"]).unwrap();
        assert_eq!(settings.watch_namespaces, Namespaces::Only(vec!["a".into(), "b".into()]));
        assert!(settings.watch_namespaces.contains("a"));
        assert!(!settings.watch_namespaces.contains("c"));
    }

    #[test]
    fn a_wrong_namespace_is_named_in_the_message() {
        let message = parse(&["--watch-namespaces", "a,Not_One"]).unwrap_err().to_string();
        assert!(message.contains("Not_One"), "{message}");
    }

    #[test]
    fn the_cluster_domain_is_a_domain() {
        assert_eq!(parse(&[]).unwrap().cluster_domain, "cluster.local");
        assert_eq!(parse(&["--cluster-domain", "k8s.example"]).unwrap().cluster_domain, "k8s.example");
        for wrong in ["", ".", "cluster.local.", "Cluster.Local", "a b", "-a.b"] {
            assert!(parse(&["--cluster-domain", wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pod_ranges_are_blocks_of_addresses() {
        assert_eq!(parse(&[]).unwrap().pod_ranges, "");
        assert_eq!(parse(&["--pod-ranges", "10.244.0.0/16, fd00::/8,"]).unwrap().pod_ranges, "10.244.0.0/16,fd00::/8");
        assert_eq!(parse(&["--pod-ranges", "0.0.0.0/0"]).unwrap().pod_ranges, "0.0.0.0/0");
        for wrong in ["10.244.0.1/16", "10.244.0.0", "10.0.0.0/33", "pods/8", "fd00::1/64"] {
            assert!(parse(&["--pod-ranges", wrong]).is_err(), "{wrong}");
        }
        assert!(parse(&["--pod-ranges", &["10.0.0.0/8"; 65].join(",")]).is_err());
    }

    #[test]
    fn a_collector_of_traces_is_a_host_and_a_port() {
        assert_eq!(parse(&[]).unwrap().node_traces, "");
        for right in ["collector.monitoring:4317", "10.0.0.1:4317", "[fd00::1]:4317"] {
            assert_eq!(parse(&["--node-traces", right]).unwrap().node_traces, right);
        }
        for wrong in ["collector", "collector:0", "http://collector:4317", ":4317", "[10.0.0.1]:1", "a b:1"] {
            assert!(parse(&["--node-traces", wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Settings::command().debug_assert();
    }
}

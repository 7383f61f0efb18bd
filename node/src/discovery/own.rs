//! This node's own addresses, which the names of its network resolve to as well.

use nix::ifaddrs::getifaddrs;
use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

/// The addresses of this machine or pod with the port that this node listens on.
pub(crate) struct OwnAddresses {
    hosts: BTreeSet<IpAddr>,
    port: u16,
}

impl OwnAddresses {
    /// Asks the system: a pod keeps its address for life, a machine may not.
    pub(crate) fn now(listening: SocketAddr) -> Self {
        let mut hosts = BTreeSet::from([listening.ip()]);
        match getifaddrs() {
            Ok(interfaces) => hosts.extend(interfaces.filter_map(|interface| {
                let address = interface.address?;
                let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
                v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
            })),
            // A node that dials itself hears so in the handshake; it costs a dial.
            Err(error) => tracing::debug!(%error, "the system does not tell its addresses"),
        }
        Self { hosts, port: listening.port() }
    }

    /// Where others may reach this node: where it listens, or, when it listens everywhere, the first address that is
    /// more than this machine's own.
    pub(crate) fn advertised(&self, listening: SocketAddr) -> Option<SocketAddr> {
        let is_reachable = |host: &&IpAddr| !host.is_unspecified() && !host.is_loopback() && !is_link_local(host);
        let host = match listening.ip() {
            host if host.is_unspecified() => *self.hosts.iter().find(is_reachable)?,
            host => host,
        };
        Some(SocketAddr::new(host, self.port))
    }

    pub(super) fn contains(&self, socket: &SocketAddr) -> bool {
        socket.port() == self.port && self.hosts.contains(&socket.ip())
    }
}

fn is_link_local(host: &IpAddr) -> bool {
    match host {
        IpAddr::V4(host) => host.is_link_local(),
        IpAddr::V6(host) => host.is_unicast_link_local(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::OwnAddresses;
    use std::net::SocketAddr;

    fn advertised(hosts: &[&str], listening: &str) -> Option<SocketAddr> {
        let listening: SocketAddr = listening.parse().unwrap();
        let hosts = hosts.iter().map(|host| host.parse().unwrap()).collect();
        OwnAddresses { hosts, port: listening.port() }.advertised(listening)
    }

    #[test]
    fn a_node_that_listens_everywhere_tells_an_address_that_others_can_dial() {
        let hosts = ["0.0.0.0", "127.0.0.1", "169.254.3.4", "10.1.2.3", "fe80::1", "2001:db8::1"];
        assert_eq!(advertised(&hosts, "0.0.0.0:5000"), Some("10.1.2.3:5000".parse().unwrap()));
        assert_eq!(advertised(&["::", "::1"], "[::]:5000"), None);
    }

    #[test]
    fn a_node_that_listens_on_one_address_tells_that_one() {
        assert_eq!(advertised(&["10.1.2.3"], "127.0.0.1:5000"), Some("127.0.0.1:5000".parse().unwrap()));
    }
}

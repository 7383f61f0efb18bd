//! This node's own addresses, which the names of its network resolve to as well.

use nix::ifaddrs::getifaddrs;
use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

/// The addresses of this machine or pod with the port that this node listens on.
pub(super) struct OwnAddresses {
    hosts: BTreeSet<IpAddr>,
    port: u16,
}

impl OwnAddresses {
    /// Asks the system: a pod keeps its address for life, a machine may not.
    pub(super) fn now(listening: SocketAddr) -> Self {
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

    pub(super) fn contains(&self, socket: &SocketAddr) -> bool {
        socket.port() == self.port && self.hosts.contains(&socket.ip())
    }
}

//! Which addresses count as one neighbourhood.

use peerwright_secure::Cidr;
use std::net::IpAddr;

/// Addresses that one owner is likely to have: an IPv4 /16, an IPv6 /32. Inside the network's own ranges every address is a
/// group of its own, for there the network decides who gets which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Group([u8; 17]);

impl Group {
    /// What this node has found out itself, and what comes from nowhere in particular.
    pub(crate) const OWN: Self = Self([0; 17]);

    pub(crate) fn of(ip: IpAddr, own_ranges: &[Cidr]) -> Self {
        let ip = ip.to_canonical();
        let is_own = own_ranges.iter().any(|range| range.contains(ip));
        let mut group = [0; 17];
        let (kind, octets, kept): (u8, &[u8], usize) = match &ip {
            IpAddr::V4(ip) => (4, &ip.octets(), if is_own { 4 } else { 2 }),
            IpAddr::V6(ip) => (6, &ip.octets(), if is_own { 16 } else { 4 }),
        };
        for (to, from) in group.iter_mut().zip(std::iter::once(&kind).chain(octets.iter().take(kept))) {
            *to = *from;
        }
        Self(group)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Group;

    fn same(one: &str, other: &str, own: &[&str]) -> bool {
        let own: Vec<_> = own.iter().map(|range| range.parse().unwrap()).collect();
        Group::of(one.parse().unwrap(), &own) == Group::of(other.parse().unwrap(), &own)
    }

    #[test]
    fn a_group_is_what_one_owner_is_likely_to_have() {
        assert!(same("8.8.1.1", "8.8.200.7", &[]) && !same("8.8.1.1", "8.9.1.1", &[]));
        assert!(same("2606:4700::1", "2606:4700:ffff::2", &[]) && !same("2606:4700::1", "2606:4701::1", &[]));
        assert!(same("8.8.1.1", "::ffff:8.8.2.2", &[]));
    }

    #[test]
    fn inside_the_networks_own_ranges_every_address_is_a_group() {
        assert!(!same("10.1.1.1", "10.1.1.2", &["10.0.0.0/8"]));
        assert!(same("10.1.1.1", "10.1.1.2", &["10.2.0.0/16"]));
    }
}

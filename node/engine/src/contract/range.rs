//! A block of addresses.

use std::{fmt, net::IpAddr, str::FromStr};
use thiserror::Error;

/// A block of addresses, as `10.244.0.0/16` writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    base: IpAddr,
    prefix: u8,
}

/// The text names no block of addresses.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no block of addresses: write one like 10.244.0.0/16 or fd00::/8, without bits behind the prefix")]
pub struct AddressRangeInvalid(String);

impl AddressRange {
    /// The block of all addresses that share the first `prefix` bits with `base`, whose further bits are zero.
    #[must_use]
    pub fn new(base: IpAddr, prefix: u8) -> Option<Self> {
        let base = base.to_canonical();
        let (_, width) = bits(base);
        let fits = prefix <= width && masked(base, prefix) == bits(base).0;
        fits.then_some(Self { base, prefix })
    }

    /// Whether the block holds an address. An IPv4 address written as IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.base.is_ipv4() && masked(ip, self.prefix) == masked(self.base, self.prefix)
    }
}

/// The address as a number, and how many bits it has.
fn bits(ip: IpAddr) -> (u128, u8) {
    match ip {
        IpAddr::V4(ip) => (u128::from(u32::from(ip)), 32),
        IpAddr::V6(ip) => (u128::from(ip), 128),
    }
}

/// The first `prefix` bits of the address; the others are zero.
fn masked(ip: IpAddr, prefix: u8) -> u128 {
    let (number, width) = bits(ip);
    let behind = u32::from(width.saturating_sub(prefix));
    number.checked_shr(behind).and_then(|kept| kept.checked_shl(behind)).unwrap_or(0)
}

impl FromStr for AddressRange {
    type Err = AddressRangeInvalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('/').and_then(|(base, prefix)| Some((base.parse().ok()?, prefix.parse().ok()?)));
        parts.and_then(|(base, prefix)| Self::new(base, prefix)).ok_or_else(|| AddressRangeInvalid(text.to_owned()))
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.base, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::AddressRange;
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr};

    #[test]
    fn a_range_holds_what_shares_its_prefix() {
        let range: AddressRange = "10.244.0.0/16".parse().unwrap();
        let holds = |text: &str| range.contains(text.parse().unwrap());
        assert!(holds("10.244.0.0") && holds("10.244.255.255") && holds("::ffff:10.244.1.1"));
        assert!(!holds("10.245.0.0") && !holds("fd00::1"));
        assert_eq!(range.to_string(), "10.244.0.0/16");
        let everything: AddressRange = "::/0".parse().unwrap();
        assert!(
            everything.contains("2001:db8::1".parse().unwrap()) && !everything.contains("10.0.0.1".parse().unwrap())
        );
    }

    #[test]
    fn what_is_no_range_is_refused_with_an_example() {
        for text in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.1/8", "fd00::/129", "ten/8", "10.0.0.0/-1"] {
            let refused = text.parse::<AddressRange>().unwrap_err().to_string();
            assert!(refused.contains("10.244.0.0/16"), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn a_range_holds_exactly_the_addresses_with_its_first_bits(ip: u32, other: u32, prefix in 0..=32u8) {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            let range = AddressRange::new(IpAddr::V4(Ipv4Addr::from(ip & mask)), prefix).unwrap();
            prop_assert!(range.contains(IpAddr::V4(Ipv4Addr::from(ip))));
            prop_assert_eq!(range.contains(IpAddr::V4(Ipv4Addr::from(other))), ip & mask == other & mask);
        }
    }
}

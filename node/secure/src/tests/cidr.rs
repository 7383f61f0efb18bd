//! Ranges of addresses.

use crate::{Cidr, NotACidr};
use proptest::prelude::*;
use std::net::IpAddr;

fn contains(range: &str, address: &str) -> bool {
    range.parse::<Cidr>().unwrap().contains(address.parse().unwrap())
}

#[test]
fn a_range_holds_the_addresses_that_begin_as_it_does() {
    for (range, inside, outside) in [
        ("203.0.113.0/24", "203.0.113.255", "203.0.114.0"),
        ("203.0.113.7/32", "203.0.113.7", "203.0.113.6"),
        ("0.0.0.0/0", "255.255.255.255", "2001:db8::1"),
        ("10.244.0.0/16", "10.244.0.0", "10.245.0.0"),
        ("10.244.0.0/16", "10.244.255.255", "fd00::1"),
        ("::/0", "2001:db8::1", "10.0.0.0"),
        ("10.128.0.0/9", "10.255.0.1", "10.127.255.255"),
        ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
        ("2001:db8::1/128", "2001:db8::1", "2001:db8::2"),
        ("::/0", "2001:db8::1", "203.0.113.7"),
    ] {
        assert!(contains(range, inside), "{inside} is in {range}");
        assert!(!contains(range, outside), "{outside} is not in {range}");
    }
}

#[test]
fn an_ipv4_address_within_ipv6_is_the_ipv4_address() {
    assert!(contains("203.0.113.0/24", "::ffff:203.0.113.9"));
    assert!(contains("10.244.0.0/16", "::ffff:10.244.1.1"));
    assert!(!contains("::/0", "::ffff:203.0.113.9"));
}

#[test]
fn what_could_be_written_otherwise_is_refused() {
    for text in [
        "",
        "203.0.113.0",
        "203.0.113.0/",
        "203.0.113.0/33",
        "203.0.113.0/024",
        "203.0.113.0/+24",
        "203.0.113.1/24",
        "2001:db8::/129",
        "2001:db8::1/64",
        "::ffff:203.0.113.0/120",
        "203.0.113/24",
        "fe80::1%eth0/128",
        " 10.0.0.0/8",
        "10.0.0.1/8",
        "ten/8",
        "10.0.0.0/-1",
    ] {
        assert_eq!(text.parse::<Cidr>(), Err(NotACidr), "{text}");
        assert!(NotACidr.to_string().contains("203.0.113.0/24"), "an example is given");
    }
}

/// Whether two addresses of one kind begin with the same `length` bits, bit by bit.
fn begin_alike(one: IpAddr, other: IpAddr, length: u8) -> bool {
    let bits = |address: IpAddr| -> Vec<bool> {
        let octets = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        octets.iter().flat_map(|octet| (0..8).map(move |bit| octet >> (7 - bit) & 1 == 1)).collect()
    };
    bits(one).into_iter().take(length.into()).eq(bits(other).into_iter().take(length.into()))
}

proptest! {
    #[test]
    fn membership_is_what_the_first_bits_say_for_ipv4(base in any::<u32>(), near in any::<u32>(), flipped in 0u8..32, length in 0u8..=32) {
        let (base, flipped) = (IpAddr::from(base.to_be_bytes()), IpAddr::from((base ^ 1 << flipped).to_be_bytes()));
        let range = Cidr::around(base, length).unwrap();
        prop_assert!(range.contains(base));
        for address in [IpAddr::from(near.to_be_bytes()), flipped] {
            prop_assert_eq!(range.contains(address), begin_alike(base, address, length));
        }
        prop_assert_eq!(range.to_string().parse(), Ok(range));
    }

    #[test]
    fn membership_is_what_the_first_bits_say_for_ipv6(base in any::<u128>(), flipped in 0u8..128, length in 0u8..=128) {
        // Outside of what counts as IPv4.
        let base = base | 1 << 127;
        let (base, flipped) = (IpAddr::from(base.to_be_bytes()), IpAddr::from((base ^ 1 << flipped).to_be_bytes()));
        let range = Cidr::around(base, length).unwrap();
        prop_assert!(range.contains(base));
        prop_assert_eq!(range.contains(flipped), begin_alike(base, flipped, length));
        prop_assert_eq!(range.to_string().parse(), Ok(range));
    }
}

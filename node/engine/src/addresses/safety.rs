//! Which addresses are dialled on a stranger's word.
//!
//! Whoever may name addresses could otherwise have a network of nodes knock at somebody's printer, cloud metadata service
//! or mail server. Addresses from a node's own configuration and its DNS names are its owner's business and not asked
//! about here.

use crate::DialRefusal;
use peerwright_secure::Cidr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Ports below this are other services'.
pub(super) const FIRST_PORT: u16 = 1_024;

/// Where cloud machines ask for their credentials.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
];

/// Whether an address may be dialled that a peer has named. `own_ranges` are those that the network's owner has declared
/// its own: private addresses inside them are as good as any.
pub(crate) fn may_dial(address: &SocketAddr, own_ranges: &[Cidr]) -> Result<(), DialRefusal> {
    let ip = address.ip().to_canonical();
    if METADATA.contains(&ip) {
        return Err(DialRefusal::Metadata);
    }
    if ip.is_unspecified() {
        return Err(DialRefusal::Unspecified);
    }
    if ip.is_multicast() {
        return Err(DialRefusal::Multicast);
    }
    if address.port() < FIRST_PORT {
        return Err(DialRefusal::LowPort);
    }
    if own_ranges.iter().any(|range| range.contains(ip)) {
        return Ok(());
    }
    match ip {
        IpAddr::V4(ip) => may_dial_v4(ip),
        IpAddr::V6(ip) => may_dial_v6(ip),
    }
}

/// Whether an address may be dialled that somebody on the same cable has announced: private ones are what cables have.
pub(crate) fn may_dial_nearby(address: &SocketAddr, own_ranges: &[Cidr]) -> Result<(), DialRefusal> {
    match may_dial(address, own_ranges) {
        Err(DialRefusal::Private) => Ok(()),
        verdict => verdict,
    }
}

fn may_dial_v4(ip: Ipv4Addr) -> Result<(), DialRefusal> {
    let [first, second, third, _] = ip.octets();
    match (first, second, third) {
        (127, ..) => Err(DialRefusal::Loopback),
        (169, 254, _) => Err(DialRefusal::LinkLocal),
        // RFC 1918, and what carriers put in front of their customers (RFC 6598).
        (10, ..) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) => Err(DialRefusal::Private),
        // This network, protocol assignments, relays, benchmarks, and what was kept for a future that did not come.
        (0 | 240..=255, ..) | (192, 0, 0) | (192, 88, 99) | (198, 18..=19, _) => Err(DialRefusal::Reserved),
        // Documentation (RFC 5737).
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => Err(DialRefusal::Reserved),
        _ => Ok(()),
    }
}

fn may_dial_v6(ip: Ipv6Addr) -> Result<(), DialRefusal> {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Err(DialRefusal::Loopback),
        [0xfe80..=0xfebf, ..] => Err(DialRefusal::LinkLocal),
        // Unique local, and the site-local addresses before them.
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Err(DialRefusal::Private),
        // Documentation (RFC 3849), Teredo and 6to4: the last two lead to an IPv4 address inside.
        [0x2001, 0xdb8 | 0, ..] | [0x2002, ..] => Err(DialRefusal::Reserved),
        // Global unicast. All else, translations of IPv4 addresses among it, is not for peers.
        [0x2000..=0x3fff, ..] => Ok(()),
        _ => Err(DialRefusal::Reserved),
    }
}

#[cfg(test)]
mod tests {
    use super::{may_dial, may_dial_nearby};
    use crate::DialRefusal;
    use peerwright_secure::Cidr;
    use std::net::SocketAddr;

    fn judge(address: &str, own: &[&str]) -> Result<(), DialRefusal> {
        let own: Vec<Cidr> = own.iter().map(|range| range.parse().unwrap()).collect();
        may_dial(&address.parse::<SocketAddr>().unwrap(), &own)
    }

    #[test]
    fn only_public_addresses_and_high_ports_are_dialled_on_a_strangers_word() {
        use DialRefusal::{LinkLocal, Loopback, LowPort, Metadata, Multicast, Private, Reserved, Unspecified};
        let table = [
            ("8.8.8.8:5000", Ok(())),
            ("1.1.1.1:1024", Ok(())),
            ("172.15.0.1:5000", Ok(())),
            ("172.32.0.1:5000", Ok(())),
            ("100.63.0.1:5000", Ok(())),
            ("[2606:4700::1]:5000", Ok(())),
            ("8.8.8.8:25", Err(LowPort)),
            ("8.8.8.8:443", Err(LowPort)),
            ("8.8.8.8:0", Err(LowPort)),
            ("8.8.8.8:1023", Err(LowPort)),
            ("127.0.0.1:5000", Err(Loopback)),
            ("127.255.0.9:5000", Err(Loopback)),
            ("[::1]:5000", Err(Loopback)),
            ("[::ffff:127.0.0.1]:5000", Err(Loopback)),
            ("10.1.2.3:5000", Err(Private)),
            ("172.16.0.1:5000", Err(Private)),
            ("172.31.255.255:5000", Err(Private)),
            ("192.168.1.1:5000", Err(Private)),
            ("100.64.0.1:5000", Err(Private)),
            ("[::ffff:10.0.0.1]:5000", Err(Private)),
            ("[fc00::1]:5000", Err(Private)),
            ("[fd12::1]:5000", Err(Private)),
            ("[fec0::1]:5000", Err(Private)),
            ("169.254.1.1:5000", Err(LinkLocal)),
            ("[fe80::1]:5000", Err(LinkLocal)),
            ("169.254.169.254:5000", Err(Metadata)),
            ("169.254.169.254:80", Err(Metadata)),
            ("[::ffff:169.254.169.254]:5000", Err(Metadata)),
            ("100.100.100.200:5000", Err(Metadata)),
            ("[fd00:ec2::254]:5000", Err(Metadata)),
            ("224.0.0.251:5353", Err(Multicast)),
            ("239.1.1.1:5000", Err(Multicast)),
            ("[ff02::fb]:5353", Err(Multicast)),
            ("0.0.0.0:5000", Err(Unspecified)),
            ("[::]:5000", Err(Unspecified)),
            ("0.1.2.3:5000", Err(Reserved)),
            ("255.255.255.255:5000", Err(Reserved)),
            ("240.0.0.1:5000", Err(Reserved)),
            ("198.18.0.1:5000", Err(Reserved)),
            ("203.0.113.9:5000", Err(Reserved)),
            ("[2001:db8::1]:5000", Err(Reserved)),
            ("[2002:7f00:1::]:5000", Err(Reserved)),
            ("[64:ff9b::7f00:1]:5000", Err(Reserved)),
            ("[::127.0.0.1]:5000", Err(Reserved)),
        ];
        for (address, expected) in table {
            assert_eq!(judge(address, &[]), expected, "{address}");
        }
    }

    #[test]
    fn on_the_same_cable_private_addresses_are_dialled_too_and_nothing_else_more() {
        use DialRefusal::{LinkLocal, Loopback, LowPort, Metadata, Multicast, Private};
        let addresses = ["10.1.2.3:5000", "192.168.1.1:5000", "[fd12::1]:5000", "8.8.8.8:5000", "127.0.0.1:5000"];
        let more = ["169.254.1.1:5000", "169.254.169.254:5000", "224.0.0.251:5353", "192.168.1.1:22"];
        let judge_nearby = |address: &&str| may_dial_nearby(&address.parse().unwrap(), &[]);
        let verdicts: Vec<_> = addresses.iter().chain(&more).map(judge_nearby).collect();
        let refused = [Loopback, LinkLocal, Metadata, Multicast, LowPort].map(Err);
        assert_eq!(verdicts, [&[Ok(()); 4][..], &refused].concat());
        assert_eq!(judge("10.1.2.3:5000", &[]), Err(Private));
    }

    #[test]
    fn declared_ranges_are_dialled_but_never_a_metadata_service_or_a_low_port() {
        use DialRefusal::{LowPort, Metadata, Multicast, Private};
        let own = ["10.244.0.0/16", "127.0.0.0/8", "fd00::/8", "169.254.0.0/16", "0.0.0.0/0"];
        assert_eq!(judge("10.244.3.4:5000", &own), Ok(()));
        assert_eq!(judge("10.245.0.1:5000", &own[..1]), Err(Private));
        assert_eq!(judge("127.0.0.1:5000", &own[..2]), Ok(()));
        assert_eq!(judge("[fd12::7]:5000", &own), Ok(()));
        assert_eq!(judge("10.244.3.4:25", &own), Err(LowPort));
        assert_eq!(judge("169.254.169.254:5000", &own), Err(Metadata));
        assert_eq!(judge("[fd00:ec2::254]:5000", &own), Err(Metadata));
        assert_eq!(judge("224.0.0.1:5000", &own), Err(Multicast));
    }
}

//! Whom bans name.

use crate::{BanSubject, Fingerprint, MAX_BAN_SUBJECT_BYTES, NotABanSubject, PeerId, SpiffeId};
use peerwright_encoding::{Reader, Writer};
use proptest::prelude::*;

fn encode(subject: &BanSubject) -> Vec<u8> {
    let mut writer = Writer::new();
    subject.write(&mut writer);
    writer.finish()
}

fn decode(bytes: &[u8]) -> Option<BanSubject> {
    let mut reader = Reader::new(bytes);
    let subject = BanSubject::read(&mut reader).ok()?;
    reader.finish().ok().map(|()| subject)
}

fn any_subject() -> impl Strategy<Value = BanSubject> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(|bytes| BanSubject::Peer(PeerId::from_bytes(bytes))),
        any::<[u8; 32]>().prop_map(|bytes| BanSubject::Fingerprint(Fingerprint::from_bytes(bytes))),
        ("[a-z0-9.-]{1,20}x", "[a-z0-9-]{1,20}", "[a-z0-9.-]{1,20}x").prop_map(|(domain, namespace, node)| {
            BanSubject::Spiffe(SpiffeId::new(&domain, &namespace, &node).unwrap())
        }),
        (any::<u32>(), 1u32..=32).prop_map(|(first, length)| {
            let first = std::net::Ipv4Addr::from_bits(first & u32::MAX << (32 - length));
            format!("cidr:{first}/{length}").parse().unwrap()
        }),
    ]
}

#[test]
fn a_subject_reads_as_kind_and_value() {
    let (hex, name) = ("ab".repeat(32), "spiffe://demo.default.peerwright.internal/node/default/demo-peer-0");
    for (text, kind) in [
        (format!("peerId:{hex}"), "peerId"),
        (format!("spiffeId:{name}"), "spiffeId"),
        (format!("fingerprint:{hex}"), "fingerprint"),
        ("cidr:203.0.113.0/24".to_owned(), "cidr"),
        ("cidr:2001:db8::/32".to_owned(), "cidr"),
    ] {
        let subject: BanSubject = text.parse().unwrap();
        assert_eq!((subject.kind(), subject.to_string()), (kind, text));
    }
    for text in ["", "peerId", "peerId:AB", "node:demo-peer-0", "cidr:203.0.113.1/24", "spiffeId:spiffe://a/b"] {
        assert_eq!(text.parse::<BanSubject>(), Err(NotABanSubject), "{text}");
    }
}

#[test]
fn each_kind_names_the_member_by_its_own_mark_and_a_range_names_none() {
    let (peer, fingerprint) = (PeerId::from_bytes([1; 32]), Fingerprint::from_bytes([2; 32]));
    let spiffe = SpiffeId::new("demo.default.peerwright.internal", "default", "demo-peer-0").unwrap();
    let other = SpiffeId::new("demo.default.peerwright.internal", "default", "demo-peer-1").unwrap();
    let names = |subject: BanSubject| subject.names(&peer, &spiffe, &fingerprint);
    assert!(names(BanSubject::Peer(peer)) && !names(BanSubject::Peer(PeerId::from_bytes([2; 32]))));
    assert!(names(BanSubject::Spiffe(spiffe.clone())) && !names(BanSubject::Spiffe(other)));
    assert!(names(BanSubject::Fingerprint(fingerprint)));
    assert!(!names(BanSubject::Fingerprint(Fingerprint::from_bytes([1; 32]))), "a peer id is no fingerprint");
    assert!(!names(BanSubject::Range("0.0.0.0/0".parse().unwrap())));
}

#[test]
fn what_is_no_subject_is_not_decoded() {
    for bytes in [&[][..], &[0], &[9; 33], &[3, 203, 0, 113, 1, 24], &[3, 203, 0, 113, 0, 33], &[1, 0, 0, 0, 1, b'x']] {
        assert_eq!(decode(bytes), None, "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn one_subject_has_one_encoding_and_one_text(subject in any_subject()) {
        let bytes = encode(&subject);
        prop_assert!(bytes.len() <= MAX_BAN_SUBJECT_BYTES);
        prop_assert_eq!(decode(&bytes), Some(subject.clone()));
        prop_assert_eq!(subject.to_string().parse(), Ok(subject));
    }

    #[test]
    fn bytes_that_decode_are_the_encoding(bytes in proptest::collection::vec(any::<u8>(), 0..40), kind in 0u8..5) {
        let bytes = [vec![kind], bytes].concat();
        if let Some(subject) = decode(&bytes) {
            prop_assert_eq!(encode(&subject), bytes);
        }
    }
}

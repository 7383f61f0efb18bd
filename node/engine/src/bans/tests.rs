use super::{BanSource, Bans};
use crate::{BanRecord, PeerCertificate};
use peerwright_secure::{BanSubject, Fingerprint, PeerId, SpiffeId};

fn peer(number: u8) -> PeerId {
    PeerId::from_bytes([number; 32])
}

fn ban(number: u8, expires_at: Option<u64>) -> BanRecord {
    BanRecord::of_peer(peer(number), expires_at)
}

#[test]
fn a_list_replaces_the_one_before_and_tells_what_changed() {
    let mut bans = Bans::default();
    let changes = bans.replace(BanSource::Policy, &[ban(1, None), ban(2, Some(50))], 10);
    assert_eq!(changes.banned, [ban(1, None), ban(2, Some(50))]);
    let changes = bans.replace(BanSource::Policy, &[ban(2, Some(60)), ban(3, None)], 10);
    assert_eq!(changes.banned, [ban(3, None)]);
    assert_eq!(changes.unbanned, [peer(1).into()]);
    assert!(bans.is_banned(&peer(2)) && !bans.is_banned(&peer(1)));
}

#[test]
fn lifting_a_local_ban_does_not_lift_the_policys() {
    let mut bans = Bans::default();
    bans.replace(BanSource::Policy, &[ban(1, None)], 10);
    bans.replace(BanSource::Node, &[ban(1, Some(20)), ban(2, None)], 10);
    assert_eq!(bans.count(), 2);
    assert_eq!(bans.replace(BanSource::Node, &[], 10).unbanned, [peer(2).into()]);
    assert!(bans.is_banned(&peer(1)));
}

#[test]
fn a_ban_ends_at_its_expiry_and_not_before() {
    let mut bans = Bans::default();
    bans.replace(BanSource::Policy, &[ban(1, Some(20)), ban(2, Some(9)), ban(3, Some(30))], 10);
    assert!(!bans.is_banned(&peer(2)), "expired before it arrived");
    assert_eq!(bans.next_expiry(), Some(20));
    assert!(bans.expire(19).is_empty());
    assert_eq!(bans.expire(20), [peer(1).into()]);
    assert_eq!(bans.next_expiry(), Some(30));
}

#[test]
fn the_longest_of_several_bans_counts() {
    let mut bans = Bans::default();
    bans.replace(BanSource::Policy, &[ban(1, Some(20)), ban(1, Some(40))], 10);
    bans.replace(BanSource::Node, &[ban(1, Some(30))], 10);
    let [view] = bans.views().try_into().unwrap();
    assert_eq!((view.expires_at, view.by_policy, view.by_node), (Some(40), true, true));
    assert!(bans.expire(30).is_empty());
    assert_eq!(bans.expire(40), [peer(1).into()]);
}

fn certificate(node: &str, fingerprint: u8) -> PeerCertificate {
    let spiffe = SpiffeId::new("demo.default.peerwright.internal", "default", node).unwrap();
    PeerCertificate { spiffe, fingerprint: Fingerprint::from_bytes([fingerprint; 32]) }
}

#[test]
fn a_ban_by_name_or_certificate_covers_who_shows_it_and_a_range_covers_nobody() {
    let mut bans = Bans::default();
    let (one, other) = (certificate("demo-peer-1", 1), certificate("demo-peer-2", 2));
    let subjects = [
        BanSubject::Spiffe(one.spiffe.clone()),
        BanSubject::Fingerprint(one.fingerprint),
        "cidr:0.0.0.0/0".parse().unwrap(),
    ];
    for (subject, covers) in subjects.into_iter().zip([true, true, false]) {
        bans.replace(BanSource::Policy, &[BanRecord { subject, expires_at: None }], 10);
        assert_eq!(bans.covers(&peer(1), Some(&one)), covers);
        assert!(!bans.covers(&peer(2), Some(&other)));
        assert!(!bans.covers(&peer(1), None), "the certificate is not known");
        assert!(!bans.is_banned(&peer(1)));
    }
}

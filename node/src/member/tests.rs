//! Snapshots go forward only, and hold from the moment that they are taken.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::{
    dev::now_range,
    testing::{self, NETWORK_UID, authority, ban_forever, content, spiffe},
};

use peerwright_secure::PeerId;
use peerwright_snapshot::{Content, SettingId};
use tokio_util::sync::CancellationToken;

const STRANGER: PeerId = PeerId::from_bytes([9; 32]);

fn member(authority: &crate::dev::Authority) -> Arc<Membership> {
    testing::membership(authority, "demo-peer-0", Volume::forgetful())
}

#[test]
fn an_older_snapshot_is_refused_and_the_same_one_is_accepted_again() {
    let authority = authority();
    let member = member(&authority);
    let first = authority.snapshot().unwrap();
    let second = authority
        .publish(|content| {
            content.bans.insert(STRANGER.into(), ban_forever());
        })
        .unwrap();
    member.adopt_snapshot(&second).unwrap();
    assert!(matches!(member.adopt_snapshot(&first), Err(AdoptionRefused::Older(_))));
    member.adopt_snapshot(&second).unwrap();
    assert!(member.bans().is_peer_banned(&STRANGER, unix_now()));
}

#[test]
fn two_documents_of_one_version_are_not_the_same() {
    let authority = authority();
    let member = member(&authority);
    let version = Version { epoch: 3, revision: 3 };
    let trust = vec![authority.network_root().to_vec()];
    let signed = |content: Content| authority.sign(version, content).unwrap();
    member.adopt_snapshot(&signed(Content { trust: trust.clone(), ..content() })).unwrap();
    let mut other = Content { trust, ..content() };
    other.settings.set(SettingId::HeartbeatInterval, 99);
    assert!(
        matches!(member.adopt_snapshot(&signed(other)), Err(AdoptionRefused::Conflicting(found)) if found == version)
    );
}

#[test]
fn a_snapshot_of_another_installation_network_or_trust_domain_is_refused() {
    let ours = authority();
    let member = member(&ours);
    assert!(matches!(
        member.adopt_snapshot(&authority().snapshot().unwrap()),
        Err(AdoptionRefused::Snapshot(SnapshotRefused::Signer(_)))
    ));
    let elsewhere = ours.publish(|content| content.trust_domain = "other.default.peerwright.internal".to_owned());
    assert!(matches!(member.adopt_snapshot(&elsewhere.unwrap()), Err(AdoptionRefused::ForeignTrustDomain(_))));
    assert!(matches!(member.adopt_snapshot(b"rubbish"), Err(AdoptionRefused::Snapshot(SnapshotRefused::Malformed(_)))));
    assert!(member.snapshot().is_none());
}

#[test]
fn a_ban_cuts_open_connections_at_once() {
    let authority = authority();
    let member = member(&authority);
    let shown = |number: u8| {
        let key = NodeKey::from_seed([number; 32]);
        let material = testing::valid_leaf(&authority, &key, &format!("demo-peer-{number}"));
        Arc::new(Leaf::read(&material).unwrap().1)
    };
    let (one, other) = (shown(8), shown(9));
    let stranger = "203.0.113.9".parse().unwrap();
    for subject in [
        BanSubject::Peer(one.peer_id),
        BanSubject::Spiffe(one.spiffe.clone()),
        BanSubject::Fingerprint(one.fingerprint),
        "cidr:203.0.113.0/24".parse().unwrap(),
    ] {
        let remotes = [Remote::Member(one.clone()), Remote::Member(other.clone()), Remote::Stranger(stranger)];
        let held = remotes.map(|remote| {
            let cut = CancellationToken::new();
            (member.connections().register(remote, cut.clone()), cut)
        });
        assert_eq!(member.connections().certificate_of(&one.peer_id).as_ref(), Some(&one));
        let is_range = matches!(subject, BanSubject::Range(_));
        let snapshot = authority.publish(|content| content.bans = BTreeMap::from([(subject.clone(), ban_forever())]));
        member.adopt_snapshot(&snapshot.unwrap()).unwrap();
        assert_eq!(held.map(|(_, cut)| cut.is_cancelled()), [!is_range, false, is_range], "{subject}");
    }
    assert_eq!(member.connections().certificate_of(&one.peer_id), None, "the connections are gone");
}

#[test]
fn a_node_says_that_it_is_banned_by_whatever_names_it() {
    let authority = authority();
    let member = member(&authority);
    authority.enroll(&member).unwrap();
    assert_eq!(member.standing(), Standing::Member);
    let own = member.leaf().member().unwrap();
    for (subject, standing) in [
        (BanSubject::Peer(own.peer_id), Standing::Banned),
        (BanSubject::Spiffe(own.spiffe.clone()), Standing::Banned),
        (BanSubject::Fingerprint(own.fingerprint), Standing::Banned),
        ("cidr:0.0.0.0/0".parse().unwrap(), Standing::Member),
    ] {
        let snapshot = authority.publish(|content| content.bans = BTreeMap::from([(subject.clone(), ban_forever())]));
        member.adopt_snapshot(&snapshot.unwrap()).unwrap();
        assert_eq!(member.standing(), standing, "{subject}");
    }
}

#[test]
fn what_the_volume_keeps_is_in_force_after_a_restart() {
    let authority = authority();
    let directory = tempfile::tempdir().unwrap();
    let open = || testing::membership(&authority, "demo-peer-0", Volume::open(directory.path(), NETWORK_UID).unwrap());
    let before = open();
    authority.enroll(&before).unwrap();
    let older = authority.snapshot().unwrap();
    let newer = authority
        .publish(|content| {
            content.bans.insert(STRANGER.into(), ban_forever());
        })
        .unwrap();
    before.adopt_snapshot(&newer).unwrap();
    let peer = before.peer_id();
    drop(before);

    let after = open();
    assert_eq!(after.standing(), Standing::Waiting);
    after.recall(Some(older)).unwrap();
    assert_eq!((after.peer_id(), after.standing()), (peer, Standing::Member));
    assert_eq!(after.snapshot().unwrap().snapshot.version(), Version { epoch: 1, revision: 2 });
    assert!(after.bans().is_peer_banned(&STRANGER, unix_now()));
}

#[test]
fn a_snapshot_that_cannot_be_kept_is_enforced_at_once_and_kept_at_its_next_receipt() {
    let authority = authority();
    let directory = tempfile::tempdir().unwrap();
    let volume = Volume::open(directory.path(), NETWORK_UID).unwrap();
    let member = testing::membership(&authority, "demo-peer-0", volume);
    authority.enroll(&member).unwrap();
    let kept = || member.watch_kept().borrow().as_ref().map(|kept| kept.snapshot.version().revision);
    assert_eq!((kept(), member.is_kept()), (Some(1), true));

    let in_the_way = testing::spoil_snapshots(directory.path());
    let newer = authority
        .publish(|content| {
            content.bans.insert(STRANGER.into(), ban_forever());
        })
        .unwrap();
    for _ in 0..2 {
        assert!(matches!(member.adopt_snapshot(&newer), Err(AdoptionRefused::NotKept(_))));
        assert!(member.bans().is_peer_banned(&STRANGER, unix_now()));
        assert_eq!(member.snapshot().unwrap().snapshot.version().revision, 2);
        assert_eq!((kept(), member.is_kept()), (Some(1), false));
    }
    assert!(member.keep_again().is_err());

    std::fs::remove_dir(in_the_way).unwrap();
    member.adopt_snapshot(&newer).unwrap();
    assert_eq!((kept(), member.is_kept()), (Some(2), true));
    assert_eq!(member.volume().snapshot().unwrap().unwrap(), newer);
}

#[test]
fn a_newer_snapshot_of_the_configmap_wins_over_the_volume() {
    let authority = authority();
    let directory = tempfile::tempdir().unwrap();
    let open = || testing::membership(&authority, "demo-peer-0", Volume::open(directory.path(), NETWORK_UID).unwrap());
    authority.enroll(&open()).unwrap();
    let newer = authority
        .publish(|content| {
            content.bans.insert(STRANGER.into(), ban_forever());
        })
        .unwrap();
    let member = open();
    member.recall(Some(newer.clone())).unwrap();
    assert_eq!(member.snapshot().unwrap().snapshot.version(), Version { epoch: 1, revision: 2 });
    assert_eq!(member.volume().snapshot().unwrap().unwrap(), newer);
}

#[test]
fn a_node_knows_where_it_stands() {
    let authority = authority();
    let member = member(&authority);
    assert_eq!(member.standing(), Standing::Waiting);
    member.set_refused_as_banned(true);
    assert_eq!(member.standing(), Standing::Banned);
    member.set_refused_as_banned(false);
    authority.enroll(&member).unwrap();
    assert_eq!(member.standing(), Standing::Member);
    let own = member.peer_id();
    let banned = authority
        .publish(|content| {
            content.bans.insert(own.into(), ban_forever());
        })
        .unwrap();
    member.adopt_snapshot(&banned).unwrap();
    assert_eq!(member.standing(), Standing::Banned);
}

#[test]
fn only_a_leaf_of_this_node_and_its_key_is_taken() {
    let authority = authority();
    let member = member(&authority);
    let (ours, other) = (member.key().clone(), NodeKey::from_seed([1; 32]));
    for (key, name) in [(&other, "demo-peer-0"), (&ours, "demo-peer-1")] {
        let leaf = testing::leaf(&authority, key, &spiffe(name), now_range());
        assert!(matches!(member.adopt_certificate(&leaf), Err(CertificateNotTaken::Foreign { .. })));
    }
    assert!(member.leaf().member().is_none());
    member.adopt_certificate(&testing::leaf(&authority, &ours, &spiffe("demo-peer-0"), now_range())).unwrap();
    assert!(member.leaf().member().is_some());
}

//! Which snapshot counts, and whom it bans.

use super::samples::sample;
use crate::{Ban, Role, Version};
use peerwright_secure::PeerId;

#[test]
fn an_older_snapshot_is_refused_and_the_same_is_not() {
    let snapshot = sample();
    let version = |epoch, revision| Some(Version { epoch, revision });
    assert_eq!(snapshot.supersedes(None), Ok(()));
    for current in [version(0, 99), version(1, 41), version(1, 42)] {
        assert_eq!(snapshot.supersedes(current), Ok(()), "{current:?}");
    }
    for current in [version(1, 43), version(2, 0)] {
        let older = snapshot.supersedes(current).unwrap_err();
        assert_eq!((older.offered, Some(older.current)), (snapshot.version(), current));
        assert_eq!(older.code(), "snapshot_older");
    }
    let older = snapshot.supersedes(version(2, 7)).unwrap_err();
    assert_eq!(older.to_string(), "snapshot 1.42 is older than 2.7, which this node has persisted");
}

#[test]
fn a_ban_ends_in_the_second_it_names() {
    let [forever, until, free] = [[0x11; 32], [0x22; 32], [0x33; 32]].map(|peer| PeerId::from_bytes(peer).into());
    let snapshot = sample();
    assert!(snapshot.is_banned(&forever, u64::MAX));
    assert!(snapshot.is_banned(&until, 1_799_999_999));
    assert!(!snapshot.is_banned(&until, 1_800_000_000));
    assert!(!snapshot.is_banned(&free, 0));
    assert!(Ban::default().is_in_force(u64::MAX));
}

#[test]
fn each_role_includes_the_ones_before_it() {
    assert!([Role::None, Role::Reader, Role::Writer, Role::Moderator, Role::Admin].is_sorted_by(|a, b| a < b));
}

//! The volume remembers, and keeps to itself.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

const UID: &str = "6f1f1c1e-0000-4000-8000-000000000001";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn the_node_key_is_made_once_and_only_the_owner_reads_it() {
    let directory = tempfile::tempdir().unwrap();
    let first = Volume::open(directory.path(), UID).unwrap().node_key().unwrap();
    let second = Volume::open(directory.path(), UID).unwrap().node_key().unwrap();
    assert_eq!(first.peer_id(), second.peer_id());
    assert_eq!(mode(&directory.path().join("node.key")), 0o600);
}

#[test]
fn a_key_that_others_may_read_is_refused_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let volume = Volume::open(directory.path(), UID).unwrap();
    volume.node_key().unwrap();
    let path = directory.path().join("node.key");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let line = volume.node_key().unwrap_err().to_string();
    assert!(line.contains("node.key: others may read this key (mode 0644)") && !line.contains('\n'), "{line}");
}

#[test]
fn a_key_that_the_mount_opened_to_the_own_group_is_closed_again() {
    let directory = tempfile::tempdir().unwrap();
    let volume = Volume::open(directory.path(), UID).unwrap();
    let key = volume.node_key().unwrap();
    let path = directory.path().join("node.key");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).unwrap();
    assert_eq!(volume.node_key().unwrap().peer_id(), key.peer_id());
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_damaged_key_is_never_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let volume = Volume::open(directory.path(), UID).unwrap();
    private::replace(&directory.path().join("node.key"), b"short").unwrap();
    assert!(matches!(volume.node_key(), Err(VolumeError::Damaged { .. })));
    assert_eq!(fs::read(directory.path().join("node.key")).unwrap(), b"short");
}

#[test]
fn a_foreign_volume_stops_the_node_with_one_line() {
    let directory = tempfile::tempdir().unwrap();
    drop(Volume::open(directory.path(), UID).unwrap());
    let line = Volume::open(directory.path(), "another").unwrap_err().to_string();
    assert!(line.contains(&format!("belongs to network {UID}, not to another")) && !line.contains('\n'), "{line}");
}

#[test]
fn two_processes_do_not_share_a_volume() {
    let directory = tempfile::tempdir().unwrap();
    let first = Volume::open(directory.path(), UID).unwrap();
    assert!(matches!(Volume::open(directory.path(), UID), Err(VolumeError::InUse { .. })));
    drop(first);
    Volume::open(directory.path(), UID).unwrap();
}

#[test]
fn leaf_and_snapshot_are_read_back_and_a_crash_in_between_harms_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let volume = Volume::open(directory.path(), UID).unwrap();
    assert!(volume.leaf().unwrap().is_none() && volume.snapshot().unwrap().is_none());
    let leaf = LeafMaterial { key: vec![1; 100].into(), chain: vec![vec![2; 700].into(), vec![3; 48].into()] };
    fs::write(directory.path().join("tls.pem.tmp"), "left by a crash").unwrap();
    volume.keep_leaf(&leaf).unwrap();
    volume.keep_snapshot(b"first").unwrap();
    volume.keep_snapshot(b"second").unwrap();
    let read = volume.leaf().unwrap().unwrap();
    assert_eq!((read.key.secret_pkcs8_der(), &read.chain), (leaf.key.secret_pkcs8_der(), &leaf.chain));
    assert_eq!(volume.snapshot().unwrap().unwrap(), b"second");
    assert_eq!(mode(&directory.path().join("tls.pem")), 0o600);
}

#[test]
fn a_damaged_leaf_counts_as_none() {
    let directory = tempfile::tempdir().unwrap();
    let volume = Volume::open(directory.path(), UID).unwrap();
    private::replace(&directory.path().join("tls.pem"), b"-----BEGIN NOTHING-----").unwrap();
    assert!(volume.leaf().unwrap().is_none());
}

#[test]
fn neighbours_are_kept_for_the_next_start_and_rubbish_counts_as_none() {
    let directory = tempfile::tempdir().unwrap();
    let volume = Volume::open(directory.path(), UID).unwrap();
    assert_eq!(volume.neighbours(), []);
    let neighbours = ["10.1.2.3:5000".parse().unwrap(), "[fd00::1]:5000".parse().unwrap()];
    volume.keep_neighbours(&neighbours).unwrap();
    assert_eq!(volume.neighbours(), neighbours);
    private::replace(&directory.path().join("neighbours"), b"\xff\nrubbish\n10.1.2.3:5000\n").unwrap();
    assert_eq!(volume.neighbours(), neighbours[..1]);
    private::replace(&directory.path().join("neighbours"), &[b'x'; 2_000]).unwrap();
    assert_eq!(volume.neighbours(), []);
    assert_eq!(Volume::forgetful().neighbours(), []);
}

//! The light cluster starts, works, and leaves nothing.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use peerwright_cluster::LightCluster;

#[test]
fn two_at_once_know_nothing_of_each_other_and_leave_nothing() {
    let first = LightCluster::start().unwrap();
    let second = LightCluster::start().unwrap();
    first.kubectl(&["create", "namespace", "only-here"]).unwrap();

    assert!(first.kubectl(&["get", "namespace", "only-here"]).is_ok());
    assert!(second.kubectl(&["get", "namespace", "only-here"]).is_err());
    let folder = first.folder().to_owned();
    drop(first);
    assert!(!folder.exists());
    assert!(second.kubectl(&["get", "namespaces"]).is_ok());
}

#[test]
fn controllers_work_and_writes_are_in_the_audit_log() {
    let cluster = LightCluster::start().unwrap();
    cluster.kubectl(&["create", "deployment", "idle", "--image=none", "--replicas=2"]).unwrap();

    let until = Instant::now() + Duration::from_secs(30);
    while cluster.kubectl_json(&["get", "pods"]).unwrap()["items"].as_array().map(Vec::len) != Some(2) {
        assert!(Instant::now() < until, "the deployment has no pods");
        std::thread::sleep(Duration::from_millis(100));
    }
    let audit = std::fs::read_to_string(cluster.audit_log()).unwrap();
    assert!(
        audit.lines().any(|line| line.contains(r#""verb":"create""#) && line.contains(r#""resource":"deployments""#))
    );
    assert!(!audit.lines().any(|line| line.contains(r#""verb":"get""#)), "reads are not logged");
}

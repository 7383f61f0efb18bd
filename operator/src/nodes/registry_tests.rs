use futures::{FutureExt, StreamExt};
use peerwright_proto::v1::{AutoBanReport, RegisterDigest};
use peerwright_secure::PeerId;
use peerwright_snapshot::MAX_SUBSCRIPTIONS;

use super::*;

fn member(pod: &str, leaf: u8) -> MemberIdentity {
    MemberIdentity {
        network: NetworkKey { uid: "demo-uid".into(), namespace: "default".into(), name: "demo".into() },
        pod: pod.into(),
        peer_id: PeerId::from_bytes([1; 32]),
        leaf: [leaf; 32],
        not_after: 1_000,
    }
}

fn registry() -> Arc<NodeRegistry> {
    Arc::new(NodeRegistry::default())
}

fn open(registry: &Arc<NodeRegistry>, pod: &str, leaf: u8) -> NodeStream {
    registry.open(&member(pod, leaf), None).expect("opened")
}

fn version(revision: u64) -> Version {
    Version { epoch: 1, revision }
}

fn digest(ready: bool, links: u32) -> HeartbeatDigest {
    HeartbeatDigest { links, ready, ..HeartbeatDigest::default() }
}

fn woken(changes: &mut Changes) -> bool {
    changes.next().now_or_never().is_some()
}

#[test]
fn report_follows_what_a_node_says_and_outlives_its_stream() {
    let registry = registry();
    let stream = open(&registry, "demo-peer-0", 1);
    stream.acknowledge(version(4)).expect("known");
    stream.heartbeat(digest(true, 2)).expect("known");

    let report = registry.report("demo-uid").remove(0);
    assert_eq!((report.connected, report.acknowledged, report.waits_for.as_str()), (true, Some(version(4)), ""));
    assert_eq!(report.certificate_not_after, 1_000);

    drop(stream);
    let report = registry.report("demo-uid").remove(0);
    assert_eq!((report.connected, report.acknowledged), (false, Some(version(4))));
}

#[test]
fn acknowledgement_never_falls() {
    let registry = registry();
    let stream = open(&registry, "demo-peer-0", 1);

    stream.acknowledge(version(4)).expect("known");
    stream.acknowledge(version(3)).expect("known");

    assert_eq!(registry.highest_acknowledged("demo-uid"), Some(version(4)));
    assert_eq!(registry.highest_acknowledged("other"), None);
}

#[test]
fn newer_stream_of_a_pod_supersedes_the_older() {
    let registry = registry();
    let (older, newer) = (open(&registry, "demo-peer-0", 1), open(&registry, "demo-peer-0", 1));

    assert!(older.superseded().is_cancelled() && !newer.superseded().is_cancelled());
    assert_eq!(older.heartbeat(digest(true, 1)), Err(Refusal::Superseded));
    drop(older);
    assert!(registry.report("demo-uid")[0].connected, "the newer stream is what counts");
}

#[test]
fn issued_leaf_ends_only_streams_that_rest_on_another() {
    let registry = registry();
    let (renewed, other) = (open(&registry, "demo-peer-0", 1), open(&registry, "demo-peer-1", 1));

    registry.leaf_issued("demo-uid", "demo-peer-0", &[1; 32]);
    assert!(!renewed.reissued().is_cancelled());
    registry.leaf_issued("demo-uid", "demo-peer-0", &[2; 32]);

    assert!(renewed.reissued().is_cancelled() && !other.reissued().is_cancelled());
}

#[test]
fn followers_wake_for_what_matters_once_a_network() {
    let registry = registry();
    let mut changes = registry.changes();
    let stream = open(&registry, "demo-peer-0", 1);
    assert!(woken(&mut changes) && !woken(&mut changes), "a node that connects, once");

    stream.heartbeat(digest(true, 1)).expect("known");
    stream.acknowledge(version(1)).expect("known");
    assert!(woken(&mut changes) && !woken(&mut changes), "readiness and acknowledgement together");

    stream.heartbeat(digest(true, 7)).expect("known");
    assert!(!woken(&mut changes), "a number of links is no change");
    stream.heartbeat(HeartbeatDigest { reason: "catching-up".into(), ..digest(false, 7) }).expect("known");
    assert!(woken(&mut changes), "what a node waits for");

    drop(stream);
    assert!(woken(&mut changes), "a node that goes");
}

#[test]
fn followers_wake_when_a_register_is_synced() {
    let registry = registry();
    let stream = open(&registry, "demo-peer-0", 1);
    let with_register = |transactions, synced| HeartbeatDigest {
        registers: vec![RegisterDigest { register_id: vec![1; 16].into(), transactions, synced }],
        ..digest(true, 1)
    };
    stream.heartbeat(with_register(0, false)).expect("known");
    let mut changes = registry.changes();

    stream.heartbeat(with_register(5, false)).expect("known");
    assert!(!woken(&mut changes));
    stream.heartbeat(with_register(5, true)).expect("known");
    assert!(woken(&mut changes));
}

fn auto_ban(length: usize) -> AutoBanReport {
    AutoBanReport {
        peer_id: vec![3; length].into(),
        reason: "spam".into(),
        evidence: vec![7; 32].into(),
        since: 5,
        expires_at: 0,
        count: 1,
    }
}

#[test]
fn followers_wake_when_a_node_bans_somebody_by_itself() {
    let registry = registry();
    let stream = open(&registry, "demo-peer-0", 1);
    let mut changes = registry.changes();
    let banning = HeartbeatDigest { auto_bans: vec![auto_ban(32)], ..digest(true, 1) };
    stream.heartbeat(banning.clone()).expect("known");
    assert!(woken(&mut changes));
    stream.heartbeat(banning).expect("known");
    assert!(!woken(&mut changes));
    let report = registry.report("demo-uid").remove(0);
    let [ban] = report.auto_bans.as_slice() else { panic!("one ban") };
    assert_eq!((ban.peer_id, ban.reason.as_str(), ban.expires_at), (PeerId::from_bytes([3; 32]), "spam", None));
}

#[test]
fn malformed_digests_are_refused_and_change_nothing() {
    let registry = registry();
    let stream = open(&registry, "demo-peer-0", 1);
    let register = |length| RegisterDigest { register_id: vec![1; length].into(), transactions: 0, synced: false };
    let cases = [
        HeartbeatDigest { reason: "two words".into(), ..digest(false, 9) },
        HeartbeatDigest { reason: "x".repeat(65), ..digest(false, 9) },
        HeartbeatDigest { registers: vec![register(15)], ..digest(true, 9) },
        HeartbeatDigest { registers: vec![register(16); MAX_SUBSCRIPTIONS + 1], ..digest(true, 9) },
        HeartbeatDigest { auto_bans: vec![auto_ban(31)], ..digest(true, 9) },
        HeartbeatDigest { auto_bans: vec![auto_ban(32); 257], ..digest(true, 9) },
    ];
    for case in cases {
        assert_eq!(stream.heartbeat(case), Err(Refusal::Malformed));
    }
    let report = registry.report("demo-uid").remove(0);
    assert!(report.waits_for.is_empty() && report.registers.is_empty());
}

#[test]
fn nodes_are_bounded_and_unwanted_ones_forgotten() {
    let registry = registry();
    for number in 0..MAX_NODES {
        drop(open(&registry, &format!("demo-peer-{number}"), 1));
    }
    let stream = open(&registry, "demo-peer-new", 1);
    assert_eq!(registry.report("demo-uid").len(), MAX_NODES);

    registry.retain("demo-uid", |pod| pod == "demo-peer-7");
    let names: Vec<String> = registry.report("demo-uid").into_iter().map(|report| report.pod).collect();
    assert_eq!(names, ["demo-peer-7", "demo-peer-new"], "wanted or connected");

    registry.forget("demo-uid");
    assert!(stream.superseded().is_cancelled());
    assert!(registry.report("demo-uid").is_empty());
}

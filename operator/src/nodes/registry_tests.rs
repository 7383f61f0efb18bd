use futures::{FutureExt, StreamExt};
use peerwright_proto::v1::{self, AutoBanReport, HubDigest, RegisterDigest};
use peerwright_secure::PeerId;
use peerwright_snapshot::{MAX_PURGES, MAX_SUBSCRIPTIONS};

use super::*;
use crate::nodes::HubReport;

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
    let row = RegisterDigest { register_id: vec![1; 16].into(), ..RegisterDigest::default() };
    let with_register = |transactions, synced| HeartbeatDigest {
        registers: vec![RegisterDigest { transactions, synced, ..row.clone() }],
        ..digest(true, 1)
    };
    stream.heartbeat(with_register(0, false)).expect("known");
    let mut changes = registry.changes();

    stream.heartbeat(with_register(5, false)).expect("known");
    assert!(!woken(&mut changes));
    stream.heartbeat(with_register(5, true)).expect("known");
    assert!(woken(&mut changes));
}

fn told(registry: &NodeRegistry) -> Vec<RegisterReport> {
    registry.report("demo-uid").remove(0).registers
}

#[test]
fn how_far_a_register_is_is_known_in_whole_tens() {
    let registry = registry();
    let stream = open(&registry, "demo-peer-0", 1);
    let row = |state: v1::ReplicaState, dockets, dockets_of_source| HeartbeatDigest {
        registers: vec![RegisterDigest {
            register_id: vec![1; 16].into(),
            state: state.into(),
            dockets,
            dockets_of_source,
            behind_since: 77,
            problem: "refused".into(),
            ..RegisterDigest::default()
        }],
        ..digest(true, 1)
    };
    for (state, dockets, of_source, percent) in [
        (v1::ReplicaState::Syncing, 0, 0, None),
        (v1::ReplicaState::Syncing, 0, 9, Some(0)),
        (v1::ReplicaState::Syncing, 599, 1_000, Some(50)),
        (v1::ReplicaState::Syncing, 999, 1_000, Some(90)),
        (v1::ReplicaState::FullyReplicated, 999, 1_000, Some(100)),
        (v1::ReplicaState::Sealing, 7, 7, Some(100)),
        (v1::ReplicaState::Syncing, u64::MAX, 1, Some(100)),
    ] {
        stream.heartbeat(row(state, dockets, of_source)).expect("known");
        let report = told(&registry).remove(0);
        assert_eq!(report.percent, percent, "{dockets} of {of_source}");
        assert_eq!((report.behind_since, report.problem.as_str()), (Some(77), "refused"));
    }
    let mut changes = registry.changes();
    stream.heartbeat(row(v1::ReplicaState::Syncing, 510, 1_000)).expect("known");
    assert!(woken(&mut changes));
    stream.heartbeat(row(v1::ReplicaState::Syncing, 590, 1_000)).expect("known");
    assert!(!woken(&mut changes), "a step within ten percent is no change");
}

#[test]
fn a_state_of_a_later_version_is_as_one_that_is_not_told() {
    let registry = registry();
    let stream = open(&registry, "demo-peer-0", 1);
    let row = RegisterDigest { register_id: vec![1; 16].into(), state: 99, synced: true, ..Default::default() };
    stream.heartbeat(HeartbeatDigest { registers: vec![row], ..digest(true, 1) }).expect("known");
    let report = told(&registry).remove(0);
    assert!(report.state.is_none() && report.holds(false) && report.holds(true));
}

#[test]
fn that_nothing_of_a_register_is_there_counts_for_the_stream_on_which_it_was_said() {
    let registry = registry();
    let stream = open(&registry, "demo-peer-0", 1);
    let row = |byte: u8, state: v1::ReplicaState| RegisterDigest {
        register_id: vec![byte; 16].into(),
        state: state.into(),
        ..RegisterDigest::default()
    };
    let rows = vec![row(1, v1::ReplicaState::Purged), row(2, v1::ReplicaState::Syncing)];
    stream.heartbeat(HeartbeatDigest { registers: rows, ..digest(true, 1) }).expect("known");
    assert_eq!(told(&registry).len(), 2);
    let _again = open(&registry, "demo-peer-0", 1);
    assert_eq!(told(&registry).iter().map(|row| row.register).collect::<Vec<_>>(), [[2; 16]]);
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

fn by_hub(length: usize) -> HubDigest {
    HubDigest { active: vec![4; length].into(), isolated_since: 0 }
}

#[test]
fn followers_wake_when_a_node_goes_to_another_hub_or_reaches_none() {
    let registry = registry();
    let stream = open(&registry, "demo-peer-0", 1);
    let mut changes = registry.changes();
    let said = || registry.report("demo-uid").remove(0).hub;
    assert_eq!(said(), None);

    stream.heartbeat(HeartbeatDigest { hub: Some(by_hub(32)), ..digest(true, 1) }).expect("known");
    assert!(woken(&mut changes));
    assert_eq!(said(), Some(HubReport { active: Some(PeerId::from_bytes([4; 32])), isolated: false }));
    let isolated = |since| {
        let hub = HubDigest { isolated_since: since, ..HubDigest::default() };
        stream.heartbeat(HeartbeatDigest { hub: Some(hub), ..digest(true, 1) }).expect("known");
    };
    isolated(5);
    assert!(woken(&mut changes));
    assert_eq!(said(), Some(HubReport { active: None, isolated: true }));
    isolated(6);
    assert!(!woken(&mut changes), "it still reaches none");
}

#[test]
fn malformed_digests_are_refused_and_change_nothing() {
    let registry = registry();
    let stream = open(&registry, "demo-peer-0", 1);
    let register = |length| RegisterDigest { register_id: vec![1; length].into(), ..RegisterDigest::default() };
    let failing = RegisterDigest { problem: "two words".into(), ..register(16) };
    let cases = [
        HeartbeatDigest { reason: "two words".into(), ..digest(false, 9) },
        HeartbeatDigest { reason: "x".repeat(65), ..digest(false, 9) },
        HeartbeatDigest { registers: vec![register(15)], ..digest(true, 9) },
        HeartbeatDigest { registers: vec![register(16); MAX_SUBSCRIPTIONS + MAX_PURGES + 1], ..digest(true, 9) },
        HeartbeatDigest { registers: vec![failing], ..digest(true, 9) },
        HeartbeatDigest { auto_bans: vec![auto_ban(31)], ..digest(true, 9) },
        HeartbeatDigest { auto_bans: vec![auto_ban(32); 257], ..digest(true, 9) },
        HeartbeatDigest { hub: Some(by_hub(31)), ..digest(true, 9) },
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

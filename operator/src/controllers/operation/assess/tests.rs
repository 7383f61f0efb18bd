use serde_json::json;

use super::*;

const NOW: i64 = 1_700_000_000;

fn peer(byte: u8) -> PeerId {
    PeerId::from_bytes([byte; 32])
}

fn network() -> PeerNetwork {
    let written = json!({
        "metadata": { "name": "demo", "namespace": "shop", "uid": "network" },
        "spec": { "nodeGroups": [{ "name": "peer", "replicas": 5 }] },
    });
    serde_json::from_value(written).unwrap()
}

fn operation(node: &str) -> PeerOperation {
    let written = json!({
        "metadata": { "name": "go-on", "namespace": "shop", "uid": "operation", "generation": 1,
                      "creationTimestamp": Timestamp::from_second(NOW - 5).unwrap().to_string() },
        "spec": {
            "networkRef": { "name": "demo" },
            "forceSealer": { "node": node, "acceptDataLoss": "WhatOnlyLostSealersHold" },
        },
    });
    serde_json::from_value(written).unwrap()
}

/// Three sealers of whom the first is alone since a while.
fn alone_since(seconds: i64) -> SealingReport {
    SealingReport {
        members: [peer(1), peer(2), peer(3)].into(),
        answering: [peer(1)].into(),
        alone_since: Some(u64::try_from(NOW - seconds).unwrap()),
        ..SealingReport::default()
    }
}

fn report(byte: u8, sealing: Option<SealingReport>) -> NodeReport {
    let silent = NodeReport::silent(&format!("demo-peer-{}", byte - 1), peer(byte));
    NodeReport { seals: sealing.is_some(), sealing, ..silent }
}

struct Story {
    operation: PeerOperation,
    network: Option<PeerNetwork>,
    content: Content,
    reports: Vec<NodeReport>,
    operations: Vec<Arc<PeerOperation>>,
    now: i64,
}

impl Story {
    /// Everything is as it must be.
    fn new() -> Self {
        let sealers = [peer(1), peer(2), peer(3)].into();
        Self {
            operation: operation("demo-peer-0"),
            network: Some(network()),
            content: Content { sealers, ..Content::default() },
            reports: vec![report(1, Some(alone_since(61))), report(4, None)],
            operations: Vec::new(),
            now: NOW,
        }
    }

    fn assess(&self) -> PeerOperationStatus {
        assess(&Facts {
            operation: &self.operation,
            network: self.network.as_ref(),
            content: Some(&self.content),
            reports: &self.reports,
            operations: &self.operations,
            wall: Timestamp::from_second(self.now).unwrap(),
        })
    }

    /// Phase and reason.
    fn says(&self) -> (OperationPhase, String) {
        said(&self.assess())
    }

    fn running() -> Self {
        let mut story = Self::new();
        story.operation.status = Some(story.assess());
        story
    }
}

fn said(status: &PeerOperationStatus) -> (OperationPhase, String) {
    let [complete] = status.conditions.as_slice() else { panic!("one condition") };
    assert_eq!(complete.type_, "Complete");
    (status.phase.unwrap(), complete.reason.clone())
}

fn is(phase: OperationPhase, reason: &str) -> (OperationPhase, String) {
    (phase, reason.to_owned())
}

use OperationPhase::{Pending, Refused, Running, Succeeded};

#[test]
fn it_begins_when_the_majority_is_away_for_long_enough_and_says_without_whom() {
    let status = Story::new().assess();
    assert_eq!(said(&status), is(Running, "Begun"));
    assert_eq!((status.kind.as_deref(), status.target.as_deref()), (Some("ForceSealer"), Some("demo-peer-0")));
    assert!(status.started_at.is_some() && status.completed_at.is_none());
    let begun = status.force_sealer.unwrap();
    assert_eq!((begun.generation, begun.survivor, begun.network_uid), (1, peer(1).to_string(), "network".to_owned()));
    assert_eq!(begun.lost, [peer(2), peer(3)].map(|peer| peer.to_string()));
}

/// What is otherwise in a story.
type Change = fn(&mut Story);

#[test]
fn it_waits_for_what_it_must_know_and_is_refused_when_that_does_not_come() {
    let cases: [(&str, Change); 7] = [
        ("NetworkNotFound", |story| story.network = None),
        ("NodeUnreachable", |story| story.reports.clear()),
        ("NodeUnreachable", |story| story.reports[0].connected = false),
        ("NotASealer", |story| story.content.sealers.clear()),
        ("NotASealer", |story| story.reports[0].sealing = None),
        ("LooksForSealers", |story| story.reports[0].sealing = Some(alone_since(59))),
        ("LooksForSealers", |story| story.reports[0].sealing.as_mut().unwrap().alone_since = None),
    ];
    for (reason, change) in cases {
        let mut story = Story::new();
        change(&mut story);
        assert_eq!(story.says(), is(Pending, reason));
        story.now = NOW + BEGINS_WITHIN_SECONDS;
        if reason != "LooksForSealers" {
            let refused = story.assess();
            assert_eq!(said(&refused), is(Refused, "NotInTime"), "{reason}");
            assert!(refused.conditions[0].message.contains("within 10 minutes"), "{:?}", refused.conditions);
        }
    }
    let mut elsewhere = Story::new();
    elsewhere.operation = operation("demo-moon-0");
    let status = elsewhere.assess();
    assert_eq!(said(&status), is(Refused, "NodeUnknown"));
    assert!(status.completed_at.is_some() && status.started_at.is_none());
}

#[test]
fn it_is_refused_while_anybody_of_the_group_has_a_majority_and_is_not_tried_again_by_itself() {
    let led = || SealingReport { led: true, answering: BTreeSet::new(), alone_since: None, ..alone_since(0) };
    let most = || SealingReport { answering: [peer(1), peer(2)].into(), alone_since: None, ..alone_since(0) };
    let mut story = Story::new();
    story.reports[0].sealing = Some(led());
    assert_eq!(story.says(), is(Refused, "SealersAnswer"));
    story.reports[0].sealing = Some(most());
    assert_eq!(story.says(), is(Refused, "SealersAnswer"));
    // The named one is cut off from those who go on.
    let mut cut_off = Story::new();
    cut_off.reports.push(report(2, Some(led())));
    assert_eq!(cut_off.says(), is(Refused, "SealersAnswer"));
    cut_off.reports[2].connected = false;
    assert_eq!(cut_off.says(), is(Running, "Begun"), "what was said by who is gone counts no more");
}

#[test]
fn one_operation_at_a_time_has_begun_on_a_network() {
    let mut story = Story::new();
    let running = Arc::new(Story::running().operation);
    story.operations = vec![running.clone()];
    assert_eq!(story.says(), is(Pending, "AnotherRuns"));
    // One of a network that had the name before does not count.
    story.network.as_mut().unwrap().metadata.uid = Some("another".to_owned());
    assert_eq!(story.says(), is(Running, "Begun"));
    let mut done = (*running).clone();
    done.status.as_mut().unwrap().phase = Some(Succeeded);
    let mut second = Story::new();
    second.operations = vec![Arc::new(done)];
    assert_eq!(second.assess().force_sealer.unwrap().generation, 2);
    second.reports[1].sealing = Some(SealingReport { generation: 7, ..SealingReport::default() });
    assert_eq!(second.assess().force_sealer.unwrap().generation, 8, "above whatever was ever told of");
}

#[test]
fn what_may_be_lost_is_what_others_hold_beyond_the_survivor() {
    let mut story = Story::new();
    story.reports[0].dockets = [([1; 16], 5), ([2; 16], 9), ([4; 16], 3)].into();
    story.reports[1].dockets = [([1; 16], 6), ([2; 16], 9), ([3; 16], 4)].into();
    story.reports.push(NodeReport { connected: false, dockets: [([1; 16], 7)].into(), ..report(2, None) });
    let at_risk = story.assess().force_sealer.unwrap().at_risk;
    let rows = at_risk
        .iter()
        .map(|row| (row.register_id.as_str(), row.survivor_dockets, row.highest_dockets, row.highest_node.as_str()));
    let (third, first) = ("03".repeat(16), "01".repeat(16));
    assert_eq!(rows.collect::<Vec<_>>(), [(&*third, 0, 4, "demo-peer-3"), (&*first, 5, 7, "demo-peer-1")]);
}

#[test]
fn a_running_one_is_done_when_the_snapshot_is_at_its_group_whatever_was_heard_meanwhile() {
    let mut story = Story::running();
    let started = story.operation.status.as_ref().unwrap().started_at.clone();
    story.now += 9;
    assert_eq!(story.says(), is(Running, "Begun"));
    story.reports.clear();
    assert_eq!(story.says(), is(Running, "NodeUnreachable"), "an operator that has just started has heard nobody");
    for (problem, reason) in [("majority_answers", "SealersAnswer"), ("not_alone", "NodeFails")] {
        let sealing = SealingReport { problem: problem.to_owned(), ..alone_since(61) };
        story.reports = vec![report(1, Some(sealing))];
        assert_eq!(story.says(), is(Running, reason));
    }
    story.content.generation = 1;
    let stranded = [[9; 16]].into();
    story.reports = vec![report(1, Some(SealingReport { generation: 1, led: true, stranded, ..alone_since(61) }))];
    let status = story.assess();
    assert_eq!(said(&status), is(Succeeded, "Succeeded"));
    assert_eq!((status.started_at, status.completed_at.is_some()), (started, true));
    assert_eq!(status.force_sealer.unwrap().stranded, ["09".repeat(16)]);
    let complete = &status.conditions[0];
    assert_eq!(complete.status, "True");
    let told = ["sealed no more: 1", "stays readable", "begin other registers"];
    assert!(told.iter().all(|part| complete.message.contains(part)), "{}", complete.message);
}

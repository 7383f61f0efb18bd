use std::time::Duration;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::api::ObjectMeta;
use peerwright_crds::{NetworkRef, PeerBan, PeerBanSpec, PeerBanStatus};
use peerwright_secure::PeerId;
use peerwright_snapshot::Version;
use tokio::time::Instant;

use super::{Assessed, Facts, assess};
use crate::{
    conditions::find,
    controllers::{
        findings::{BanFinding, Problem},
        reach::{PROPAGATION, Reach, Reached, SILENCE},
    },
    policy::BanVerdict,
};

const IN_FORCE: Version = Version { epoch: 1, revision: 7 };

fn ban() -> PeerBan {
    PeerBan {
        metadata: ObjectMeta { name: Some("one".into()), generation: Some(1), ..ObjectMeta::default() },
        spec: PeerBanSpec {
            network_ref: NetworkRef { name: "demo".into() },
            node: Some("demo-peer-2".into()),
            ..PeerBanSpec::default()
        },
        status: None,
    }
}

fn finding(verdict: BanVerdict, contained_since: Option<Version>) -> BanFinding {
    BanFinding { of: None, verdict, contained_since }
}

fn accepted() -> BanFinding {
    finding(BanVerdict::Accepted { subject: PeerId::from_bytes([9; 32]).into() }, Some(IN_FORCE))
}

fn reach(acknowledged: &[(&str, u64)]) -> Reach {
    let nodes = acknowledged.iter().map(|(pod, revision)| {
        let version = Version { epoch: 1, revision: *revision };
        ((*pod).to_owned(), Reached { member: true, acknowledged: Some(version), ..Reached::default() })
    });
    Reach { nodes: nodes.collect() }
}

fn facts<'a>(ban: &'a PeerBan, finding: Option<&'a BanFinding>, reach: &'a Reach) -> Facts<'a> {
    Facts {
        ban,
        network_exists: true,
        finding,
        problem: None,
        published_at: None,
        reach: Some(reach),
        now: Instant::now(),
        wall: Timestamp::from_second(1_000).unwrap(),
    }
}

/// Status and reason of a condition.
fn says(assessed: &Assessed, kind: &str) -> (String, String) {
    let condition = find(&assessed.status.as_ref().unwrap().conditions, kind).unwrap();
    (condition.status.clone(), condition.reason.clone())
}

fn pair(status: &str, reason: &str) -> (String, String) {
    (status.to_owned(), reason.to_owned())
}

#[test]
fn a_ban_is_enforced_once_every_running_node_acknowledged_a_snapshot_with_it() {
    let (ban, finding) = (ban(), accepted());
    let (almost, all) = (reach(&[("a", 7), ("b", 6)]), reach(&[("a", 7), ("b", 9)]));
    let waiting = assess(&facts(&ban, Some(&finding), &almost));
    assert_eq!(says(&waiting, "Accepted"), pair("True", "Accepted"));
    assert_eq!(says(&waiting, "Enforced"), pair("Unknown", "Propagating"));
    let done = assess(&facts(&ban, Some(&finding), &all));
    assert_eq!(says(&done, "Enforced"), pair("True", "Acknowledged"));
    assert_eq!(says(&done, "Expired"), pair("False", "InForce"));
    let status = done.status.unwrap();
    assert_eq!(status.revision, Some(7));
    assert_eq!(status.peer_id, Some(PeerId::from_bytes([9; 32]).to_string()));
}

#[test]
fn a_node_that_is_silent_for_long_is_named() {
    let (ban, finding) = (ban(), accepted());
    let mut some = reach(&[("a", 7), ("b", 6)]);
    some.nodes.get_mut("b").unwrap().silent_since = Some(Instant::now());
    let facts = facts(&ban, Some(&finding), &some);
    let assessed = assess(&Facts { now: facts.now + SILENCE, ..facts });
    assert_eq!(says(&assessed, "Enforced"), pair("Unknown", "NodesUnreachable"));
    let status = assessed.status.unwrap();
    assert!(find(&status.conditions, "Enforced").unwrap().message.contains('b'));
}

#[test]
fn an_enforced_ban_stays_so_when_nodes_come_and_when_the_operator_restarts() {
    let (mut ban, finding, all) = (ban(), accepted(), reach(&[("a", 7)]));
    ban.status = assess(&facts(&ban, Some(&finding), &all)).status;
    let newcomer = reach(&[("a", 7), ("b", 0)]);
    assert_eq!(assess(&facts(&ban, Some(&finding), &newcomer)).status, ban.status);
    let restarted = finding_after_restart();
    assert_eq!(assess(&facts(&ban, Some(&restarted), &Reach::default())).status, ban.status);
}

/// The same ban, first seen by this process in a later snapshot.
fn finding_after_restart() -> BanFinding {
    BanFinding { contained_since: Some(Version { epoch: 2, revision: 1 }), ..accepted() }
}

#[test]
fn nothing_is_said_before_anybody_looked_and_problems_are() {
    let (ban, reach) = (ban(), Reach::default());
    assert!(assess(&facts(&ban, None, &reach)).status.is_none());
    let problem = Problem { reason: "PublishFailed", message: "no answer".into(), permanent: false };
    let assessed = assess(&Facts { problem: Some(&problem), ..facts(&ban, None, &reach) });
    assert_eq!(says(&assessed, "Accepted"), pair("Unknown", "PublishFailed"));
    let assessed = assess(&Facts { network_exists: false, ..facts(&ban, None, &reach) });
    assert_eq!(says(&assessed, "Accepted"), pair("False", "NetworkNotFound"));
    assert_eq!(says(&assessed, "Enforced"), pair("False", "NetworkNotFound"));
}

#[test]
fn what_the_snapshot_refuses_is_named() {
    let (ban, reach) = (ban(), reach(&[("a", 7)]));
    let peer_id = PeerId::from_bytes([9; 32]);
    for (verdict, reason) in [
        (BanVerdict::WouldIsolate { subject: peer_id.into(), group: "peer".into() }, "WouldIsolate"),
        (BanVerdict::LimitReached { subject: peer_id.into() }, "LimitReached"),
        (BanVerdict::UnknownNode, "UnknownNode"),
    ] {
        let assessed = assess(&facts(&ban, Some(&finding(verdict, None)), &reach));
        assert_eq!(says(&assessed, "Accepted"), pair("False", reason));
        assert_eq!(says(&assessed, "Enforced"), pair("False", reason));
    }
}

#[test]
fn a_ban_ends_at_its_end_and_is_looked_at_then() {
    let (mut ban, finding, reach) = (ban(), accepted(), reach(&[("a", 7)]));
    ban.spec.expires_at = Some(Time(Timestamp::from_second(1_060).unwrap()));
    let facts = facts(&ban, Some(&finding), &reach);
    let before = assess(&facts);
    assert_eq!(before.look_again, Some(facts.now + Duration::from_secs(60)));
    let after = assess(&Facts { wall: Timestamp::from_second(1_060).unwrap(), ..facts });
    assert_eq!(says(&after, "Expired"), pair("True", "Expired"));
    assert_eq!(says(&after, "Accepted"), pair("False", "Expired"));
    assert_eq!(says(&after, "Enforced"), pair("False", "Expired"));
    assert_eq!(after.look_again, None);
}

#[test]
fn a_fresh_ban_is_looked_at_again_when_its_time_to_spread_is_over() {
    let (ban, finding, reach) = (ban(), accepted(), reach(&[("a", 6)]));
    let facts = facts(&ban, Some(&finding), &reach);
    let assessed = assess(&Facts { published_at: Some(facts.now), ..facts });
    assert_eq!(says(&assessed, "Enforced"), pair("Unknown", "Propagating"));
    assert!(assessed.look_again.is_some_and(|at| at <= Instant::now() + PROPAGATION));
}

#[test]
fn the_peer_that_a_node_resolved_to_stays_recorded() {
    let (mut ban, reach) = (ban(), reach(&[("a", 7)]));
    let peer_id = Some("aa".repeat(32));
    ban.status = Some(PeerBanStatus { peer_id: peer_id.clone(), ..PeerBanStatus::default() });
    let assessed = assess(&facts(&ban, Some(&finding(BanVerdict::UnknownNode, None)), &reach));
    assert_eq!(assessed.status.unwrap().peer_id, peer_id);
}

#[test]
fn a_restarted_operator_that_has_heard_nobody_changes_nothing() {
    let (mut ban, finding) = (ban(), accepted());
    let mut silent = reach(&[("a", 6)]);
    silent.nodes.get_mut("a").unwrap().silent_since = Some(Instant::now());
    let long_ago = facts(&ban, Some(&finding), &silent);
    ban.status = assess(&Facts { now: long_ago.now + SILENCE, ..long_ago }).status;
    let restarted = assess(&facts(&ban, Some(&finding), &silent));
    assert_eq!(says(&restarted, "Enforced"), pair("Unknown", "NodesUnreachable"));
    assert_eq!(restarted.status, ban.status);
}

//! A ban's status from what was found. Pure.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use peerwright_crds::{PeerBan, PeerBanStatus};
use tokio::time::Instant;

use crate::{
    conditions::{Truth, Verdict, kept, says, settle},
    controllers::{
        findings::{BanFinding, Problem},
        network::plan::list,
        reach::{Progress, Reach},
    },
    policy::BanVerdict,
};

/// What a status is made from.
pub(super) struct Facts<'a> {
    /// The ban, with its status until now.
    pub(super) ban: &'a PeerBan,
    /// Whether the network that it names exists.
    pub(super) network_exists: bool,
    /// What became of it in the network's snapshot; nothing before anybody looked.
    pub(super) finding: Option<&'a BanFinding>,
    /// Why the network's snapshot is not as it should be.
    pub(super) problem: Option<&'a Problem>,
    /// When the snapshot in force was published, if this replica did.
    pub(super) published_at: Option<Instant>,
    /// What the nodes said.
    pub(super) reach: Option<&'a Reach>,
    /// Now, for waits.
    pub(super) now: Instant,
    /// Now, for people and for the ban's end.
    pub(super) wall: Timestamp,
}

/// A status, and when it may be another without anybody's change.
pub(super) struct Assessed {
    /// The whole status; nothing while there is nothing to say yet.
    pub(super) status: Option<PeerBanStatus>,
    /// When to look again.
    pub(super) look_again: Option<Instant>,
}

/// Assesses a ban.
pub(super) fn assess(facts: &Facts<'_>) -> Assessed {
    let before = facts.ban.status.clone().unwrap_or_default();
    let end = facts.ban.spec.expires_at.as_ref().map(|end| end.0);
    let expired = end.is_some_and(|end| end <= facts.wall);
    let mut look_again = end.filter(|_| !expired).and_then(|end| {
        let left = u64::try_from(end.as_millisecond() - facts.wall.as_millisecond()).ok()?;
        facts.now.checked_add(Duration::from_millis(left))
    });
    let Some(accepted) = accepted(facts, expired) else { return Assessed { status: None, look_again } };
    let enforced = enforced(facts, &accepted, &before, expired, &mut look_again);
    let message = if expired { "the ban's end has passed" } else { "the ban's end has not passed" };
    let reason = if expired { "Expired" } else { "InForce" };
    let expired = Verdict::new("Expired", expired, reason, message);
    let verdicts = vec![accepted, enforced, expired];
    let generation = facts.ban.metadata.generation;
    let contained = facts.finding.and_then(|finding| finding.contained_since);
    let status = PeerBanStatus {
        observed_generation: generation,
        conditions: settle(&before.conditions, verdicts, generation, facts.wall),
        // The peer that a node resolved to stays the banned one.
        peer_id: facts
            .finding
            .and_then(|finding| finding.verdict.peer_id())
            .map(|peer| peer.to_string())
            .or(before.peer_id),
        revision: before.revision.or(contained.and_then(|version| i64::try_from(version.revision).ok())),
    };
    Assessed { status: Some(status), look_again }
}

fn accepted(facts: &Facts<'_>, expired: bool) -> Option<Verdict> {
    const KIND: &str = "Accepted";
    let network = &facts.ban.spec.network_ref.name;
    if !facts.network_exists {
        let message = format!("there is no PeerNetwork {network} in this namespace");
        return Some(Verdict::new(KIND, false, "NetworkNotFound", message));
    }
    if expired {
        return Some(Verdict::new(KIND, false, "Expired", "the ban's end has passed"));
    }
    let Some(finding) = facts.finding else {
        let problem = facts.problem?;
        return Some(Verdict::new(KIND, Truth::Unknown, problem.reason, &problem.message));
    };
    let message = finding.verdict.message(network);
    let holds = matches!(finding.verdict, BanVerdict::Accepted { .. });
    Some(Verdict::new(KIND, holds, finding.verdict.reason(), message))
}

fn enforced(
    facts: &Facts<'_>,
    accepted: &Verdict,
    before: &PeerBanStatus,
    expired: bool,
    look_again: &mut Option<Instant>,
) -> Verdict {
    const KIND: &str = "Enforced";
    if expired || accepted.truth == Truth::False {
        return Verdict::new(KIND, false, &accepted.reason, "no node enforces this ban");
    }
    let contained = facts.finding.and_then(|finding| finding.contained_since);
    // It was enforced by all once: nodes that come later read it before they speak to anybody.
    if says(&before.conditions, KIND, Truth::True) && (contained.is_some() || facts.finding.is_none()) {
        return Verdict::new(KIND, true, "Acknowledged", ACKNOWLEDGED);
    }
    let (Some(version), Some(reach)) = (contained, facts.reach) else {
        return Verdict::new(KIND, Truth::Unknown, "Propagating", "the snapshot with this ban is not published yet");
    };
    let outlook = reach.acknowledged(version, facts.published_at, facts.now);
    *look_again = [*look_again, outlook.look_again].into_iter().flatten().min();
    match outlook.progress {
        Progress::Done => Verdict::new(KIND, true, "Acknowledged", ACKNOWLEDGED),
        Progress::Unreachable(nodes) => {
            Verdict::new(KIND, Truth::Unknown, "NodesUnreachable", format!("not heard of: {}", list(&nodes)))
        }
        Progress::Behind(nodes) => propagating(&nodes),
        Progress::Settling(nodes) => {
            // Silence that is young says nothing new about a ban that was accepted before.
            let known = says(&before.conditions, "Accepted", Truth::True).then(|| kept(&before.conditions, KIND));
            known.flatten().unwrap_or_else(|| propagating(&nodes))
        }
        Progress::Nobody => Verdict::new(KIND, Truth::Unknown, "NoMembers", "no running node has joined yet"),
    }
}

const ACKNOWLEDGED: &str = "every running node enforces the ban";

/// Whom exactly it waits for changes from moment to moment: that is for logs, not for statuses.
fn propagating(nodes: &[String]) -> Verdict {
    tracing::debug!(nodes = list(nodes), "a ban waits for acknowledgements");
    Verdict::new("Enforced", Truth::Unknown, "Propagating", "not every running node has acknowledged the ban yet")
}

#[cfg(test)]
mod tests;

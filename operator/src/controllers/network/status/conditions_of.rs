//! The conditions of a network.
//!
//! `Ready` is the sum: every wanted node Ready (banned ones aside), certificates valid, the snapshot in force
//! acknowledged. `Reconciling` and `Stalled` are as kstatus wants them. What cannot be told yet stays what it was.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use peerwright_crds::Topology;
use tokio::time::Instant;

use super::{Facts, NodeState, bans, name, ready, state, wanted};
use crate::{
    conditions::{self, Truth, Verdict},
    controllers::{
        network::plan::{Hold, list},
        reach::Progress,
    },
};

/// Every condition, and when one may change without anybody's change.
pub(super) fn verdicts(facts: &Facts<'_>, before: &[Condition]) -> (Vec<Verdict>, Option<Instant>) {
    let mut look_again = LookAgain(None);
    let certificates = certificates(facts, before, &mut look_again);
    let policy = policy(facts, before, &mut look_again);
    let stalled = stalled(facts);
    let waiting = not_ready(facts);
    let ready = ready_verdict(facts, &stalled, &waiting, &certificates, &policy);
    let reconciling = reconciling(facts, &stalled, &waiting, &certificates, &policy);
    let mut verdicts = vec![ready, reconciling, stalled, certificates, policy];
    verdicts.extend(hubs(facts, before, &mut look_again));
    verdicts.extend(bans::accepted(facts, before));
    verdicts.extend(system_register(facts, before));
    (verdicts, look_again.0)
}

struct LookAgain(Option<Instant>);

impl LookAgain {
    fn at(&mut self, instant: Instant) {
        self.0 = Some(self.0.map_or(instant, |other| other.min(instant)));
    }
}

/// Wanted nodes that are neither Ready nor banned, each with what it says it waits for.
fn not_ready(facts: &Facts<'_>) -> Vec<String> {
    let names = wanted(facts).into_iter().filter(|name| state(facts, name) == NodeState::NotReady);
    let with_reason = names.map(|name| {
        let node = facts.reach.and_then(|reach| reach.nodes.get(&name));
        match node.map(|node| node.waits_for.as_str()).filter(|word| !word.is_empty()) {
            Some(word) => format!("{name} ({word})"),
            None => name,
        }
    });
    with_reason.collect()
}

fn certificates(facts: &Facts<'_>, before: &[Condition], look_again: &mut LookAgain) -> Verdict {
    const KIND: &str = "CertificatesReady";
    let Some(finding) = facts.finding else { return kept(KIND, before) };
    if let Some(problem) = &finding.identity_problem {
        return Verdict::new(KIND, false, problem.reason, &problem.message);
    }
    let Some(reach) = facts.reach else { return kept(KIND, before) };
    let wall = facts.wall.as_second();
    if let Some(end) = reach.first_certificate_end().and_then(|end| u64::try_from(end - wall).ok()) {
        look_again.at(facts.now + std::time::Duration::from_secs(end));
    }
    let outlook = reach.certified(wall, facts.now);
    outlook.look_again.into_iter().for_each(|at| look_again.at(at));
    match outlook.progress {
        Progress::Done => Verdict::new(KIND, true, "Valid", "every running node has a valid certificate"),
        Progress::Behind(nodes) => {
            Verdict::new(KIND, false, "LeafExpired", format!("without a valid certificate: {}", list(&nodes)))
        }
        Progress::Unreachable(nodes) => unreachable(KIND, &nodes),
        Progress::Settling(_) => kept(KIND, before),
        Progress::Nobody => Verdict::new(KIND, Truth::Unknown, "NoNodes", "no node runs"),
    }
}

fn policy(facts: &Facts<'_>, before: &[Condition], look_again: &mut LookAgain) -> Verdict {
    const KIND: &str = "PolicySynced";
    let Some(finding) = facts.finding else { return kept(KIND, before) };
    if let Some(problem) = &finding.policy_problem {
        return Verdict::new(KIND, false, problem.reason, &problem.message);
    }
    let (Some(version), Some(reach)) = (finding.version(), facts.reach) else { return kept(KIND, before) };
    let outlook = reach.acknowledged(version, finding.published_at, facts.now);
    outlook.look_again.into_iter().for_each(|at| look_again.at(at));
    let verdict = match outlook.progress {
        Progress::Done => Verdict::new(KIND, true, "Acknowledged", "every running node enforces the snapshot in force"),
        Progress::Behind(nodes) => {
            Verdict::new(KIND, false, "Propagating", format!("not acknowledged yet by {}", list(&nodes)))
        }
        Progress::Unreachable(nodes) => unreachable(KIND, &nodes),
        Progress::Settling(_) => return kept(KIND, before),
        Progress::Nobody => Verdict::new(KIND, Truth::Unknown, "NoMembers", "no running node has joined yet"),
    };
    // What nodes go by may be older than what a person has just applied.
    verdict.about(finding.generation)
}

/// Nothing where nobody takes dockets from hubs.
fn hubs(facts: &Facts<'_>, before: &[Condition], look_again: &mut LookAgain) -> Option<Verdict> {
    const KIND: &str = "HubsReached";
    if facts.network.spec.topology.unwrap_or_default() != Topology::Hub {
        return None;
    }
    let Some(reach) = facts.reach else { return Some(kept(KIND, before)) };
    let outlook = reach.hubs_reached(facts.now);
    outlook.look_again.into_iter().for_each(|at| look_again.at(at));
    Some(match outlook.progress {
        Progress::Done => Verdict::new(KIND, true, "Reached", "no node is cut off from all the hubs"),
        Progress::Behind(nodes) => {
            let message = format!("what they serve may be stale, for they reach no hub: {}", list(&nodes));
            Verdict::new(KIND, false, "Isolated", message)
        }
        Progress::Unreachable(nodes) => unreachable(KIND, &nodes),
        Progress::Nobody if !reach.takes_from_hubs(facts.now) => return None,
        Progress::Settling(_) | Progress::Nobody => kept(KIND, before),
    })
}

/// Nothing where a register is named, or none is wanted.
fn system_register(facts: &Facts<'_>, before: &[Condition]) -> Option<Verdict> {
    const KIND: &str = "SystemRegisterBegun";
    if !facts.network.begins_system_register() {
        return None;
    }
    let Some(published) = facts.finding.and_then(|finding| finding.published.as_deref()) else {
        return Some(kept(KIND, before));
    };
    let content = &published.snapshot.content;
    Some(match content.system {
        Some(register) => {
            Verdict::new(KIND, true, "Begun", format!("every node is told to hold {}", hex::encode(register)))
        }
        None if content.sealers.is_empty() => {
            let message = "nobody seals yet: spec.sealing says how many nodes do, and each of them must have joined";
            Verdict::new(KIND, false, "NoSealers", message)
        }
        None => {
            Verdict::new(KIND, false, "Beginning", "fewer than most of the sealers have said that they have begun it")
        }
    })
}

fn unreachable(kind: &'static str, nodes: &[String]) -> Verdict {
    Verdict::new(kind, Truth::Unknown, "NodesUnreachable", format!("not heard of: {}", list(nodes)))
}

fn kept(kind: &'static str, before: &[Condition]) -> Verdict {
    conditions::kept(before, kind)
        .unwrap_or_else(|| Verdict::new(kind, Truth::Unknown, "Starting", "the nodes are starting"))
}

fn stalled(facts: &Facts<'_>) -> Verdict {
    const KIND: &str = "Stalled";
    if let Some(invalid) = facts.invalid {
        return Verdict::new(KIND, true, "Invalid", invalid.to_string());
    }
    let problems = facts.finding.into_iter().flat_map(|finding| [&finding.identity_problem, &finding.policy_problem]);
    if let Some(problem) = problems.flatten().find(|problem| problem.permanent) {
        return Verdict::new(KIND, true, problem.reason, &problem.message);
    }
    if let Some(hold) = facts.outcome.holds.iter().find(|hold| matches!(hold, Hold::NameCollision { .. })) {
        return Verdict::new(KIND, true, hold.reason(), hold.to_string());
    }
    Verdict::new(KIND, false, "Progressing", "nothing waits for a person")
}

fn ready_verdict(
    facts: &Facts<'_>,
    stalled: &Verdict,
    waiting: &[String],
    certificates: &Verdict,
    policy: &Verdict,
) -> Verdict {
    const KIND: &str = "Ready";
    if stalled.truth == Truth::True {
        return Verdict::new(KIND, false, &stalled.reason, &stalled.message);
    }
    if !waiting.is_empty() {
        let (ready, wanted) = (ready(facts).len(), wanted(facts).len());
        let message = format!("{ready} of {wanted} nodes are Ready; waits for {}", list(waiting));
        return Verdict::new(KIND, false, "NodesNotReady", message);
    }
    match [certificates, policy].into_iter().find(|verdict| verdict.truth != Truth::True) {
        Some(verdict) => Verdict::new(KIND, verdict.truth, &verdict.reason, &verdict.message).about(verdict.generation),
        None => {
            let message = format!("every node of {} serves", name(facts));
            Verdict::new(KIND, true, "Ready", message).about(policy.generation)
        }
    }
}

fn reconciling(
    facts: &Facts<'_>,
    stalled: &Verdict,
    waiting: &[String],
    certificates: &Verdict,
    policy: &Verdict,
) -> Verdict {
    const KIND: &str = "Reconciling";
    if stalled.truth == Truth::True {
        return Verdict::new(KIND, false, "Stalled", "waits for a person, see Stalled");
    }
    if let Some(hold) = facts.outcome.holds.first() {
        return Verdict::new(KIND, true, hold.reason(), hold.to_string());
    }
    if !facts.outcome.errors.is_empty() {
        return Verdict::new(KIND, true, "ApplyFailed", facts.outcome.errors.join("; "));
    }
    if facts.nodes.in_transition() {
        return Verdict::new(KIND, true, "RollingOut", "nodes are being added, removed or restarted");
    }
    if !waiting.is_empty() {
        return Verdict::new(KIND, true, "NodesNotReady", format!("waits for {}", list(waiting)));
    }
    match [certificates, policy].into_iter().find(|verdict| verdict.truth != Truth::True) {
        Some(verdict) => Verdict::new(KIND, true, &verdict.reason, &verdict.message),
        None => Verdict::new(KIND, false, "Settled", "the network is as it should be").about(policy.generation),
    }
}

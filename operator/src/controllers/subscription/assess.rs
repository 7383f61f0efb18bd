//! A subscription's status from what was found. Pure.

use std::sync::Arc;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::ResourceExt;
use peerwright_crds::{RegisterSubscription, RegisterSubscriptionStatus};
use tokio::time::Instant;

use crate::{
    conditions::{self, Truth, Verdict, says, settle},
    controllers::{
        findings::Problem,
        network::plan::list,
        reach::{Progress, Reach},
    },
    policy::SubscriptionVerdict,
};

/// What a status is made from.
pub(super) struct Facts<'a> {
    /// The subscription, with its status until now.
    pub(super) subscription: &'a RegisterSubscription,
    /// Whether the network that it names exists.
    pub(super) network_exists: bool,
    /// The older subscription to the same register, if there is one.
    pub(super) winner: Option<String>,
    /// What became of it in the network's snapshot; nothing before anybody looked.
    pub(super) verdict: Option<SubscriptionVerdict>,
    /// Why the network's snapshot is not as it should be.
    pub(super) problem: Option<&'a Problem>,
    /// When the snapshot in force was published, if this replica did.
    pub(super) published_at: Option<Instant>,
    /// What the nodes said.
    pub(super) reach: Option<&'a Reach>,
    /// Now, for waits.
    pub(super) now: Instant,
    /// Now, for people.
    pub(super) wall: Timestamp,
}

/// A status, and when it may be another without anybody's change.
pub(super) struct Assessed {
    /// The whole status; nothing while there is nothing to say yet.
    pub(super) status: Option<RegisterSubscriptionStatus>,
    /// When to look again.
    pub(super) look_again: Option<Instant>,
}

/// The oldest other subscription of the network to the same register, if it is older than this one.
pub(super) fn winner(subscription: &RegisterSubscription, all: &[Arc<RegisterSubscription>]) -> Option<String> {
    let age = |subscription: &RegisterSubscription| {
        let created = subscription.creation_timestamp().map_or(Timestamp::MAX, |Time(created)| created);
        (created, subscription.name_any())
    };
    let same = all.iter().filter(|other| {
        other.spec.register_id == subscription.spec.register_id && other.metadata.deletion_timestamp.is_none()
    });
    let oldest = same.map(|other| age(other)).min()?;
    (oldest < age(subscription)).then_some(oldest.1)
}

/// Assesses a subscription.
pub(super) fn assess(facts: &Facts<'_>) -> Assessed {
    let before = facts.subscription.status.clone().unwrap_or_default();
    let mut look_again = None;
    let Some(accepted) = accepted(facts) else { return Assessed { status: None, look_again } };
    let synced = synced(facts, &accepted, &before, &mut look_again);
    let generation = facts.subscription.metadata.generation;
    let status = RegisterSubscriptionStatus {
        observed_generation: generation,
        conditions: settle(&before.conditions, vec![accepted, synced], generation, facts.wall),
    };
    Assessed { status: Some(status), look_again }
}

fn accepted(facts: &Facts<'_>) -> Option<Verdict> {
    const KIND: &str = "Accepted";
    let network = &facts.subscription.spec.network_ref.name;
    if !facts.network_exists {
        let message = format!("there is no PeerNetwork {network} in this namespace");
        return Some(Verdict::new(KIND, false, "NetworkNotFound", message));
    }
    if let Some(winner) = &facts.winner {
        let message = format!("{winner} subscribes {network} to this register already");
        return Some(Verdict::new(KIND, false, "Conflicted", message));
    }
    let Some(verdict) = facts.verdict else {
        let problem = facts.problem?;
        return Some(Verdict::new(KIND, Truth::Unknown, problem.reason, &problem.message));
    };
    let message = match verdict {
        SubscriptionVerdict::Accepted { .. } => format!("the register is part of the snapshot of {network}"),
        SubscriptionVerdict::LimitReached => "the snapshot holds as many registers as it can".to_owned(),
        SubscriptionVerdict::Malformed => "registerId: write 32 lower-case hex digits".to_owned(),
    };
    Some(Verdict::new(KIND, matches!(verdict, SubscriptionVerdict::Accepted { .. }), verdict.reason(), message))
}

fn synced(
    facts: &Facts<'_>,
    accepted: &Verdict,
    before: &RegisterSubscriptionStatus,
    look_again: &mut Option<Instant>,
) -> Verdict {
    const KIND: &str = "Synced";
    let Some(SubscriptionVerdict::Accepted { register }) = facts.verdict.filter(|_| accepted.truth == Truth::True)
    else {
        let message = "no node holds the register for this subscription";
        let truth = if accepted.truth == Truth::False { Truth::False } else { Truth::Unknown };
        return Verdict::new(KIND, truth, &accepted.reason, message);
    };
    let Some(reach) = facts.reach else { return kept(before) };
    let outlook = reach.synced(register, facts.published_at, facts.now);
    *look_again = outlook.look_again;
    match outlook.progress {
        Progress::Done => Verdict::new(KIND, true, "Synced", "every running node holds the register"),
        Progress::Behind(nodes) => Verdict::new(KIND, false, "Syncing", format!("waits for {}", list(&nodes))),
        Progress::Unreachable(nodes) => {
            Verdict::new(KIND, Truth::Unknown, "NodesUnreachable", format!("not heard of: {}", list(&nodes)))
        }
        Progress::Settling(_) => kept(before),
        Progress::Nobody => Verdict::new(KIND, Truth::Unknown, "NoNodes", "no node runs"),
    }
}

/// What was said before, unless that was about a subscription that was not accepted.
fn kept(before: &RegisterSubscriptionStatus) -> Verdict {
    const KIND: &str = "Synced";
    let known = says(&before.conditions, "Accepted", Truth::True).then(|| conditions::kept(&before.conditions, KIND));
    known.flatten().unwrap_or_else(|| {
        Verdict::new(KIND, false, "Syncing", "the nodes have not said yet that they hold the register")
    })
}

#[cfg(test)]
mod tests;

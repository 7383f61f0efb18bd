//! A subscription's status from what was found. Pure.

mod current;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::ResourceExt;
use peerwright_crds::{PeerNetwork, RegisterSubscription, RegisterSubscriptionStatus};
use peerwright_snapshot::Version;
use tokio::time::Instant;

use self::current::current;
use super::{
    ending::{Ending, deleted, ending},
    extent::Extent,
};
use crate::{
    conditions::{self, Truth, Verdict, says, settle},
    controllers::{
        findings::Problem,
        network::plan::list,
        reach::{Progress, Reach},
    },
    policy::{SubscriptionVerdict, is_placed_on},
};

/// What a status is made from.
pub(super) struct Facts<'a> {
    /// The subscription, with its status until now.
    pub(super) subscription: &'a RegisterSubscription,
    /// The network that it names, if there is one that can be read.
    pub(super) network: Option<&'a PeerNetwork>,
    /// The older subscription to the same register, if there is one.
    pub(super) winner: Option<String>,
    /// What became of it in the network's snapshot; nothing before anybody looked.
    pub(super) verdict: Option<&'a SubscriptionVerdict>,
    /// Why the network's snapshot is not as it should be.
    pub(super) problem: Option<&'a Problem>,
    /// When the snapshot in force was published, if this replica did.
    pub(super) published_at: Option<Instant>,
    /// The first snapshot that orders each purge.
    pub(super) purges: Option<&'a BTreeMap<[u8; 16], Version>>,
    /// What the nodes said.
    pub(super) reach: Option<&'a Reach>,
    /// The nodes that seal.
    pub(super) sealing: &'a BTreeSet<String>,
    /// Now, for waits.
    pub(super) now: Instant,
    /// Now, for people.
    pub(super) wall: Timestamp,
}

impl Facts<'_> {
    /// Whether the node called `pod` is to hold the register.
    pub(super) fn is_placed_on(&self, pod: &str) -> bool {
        self.network.is_some_and(|network| is_placed_on(network, self.subscription, pod))
    }
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
    let mut look_again = Earliest::default();
    let Some(accepted) = accepted(facts) else { return Assessed { status: None, look_again: None } };
    let register = facts.verdict.and_then(SubscriptionVerdict::register).filter(|_| accepted.truth == Truth::True);
    let held = register.zip(facts.reach);
    let extent = match held {
        Some((register, reach)) => Extent::measure(facts, &register, reach, Extent::of(&before)),
        None if register.is_some() => Extent::of(&before),
        None => Extent::default(),
    };
    let (synced, current) = match held {
        Some((register, reach)) => (
            synced(facts, &register, reach, &before, &mut look_again),
            current(facts, &register, reach, &before, &mut look_again),
        ),
        None if register.is_some() => (kept(&before, "Synced"), kept(&before, "Current")),
        None => (beside(&accepted, "Synced"), beside(&accepted, "Current")),
    };
    let mut verdicts = vec![accepted, synced, current];
    if facts.subscription.metadata.deletion_timestamp.is_some() {
        let ending = ending(facts, true);
        if let Ending::Purging { look_again: at, .. } = &ending {
            look_again.or(*at);
        }
        verdicts.push(deleted(&ending));
    }
    let generation = facts.subscription.metadata.generation;
    let status = RegisterSubscriptionStatus {
        observed_generation: generation,
        state: extent.state,
        progress_percent: extent.progress_percent,
        nodes: extent.nodes,
        synced_nodes: extent.synced_nodes,
        conditions: settle(&before.conditions, verdicts, generation, facts.wall),
    };
    Assessed { status: Some(status), look_again: look_again.0 }
}

/// The earliest of several times.
#[derive(Debug, Default)]
struct Earliest(Option<Instant>);

impl Earliest {
    fn or(&mut self, at: Option<Instant>) {
        self.0 = [self.0, at].into_iter().flatten().min();
    }
}

fn accepted(facts: &Facts<'_>) -> Option<Verdict> {
    const KIND: &str = "Accepted";
    let network = &facts.subscription.spec.network_ref.name;
    if facts.network.is_none() {
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
        SubscriptionVerdict::Accepted { .. } | SubscriptionVerdict::WouldLoseQuorum { .. } => {
            format!("the register is part of the snapshot of {network}")
        }
        SubscriptionVerdict::Conflicted => format!("another subscribes {network} to this register already"),
        SubscriptionVerdict::System => {
            format!(
                "the register is the system register of {network}: every node holds it whole without a subscription"
            )
        }
        SubscriptionVerdict::PlacementUnknown(groups) => {
            format!(
                "{network} has no node group {}: correct placement.groups or the network's nodeGroups",
                list(groups)
            )
        }
        SubscriptionVerdict::LimitReached => "the snapshot holds as many registers as it can".to_owned(),
        SubscriptionVerdict::Malformed => "registerId: write 32 lower-case hex digits".to_owned(),
        SubscriptionVerdict::Purging { .. } | SubscriptionVerdict::Released => {
            "it is being deleted, and no node subscribes to the register for it".to_owned()
        }
    };
    Some(Verdict::new(KIND, verdict.register().is_some(), verdict.reason(), message))
}

fn synced(
    facts: &Facts<'_>,
    register: &[u8; 16],
    reach: &Reach,
    before: &RegisterSubscriptionStatus,
    look_again: &mut Earliest,
) -> Verdict {
    const KIND: &str = "Synced";
    let outlook = reach.synced(register, |pod| facts.is_placed_on(pod), facts.published_at, facts.now);
    look_again.or(outlook.look_again);
    match outlook.progress {
        Progress::Done => Verdict::new(KIND, true, "Synced", "every running node of the placement holds the register"),
        Progress::Behind(nodes) => Verdict::new(KIND, false, "Syncing", format!("waits for {}", list(&nodes))),
        Progress::Unreachable(nodes) => unreachable(KIND, &nodes),
        Progress::Settling(_) => kept(before, KIND),
        Progress::Nobody => nobody(KIND),
    }
}

fn unreachable(kind: &'static str, nodes: &[String]) -> Verdict {
    Verdict::new(kind, Truth::Unknown, "NodesUnreachable", format!("not heard of: {}", list(nodes)))
}

fn nobody(kind: &'static str) -> Verdict {
    Verdict::new(kind, Truth::Unknown, "NoNodes", "no node of the placement runs")
}

/// What there is to say of nodes when the subscription is not accepted.
fn beside(accepted: &Verdict, kind: &'static str) -> Verdict {
    let truth = if accepted.truth == Truth::False { Truth::False } else { Truth::Unknown };
    Verdict::new(kind, truth, &accepted.reason, "no node holds the register for this subscription")
}

/// What was said before, unless that was about a subscription that was not accepted.
fn kept(before: &RegisterSubscriptionStatus, kind: &'static str) -> Verdict {
    let known = says(&before.conditions, "Accepted", Truth::True).then(|| conditions::kept(&before.conditions, kind));
    known.flatten().unwrap_or_else(|| {
        Verdict::new(kind, false, "Syncing", "the nodes have not said yet that they hold the register")
    })
}

#[cfg(test)]
pub(super) mod tests;

//! When a subscription may go, and what holds it. Pure.

use kube::ResourceExt;
use peerwright_crds::{REGISTERS_FINALIZER, RegisterSubscription};
use tokio::time::Instant;

use super::assess::Facts;
use crate::{
    conditions::Verdict,
    controllers::{network::plan::list, reach::Progress},
    policy::SubscriptionVerdict,
};

/// How far a deletion is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nothing has to be waited for.
    Over,
    /// Nodes seal that should purge.
    Held {
        /// The nodes.
        nodes: Vec<String>,
    },
    /// The nodes have still to say that they have purged it.
    Purging {
        /// Whom it waits for; empty while nobody has been told.
        nodes: Vec<String>,
        /// When that may be another list without anything having happened.
        look_again: Option<Instant>,
    },
}

/// How far the deletion of a subscription with our finalizer is.
pub(super) fn ending(facts: &Facts<'_>, is_network_alive: bool) -> Ending {
    let waiting = Ending::Purging { nodes: Vec::new(), look_again: None };
    if !is_network_alive || !facts.subscription.spec.purges() {
        return Ending::Over;
    }
    let register = match facts.verdict {
        Some(SubscriptionVerdict::Released) => return Ending::Over,
        Some(SubscriptionVerdict::WouldLoseQuorum { nodes, .. }) => return Ending::Held { nodes: nodes.clone() },
        Some(SubscriptionVerdict::Purging { register }) => register,
        // What was found is from before the deletion.
        _ => return waiting,
    };
    let version = facts.purges.and_then(|purges| purges.get(register)).copied();
    let (Some(version), Some(reach)) = (version, facts.reach) else { return waiting };
    let seals = |pod: &str| facts.sealing.contains(pod);
    let outlook = reach.purged(register, seals, version, facts.published_at, facts.now);
    match outlook.progress {
        Progress::Done | Progress::Nobody => Ending::Over,
        Progress::Behind(nodes) | Progress::Unreachable(nodes) => {
            Ending::Purging { nodes, look_again: outlook.look_again }
        }
        Progress::Settling(_) => Ending::Purging { nodes: Vec::new(), look_again: outlook.look_again },
    }
}

/// The condition that says why a subscription that was deleted is still there.
pub(super) fn deleted(ending: &Ending) -> Verdict {
    const KIND: &str = "Deleted";
    match ending {
        Ending::Over => Verdict::new(KIND, true, "Purged", "nothing of it is on a running node"),
        Ending::Held { nodes } => {
            let message = format!(
                "{} would lose what they seal: take them out of the network's sealers, or set deletionPolicy to Retain to \
                 delete the subscription alone",
                list(nodes)
            );
            Verdict::new(KIND, false, "WouldLoseQuorum", message)
        }
        Ending::Purging { nodes, .. } if nodes.is_empty() => {
            Verdict::new(KIND, false, "Purging", "the nodes delete what they hold")
        }
        Ending::Purging { nodes, .. } => Verdict::new(KIND, false, "Purging", format!("waits for {}", list(nodes))),
    }
}

/// Whether our finalizer should come (true) or go (false); nothing when it is as it should be.
pub(super) fn wanted_finalizers(subscription: &RegisterSubscription, is_accepted: bool) -> Option<bool> {
    let is_there = subscription.finalizers().iter().any(|finalizer| finalizer == REGISTERS_FINALIZER);
    match (subscription.spec.purges(), is_there) {
        (true, false) if is_accepted => Some(true),
        (false, true) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

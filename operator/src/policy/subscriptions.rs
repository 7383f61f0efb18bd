//! Judges a network's subscriptions: which registers its nodes hold, and which they purge. Pure.
//!
//! ```text
//! is wanted ─ the oldest of its register ─ placed on groups that exist ─ there is room ──▶ subscribed
//! is the network's system register ──▶ subscribed whole by every node, ahead of all others
//! is being deleted, and its data with it:
//!     another names the register ─────────────▶ released: nothing is purged
//!     a node of the placement seals ──────────▶ held: it stays subscribed as it is
//!     otherwise ──────────────────────────────▶ purged, until every running node has said so
//! ```

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use kube::{Resource, ResourceExt};
use peerwright_crds::{PeerNetwork, REGISTERS_FINALIZER, RegisterSubscription, ReplicaMode};
use peerwright_snapshot::{MAX_PURGES, MAX_SUBSCRIPTIONS, MAX_SUBSCRIPTIONS_BYTES, Subscription, subscription_bytes};

/// What became of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionVerdict {
    /// It is in the snapshot.
    Accepted {
        /// The register.
        register: [u8; 16],
    },
    /// An older one names the register.
    Conflicted,
    /// It is the network's system register: every node holds it whole without being told.
    System,
    /// Groups of its placement that the network does not have.
    PlacementUnknown(Vec<String>),
    /// The snapshot is full and this is one of the newest.
    LimitReached,
    /// The register id is not 32 hex digits.
    Malformed,
    /// It is being deleted, and nodes of its placement seal: it stays in the snapshot.
    WouldLoseQuorum {
        /// The register.
        register: [u8; 16],
        /// The nodes.
        nodes: Vec<String>,
    },
    /// It is being deleted, and the nodes are to delete the register's data.
    Purging {
        /// The register.
        register: [u8; 16],
    },
    /// It is being deleted, and nothing has to be purged for it.
    Released,
}

impl SubscriptionVerdict {
    /// Reason of the condition `Accepted` that this verdict makes.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Accepted { .. } | Self::WouldLoseQuorum { .. } => "Accepted",
            Self::Conflicted | Self::System => "Conflicted",
            Self::PlacementUnknown(_) => "PlacementUnknown",
            Self::LimitReached => "LimitReached",
            Self::Malformed => "Malformed",
            Self::Purging { .. } | Self::Released => "Deleting",
        }
    }

    /// The register, if the snapshot has it.
    #[must_use]
    pub const fn register(&self) -> Option<[u8; 16]> {
        match self {
            Self::Accepted { register } | Self::WouldLoseQuorum { register, .. } => Some(*register),
            _ => None,
        }
    }
}

/// What the subscriptions come to.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) subscriptions: BTreeMap<[u8; 16], Subscription>,
    pub(super) purges: BTreeSet<[u8; 16]>,
    /// By the names of the objects.
    pub(super) verdicts: BTreeMap<String, SubscriptionVerdict>,
    bytes: usize,
}

/// Judges the subscriptions of `network`, the nodes `sealing` being those that seal, and `system` the register of its
/// blueprints.
pub(super) fn judge(
    network: &PeerNetwork,
    all: &[Arc<RegisterSubscription>],
    sealing: &BTreeSet<String>,
    system: Option<[u8; 16]>,
) -> Judged {
    let mut named: Vec<&RegisterSubscription> = all.iter().map(AsRef::as_ref).collect();
    named.retain(|subscription| {
        subscription.spec.network_ref.name == network.name_any() && subscription.namespace() == network.namespace()
    });
    named.sort_by_cached_key(|subscription| {
        let created_at = subscription.creation_timestamp().map_or(i64::MAX, |time| time.0.as_second());
        (created_at, subscription.name_any())
    });
    let (going, wanted): (Vec<_>, Vec<_>) =
        named.into_iter().partition(|subscription| subscription.meta().deletion_timestamp.is_some());
    let mut judged = Judged::default();
    if let Some(register) = system {
        judged.hold(register, Subscription::default());
    }
    let mut claimed = BTreeSet::from_iter(system);
    for subscription in wanted {
        let names_system = system.is_some() && register_id(&subscription.spec.register_id) == system;
        let verdict =
            if names_system { SubscriptionVerdict::System } else { judged.want(network, subscription, &mut claimed) };
        judged.verdicts.insert(subscription.name_any(), verdict);
    }
    for subscription in going.into_iter().filter(|subscription| waits(subscription)) {
        let verdict = judged.let_go(network, subscription, &claimed, sealing);
        judged.verdicts.insert(subscription.name_any(), verdict);
    }
    judged
}

/// Whether a subscription that is being deleted is there until its data is purged.
fn waits(subscription: &RegisterSubscription) -> bool {
    subscription.finalizers().iter().any(|finalizer| finalizer == REGISTERS_FINALIZER)
}

impl Judged {
    fn want(
        &mut self,
        network: &PeerNetwork,
        subscription: &RegisterSubscription,
        claimed: &mut BTreeSet<[u8; 16]>,
    ) -> SubscriptionVerdict {
        let Some(register) = register_id(&subscription.spec.register_id) else {
            return SubscriptionVerdict::Malformed;
        };
        if !claimed.insert(register) {
            return SubscriptionVerdict::Conflicted;
        }
        let unknown = unknown_groups(network, subscription);
        if !unknown.is_empty() {
            return SubscriptionVerdict::PlacementUnknown(unknown);
        }
        if self.add(network, register, subscription) {
            SubscriptionVerdict::Accepted { register }
        } else {
            SubscriptionVerdict::LimitReached
        }
    }

    fn let_go(
        &mut self,
        network: &PeerNetwork,
        subscription: &RegisterSubscription,
        claimed: &BTreeSet<[u8; 16]>,
        sealing: &BTreeSet<String>,
    ) -> SubscriptionVerdict {
        let register = register_id(&subscription.spec.register_id).filter(|_| subscription.spec.purges());
        let Some(register) = register.filter(|register| !claimed.contains(register)) else {
            return SubscriptionVerdict::Released;
        };
        let nodes: Vec<String> =
            sealing.iter().filter(|node| is_placed_on(network, subscription, node)).cloned().collect();
        if !nodes.is_empty() {
            if unknown_groups(network, subscription).is_empty() && self.add(network, register, subscription) {
                self.purges.remove(&register);
            }
            return SubscriptionVerdict::WouldLoseQuorum { register, nodes };
        }
        // Another that is held has the register still.
        if !self.subscriptions.contains_key(&register) && self.purges.len() < MAX_PURGES {
            self.purges.insert(register);
        }
        SubscriptionVerdict::Purging { register }
    }

    /// False when there is no room.
    fn add(&mut self, network: &PeerNetwork, register: [u8; 16], subscription: &RegisterSubscription) -> bool {
        let wanted = Subscription {
            mode: mode(subscription.spec.effective_mode()),
            groups: subscription.spec.placement.groups.iter().map(|group| network.stateful_set_name(group)).collect(),
        };
        self.hold(register, wanted)
    }

    /// False when there is no room.
    fn hold(&mut self, register: [u8; 16], wanted: Subscription) -> bool {
        let bytes = self.bytes + subscription_bytes(&wanted);
        if self.subscriptions.len() >= MAX_SUBSCRIPTIONS || bytes > MAX_SUBSCRIPTIONS_BYTES {
            return false;
        }
        // The first of two that are held decides.
        if let Entry::Vacant(place) = self.subscriptions.entry(register) {
            place.insert(wanted);
            self.bytes = bytes;
        }
        true
    }
}

/// Whether the node called `node` is to hold the subscription's register.
#[must_use]
pub fn is_placed_on(network: &PeerNetwork, subscription: &RegisterSubscription, node: &str) -> bool {
    let placement = &subscription.spec.placement;
    placement.is_everywhere() || network.locate_node(node).is_some_and(|(group, _)| placement.names(&group.name))
}

fn unknown_groups(network: &PeerNetwork, subscription: &RegisterSubscription) -> Vec<String> {
    let named = subscription.spec.placement.groups.iter();
    named.filter(|name| network.node_group(name).is_none()).cloned().collect()
}

const fn mode(mode: ReplicaMode) -> peerwright_snapshot::ReplicaMode {
    match mode {
        ReplicaMode::FullReplica => peerwright_snapshot::ReplicaMode::FullReplica,
        ReplicaMode::ForwardOnly => peerwright_snapshot::ReplicaMode::ForwardOnly,
    }
}

pub(super) fn register_id(text: &str) -> Option<[u8; 16]> {
    hex::decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
#[path = "subscriptions_tests.rs"]
mod tests;

//! What the controllers share.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use kube::{Resource, ResourceExt, runtime::events::EventType};

use super::{
    caches::Caches,
    findings::Findings,
    network::{build::Install, hubs::Ways},
    reach::Reaches,
    subscription::Pace,
    triggers::Triggers,
};
use crate::{
    api::Writer,
    cache::{Decoded, ObjectKey},
    events::Events,
    identity::{Authorities, Members, unix_now},
    metrics::Metrics,
    nodes::{Duty, NodeRegistry},
    policy::{Publisher, SnapshotFeeds, TokenIssuers, bans_node},
    settings::Namespaces,
};

/// What the controllers are given.
#[derive(Clone)]
pub struct Parts {
    /// What the API server has.
    pub caches: Caches,
    /// Every change goes through here.
    pub writer: Writer,
    /// What people are told.
    pub events: Events,
    /// What is counted.
    pub metrics: Metrics,
    /// Who is to be looked at.
    pub triggers: Triggers,
    /// The networks' authorities.
    pub authorities: Arc<Authorities>,
    /// Who the nodes are.
    pub members: Arc<Members>,
    /// What the nodes say.
    pub registry: Arc<NodeRegistry>,
    /// Whether nodes are answered.
    pub duty: Duty,
    /// Publishes snapshots.
    pub publisher: Arc<Publisher>,
    /// The snapshots in force.
    pub feeds: Arc<SnapshotFeeds>,
    /// Whose tokens clients bring.
    pub tokens: Arc<TokenIssuers>,
    /// What nodes are told about this install.
    pub install: Install,
    /// The install root as nodes mount it.
    pub install_root_pem: String,
    /// Image of the nodes of a network that names none.
    pub node_image: String,
    /// Where the operator looks.
    pub namespaces: Namespaces,
}

/// What the controllers share: what they were given, and what they found.
pub struct Context {
    /// What they were given.
    pub parts: Parts,
    /// What the policy controller found.
    pub findings: Findings,
    /// Which nodes have which snapshot.
    pub reaches: Reaches,
    /// How often statuses of subscriptions are written.
    pub(super) pace: Pace,
    /// Which way the dockets of networks with hubs go, as people were told, by the networks' UIDs.
    ways: Mutex<HashMap<String, Ways>>,
    /// Pods that were evicted and that the cache may still show as they were, by UID, with their network's UID.
    evicted: Mutex<HashMap<String, String>>,
    /// Objects that could not be read and that people were told of.
    told_unreadable: Mutex<HashMap<String, Option<i64>>>,
}

impl Context {
    /// A context in which nothing was found yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            findings: Findings::default(),
            reaches: Reaches::default(),
            pace: Pace::default(),
            ways: Mutex::default(),
            evicted: Mutex::default(),
            told_unreadable: Mutex::default(),
        }
    }

    /// Remembers that a pod is on its way out, whatever the cache says.
    pub fn remember_eviction(&self, network_uid: &str, pod_uid: &str) {
        self.evicted().insert(pod_uid.to_owned(), network_uid.to_owned());
    }

    /// Whether a pod was evicted. `present` are the UIDs of the network's pods: others are forgotten.
    pub fn evictions(&self, network_uid: &str, present: &BTreeSet<String>) -> BTreeSet<String> {
        let mut evicted = self.evicted();
        evicted.retain(|pod, network| network != network_uid || present.contains(pod));
        evicted.keys().filter(|pod| present.contains(*pod)).cloned().collect()
    }

    /// The pods of a network, among those named, that are banned by the snapshot in force.
    pub fn banned<'a>(
        &self,
        network_uid: &str,
        namespace: &str,
        pods: impl Iterator<Item = &'a str>,
    ) -> BTreeSet<String> {
        let Some(published) = self.parts.feeds.current(network_uid) else { return BTreeSet::new() };
        let now = u64::try_from(unix_now()).unwrap_or_default();
        let leaves = self.parts.registry.leaves(network_uid);
        let is_banned = |pod: &&str| {
            let peer = self.parts.members.peer_id_of(network_uid, pod);
            let leaf = leaves.iter().find(|(_, shown_by)| shown_by == pod).map(|(leaf, _)| *leaf);
            bans_node(&published.snapshot, namespace, pod, peer, leaf, now)
        };
        pods.filter(is_banned).map(str::to_owned).collect()
    }

    /// Forgets a network that is gone.
    pub fn forget(&self, network_uid: &str, key: &ObjectKey) {
        self.findings.forget(network_uid);
        self.reaches.forget(network_uid);
        self.ways().remove(network_uid);
        self.evicted().retain(|_, network| network != network_uid);
        self.parts.metrics.forget(key);
        self.parts.publisher.forget(network_uid);
        self.parts.registry.forget(network_uid);
    }

    /// Everything that names the network in a status is to be looked at.
    pub fn trigger_dependants(&self, network: &ObjectKey) {
        let Triggers { bans, subscriptions, networks, .. } = &self.parts.triggers;
        networks.fire(network.clone());
        self.parts.caches.bans_of(network).iter().for_each(|ban| bans.fire(ObjectKey::of(ban.as_ref())));
        let all = self.parts.caches.subscriptions_of(network);
        all.iter().for_each(|subscription| subscriptions.fire(ObjectKey::of(subscription.as_ref())));
    }

    /// The object, unless it cannot be read: then people are told, once, and it waits for a change.
    pub async fn readable<K>(&self, object: &Decoded<K>) -> Option<Arc<K>>
    where
        K: Resource<DynamicType = ()> + Clone,
    {
        let invalid = match object {
            Decoded::Valid(object) => {
                self.told_unreadable().remove(&object.uid().unwrap_or_default());
                return Some(Arc::clone(object));
            }
            Decoded::Invalid(invalid) => invalid,
        };
        let (uid, generation) = (object.uid().unwrap_or_default(), object.meta().generation);
        let told = self.told_unreadable().insert(uid, generation);
        if told != Some(generation) {
            // Rare enough to look at all: what is kept is never more than what exists.
            let existing = self.parts.caches.own_uids();
            self.told_unreadable().retain(|uid, _| existing.contains(uid));
            let note = format!("This object cannot be read by this operator and is left alone: {}", invalid.error);
            tracing::warn!(kind = %K::kind(&()), object = %ObjectKey::of(object), error = invalid.error, "unreadable object");
            self.parts.events.tell(object, EventType::Warning, "Unreadable", "Read", note).await;
        }
        None
    }

    /// Which way the dockets of networks with hubs go, as people were told.
    pub(super) fn ways(&self) -> std::sync::MutexGuard<'_, HashMap<String, Ways>> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told_unreadable(&self) -> std::sync::MutexGuard<'_, HashMap<String, Option<i64>>> {
        self.told_unreadable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn evicted(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.evicted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Every cache of the operator, and who is told of which change.
//!
//! | kind | selected by | kept of it |
//! |---|---|---|
//! | PeerNetwork, PeerBan, RegisterSubscription, PeerOperation | nothing: they are ours | all |
//! | StatefulSet, Service, ServiceAccount, PodDisruptionBudget, NetworkPolicy | label | all |
//! | ConfigMap | label | text, not snapshots |
//! | Pod | label | metadata, conditions, container states |
//!
//! There is no watch of Secrets.

use std::{borrow::Cow, collections::BTreeSet, fmt::Debug, sync::Arc};

use futures::future::{BoxFuture, FutureExt, join_all};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, Pod, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use kube::{Client, Resource, ResourceExt, core::NamespaceResourceScope};
use peerwright_crds::{
    MANAGED_BY, MANAGED_BY_LABEL, NETWORK_LABEL, PeerBan, PeerNetwork, PeerOperation, RegisterSubscription,
};
use serde::de::DeserializeOwned;

use super::triggers::Triggers;
use crate::{
    api::ApiMetrics,
    cache::{Cache, Change, Decoded, ObjectKey, Watch, prune},
    identity::NetworkKey,
    settings::Namespaces,
};

/// Every cache.
#[derive(Clone, Debug)]
pub struct Caches {
    /// Networks.
    pub networks: Arc<Cache<Decoded<PeerNetwork>>>,
    /// Bans.
    pub bans: Arc<Cache<Decoded<PeerBan>>>,
    /// Subscriptions.
    pub subscriptions: Arc<Cache<Decoded<RegisterSubscription>>>,
    /// Work that is done once.
    pub operations: Arc<Cache<Decoded<PeerOperation>>>,
    /// One a node group.
    pub stateful_sets: Arc<Cache<StatefulSet>>,
    /// The nodes.
    pub pods: Arc<Cache<Pod>>,
    /// Two a network.
    pub services: Arc<Cache<Service>>,
    /// One a network.
    pub service_accounts: Arc<Cache<ServiceAccount>>,
    /// Trust and snapshot of each network.
    pub config_maps: Arc<Cache<ConfigMap>>,
    /// One a network.
    pub disruption_budgets: Arc<Cache<PodDisruptionBudget>>,
    /// At most one a network.
    pub network_policies: Arc<Cache<NetworkPolicy>>,
}

/// What makes watches.
struct Maker<'a> {
    client: &'a Client,
    namespaces: &'a Namespaces,
    metrics: ApiMetrics,
    triggers: Triggers,
    running: Vec<BoxFuture<'static, ()>>,
}

impl Caches {
    /// Makes every cache, and the future that fills and keeps them for as long as it is polled.
    pub fn begin(
        client: &Client,
        namespaces: &Namespaces,
        metrics: ApiMetrics,
        triggers: Triggers,
    ) -> (Self, BoxFuture<'static, ()>) {
        let mut maker = Maker { client, namespaces, metrics, triggers, running: Vec::new() };
        let caches = Self {
            networks: maker.watch(None, prune::metadata, network_changed),
            bans: maker.watch(None, prune::metadata, ban_changed),
            subscriptions: maker.watch(None, prune::metadata, subscription_changed),
            operations: maker.watch(None, prune::metadata, operation_changed),
            stateful_sets: maker.children(prune::metadata, child_changed),
            pods: maker.children(prune::pod, pod_changed),
            services: maker.children(prune::metadata, child_changed),
            service_accounts: maker.children(prune::metadata, child_changed),
            config_maps: maker.children(prune::config_map, config_map_changed),
            disruption_budgets: maker.children(prune::metadata, child_changed),
            network_policies: maker.children(prune::metadata, child_changed),
        };
        let running = join_all(maker.running).map(drop).boxed();
        (caches, running)
    }

    /// Returns once every cache has had its first complete list; `waiting` hears what is still missing.
    pub async fn filled(&self, waiting: impl Fn(&str)) {
        for (resource, filled) in self.all() {
            waiting(&resource);
            filled.await;
        }
    }

    /// Every cache's resource, and its first complete list.
    fn all(&self) -> [(Cow<'static, str>, BoxFuture<'_, ()>); 11] {
        [
            filling(&self.networks),
            filling(&self.bans),
            filling(&self.subscriptions),
            filling(&self.operations),
            filling(&self.stateful_sets),
            filling(&self.pods),
            filling(&self.services),
            filling(&self.service_accounts),
            filling(&self.config_maps),
            filling(&self.disruption_budgets),
            filling(&self.network_policies),
        ]
    }

    /// UIDs of the objects that people write: networks, bans, subscriptions and operations.
    #[must_use]
    pub fn own_uids(&self) -> BTreeSet<String> {
        fn uids<K: Resource<DynamicType = ()> + Clone + Debug>(cache: &Cache<K>) -> impl Iterator<Item = String> {
            cache.select(|_| true).into_iter().filter_map(|object| object.uid())
        }
        let of_networks = uids(&self.bans).chain(uids(&self.subscriptions)).chain(uids(&self.operations));
        uids(&self.networks).chain(of_networks).collect()
    }

    /// The network under this key, if there is one that can be read.
    #[must_use]
    pub fn network(&self, key: &ObjectKey) -> Option<Arc<PeerNetwork>> {
        self.networks.get(key)?.valid().cloned()
    }

    /// The bans that name a network.
    #[must_use]
    pub fn bans_of(&self, network: &ObjectKey) -> Vec<Arc<PeerBan>> {
        valid(&self.bans, |ban| ban.spec.network_ref.name == network.name && is_in(ban, &network.namespace))
    }

    /// The subscriptions that name a network.
    #[must_use]
    pub fn subscriptions_of(&self, network: &ObjectKey) -> Vec<Arc<RegisterSubscription>> {
        valid(&self.subscriptions, |subscription| {
            subscription.spec.network_ref.name == network.name && is_in(subscription, &network.namespace)
        })
    }

    /// The operations that name a network.
    #[must_use]
    pub fn operations_of(&self, network: &ObjectKey) -> Vec<Arc<PeerOperation>> {
        valid(&self.operations, |operation| {
            operation.spec.network_ref.name == network.name && is_in(operation, &network.namespace)
        })
    }

    /// The pods of a network.
    #[must_use]
    pub fn pods_of(&self, network: &ObjectKey) -> Vec<Arc<Pod>> {
        children_of(&self.pods, network)
    }

    /// The StatefulSets of a network.
    #[must_use]
    pub fn stateful_sets_of(&self, network: &ObjectKey) -> Vec<Arc<StatefulSet>> {
        children_of(&self.stateful_sets, network)
    }
}

impl Maker<'_> {
    fn children<K>(&mut self, prune: fn(&mut K), changed: fn(&Triggers, Change<'_, K>)) -> Arc<Cache<K>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        let selector = format!("{MANAGED_BY_LABEL}={MANAGED_BY},{NETWORK_LABEL}");
        self.watch(Some(&selector), prune, changed)
    }

    fn watch<K>(
        &mut self,
        selector: Option<&str>,
        prune: fn(&mut K),
        changed: fn(&Triggers, Change<'_, K>),
    ) -> Arc<Cache<K>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        let watch = Watch::new(self.client, self.namespaces, selector, prune, self.metrics.clone());
        let (cache, triggers) = (watch.cache(), self.triggers.clone());
        self.running.push(watch.run(move |change| changed(&triggers, change)).boxed());
        cache
    }
}

fn network_changed(triggers: &Triggers, change: Change<'_, Decoded<PeerNetwork>>) {
    let key = ObjectKey::of(change.object());
    if let Change::Deleted { object } = change {
        let uid = object.uid().unwrap_or_default();
        triggers.departed.fire(NetworkKey { uid, namespace: key.namespace.clone(), name: key.name.clone() });
        return;
    }
    if change.is_about_the_spec() {
        triggers.policies.fire(key.clone());
    }
    triggers.networks.fire(key);
}

fn ban_changed(triggers: &Triggers, change: Change<'_, Decoded<PeerBan>>) {
    triggers.bans.fire(ObjectKey::of(change.object()));
    if let Some(ban) = change.object().valid().filter(|_| change.is_about_the_spec()) {
        triggers.policies.fire(ObjectKey::new(ban.namespace().unwrap_or_default(), &ban.spec.network_ref.name));
    }
}

fn subscription_changed(triggers: &Triggers, change: Change<'_, Decoded<RegisterSubscription>>) {
    triggers.subscriptions.fire(ObjectKey::of(change.object()));
    if let Some(subscription) = change.object().valid().filter(|_| change.is_about_the_spec()) {
        let namespace = subscription.namespace().unwrap_or_default();
        triggers.policies.fire(ObjectKey::new(namespace, &subscription.spec.network_ref.name));
    }
}

fn operation_changed(triggers: &Triggers, change: Change<'_, Decoded<PeerOperation>>) {
    triggers.operations.fire(ObjectKey::of(change.object()));
    if let Some(operation) = change.object().valid().filter(|_| change.is_about_the_spec()) {
        let namespace = operation.namespace().unwrap_or_default();
        triggers.policies.fire(ObjectKey::new(namespace, &operation.spec.network_ref.name));
    }
}

fn child_changed<K: Resource<DynamicType = ()>>(triggers: &Triggers, change: Change<'_, K>) {
    if let Some(network) = network_of(change.object()) {
        triggers.networks.fire(network);
    }
}

fn config_map_changed(triggers: &Triggers, change: Change<'_, ConfigMap>) {
    if let Some(network) = network_of(change.object()) {
        triggers.policies.fire(network);
    }
}

fn pod_changed(triggers: &Triggers, change: Change<'_, Pod>) {
    if let Some(network) = network_of(change.object()) {
        triggers.reach.fire(network.clone());
        triggers.networks.fire(network);
    }
}

/// The resource that a cache holds, and its first complete list.
fn filling<K>(cache: &Cache<K>) -> (Cow<'static, str>, BoxFuture<'_, ()>)
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync,
{
    (K::plural(&()), cache.filled().boxed())
}

fn network_of<K: Resource<DynamicType = ()>>(child: &K) -> Option<ObjectKey> {
    let name = child.labels().get(NETWORK_LABEL)?;
    Some(ObjectKey::new(child.namespace()?, name))
}

fn children_of<K>(cache: &Cache<K>, network: &ObjectKey) -> Vec<Arc<K>>
where
    K: Resource<DynamicType = ()> + Clone + Debug,
{
    cache.select(|child| child.labels().get(NETWORK_LABEL) == Some(&network.name) && is_in(child, &network.namespace))
}

fn is_in<K: Resource>(object: &K, namespace: &str) -> bool {
    object.meta().namespace.as_deref() == Some(namespace)
}

fn valid<K>(cache: &Cache<Decoded<K>>, wanted: impl Fn(&K) -> bool) -> Vec<Arc<K>>
where
    K: Resource<DynamicType = ()> + Clone + Debug,
{
    let objects = cache.select(|object| object.valid().is_some_and(|object| wanted(object)));
    objects.iter().filter_map(|object| object.valid().cloned()).collect()
}

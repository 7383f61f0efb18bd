//! Gathers what a reconciliation needs to know, from the caches. The only place that reads other objects.

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::Pod};
use kube::ResourceExt;
use peerwright_crds::PeerNetwork;

use super::{children::controller_uid, uid_of};
use crate::{cache::ObjectKey, controllers::Context};

/// What there is of a network.
pub(super) struct Dereferenced {
    /// Its StatefulSets: what it controls, and what nobody controls any more.
    pub(super) stateful_sets: Vec<Arc<StatefulSet>>,
    /// The pods of these.
    pub(super) pods: Vec<Arc<Pod>>,
    /// Pods that were evicted, by UID.
    pub(super) evicted: BTreeSet<String>,
    /// Its wanted nodes that are banned by the snapshot in force.
    pub(super) banned: BTreeSet<String>,
    /// Pods that say that they are of the sealing group.
    pub(super) sealers: BTreeSet<String>,
}

pub(super) fn dereference(network: &PeerNetwork, context: &Context) -> Dereferenced {
    let (uid, key) = (uid_of(network), ObjectKey::of(network));
    let mut stateful_sets = context.parts.caches.stateful_sets_of(&key);
    stateful_sets.retain(|set| controller_uid(set.as_ref()).is_none_or(|controller| controller == uid));
    stateful_sets.sort_by_key(|set| set.name_any());
    let owners: BTreeSet<String> = stateful_sets.iter().filter_map(|set| set.uid()).collect();
    let mut pods = context.parts.caches.pods_of(&key);
    pods.retain(|pod| controller_uid(pod.as_ref()).is_some_and(|controller| owners.contains(controller)));
    pods.sort_by_key(|pod| pod.name_any());
    let present = pods.iter().filter_map(|pod| pod.uid()).collect();
    let wanted = network.node_names();
    Dereferenced {
        evicted: context.evictions(&uid, &present),
        banned: context.banned(&uid, &key.namespace, wanted.iter().map(String::as_str)),
        sealers: context.parts.registry.sealers(&uid),
        stateful_sets,
        pods,
    }
}

impl Dereferenced {
    /// The image that the nodes run.
    pub(super) fn running_image(&self) -> Option<String> {
        let template = &self.stateful_sets.first()?.spec.as_ref()?.template;
        template.spec.as_ref()?.containers.first()?.image.clone()
    }
}

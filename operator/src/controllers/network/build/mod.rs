//! From a valid network to the objects that it owns. Pure: the same network gives the same objects, byte for byte.

mod pod;
mod service;
mod shield;
mod stateful_set;
mod trust;

use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{Service, ServiceAccount},
        networking::v1::NetworkPolicy,
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::Resource;
use peerwright_crds::PeerNetwork;

pub use trust::trust_config_map;

use super::validate::ValidNetwork;

/// Ports of a node.
mod port {
    /// Mutual TLS between nodes.
    pub(super) const PEER: i32 = 5000;
    /// REST for clients.
    pub(super) const API: i32 = 8443;
    /// Probes and metrics.
    pub(super) const PROBE: i32 = 8080;
}

/// What the nodes are told about the operator that made them.
#[derive(Clone, Debug)]
pub struct Install {
    /// Namespace of the operator.
    pub namespace: String,
    /// DNS domain of the cluster.
    pub cluster_domain: String,
    /// Address ranges of the cluster's pods, joined by commas; empty when nobody declared them.
    pub pod_ranges: String,
    /// Collector of the nodes' traces, HOST:PORT; empty when there is none.
    pub node_traces: String,
    /// Lower-case hex SHA-256 of the install root that is mounted into the nodes.
    pub install_root_sha256: String,
}

/// Everything that a network owns, as it should be; the trust and snapshot ConfigMaps are the policy controller's.
#[derive(Clone, Debug)]
pub struct Children {
    /// The identity of its pods.
    pub service_account: ServiceAccount,
    /// The headless Service by which nodes find each other.
    pub peers_service: Service,
    /// The Service in front of the REST interface.
    pub api_service: Service,
    /// How many nodes may be down on purpose.
    pub disruption_budget: PodDisruptionBudget,
    /// Who may talk to the nodes, unless the network wants none.
    pub network_policy: Option<NetworkPolicy>,
    /// One a node group, in the order of the groups.
    pub stateful_sets: Vec<StatefulSet>,
}

/// Builds what a network owns. `banned` of its nodes are banned: they are not Ready, and must not use up what may be
/// down on purpose.
pub fn build(network: &ValidNetwork<'_>, install: &Install, banned: usize) -> Children {
    let groups = network.network.spec.node_groups.iter();
    Children {
        service_account: service::service_account(network),
        peers_service: service::peers(network),
        api_service: service::api(network),
        disruption_budget: shield::disruption_budget(network, banned),
        network_policy: shield::network_policy(network),
        stateful_sets: groups.map(|group| stateful_set::stateful_set(network, group, install)).collect(),
    }
}

/// Metadata of a child that everything in the network shares.
fn child_meta(network: &PeerNetwork, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: network.metadata.namespace.clone(),
        labels: Some(network.labels_of_children()),
        owner_references: Some(vec![owner(network)]),
        ..ObjectMeta::default()
    }
}

/// The reference by which a child goes when its network goes.
pub(super) fn owner(network: &PeerNetwork) -> OwnerReference {
    OwnerReference {
        api_version: PeerNetwork::api_version(&()).into_owned(),
        kind: PeerNetwork::kind(&()).into_owned(),
        name: network.metadata.name.clone().unwrap_or_default(),
        uid: network.metadata.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The labels by which Services, the budget and the policy find the network's pods.
fn pod_selector(network: &PeerNetwork) -> std::collections::BTreeMap<String, String> {
    use peerwright_crds::{NAME_LABEL, NETWORK_LABEL};
    let mut labels = network.labels_of_children();
    labels.retain(|key, _| key == NAME_LABEL || key == NETWORK_LABEL);
    labels
}

#[cfg(test)]
mod tests;

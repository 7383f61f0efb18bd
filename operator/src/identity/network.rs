//! Which network something belongs to, and what identity needs to know of a network.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};
use peerwright_crds::PeerNetwork;

/// Names a network: by UID in records, by namespace and name towards people and the API server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkKey {
    /// UID of the `PeerNetwork`.
    pub uid: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl NetworkKey {
    /// The owner reference that makes a child go when the network goes.
    #[must_use]
    pub fn owner_reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: PeerNetwork::api_version(&()).into_owned(),
            kind: PeerNetwork::kind(&()).into_owned(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }
}

impl From<&PeerNetwork> for NetworkKey {
    fn from(network: &PeerNetwork) -> Self {
        Self {
            uid: network.uid().unwrap_or_default(),
            namespace: network.namespace().unwrap_or_default(),
            name: network.name_any(),
        }
    }
}

/// What certifying and authorizing need to know of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkFacts {
    /// Which network.
    pub key: NetworkKey,
    /// Whose authority vouches for the members.
    pub trust_domain: String,
    /// The audience of the tokens that `Certify` takes for this network.
    pub certify_audience: String,
    /// The ServiceAccount that every node of the network runs as.
    pub service_account: String,
    /// Headless Service by which the nodes find each other.
    pub peers_service: String,
    /// Service in front of the nodes' REST API.
    pub api_service: String,
    /// DNS domain of the cluster.
    pub cluster_domain: String,
    /// The node groups that the network wants now.
    pub groups: Vec<GroupFacts>,
    /// The network is being deleted: nobody joins any more.
    pub deleting: bool,
}

/// One node group of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFacts {
    /// Name of the group.
    pub name: String,
    /// Name of its StatefulSet.
    pub stateful_set: String,
    /// How many nodes it wants.
    pub replicas: u32,
}

impl NetworkFacts {
    /// What a network says, in the cluster with this domain.
    #[must_use]
    pub fn new(network: &PeerNetwork, cluster_domain: &str) -> Self {
        let groups = network.spec.node_groups.iter().map(|group| GroupFacts {
            name: group.name.clone(),
            stateful_set: network.stateful_set_name(&group.name),
            replicas: u32::try_from(group.replicas).unwrap_or_default(),
        });
        Self {
            key: network.into(),
            trust_domain: network.trust_domain(),
            certify_audience: network.certify_audience(),
            service_account: network.name_any(),
            peers_service: network.peers_service_name(),
            api_service: network.api_service_name(),
            cluster_domain: cluster_domain.to_owned(),
            groups: groups.collect(),
            deleting: network.metadata.deletion_timestamp.is_some(),
        }
    }
}

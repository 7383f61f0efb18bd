//! The nodes of a network: groups, image pulls, volumes.

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::Postgres;
use crate::schema::{resource_requirements, words};

/// Nodes that are alike.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeGroup {
    /// Name of the group, part of its nodes' names: <network>-<group>-<number>.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("write a group's name as a lower-case letter, then lower-case letters, digits and dashes, not ending in a dash"))]
    pub name: String,

    /// What the nodes are to the network. Peer: one among equals. Hub: takes many links, no node bans it by itself, and
    /// where the topology is Hub it holds every register and others take dockets from it. Router: takes many links.
    /// Edge: what it asks of other nodes is held to limits.edge. Absent: Peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<NodeRole>,

    /// Number of nodes.
    #[schemars(range(min = 1, max = 100))]
    pub replicas: i32,

    /// CPU and memory of each node. Absent: the operator's defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "resource_requirements")]
    pub resources: Option<ResourceRequirements>,
}

/// What a node is to its network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeRole {
    /// One among equals.
    #[default]
    Peer,
    /// Takes many links, is not banned by nodes by themselves, and hands dockets on where that is the topology.
    Hub,
    /// Takes many links.
    Router,
    /// Is held to limits of its own.
    Edge,
}
words!(NodeRole: Peer, Hub, Router, Edge);

/// Whom nodes take dockets from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Topology {
    /// The sealers, and whoever else has them.
    #[default]
    Mesh,
    /// One hub at a time.
    Hub,
}
words!(Topology: Mesh, Hub);

/// Where each node keeps what it has.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// Size of each node's volume, a quantity. Cannot change.
    #[serde(default = "default_size")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = Rule::new("isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))")
        .message("write a quantity above zero, as in 1Gi"))]
    pub size: String,

    /// Storage class of the volumes. Cannot change. Absent: the cluster's default class.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub storage_class_name: Option<String>,

    /// What happens to the volumes when the network or a group is deleted: Retain keeps them, Delete deletes them. A
    /// group that only shrinks keeps its volumes. Absent: Retain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reclaim_policy: Option<ReclaimPolicy>,

    /// A PostgreSQL database for the registers; keys and certificates stay on the volumes. Cannot be added or removed.
    /// Absent: registers are on the volumes too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres: Option<Postgres>,
}

/// The schema and the type give the same size to a network that names none.
fn default_size() -> String {
    "1Gi".to_owned()
}

impl Default for Storage {
    fn default() -> Self {
        Self { size: default_size(), storage_class_name: None, reclaim_policy: None, postgres: None }
    }
}

/// When a machine pulls an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImagePullPolicy {
    /// At every start of a container.
    Always,
    /// When the machine does not have it.
    IfNotPresent,
    /// Never: the image is already there.
    Never,
}
words!(ImagePullPolicy: Always, IfNotPresent, Never);

/// What becomes of volumes that no node uses any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReclaimPolicy {
    /// They stay.
    Retain,
    /// They are deleted.
    Delete,
}
words!(ReclaimPolicy: Retain, Delete);

impl Storage {
    /// The reclaim policy in force.
    pub fn effective_reclaim_policy(&self) -> ReclaimPolicy {
        self.reclaim_policy.unwrap_or(ReclaimPolicy::Retain)
    }
}

//! `RegisterSubscription`: nodes of a network hold a register.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{conditions, words};

/// Holds a subscription until the nodes have deleted its data.
pub const REGISTERS_FINALIZER: &str = "peerwright.dev/registers";

/// Which register, on which nodes of which network, and how much of it.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "peerwright.dev",
    version = "v1alpha1",
    kind = "RegisterSubscription",
    doc = "Nodes of a network hold a register: they accept, store and replicate its transactions.",
    namespaced,
    status = "RegisterSubscriptionStatus",
    derive = "PartialEq",
    shortname = "rsub",
    category = "peerwright",
    selectable = ".spec.networkRef.name",
    selectable = ".spec.registerId",
    printcolumn(
        name = "Network",
        type_ = "string",
        json_path = ".spec.networkRef.name",
        description = "Network whose nodes hold the register"
    ),
    printcolumn(name = "Register", type_ = "string", json_path = ".spec.registerId", description = "Register id"),
    printcolumn(
        name = "Display Name",
        type_ = "string",
        json_path = ".spec.displayName",
        description = "Name for people",
        priority = 1
    ),
    printcolumn(
        name = "Mode",
        type_ = "string",
        json_path = ".spec.mode",
        description = "How much of the register the nodes hold; FullReplica when empty"
    ),
    printcolumn(
        name = "State",
        type_ = "string",
        json_path = ".status.state",
        description = "What the node does that is furthest from done"
    ),
    printcolumn(
        name = "Progress",
        type_ = "integer",
        json_path = ".status.progressPercent",
        description = "How much of the register the node has that has least, percent in whole tens"
    ),
    printcolumn(
        name = "Synced",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Synced\")].status",
        description = "Whether every running node of the placement holds the register"
    ),
    printcolumn(
        name = "Current",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Current\")].status",
        description = "Whether no running node of the placement lags for longer than maxLagSeconds"
    ),
    printcolumn(
        name = "Synced Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Synced\")].reason",
        description = "Why it is synced or not",
        priority = 1
    ),
    printcolumn(
        name = "Current Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Current\")].reason",
        description = "Why it is current or not",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("self.networkRef.name == oldSelf.networkRef.name")
        .message("networkRef cannot change: delete the subscription and create one for the other network").field_path(".networkRef.name"),
    validation = Rule::new("self.registerId == oldSelf.registerId")
        .message("registerId cannot change: delete the subscription and create one for the other register").field_path(".registerId"),
)]
#[serde(rename_all = "camelCase")]
pub struct RegisterSubscriptionSpec {
    /// Network in the same namespace. Cannot change.
    pub network_ref: NetworkRef,

    /// Register id, 32 lower-case hex digits. Cannot change.
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-f]{32}$')").message("write a register id as 32 lower-case hex digits"))]
    pub register_id: String,

    /// Name of the register for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 38))]
    pub display_name: Option<String>,

    /// How much of the register the nodes hold. FullReplica: everything. ForwardOnly: what is committed from now on.
    /// Absent: FullReplica.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<ReplicaMode>,

    /// Which nodes hold the register. The network's sealers hold every register that they seal, whatever stands here.
    #[serde(default, skip_serializing_if = "Placement::is_everywhere")]
    pub placement: Placement,

    /// What becomes of the nodes' data when the subscription is deleted. Retain: it stays on their volumes. Delete: the
    /// nodes delete it, and the subscription is gone when every running node has; while a node of the placement is among
    /// the network's sealers, the deletion waits. Absent: Retain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,

    /// Seconds that a node may lack what its source holds before Current is False, 1 to 86400. Absent: the operator's
    /// default, 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub max_lag_seconds: Option<i32>,
}

/// Lag that a subscription allows when it names none.
const DEFAULT_MAX_LAG_SECONDS: u32 = 60;

impl RegisterSubscriptionSpec {
    /// The mode in force.
    pub fn effective_mode(&self) -> ReplicaMode {
        self.mode.unwrap_or(ReplicaMode::FullReplica)
    }

    /// Whether the nodes delete the data when the subscription goes.
    pub fn purges(&self) -> bool {
        self.deletion_policy == Some(DeletionPolicy::Delete)
    }

    /// For how many seconds a node may lack something.
    pub fn effective_max_lag_seconds(&self) -> u32 {
        self.max_lag_seconds.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(DEFAULT_MAX_LAG_SECONDS)
    }
}

/// How much of a register a node holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplicaMode {
    /// Everything.
    FullReplica,
    /// What is committed from the subscription on.
    ForwardOnly,
}
words!(ReplicaMode: FullReplica, ForwardOnly);

/// What becomes of the data of a subscription that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeletionPolicy {
    /// It stays.
    Retain,
    /// The nodes delete it.
    Delete,
}
words!(DeletionPolicy: Retain, Delete);

/// Which nodes hold a register.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// Names of node groups of the network. Absent or empty: every group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 16)))]
    #[x_kube(
        merge_strategy = ListMerge::Set,
        validation = Rule::new("self.all(group, group.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$'))")
            .message("write the names of node groups as they stand in the network's nodeGroups")
    )]
    pub groups: Vec<String>,
}

impl Placement {
    /// Whether no group is named, so that every node holds the register.
    pub fn is_everywhere(&self) -> bool {
        self.groups.is_empty()
    }

    /// Whether the nodes of this group hold the register.
    pub fn names(&self, group: &str) -> bool {
        self.groups.is_empty() || self.groups.iter().any(|named| named == group)
    }
}

/// A network in the same namespace.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkRef {
    /// Name of the PeerNetwork.
    #[schemars(length(max = 24))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("write the name of a PeerNetwork in this namespace"))]
    pub name: String,
}

/// What became of the subscription.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegisterSubscriptionStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// What the running node of the placement does that is furthest from done: Subscribing, Syncing, FullyReplicated,
    /// Active, Sealing, Error or Frozen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub state: Option<String>,

    /// How much of the register the node has that has least of it, percent in whole tens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress_percent: Option<i32>,

    /// Running nodes that should hold the register.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<i32>,

    /// Those of them that do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synced_nodes: Option<i32>,

    /// Accepted: it is part of the network's snapshot. Synced: every running node of the placement holds the register.
    /// Current: none of them lacks for longer than maxLagSeconds what its source holds. Deleted: why a deletion waits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
}

//! `RegisterSubscription`: the nodes of a network hold a register.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::conditions;

/// Which register, on which network.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "peerwright.dev",
    version = "v1alpha1",
    kind = "RegisterSubscription",
    doc = "The nodes of a network hold a register: they accept, store and replicate its transactions.",
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
        description = "Name for people"
    ),
    printcolumn(
        name = "Synced",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Synced\")].status",
        description = "Whether every running node holds the register"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Synced\")].reason",
        description = "Why it is synced or not",
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

    /// Accepted: it is part of the network's snapshot. Synced: every running node holds the register.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
}

//! What every node of a network obeys: bans, bounds and intervals.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::words;

/// One peer that the network shuts out.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("has(self.peerId) != has(self.node)")
    .message("write exactly one of peerId (64 hex digits) and node (a node's name)"))]
#[serde(rename_all = "camelCase")]
pub struct NetworkBan {
    /// Name of the ban within the network.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')")
        .message("write a ban's name as lower-case letters, digits and dashes, not beginning or ending with a dash"))]
    pub name: String,

    /// Peer id: lower-case hex SHA-256 of the peer's public key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-f]{64}$')").message("write a peer id as 64 lower-case hex digits"))]
    pub peer_id: Option<String>,

    /// Name of a node of this network, as in demo-peer-2; the operator resolves it to the node's peer id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?-[0-9]+$')")
        .message("write a node's name as <network>-<group>-<number>, as in demo-peer-2"))]
    pub node: Option<String>,

    /// Why, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub reason: Option<String>,

    /// When the ban ends, RFC 3339 with a zone, as in 2027-01-31T12:00:00Z. Absent: it ends when it is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 35))]
    #[x_kube(validation = Rule::new(crate::schema::RFC3339_RULE).message(crate::schema::RFC3339_MESSAGE))]
    pub expires_at: Option<Time>,
}

/// Heartbeats between nodes.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    /// Seconds between two heartbeats of a link, 10 to 120. Absent: the node's default, 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 120))]
    pub interval_seconds: Option<i32>,
}

/// Bounds on what a node takes in.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Largest transaction in bytes, 1024 to 10485760. Absent: the node's default, 10485760 (10 MiB).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1024, max = 10_485_760))]
    pub max_transaction_bytes: Option<i32>,
}

/// How transactions spread.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gossip {
    /// Seconds that a transaction without an end of validity of its own stays valid, 300 to 86400. Absent: the node's
    /// default, 3600.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 300, max = 86_400))]
    pub ttl_seconds: Option<i32>,
}

/// Whether the operator keeps a NetworkPolicy for the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NetworkPolicyMode {
    /// It does.
    Managed,
    /// It does not.
    Disabled,
}
words!(NetworkPolicyMode: Managed, Disabled);

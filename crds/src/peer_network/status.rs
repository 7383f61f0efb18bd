//! What the operator found out about a network.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::conditions;

/// What the network is now. Nothing here changes while the network rests.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerNetworkStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready, Reconciling, Stalled, CertificatesReady, PolicySynced; where nodes take their dockets from hubs
    /// HubsReached, with spec.bans BansAccepted and, with spec.systemRegisterPolicy, SystemRegisterBegun.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,

    /// Nodes that the network should have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<i32>,

    /// Nodes that are Ready and not banned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_nodes: Option<i32>,

    /// Image of the nodes: the spec's, or the first that the operator resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub image: Option<String>,

    /// Trust domain in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub trust_domain: Option<String>,

    /// The network's certificate authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityStatus>,

    /// The published snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyStatus>,

    /// Entries of spec.bans that name a node, with the peer id that each first resolved to: the ban stays with that peer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub bans: Vec<BoundBan>,

    /// Bans that nodes made by themselves and that became PeerBans. One whose PeerBan was deleted stays until its end, so
    /// that nobody is banned again against a moderator's decision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["peerId".into()]))]
    pub promoted_bans: Vec<PromotedBan>,

    /// Register of the network's blueprints, once there is one: what spec.systemRegister names, or what the sealers have
    /// begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub system_register: Option<String>,

    /// Name of the Service in front of the nodes' REST API.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub api_service: Option<String>,
}

/// A ban of a node, and who that was.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BoundBan {
    /// Name of the entry of spec.bans.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,

    /// The node that it names.
    #[schemars(length(max = 63))]
    pub node: String,

    /// Peer id of the node when the ban was first seen.
    #[schemars(length(max = 64))]
    pub peer_id: String,
}

/// A ban that nodes made by themselves and that became one of the network.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PromotedBan {
    /// The banned peer.
    #[schemars(length(max = 64))]
    pub peer_id: String,

    /// The PeerBan that was made of it.
    #[schemars(length(max = 63))]
    pub peer_ban: String,

    /// When it ends, Unix seconds.
    pub expires_at: i64,
}

/// The network's certificate authority.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityStatus {
    /// SHA-256 of the authority's certificate, lower-case hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub ca_fingerprint: Option<String>,
}

/// The snapshot that the operator last published.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatus {
    /// Epoch: rises when a leader finds no valid snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,

    /// Revision within the epoch: rises with the content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,

    /// SHA-256 of the content, lower-case hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub digest: Option<String>,

    /// Bans in the snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bans: Option<i32>,

    /// Subscriptions in the snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscriptions: Option<i32>,
}

//! `PeerBan`: one peer is shut out of a network. `kubectl create` bans, `kubectl delete` unbans.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{register_subscription::NetworkRef, schema::conditions};

/// Who is banned, from which network, until when: exactly one of node, peerId, spiffeId, fingerprint and cidr.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "peerwright.dev",
    version = "v1alpha1",
    kind = "PeerBan",
    doc = "A peer, a name, a certificate or a range of addresses that a network shuts out: every node closes its links \
           to it and refuses its handshakes. Delete it to let them back in.",
    namespaced,
    status = "PeerBanStatus",
    derive = "PartialEq",
    shortname = "pban",
    category = "peerwright",
    selectable = ".spec.networkRef.name",
    selectable = ".spec.node",
    selectable = ".spec.peerId",
    selectable = ".spec.spiffeId",
    selectable = ".spec.fingerprint",
    selectable = ".spec.cidr",
    printcolumn(
        name = "Network",
        type_ = "string",
        json_path = ".spec.networkRef.name",
        description = "Network that shuts the peer out"
    ),
    printcolumn(name = "Node", type_ = "string", json_path = ".spec.node", description = "Banned node of the network"),
    printcolumn(
        name = "Enforced",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Enforced\")].status",
        description = "Whether every running node acknowledged the ban"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".spec.reason",
        description = "Why, for people",
        priority = 1
    ),
    printcolumn(
        name = "Expires",
        type_ = "string",
        json_path = ".spec.expiresAt",
        description = "When the ban ends by itself",
        priority = 1
    ),
    printcolumn(
        name = "SPIFFE ID",
        type_ = "string",
        json_path = ".spec.spiffeId",
        description = "Banned name",
        priority = 1
    ),
    printcolumn(
        name = "Fingerprint",
        type_ = "string",
        json_path = ".spec.fingerprint",
        description = "Banned certificate",
        priority = 1
    ),
    printcolumn(name = "CIDR", type_ = "string", json_path = ".spec.cidr", description = "Banned addresses", priority = 1),
    printcolumn(name = "Peer", type_ = "string", json_path = ".status.peerId", description = "Banned peer id", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.spec == oldSelf.spec")
        .message("a ban cannot change: delete it and create another"),
)]
#[x_kube(
    validation = Rule::new(crate::schema::ONE_SUBJECT_RULE).message(crate::schema::ONE_SUBJECT_MESSAGE),
    validation = Rule::new("!has(self.node) || self.node.startsWith(self.networkRef.name + '-')")
        .message("node names a node of the network in networkRef: write <network>-<group>-<number>, as in demo-peer-2"),
)]
#[serde(rename_all = "camelCase")]
pub struct PeerBanSpec {
    /// Network in the same namespace.
    pub network_ref: NetworkRef,

    /// Peer id: lower-case hex SHA-256 of the peer's public key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new(crate::schema::SHA256_RULE).message(crate::schema::PEER_ID_MESSAGE))]
    pub peer_id: Option<String>,

    /// Name of a node of the network, as in demo-peer-2; the operator resolves it to the node's peer id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    #[x_kube(validation = Rule::new(crate::schema::NODE_RULE).message(crate::schema::NODE_MESSAGE))]
    pub node: Option<String>,

    /// SPIFFE id of a member, as in spiffe://demo.default.peerwright.internal/node/default/demo-peer-2: whatever key it
    /// comes with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 587))]
    #[x_kube(validation = Rule::new(crate::schema::SPIFFE_RULE).message(crate::schema::SPIFFE_MESSAGE))]
    pub spiffe_id: Option<String>,

    /// Lower-case hex SHA-256 of one certificate, DER: whoever shows it. Its holder may get another.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new(crate::schema::SHA256_RULE).message(crate::schema::FINGERPRINT_MESSAGE))]
    pub fingerprint: Option<String>,

    /// Range of addresses, as in 203.0.113.0/24: whoever comes from there and proves no membership. Members are exempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 43))]
    #[x_kube(validation = Rule::new(crate::schema::CIDR_RULE).message(crate::schema::CIDR_MESSAGE))]
    pub cidr: Option<String>,

    /// Why, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub reason: Option<String>,

    /// When the ban ends, RFC 3339 with a zone, as in 2027-01-31T12:00:00Z. Absent: it ends when it is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 35))]
    #[x_kube(validation = Rule::new(crate::schema::RFC3339_RULE).message(crate::schema::RFC3339_MESSAGE))]
    pub expires_at: Option<Time>,
}

/// What became of the ban.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerBanStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Accepted: it is part of the network's snapshot. Enforced: every running node acknowledged it. Expired: its end
    /// has passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,

    /// Peer id that the ban shuts out: the spec's, or what the node resolved to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub peer_id: Option<String>,

    /// First revision of the network's snapshot that contains the ban.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
}

//! Whom the network shuts out, and whether the operator keeps a NetworkPolicy.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::schema::words;

/// Somebody that the network shuts out.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new(crate::schema::ONE_SUBJECT_RULE).message(crate::schema::ONE_SUBJECT_MESSAGE))]
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
    #[x_kube(validation = Rule::new(crate::schema::SHA256_RULE).message(crate::schema::PEER_ID_MESSAGE))]
    pub peer_id: Option<String>,

    /// Name of a node of this network, as in demo-peer-2; the operator resolves it to the node's peer id.
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

    /// When the ban ends, RFC 3339 with a zone, as in 2027-01-31T12:00:00Z. Absent: it ends when it is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 35))]
    #[x_kube(validation = Rule::new(crate::schema::RFC3339_RULE).message(crate::schema::RFC3339_MESSAGE))]
    pub expires_at: Option<Time>,
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

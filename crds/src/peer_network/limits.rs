//! Bounds on what a node takes in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_default;

/// Bounds on what a node takes in.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Largest transaction in bytes, 1024 to 10485760. Absent: the node's default, 10485760.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1024, max = 10_485_760))]
    pub max_transaction_bytes: Option<i32>,

    /// What one subject of a token, or one address without a token, may ask of one node by REST.
    #[serde(default, skip_serializing_if = "is_default")]
    pub external: CallLimits,

    /// What one node of a group with the role Edge may ask of one node by gRPC.
    #[serde(default, skip_serializing_if = "is_default")]
    pub edge: CallLimits,

    /// What one other node may ask of one node by gRPC. What it passes on and replicates is bounded by its links.
    #[serde(default, skip_serializing_if = "is_default")]
    pub member: MemberLimits,
}

/// What one caller may ask of one node in a minute.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallLimits {
    /// Calls a minute; 0 is no limit, 0 to 1000000. Absent: the node's default, 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub requests_per_minute: Option<i32>,

    /// Megabytes that come and go a minute; 0 is no limit, 0 to 1000000. Absent: the node's default, 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub megabytes_per_minute: Option<i32>,

    /// Transactions handed in a minute; 0 is no limit, 0 to 1000000. Absent: the node's default, 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub transactions_per_minute: Option<i32>,
}

/// What one member may ask of one node in a minute.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberLimits {
    /// Megabytes that are handed in and read a minute; 0 is no limit, 0 to 1000000. Absent: the node's default, 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub megabytes_per_minute: Option<i32>,
}

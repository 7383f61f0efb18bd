//! How nodes learn addresses.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How nodes learn addresses.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Discovery {
    /// Peers that are asked for addresses in one round, 1 to 8. Absent: the node's default, 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 8))]
    pub exchange_peers: Option<i32>,

    /// Seconds between two rounds, give or take a quarter, 30 to 86400. Absent: the node's default, 450.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 30, max = 86_400))]
    pub exchange_seconds: Option<i32>,

    /// Seconds between two trials of addresses that were never tried, give or take a quarter, 10 to 86400. Absent: the
    /// node's default, 120.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 86_400))]
    pub feeler_seconds: Option<i32>,
}

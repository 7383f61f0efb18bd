//! What a node accepts ahead of the sealers.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What a node accepts ahead of the sealers, and when it hands that to them itself.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outbox {
    /// Transactions that a node has accepted and that no docket holds yet; with so many it takes no more. A smaller
    /// number takes nothing away from what waits already, 100 to 100000. Absent: the node's default, 10000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 100_000))]
    pub transactions: Option<i32>,

    /// Milliseconds without a docket after which a transaction is handed straight to the sealers, 200 to 60000. Absent:
    /// the node's default, 2000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 200, max = 60_000))]
    pub hand_in_after_milliseconds: Option<i32>,
}

//! How nodes take their dockets from hubs.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// How nodes take their dockets from hubs, where that is the topology.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hub {
    /// Milliseconds between two keepalives to the active hub and to the one that stands by; each is to be answered within
    /// half of them, so they are more than two round trips, 200 to 30000. Absent: the node's default, 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 200, max = 30_000))]
    pub keepalive_milliseconds: Option<i32>,

    /// Keepalives in a row without an answer after which a hub is left, 1 to 10. Absent: the node's default, 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10))]
    pub missed_keepalives: Option<i32>,

    /// Seconds that a hub before the active one answers without a break before nodes go back to it; 0: they stay where
    /// they are, 0 to 86400. Absent: the node's default, 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86_400))]
    pub failback_seconds: Option<i32>,

    /// Keepalives a second that a hub answers before it advises its nodes to ask half as often, 1 to 100000. Absent: the
    /// node's default, 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub answers_per_second: Option<i32>,
}

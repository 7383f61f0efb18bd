//! How peers are scored.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// How peers are scored, from 0 to 100.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("(has(self.reliabilityPercent) ? self.reliabilityPercent : 40) + (has(self.performancePercent) ? self.performancePercent : 30) + (has(self.behaviourPercent) ? self.behaviourPercent : 30) == 100")
        .message("write weights that sum to 100; absent reliabilityPercent is 40, performancePercent 30 and behaviourPercent 30"),
)]
#[serde(rename_all = "camelCase")]
pub struct Scoring {
    /// Weight of links, dials and answers; the three weights sum to 100, 0 to 100. Absent: the node's default, 40.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub reliability_percent: Option<i32>,

    /// Weight of latency and throughput, 0 to 100. Absent: the node's default, 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub performance_percent: Option<i32>,

    /// Weight of what a peer sends and of the limits that it keeps, 0 to 100. Absent: the node's default, 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub behaviour_percent: Option<i32>,

    /// Percent of its score that a peer loses a day unseen, 0 to 100. Absent: the node's default, 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub decay_percent_per_day: Option<i32>,

    /// Messages that a peer is the first to bring in a day and that earn all that bringing messages can earn, 1 to
    /// 10000. Absent: the node's default, 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub expected_deliveries_per_day: Option<i32>,

    /// Rate of long answers that earns all that throughput can earn, 1024 to 1073741824. Absent: the node's default,
    /// 1048576.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    pub full_throughput_bytes_per_second: Option<i32>,
}

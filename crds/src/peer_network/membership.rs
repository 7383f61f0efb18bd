//! How nodes know of each other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How nodes know of each other.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Membership {
    /// Milliseconds that records of members wait for company before they are passed on, 20 to 1000. Absent: the node's
    /// default, 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 20, max = 1000))]
    pub spread_milliseconds: Option<i32>,

    /// The same for what is urgent: accusations, what answers them, and who leaves, 1 to 200. Absent: the node's
    /// default, 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 200))]
    pub urgent_milliseconds: Option<i32>,

    /// Seconds between two comparisons of all records with a neighbour; up to eight times as long while nothing
    /// differs, 1 to 300. Absent: the node's default, 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 300))]
    pub reconcile_seconds: Option<i32>,

    /// Records that a node keeps, those of gone members that it still remembers included. Further members are refused,
    /// 16 to 16384. Absent: the node's default, 16384.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 16, max = 16_384))]
    pub capacity: Option<i32>,

    /// Seconds that a member that is dead or has left is remembered, so that no old record brings it back, 30 to 86400.
    /// Absent: the node's default, 600.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 30, max = 86_400))]
    pub remember_gone_seconds: Option<i32>,
}

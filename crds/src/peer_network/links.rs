//! How links behave.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// How links behave. Every dial and every link that is made later goes by what is changed here.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("(has(self.breakerFirstSeconds) ? self.breakerFirstSeconds : 10) <= (has(self.breakerResetSeconds) ? self.breakerResetSeconds : 300)")
        .message("write a breakerFirstSeconds that is not above breakerResetSeconds; absent they are 10 and 300"),
)]
#[serde(rename_all = "camelCase")]
pub struct Links {
    /// Failed dials in a row after which a peer, or a carrier to it, is left alone for a while, 3 to 20. Absent: the
    /// node's default, 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 3, max = 20))]
    pub breaker_failures: Option<i32>,

    /// Seconds of the first such while; each failed trial doubles it; not above breakerResetSeconds, 1 to 1800. Absent:
    /// the node's default, 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1800))]
    pub breaker_first_seconds: Option<i32>,

    /// Seconds of the longest such while, give or take a quarter, 60 to 1800. Absent: the node's default, 300.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 1800))]
    pub breaker_reset_seconds: Option<i32>,

    /// Deaths of a carrier within carrierDeathsWithinSeconds after which the next one is taken, 1 to 20. Absent: the
    /// node's default, 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 20))]
    pub carrier_deaths: Option<i32>,

    /// Seconds in which deaths of a carrier are counted, 1 to 3600. Absent: the node's default, 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub carrier_deaths_within_seconds: Option<i32>,

    /// Seconds between two trials of a better carrier, 1 to 3600. Absent: the node's default, 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub carrier_probe_seconds: Option<i32>,

    /// Milliseconds that a Hello may take to be answered, 500 to 30000. Absent: the node's default, 3000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 500, max = 30_000))]
    pub hello_timeout_milliseconds: Option<i32>,

    /// Milliseconds that a link may be without a carrier before it is lost, 50 to 1500. Absent: the node's default,
    /// 500.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 50, max = 1500))]
    pub resume_timeout_milliseconds: Option<i32>,

    /// Milliseconds that a call of the lower carriers waits for frames, 100 to 20000. Absent: the node's default, 5000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 20_000))]
    pub poll_timeout_milliseconds: Option<i32>,

    /// Frames that a link keeps until they are acknowledged, 16 to 65536. Absent: the node's default, 4096.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 16, max = 65_536))]
    pub window_frames: Option<i32>,

    /// Kibibytes of them, 128 to 65536. Absent: the node's default, 4096.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 128, max = 65_536))]
    pub window_kibibytes: Option<i32>,
}

//! How quickly a node believes that another is gone.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Heartbeats between nodes.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    /// Seconds between two heartbeats of a link, 10 to 120. Absent: the node's default, 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 120))]
    pub interval_seconds: Option<i32>,
}

/// How quickly a node believes that another is gone.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("(has(self.suspicionAfterMilliseconds) ? self.suspicionAfterMilliseconds : 1500) * 4 >= (has(self.keepaliveMilliseconds) ? self.keepaliveMilliseconds : 1000) * 5")
        .message("write a suspicionAfterMilliseconds of at least five quarters of keepaliveMilliseconds; absent they are 1500 and 1000"),
)]
#[serde(rename_all = "camelCase")]
pub struct Detection {
    /// Milliseconds after which a link on which nothing was sent carries a keepalive, 100 to 30000. Absent: the node's
    /// default, 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 30_000))]
    pub keepalive_milliseconds: Option<i32>,

    /// Milliseconds of silence on a link after which its peer is suspected and others are asked about it; at least five
    /// quarters of keepaliveMilliseconds, 150 to 60000. Absent: the node's default, 1500.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 150, max = 60_000))]
    pub suspicion_after_milliseconds: Option<i32>,

    /// Milliseconds that a suspected peer, and those who were asked about it, have for an answer, 50 to 10000. Absent:
    /// the node's default, 400.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 50, max = 10_000))]
    pub probe_timeout_milliseconds: Option<i32>,

    /// Nodes that are asked about a suspected peer, 0 to 8. Absent: the node's default, 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 8))]
    pub indirect_probes: Option<i32>,

    /// Milliseconds that an accusation stands in a network of up to 127 nodes before its subject is unreachable; half
    /// as long when three accuse, longer in larger networks, 100 to 60000. Absent: the node's default, 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 60_000))]
    pub unreachable_after_milliseconds: Option<i32>,

    /// Seconds that an unreachable node of such a network has before it is dead and its record is dropped, 10 to 3600.
    /// Absent: the node's default, 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 3600))]
    pub dead_after_seconds: Option<i32>,

    /// Seconds of silence after which a link is closed, whatever others say of its peer, 1 to 300. Absent: the node's
    /// default, 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 300))]
    pub silence_limit_seconds: Option<i32>,

    /// Healthy peers below which a node calls its service degraded, or as many as there are, 1 to 100. Absent: the
    /// node's default, 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub min_healthy_peers: Option<i32>,
}

//! How many links a node has.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// How many links a node has, and how long it waits for others.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("(has(self.retryLimitSeconds) ? self.retryLimitSeconds : 60) * 1000 >= (has(self.retryFirstMilliseconds) ? self.retryFirstMilliseconds : 1000)")
        .message("write a retryLimitSeconds that is not shorter than retryFirstMilliseconds; absent they are 60 and 1000"),
)]
#[serde(rename_all = "camelCase")]
pub struct Connections {
    /// Links that a node opens, 3 to 200. Absent: the node's default, 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 3, max = 200))]
    pub outbound: Option<i32>,

    /// Links that a node takes, 3 to 200. Absent: the node's default, 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 3, max = 200))]
    pub inbound: Option<i32>,

    /// Links that a node of a group with the role Hub or Router takes, 3 to 2000. Absent: the node's default, 2000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 3, max = 2000))]
    pub hub_inbound: Option<i32>,

    /// Seconds without use after which a link outside of the overlay is closed, 10 to 86400. Absent: the node's
    /// default, 900.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 86_400))]
    pub idle_seconds: Option<i32>,

    /// Seconds after which a dial that came to nothing counts as failed, 5 to 120. Absent: the node's default, 15.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 5, max = 120))]
    pub dial_timeout_seconds: Option<i32>,

    /// Seconds after which what a peer was asked for is asked of another, 1 to 60. Absent: the node's default, 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60))]
    pub answer_timeout_seconds: Option<i32>,

    /// Milliseconds before an address is dialled again after its first failure; doubles with each further one, 100 to
    /// 60000. Absent: the node's default, 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 60_000))]
    pub retry_first_milliseconds: Option<i32>,

    /// Seconds of the longest such wait; not shorter than retryFirstMilliseconds, 1 to 3600. Absent: the node's
    /// default, 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub retry_limit_seconds: Option<i32>,

    /// Dials in a row that may fail before an address is forgotten that nobody configured, 1 to 20. Absent: the node's
    /// default, 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 20))]
    pub retry_attempts: Option<i32>,

    /// Seconds after which a node that reached nobody is ready, alone, 1 to 300. Absent: the node's default, 15.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 300))]
    pub ready_timeout_seconds: Option<i32>,
}

//! How transactions spread.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How transactions spread.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gossip {
    /// Seconds that a transaction without an end of validity of its own stays valid, 300 to 86400. Absent: the node's
    /// default, 3600.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 300, max = 86_400))]
    pub ttl_seconds: Option<i32>,

    /// Links on which a node's own transactions go out at least, whatever the trees say, so that no few neighbours can
    /// keep them to themselves, 2 to 20. Absent: the node's default, 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 20))]
    pub fanout: Option<i32>,

    /// How often a transaction may be passed on. One that may not is announced instead and pulled, so that it is late
    /// and not lost, 1 to 64. Absent: the node's default, 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub hop_limit: Option<i32>,

    /// Milliseconds that transactions handed in wait for company in one message, 1 to 100; as long as the store is busy
    /// they wait for that too. Absent: the node's default, 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub batch_milliseconds: Option<i32>,

    /// Milliseconds that announcements of transactions gather while links are stable, 20 to 250. Absent: the node's
    /// default, 250.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 20, max = 250))]
    pub announce_milliseconds: Option<i32>,

    /// Milliseconds that they gather for a while after a link was lost, 20 to 250. Absent: the node's default, 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 20, max = 250))]
    pub announce_alert_milliseconds: Option<i32>,
}

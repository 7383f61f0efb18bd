//! How nodes replicate registers.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// How nodes replicate the registers that they do not seal, and look after the dockets that they hold.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Replication {
    /// Nodes that a register of which much is missing is fetched from at once; a catch-up that is under way lets go of
    /// none, 1 to 10. Absent: the node's default, 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10))]
    pub sources: Option<i32>,

    /// Seconds without a further docket, while a source holds more, after which a register is in error and another
    /// source is taken, 300 to 7200. Absent: the node's default, 1800.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 300, max = 7200))]
    pub deadline_seconds: Option<i32>,

    /// Failures in a row after which a register is in error; tries go on, 1 to 100. Absent: the node's default, 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub failures_to_error: Option<i32>,

    /// Seconds between two audits, each of which reads 64 MiB of the dockets on the disk again, to find what the disk has
    /// changed; a shorter time counts from the last audit, 60 to 3600. Absent: the node's default, 300.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 3600))]
    pub audit_seconds: Option<i32>,

    /// Seconds that a node keeps a message of gossip after the last of its transactions was in a docket there; then these
    /// are read from their dockets alone, 60 to 86400. Absent: the node's default, 900.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 86400))]
    pub message_retention_seconds: Option<i32>,
}

//! Who seals the registers' dockets, and how the group that does so behaves.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Who seals the registers' dockets, and how the group that does so behaves. How many transactions a docket takes and how
/// long it waits for more is in each register's own policy.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("(has(self.leaderTimeoutMilliseconds) ? self.leaderTimeoutMilliseconds : 650) >= (has(self.heartbeatMilliseconds) ? self.heartbeatMilliseconds : 200) * 3")
        .message("write a leaderTimeoutMilliseconds of at least three heartbeatMilliseconds; absent they are 650 and 200"),
)]
#[serde(rename_all = "camelCase")]
pub struct Sealing {
    /// Nodes that seal together: 1, 3 or 5. A majority of them must reach each other for anything to be committed; a
    /// single one has nobody to take over from it. They are the first nodes of the first groups whose role is Peer or
    /// Hub; where there are fewer such nodes than this, nothing is sealed. A network that says nothing and has fewer than 3
    /// has 1. Absent: the operator's default, 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 5))]
    #[x_kube(validation = Rule::new("self % 2 == 1")
        .message("write 1, 3 or 5: an even number of sealers survives no more failures than one less"))]
    pub sealers: Option<i32>,

    /// Milliseconds between two signs of life of the leader; a sealer that does not answer within this time is asked
    /// again, 100 to 30000. Absent: the node's default, 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 30_000))]
    pub heartbeat_milliseconds: Option<i32>,

    /// Milliseconds that the others follow a leader of which they hear nothing; the election comes within the same time
    /// again; at least three heartbeatMilliseconds, 300 to 300000. Absent: the node's default, 650.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 300, max = 300_000))]
    pub leader_timeout_milliseconds: Option<i32>,

    /// Transactions that wait at the leader, or are on their way into a certified docket, before it refuses more, 1 to
    /// 1000000. Absent: the node's default, 50000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub queued_transactions: Option<i32>,

    /// Mebibytes of them, 16 to 1024. Absent: the node's default, 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 16, max = 1024))]
    pub queued_mebibytes: Option<i32>,

    /// Sealed transactions that a sealer remembers, over all registers, for as long as they are valid; with so many the
    /// leader refuses more until the first have expired, 10000 to 50000000. Absent: the node's default, 3600000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10_000, max = 50_000_000))]
    pub remembered_transactions: Option<i32>,

    /// Dockets of one register that may wait for their certificate before the next is proposed, 1 to 64. Absent: the
    /// node's default, 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub uncertified_dockets: Option<i32>,

    /// Milliseconds that a sealer waits for a certificate before it asks the others for what it lacks, 20 to 10000.
    /// Absent: the node's default, 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 20, max = 10_000))]
    pub certificate_retry_milliseconds: Option<i32>,

    /// Log entries kept behind what is certified; a sealer that lags further fetches dockets instead, 8 to 10000. Absent:
    /// the node's default, 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 8, max = 10_000))]
    pub log_entries_kept: Option<i32>,
}

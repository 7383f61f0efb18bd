//! Bans that nodes make by themselves.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_default;
use crate::schema::words;

const BAN_SECONDS_RULE: &str = "!has(self.banSeconds) || self.banSeconds == 0 || self.banSeconds >= 60";
const BAN_SECONDS_MESSAGE: &str = "write banSeconds of at least 60, or 0 for a ban that does not end";

/// Bans that nodes make by themselves, and what becomes of them.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutoBans {
    /// Always: a ban that enough nodes have made by themselves becomes a PeerBan, and all nodes enforce it; never for
    /// more than a quarter of a node group. Never: such bans stay with the nodes that made them. Absent: Never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promote: Option<Promotion>,

    /// Bans of a peer that end after which the next one is for good, 0 to 5. Absent: the node's default, 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 5))]
    pub max_temporary: Option<i32>,

    /// Percent of a node group that a node bans by itself at most, 0 to 25. Absent: the node's default, 25.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 25))]
    pub max_group_percent: Option<i32>,

    /// What does not verify, and frames that cannot be read.
    #[serde(default, skip_serializing_if = "is_default")]
    pub invalid_message: InvalidMessageRule,

    /// Limits that were exceeded.
    #[serde(default, skip_serializing_if = "is_default")]
    pub spam: SpamRule,

    /// Breaches of the protocol.
    #[serde(default, skip_serializing_if = "is_default")]
    pub protocol_violation: ProtocolViolationRule,

    /// Proven malice.
    #[serde(default, skip_serializing_if = "is_default")]
    pub malicious_content: MaliciousContentRule,
}

/// What does not verify, and frames that cannot be read.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new(BAN_SECONDS_RULE).message(BAN_SECONDS_MESSAGE),
)]
#[serde(rename_all = "camelCase")]
pub struct InvalidMessageRule {
    /// Offences within the window that are tolerated; one more earns a ban, 0 to 19. Absent: the node's default, 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 19))]
    pub tolerated: Option<i32>,

    /// Seconds in which offences are counted, 1 to 86400. Absent: the node's default, 300.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub window_seconds: Option<i32>,

    /// Seconds that a ban lasts, 60 or more; 0 is for good, 0 to 2592000. Absent: the node's default, 3600.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_592_000))]
    pub ban_seconds: Option<i32>,
}

/// Limits that were exceeded.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new(BAN_SECONDS_RULE).message(BAN_SECONDS_MESSAGE),
)]
#[serde(rename_all = "camelCase")]
pub struct SpamRule {
    /// Offences within the window that are tolerated; one more earns a ban, 0 to 19. Absent: the node's default, 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 19))]
    pub tolerated: Option<i32>,

    /// Seconds in which offences are counted, 1 to 86400. Absent: the node's default, 3600.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub window_seconds: Option<i32>,

    /// Seconds that a ban lasts, 60 or more; 0 is for good, 0 to 2592000. Absent: the node's default, 7200.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_592_000))]
    pub ban_seconds: Option<i32>,
}

/// Breaches of the protocol.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new(BAN_SECONDS_RULE).message(BAN_SECONDS_MESSAGE),
)]
#[serde(rename_all = "camelCase")]
pub struct ProtocolViolationRule {
    /// Offences within the window that are tolerated; one more earns a ban, 0 to 19. Absent: the node's default, 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 19))]
    pub tolerated: Option<i32>,

    /// Seconds in which offences are counted, 1 to 86400. Absent: the node's default, 86400.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub window_seconds: Option<i32>,

    /// Seconds that a ban lasts, 60 or more; 0 is for good, 0 to 2592000. Absent: the node's default, 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_592_000))]
    pub ban_seconds: Option<i32>,
}

/// Proven malice.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new(BAN_SECONDS_RULE).message(BAN_SECONDS_MESSAGE),
)]
#[serde(rename_all = "camelCase")]
pub struct MaliciousContentRule {
    /// Offences within the window that are tolerated; one more earns a ban, 0 to 19. Absent: the node's default, 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 19))]
    pub tolerated: Option<i32>,

    /// Seconds in which offences are counted, 1 to 86400. Absent: the node's default, 86400.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub window_seconds: Option<i32>,

    /// Seconds that a ban lasts, 60 or more; 0 is for good, 0 to 2592000. Absent: the node's default, 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_592_000))]
    pub ban_seconds: Option<i32>,
}

/// Whether bans that nodes make by themselves become bans of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Promotion {
    /// They do not.
    Never,
    /// They do, once enough nodes have made them.
    Always,
}
words!(Promotion: Never, Always);

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

/// A rule for each offence. They differ in the defaults that their fields tell of.
macro_rules! rules {
    ($($(#[$about:meta])* $name:ident { tolerated: $tolerated:literal, window: $window:literal, ban: $ban:literal })+) => {
        $(
            $(#[$about])*
            #[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
            #[x_kube(
                validation = Rule::new(BAN_SECONDS_RULE).message(BAN_SECONDS_MESSAGE),
            )]
            #[serde(rename_all = "camelCase")]
            pub struct $name {
                #[doc = concat!(
                    "Offences within the window that are tolerated; one more earns a ban, 0 to 19. \
                     Absent: the node's default, ", $tolerated, "."
                )]
                #[serde(skip_serializing_if = "Option::is_none")]
                #[schemars(range(min = 0, max = 19))]
                pub tolerated: Option<i32>,

                #[doc = concat!(
                    "Seconds in which offences are counted, 1 to 86400. Absent: the node's default, ", $window, "."
                )]
                #[serde(skip_serializing_if = "Option::is_none")]
                #[schemars(range(min = 1, max = 86_400))]
                pub window_seconds: Option<i32>,

                #[doc = concat!(
                    "Seconds that a ban lasts, 60 or more; 0 is for good, 0 to 2592000. \
                     Absent: the node's default, ", $ban, "."
                )]
                #[serde(skip_serializing_if = "Option::is_none")]
                #[schemars(range(min = 0, max = 2_592_000))]
                pub ban_seconds: Option<i32>,
            }
        )+
    };
}

rules! {
    /// What does not verify, and frames that cannot be read.
    InvalidMessageRule { tolerated: 5, window: 300, ban: 3_600 }

    /// Limits that were exceeded.
    SpamRule { tolerated: 5, window: 3_600, ban: 7_200 }

    /// Breaches of the protocol.
    ProtocolViolationRule { tolerated: 0, window: 86_400, ban: 0 }

    /// Proven malice.
    MaliciousContentRule { tolerated: 0, window: 86_400, ban: 0 }
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

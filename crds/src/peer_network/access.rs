//! Who may use the nodes' REST API.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::words;

/// Subjects of tokens and what they may do.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiAccess {
    /// Subjects and their roles. Empty: nobody but what anonymousRole allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["subject".into()]))]
    pub access: Vec<AccessEntry>,

    /// What a caller without a token may do. Absent: None, which is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous_role: Option<AnonymousRole>,
}

/// The role of one subject.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessEntry {
    /// Subject of the token, as in system:serviceaccount:default:demo-client.
    #[schemars(length(min = 1, max = 512))]
    pub subject: String,

    /// What the subject may do; each role includes the ones before it: Reader reads, Writer submits transactions,
    /// Moderator bans peers on one node, Admin does everything.
    pub role: AccessRole,
}

/// What the bearer of a token may do, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AccessRole {
    /// Reads.
    Reader,
    /// Reads and submits transactions.
    Writer,
    /// Also bans peers on one node.
    Moderator,
    /// Everything.
    Admin,
}
words!(AccessRole: Reader, Writer, Moderator, Admin);

/// What a caller without a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AnonymousRole {
    /// Nothing.
    None,
    /// Reads.
    Reader,
}
words!(AnonymousRole: None, Reader);

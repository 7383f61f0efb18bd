//! Bans that a node makes by itself, and what they rest on.

use crate::Misbehaviour;
use peerwright_secure::PeerId;

peerwright_encoding::identifier!(
    /// The SHA-256 of what a peer has sent, or of all that a ban rests on.
    pub struct EvidenceDigest([u8; 32]),
    "an evidence digest"
);

/// One thing that a peer has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offence {
    /// When, Unix seconds.
    pub at: u64,
    /// What.
    pub kind: Misbehaviour,
    /// Of the bytes that show it.
    pub evidence: EvidenceDigest,
}

/// A ban that this node has made by itself; it holds on this node alone. Over or lifted, it still counts as one of its
/// peer's until it is forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoBan {
    /// The banned peer.
    pub peer: PeerId,
    /// The node group that it was of, where that was known.
    pub group: Option<String>,
    /// What the peer did last.
    pub reason: Misbehaviour,
    /// Over all offences below, in their order.
    pub evidence: EvidenceDigest,
    /// When the ban began, Unix seconds.
    pub since: u64,
    /// When it ends by itself, Unix seconds. `None`: never.
    pub expires: Option<u64>,
    /// How many bans of this peer this is, the first being 1.
    pub count: u32,
    /// When a moderator lifted it, Unix seconds.
    pub lifted: Option<u64>,
    /// What it rests on, oldest first.
    pub offences: Vec<Offence>,
}

impl AutoBan {
    /// Whether it holds at a Unix second.
    #[must_use]
    pub fn is_in_force(&self, now: u64) -> bool {
        self.lifted.is_none() && self.expires.is_none_or(|end| now < end)
    }
}

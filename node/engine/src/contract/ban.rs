//! Bans, as the engine and its driver speak of them.

use peerwright_secure::{BanSubject, Fingerprint, PeerId, SpiffeId};

/// Somebody that no link is kept with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BanRecord {
    /// Whom the ban names.
    pub subject: BanSubject,
    /// When the ban ends by itself, Unix seconds; the engine ends it. `None`: never.
    pub expires_at: Option<u64>,
}

impl BanRecord {
    /// A ban of one peer.
    #[must_use]
    pub const fn of_peer(peer: PeerId, expires_at: Option<u64>) -> Self {
        Self { subject: BanSubject::Peer(peer), expires_at }
    }
}

/// What the certificate of a link says beside the peer id: what bans may name as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The member's name.
    pub spiffe: SpiffeId,
    /// Which certificate it is.
    pub fingerprint: Fingerprint,
}

/// A ban in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BanView {
    /// Whom the ban names.
    pub subject: BanSubject,
    /// When it ends by itself, Unix seconds: the latest of all that name the subject. `None`: never.
    pub expires_at: Option<u64>,
    /// Whether the snapshot bans the subject.
    pub by_policy: bool,
    /// Whether this node's moderator bans the subject.
    pub by_node: bool,
    /// Whether this node bans the subject by itself.
    pub automatic: bool,
}

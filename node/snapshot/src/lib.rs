//! The snapshot: everything that the operator tells the nodes of a network, in one signed document.
//!
//! ```text
//! operator: compile -> Content -> Snapshot{network, epoch, revision} -> SignedSnapshot -> ConfigMap, then streams
//! node:     SignedSnapshot -> verify(install root, own network, now) -> supersedes(what I have) -> enforce, persist
//! ```
//!
//! The encoding is canonical, so the [digest](Content::digest) of a content decides whether anything changed, and the
//! [digest](SignedSnapshot::digest) of a payload is what a node acknowledges. The signer's certificate travels with the
//! document; it must be issued by the install root that the node was given at its start, for [`SIGNER_URI`].

mod content;
mod format;
mod settings;
mod signed;
mod version;

pub use content::{Api, Ban, Content, Group, NodeRole, ReplicaMode, Role, Subscription, Succession, Topology};
pub use format::{
    MAX_ACCESS, MAX_BANS, MAX_BANS_BYTES, MAX_GROUPS, MAX_HUBS, MAX_JWKS_BYTES, MAX_NETWORK_UID_BYTES, MAX_PURGES,
    MAX_RETIRED, MAX_SEALERS, MAX_SUBSCRIPTIONS, MAX_SUBSCRIPTIONS_BYTES, MAX_TEXT_BYTES, MAX_TRUST,
    MAX_TRUST_CERTIFICATE_BYTES, ban_bytes, subscription_bytes,
};
pub use settings::{MAX_SETTINGS, Setting, SettingId, Settings};
pub use signed::{MAX_SNAPSHOT_BYTES, SIGNER_URI, SignedSnapshot, SnapshotRefused};
pub use version::{Older, Version};

use peerwright_secure::BanSubject;

/// What the operator wants of a network's nodes, at one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// UID of the PeerNetwork: a snapshot of another network is refused.
    pub network_uid: String,
    /// Rises when the operator finds no valid snapshot to continue from.
    pub epoch: u64,
    /// Rises with the content, within an epoch.
    pub revision: u64,
    /// What is wanted.
    pub content: Content,
}

impl Snapshot {
    /// Which of two snapshots is newer.
    #[must_use]
    pub const fn version(&self) -> Version {
        Version { epoch: self.epoch, revision: self.revision }
    }

    /// Refuses a snapshot older than `current`, the newest that this node has persisted. The same version is accepted:
    /// it is the same document, read again after a restart or by a second way.
    pub fn supersedes(&self, current: Option<Version>) -> Result<(), Older> {
        match current {
            Some(current) if self.version() < current => Err(Older { offered: self.version(), current }),
            _ => Ok(()),
        }
    }

    /// Whether `subject` is banned at `now_unix_seconds`.
    #[must_use]
    pub fn is_banned(&self, subject: &BanSubject, now_unix_seconds: u64) -> bool {
        self.content.bans.get(subject).is_some_and(|ban| ban.is_in_force(now_unix_seconds))
    }
}

#[cfg(test)]
mod tests;

//! Whom this node talks to no more.

use arc_swap::ArcSwap;
use peerwright_secure::PeerId;
use peerwright_snapshot::Ban;
use std::{collections::BTreeMap, sync::Arc};

/// The bans in force, from the snapshot and from this node. Read without a lock at every handshake.
#[derive(Debug, Default)]
pub struct Bans {
    snapshot: ArcSwap<BTreeMap<PeerId, Ban>>,
    local: ArcSwap<BTreeMap<PeerId, Ban>>,
}

impl Bans {
    /// Whether `peer` is banned at `now`, unix seconds.
    #[must_use]
    pub fn is_banned(&self, peer: &PeerId, now: u64) -> bool {
        self.is_banned_by_snapshot(peer, now) || self.local.load().get(peer).is_some_and(|ban| ban.is_in_force(now))
    }

    /// Whether the snapshot bans `peer` at `now`, unix seconds.
    #[must_use]
    pub fn is_banned_by_snapshot(&self, peer: &PeerId, now: u64) -> bool {
        self.snapshot.load().get(peer).is_some_and(|ban| ban.is_in_force(now))
    }

    /// Puts the bans of a newer snapshot in force.
    pub fn replace_snapshot(&self, bans: BTreeMap<PeerId, Ban>) {
        self.snapshot.store(Arc::new(bans));
    }

    /// Puts the bans of this node alone in force: they add to the snapshot's and never lift one.
    pub fn replace_local(&self, bans: BTreeMap<PeerId, Ban>) {
        self.local.store(Arc::new(bans));
    }
}

//! Who no link is kept with. A ban is a record, never a score: it holds until it is lifted or its time is over.
//!
//! ```text
//! snapshot ── Policy ────▶ policy ─┐
//!                                  ├─▶ banned = in either and not expired
//! REST ────── LocalBans ─▶ node ───┘
//! ```
//!
//! How many there can be is the snapshot's limit for one source and the driver's for the other.

use crate::{BanRecord, BanView};
use peerwright_secure::PeerId;
use std::collections::BTreeMap;

/// Who ordered a ban.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BanSource {
    /// The snapshot.
    Policy,
    /// This node's own moderator.
    Node,
}

/// What a change of the lists means for peers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct BanChanges {
    /// Peers that were not banned before.
    pub banned: Vec<BanRecord>,
    /// Peers that are not banned any more.
    pub unbanned: Vec<PeerId>,
}

/// The bans in force.
#[derive(Debug, Default)]
pub(crate) struct Bans {
    policy: BTreeMap<PeerId, Option<u64>>,
    node: BTreeMap<PeerId, Option<u64>>,
}

impl Bans {
    /// Replaces the whole list of one source. Records that have expired by `wall_seconds` are left out; of several for
    /// one peer the longest counts.
    pub(crate) fn replace(&mut self, source: BanSource, records: &[BanRecord], wall_seconds: u64) -> BanChanges {
        let before = self.all();
        let list = match source {
            BanSource::Policy => &mut self.policy,
            BanSource::Node => &mut self.node,
        };
        list.clear();
        for record in records.iter().filter(|record| !is_over(record.expires_at, wall_seconds)) {
            list.entry(record.peer)
                .and_modify(|expires_at| *expires_at = later(*expires_at, record.expires_at))
                .or_insert(record.expires_at);
        }
        self.changes_since(&before)
    }

    /// Ends the bans whose time is over.
    pub(crate) fn expire(&mut self, wall_seconds: u64) -> Vec<PeerId> {
        let before = self.all();
        self.policy.retain(|_, expires_at| !is_over(*expires_at, wall_seconds));
        self.node.retain(|_, expires_at| !is_over(*expires_at, wall_seconds));
        self.changes_since(&before).unbanned
    }

    pub(crate) fn is_banned(&self, peer: &PeerId) -> bool {
        self.policy.contains_key(peer) || self.node.contains_key(peer)
    }

    /// The earliest end of a ban, Unix seconds.
    pub(crate) fn next_expiry(&self) -> Option<u64> {
        self.policy.values().chain(self.node.values()).flatten().min().copied()
    }

    pub(crate) fn count(&self) -> usize {
        self.policy.len() + self.node.keys().filter(|peer| !self.policy.contains_key(peer)).count()
    }

    /// The bans in force, by peer id.
    pub(crate) fn views(&self) -> Vec<BanView> {
        let view = |(peer, expires_at): (PeerId, Option<u64>)| BanView {
            peer,
            expires_at,
            by_policy: self.policy.contains_key(&peer),
            by_node: self.node.contains_key(&peer),
        };
        self.all().into_iter().map(view).collect()
    }

    fn all(&self) -> BTreeMap<PeerId, Option<u64>> {
        let mut all = self.policy.clone();
        for (peer, expires_at) in &self.node {
            all.entry(*peer).and_modify(|known| *known = later(*known, *expires_at)).or_insert(*expires_at);
        }
        all
    }

    fn changes_since(&self, before: &BTreeMap<PeerId, Option<u64>>) -> BanChanges {
        let after = self.all();
        BanChanges {
            banned: after
                .iter()
                .filter(|(peer, _)| !before.contains_key(peer))
                .map(|(peer, expires_at)| BanRecord { peer: *peer, expires_at: *expires_at })
                .collect(),
            unbanned: before.keys().filter(|peer| !after.contains_key(peer)).copied().collect(),
        }
    }
}

fn is_over(expires_at: Option<u64>, wall_seconds: u64) -> bool {
    expires_at.is_some_and(|expires_at| expires_at <= wall_seconds)
}

/// The later of two ends; no end is the latest.
fn later(first: Option<u64>, second: Option<u64>) -> Option<u64> {
    first.zip(second).map(|(first, second)| first.max(second))
}

#[cfg(test)]
mod tests;

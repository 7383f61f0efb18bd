//! The scores of all peers that are known.

use super::{INITIAL, Outcome, ScoreSettings, peer::PeerScore};
use crate::{
    Micros, ScoreView,
    bounds::{FORGET_PEER, MAX_SCORED_PEERS},
};
use peerwright_secure::PeerId;
use std::collections::BTreeMap;

/// A score that moved by more than a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moved {
    pub peer: PeerId,
    pub score: u8,
}

/// The scores. A peer without a link is kept for a day after it was last heard.
#[derive(Debug)]
pub(crate) struct Scores {
    settings: ScoreSettings,
    /// Boxed: a tree has room for several in a node, and each is long.
    peers: BTreeMap<PeerId, Box<PeerScore>>,
}

impl Scores {
    pub(crate) fn new(settings: ScoreSettings) -> Self {
        Self { settings, peers: BTreeMap::new() }
    }

    /// Scores are made up differently from now on.
    pub(crate) fn tune(&mut self, settings: ScoreSettings) {
        self.settings = settings;
    }

    /// Takes in an outcome. Says whether the peer was not known, and how its score moved.
    pub(crate) fn note(&mut self, now: Micros, peer: PeerId, outcome: Outcome) -> (bool, Option<Moved>) {
        if self.peers.len() >= MAX_SCORED_PEERS && !self.peers.contains_key(&peer) {
            self.make_room();
        }
        let before = self.peers.len();
        let entry = self.peers.entry(peer).or_insert_with(|| Box::new(PeerScore::new(now)));
        entry.note(now, outcome, &self.settings);
        let moved = entry.tell(now, &self.settings).map(|score| Moved { peer, score });
        (self.peers.len() > before, moved)
    }

    /// Time has passed since the last call: whoever was linked was up. Gives the scores that moved.
    pub(crate) fn pass(&mut self, now: Micros) -> Vec<Moved> {
        self.peers.retain(|_, entry| entry.is_linked() || now.since(entry.last_seen()) < FORGET_PEER);
        let settings = &self.settings;
        let moved = self.peers.iter_mut().filter_map(|(peer, entry)| {
            entry.pass(now);
            entry.tell(now, settings).map(|score| Moved { peer: *peer, score })
        });
        moved.collect()
    }

    /// What a peer is worth.
    pub(crate) fn of(&self, now: Micros, peer: &PeerId) -> u8 {
        self.peers.get(peer).map_or(INITIAL, |entry| entry.score(now, &self.settings))
    }

    /// Peers of which something is known.
    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether something is known of a peer.
    #[cfg(test)]
    pub(crate) fn knows(&self, peer: &PeerId) -> bool {
        self.peers.contains_key(peer)
    }

    /// All, by peer id.
    pub(crate) fn views(&self, now: Micros) -> Vec<ScoreView> {
        self.peers.iter().map(|(peer, entry)| entry.view(*peer, now, &self.settings)).collect()
    }

    /// Forgets the failures that were counted of a peer. Its samples stay.
    pub(crate) fn reset_failures(&mut self, peer: &PeerId) {
        if let Some(entry) = self.peers.get_mut(peer) {
            entry.reset_failures();
        }
    }

    /// The peer without a link that was not heard for longest makes room for another.
    fn make_room(&mut self) {
        let unlinked = self.peers.iter().filter(|(_, entry)| !entry.is_linked());
        let oldest = unlinked.min_by_key(|(_, entry)| entry.last_seen()).or_else(|| self.peers.iter().next());
        if let Some(peer) = oldest.map(|(peer, _)| *peer) {
            self.peers.remove(&peer);
        }
    }
}

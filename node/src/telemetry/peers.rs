//! The other nodes, counted by what is known of them.

use crate::api::View;
use peerwright_engine::Rating;
use peerwright_secure::{BanSubject, PeerId};
use std::collections::BTreeSet;

/// How many peers there are of which kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peers {
    known: u64,
    connected: u64,
    healthy: u64,
    banned: u64,
    rated: [u64; Rating::ALL.len()],
}

impl Peers {
    pub(super) fn of(view: &View) -> Self {
        let banned = |subject: &BanSubject| match subject {
            BanSubject::Peer(peer) => Some(*peer),
            BanSubject::Spiffe(_) | BanSubject::Fingerprint(_) | BanSubject::Range(_) => None,
        };
        let banned: BTreeSet<PeerId> = view.bans.iter().filter_map(|ban| banned(&ban.subject)).collect();
        let connected = view.peers.iter().map(|peer| peer.peer);
        let known: BTreeSet<PeerId> = connected.chain(view.scores.iter().map(|score| score.peer)).collect();
        let rated = |rating| view.scores.iter().filter(|score| score.rating == rating).count() as u64;
        let connected = view.peers.len() as u64;
        Self {
            known: known.union(&banned).count() as u64,
            connected,
            healthy: connected.saturating_sub(view.statistics.links.silent),
            banned: banned.len() as u64,
            rated: [Rating::Excellent, Rating::Good, Rating::Fair, Rating::Poor, Rating::VeryPoor].map(rated),
        }
    }

    pub(super) fn states(&self) -> [(&'static str, u64); 4] {
        [("known", self.known), ("connected", self.connected), ("healthy", self.healthy), ("banned", self.banned)]
    }

    pub(super) fn ratings(&self) -> Vec<(&'static str, u64)> {
        Rating::ALL.iter().map(|rating| rating.label()).zip(self.rated).collect()
    }
}

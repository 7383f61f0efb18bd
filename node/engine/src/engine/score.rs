//! What parts report of peers.

use super::Engine;
use crate::{LinkId, score::Outcome};
use peerwright_secure::PeerId;

impl Engine {
    /// Reports what came of dealing with the peer of a live link.
    pub(super) fn outcome_of(&mut self, link: LinkId, outcome: Outcome) {
        if let Some(peer) = self.links.get(link).map(|link| link.peer) {
            self.outcome(peer, outcome);
        }
    }

    /// Reports what came of dealing with a peer.
    pub(super) fn outcome(&mut self, _peer: PeerId, _outcome: Outcome) {}
}

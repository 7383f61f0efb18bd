//! What parts report of peers.
//!
//! A score changes at once. What follows from it waits until the input that caused it is dealt with, so that no part loses
//! a link in the middle of its work.

use super::{Engine, Turn};
use crate::{
    DownReason, Event, EvidenceDigest, LinkId, Misbehaviour, Rating,
    score::{Moved, Outcome},
};
use peerwright_secure::PeerId;

/// What scores led to and was not told yet; emptied at the end of every input.
#[derive(Debug, Default)]
pub(super) struct Told {
    discovered: Vec<PeerId>,
    moved: Vec<(Moved, &'static str)>,
    pub(super) offences: Vec<Reported>,
}

/// What a peer of a group has done that no peer should.
#[derive(Debug)]
pub(super) struct Reported {
    pub peer: PeerId,
    pub group: Option<String>,
    pub kind: Misbehaviour,
    pub evidence: EvidenceDigest,
}

impl Engine {
    /// Reports what came of dealing with the peer of a live link.
    pub(super) fn outcome_of(&mut self, link: LinkId, outcome: Outcome) {
        if let Some(peer) = self.links.get(link).map(|link| link.peer) {
            self.outcome(peer, outcome);
        }
    }

    /// Reports what came of dealing with a peer.
    pub(super) fn outcome(&mut self, peer: PeerId, outcome: Outcome) {
        let (is_new, moved) = self.scores.note(self.now, peer, outcome);
        if is_new {
            self.told.discovered.push(peer);
        }
        if let Some(moved) = moved {
            self.told.moved.push((moved, outcome.label()));
        }
    }

    /// What the end of a link says of its peer.
    pub(super) fn link_lost(&mut self, peer: PeerId, reason: DownReason) {
        let outcome = match reason {
            DownReason::Broken | DownReason::Overload | DownReason::Expired => Outcome::LinkLost,
            DownReason::Banned | DownReason::Duplicate | DownReason::Goodbye => Outcome::Parted,
        };
        self.outcome(peer, outcome);
    }

    /// Lets time work on the scores.
    pub(super) fn sweep_scores(&mut self) {
        let moved = self.scores.pass(self.now);
        self.told.moved.extend(moved.into_iter().map(|moved| (moved, "time")));
    }

    /// Tells what scores led to, and judges what was reported.
    pub(super) fn settle_scores(&mut self, turn: &mut Turn<'_>) {
        // A ban closes a link, and that is an outcome, but no offence.
        self.judge_offences(turn);
        self.tell_scores(turn);
    }

    fn tell_scores(&mut self, turn: &mut Turn<'_>) {
        for peer in self.told.discovered.drain(..) {
            turn.out.event(Event::PeerDiscovered { peer });
        }
        for (Moved { peer, score }, cause) in self.told.moved.drain(..) {
            turn.out.event(Event::ScoreChanged { peer, score, rating: Rating::of(score), cause });
        }
    }

    pub(super) fn reset_failures(&mut self, turn: &mut Turn<'_>, peer: &PeerId) {
        self.scores.reset_failures(peer);
        self.links.pauses.lift(peer);
        self.book.unbanned(turn.now, Some(peer), true, &mut self.random);
        self.redial(turn);
    }

    /// What this node thinks of a peer, 0 to 100; 50 when it knows nothing.
    #[must_use]
    pub fn score_of(&self, peer: &PeerId) -> u8 {
        self.scores.of(self.now, peer)
    }
}

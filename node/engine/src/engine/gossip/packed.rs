//! Messages that come without what the one before them says.

use crate::{
    Class, LinkId,
    engine::{Engine, Turn},
    frame::{Frame, VERSION, kind},
    gossip::Cached,
};
use peerwright_encoding::DecodeError;
use peerwright_ledger::{
    Message,
    message::{Packed, Predecessor, PredecessorName},
};

impl Engine {
    /// A packed message came by gossip, and may be passed on `hops` times.
    pub(in crate::engine) fn packed(&mut self, turn: &mut Turn<'_>, link: LinkId, hops: u8, packed: &[u8]) {
        self.counters.gossip.received += 1;
        match self.open(turn, link, hops, packed) {
            Ok(()) => {}
            Err(DecodeError::Unknown { .. }) => self.unsupported(turn, link, VERSION, kind::PACKED),
            Err(_) => self.malformed(turn, link, packed),
        }
    }

    /// Restores it if it is spread at all. If the one that it follows is not here, it is asked for as a whole.
    fn open(&mut self, turn: &mut Turn<'_>, link: LinkId, hops: u8, packed: &[u8]) -> Result<(), DecodeError> {
        let packed = Packed::read(packed)?;
        let before = packed.follows().map(|name| self.predecessor(name).ok_or(*name)).transpose();
        let before = match before {
            Ok(before) => before,
            Err(predecessor) => {
                self.dropped(turn, "predecessor_unknown");
                self.send(turn, link, &Frame::PredecessorUnknown { predecessor }, Class::Gossip);
                return Ok(());
            }
        };
        let opened = packed.open(before.as_ref())?;
        let header = opened.header();
        if self.is_spread(turn, &header) {
            let encoded = opened.unpack()?;
            self.heard(turn, link, hops, &header, (&encoded, &encoded));
        }
        Ok(())
    }

    /// A recent message, or one that is still with the verifier.
    fn predecessor(&self, name: &PredecessorName) -> Option<Predecessor> {
        let recent = self.cache.named(name);
        let recent = recent.and_then(|(slot, incarnation, sequence)| self.cache.get(slot, incarnation, sequence));
        let verifying = || self.candidates.named(name).map(Message::as_predecessor);
        recent.and_then(Cached::as_predecessor).or_else(verifying)
    }

    /// A peer has not the message that a packed one follows: it is given that one whole, within its credits, and those that
    /// come for themselves.
    pub(in crate::engine) fn lacks_predecessor(
        &mut self,
        turn: &mut Turn<'_>,
        link: LinkId,
        predecessor: &PredecessorName,
    ) {
        let Some((slot, incarnation, sequence)) = self.cache.named(predecessor) else { return };
        self.trees.note_lack(link, slot);
        let next = sequence.saturating_add(1);
        let Some(cached) = self.cache.get(slot, incarnation, next) else { return };
        let life = self.origins.get(slot).and_then(|origin| origin.life(incarnation));
        let Some(trees) = self.trees.link_mut(link) else { return };
        if life.is_none_or(|life| life.is_withheld(next)) || trees.credit(turn.now) < cached.bytes.len() {
            return;
        }
        trees.serve(cached.bytes.len());
        let frame = Frame::Message { hops: cached.hops, message: &cached.bytes }.encode();
        self.counters.gossip.given += 1;
        self.push(turn, link, frame);
    }
}

//! Messages that come without what the one before them says.

use crate::{
    Class, LinkId,
    engine::{Engine, Turn},
    frame::{Frame, VERSION, kind},
    score::Outcome,
};
use peerwright_encoding::DecodeError;
use peerwright_ledger::{
    MessageHeader,
    message::{Packed, Predecessor, PredecessorName},
};

impl Engine {
    /// A packed message came by gossip. If the one that it follows is not here, it is asked for as a whole.
    pub(in crate::engine) fn packed(&mut self, turn: &mut Turn<'_>, link: LinkId, hops: u8, packed: &[u8]) {
        let read = Packed::read(packed).and_then(|read| match read.follows() {
            None => read.unpack(None).map(Ok),
            Some(name) => match self.predecessor(name) {
                Some(before) => read.unpack(Some(&before)).map(Ok),
                None => Ok(Err(*name)),
            },
        });
        match read {
            Ok(Ok(encoded)) => self.gossiped(turn, link, hops, &encoded, &encoded),
            Ok(Err(predecessor)) => {
                self.counters.gossip.received += 1;
                self.dropped(turn, "predecessor_unknown");
                self.send(turn, link, &Frame::Unknown { predecessor }, Class::Gossip);
            }
            Err(DecodeError::Unknown { .. }) => self.unsupported(turn, link, VERSION, kind::PACKED),
            Err(_) => self.malformed(turn, link, packed),
        }
    }

    /// A recent message, or one that is still with the verifier.
    fn predecessor(&self, name: &PredecessorName) -> Option<Predecessor> {
        let verifying = || {
            let message = self.candidates.named(name)?;
            Some(Predecessor { header: MessageHeader::peek(message.encoded())?, id: message.id() })
        };
        self.cache.named(name).and_then(|(cached, _)| cached.as_predecessor()).or_else(verifying)
    }

    /// A peer has not the message that a packed one follows: it is given that one whole, within its credits.
    pub(in crate::engine) fn lacks(&mut self, turn: &mut Turn<'_>, link: LinkId, name: &PredecessorName) {
        let Some((_, Some(cached))) = self.cache.named(name) else { return };
        let (bytes, hops) = (cached.bytes.clone(), cached.hops);
        let Some(trees) = self.trees.link_mut(link) else { return };
        if trees.credit(turn.now) < bytes.len() {
            return self.outcome_of(link, Outcome::LimitExceeded);
        }
        trees.serve(bytes.len());
        self.counters.gossip.given += 1;
        self.push(turn, link, Frame::Message { hops, message: &bytes }.encode());
    }
}

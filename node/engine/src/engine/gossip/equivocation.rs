//! Origins that sign two histories.

use crate::{
    LinkId, Output,
    engine::{Engine, Turn},
    gossip::{Judged, Slot},
};
use bytes::Bytes;
use peerwright_ledger::{EquivocationProof, Message, ProofRefused};

impl Engine {
    /// A verified message has the name of one that was seen before: unless it is the same, both prove its origin's guilt.
    pub(super) fn compare(&mut self, turn: &mut Turn<'_>, slot: Slot, message: &Message) {
        let body = message.body();
        let known = self.cache.get(slot, body.incarnation, body.sequence);
        let Some(known) = known.filter(|known| known.id != message.id()).map(|known| known.bytes.clone()) else {
            return;
        };
        self.prove(turn, known, message);
    }

    /// A new message names the one before it, and is named by the one behind it.
    pub(super) fn compare_neighbours(&mut self, turn: &mut Turn<'_>, slot: Slot, message: &Message) {
        let body = message.body();
        let neighbour = |sequence: Option<u64>| self.cache.get(slot, body.incarnation, sequence?);
        let before = neighbour(body.sequence.checked_sub(1)).filter(|before| before.id != body.previous);
        let behind = neighbour(body.sequence.checked_add(1)).filter(|behind| behind.previous != message.id());
        if let Some(other) = before.or(behind).map(|other| other.bytes.clone()) {
            self.prove(turn, other, message);
        }
    }

    fn prove(&mut self, turn: &mut Turn<'_>, known: Bytes, message: &Message) {
        let proof = Message::decode(known).map_err(ProofRefused::from);
        if let Ok(proof) = proof.and_then(|known| EquivocationProof::of(known, message.clone())) {
            self.keep_proof(turn, &proof, None);
        }
    }

    /// A peer says that an origin has signed two histories: nothing is believed before both signatures were checked here.
    pub(in crate::engine) fn proof_came(&mut self, turn: &mut Turn<'_>, link: LinkId, frame: &Bytes, encoded: &[u8]) {
        let Ok(proof) = EquivocationProof::decode(&frame.slice_ref(encoded)) else {
            self.counters.gossip.proofs_refused += 1;
            return self.malformed(turn, link, frame);
        };
        if self.proofs.convicts(&proof.origin()) || self.proofs.awaits(&proof.origin()) {
            return;
        }
        let tokens = [self.next_token(), self.next_token()];
        let messages = proof.messages().map(Message::clone);
        if !self.proofs.claim(tokens, proof, link) {
            return self.dropped(turn, "proofs_verifying");
        }
        for (token, message) in tokens.into_iter().zip(messages) {
            turn.out.push(Output::Verify { token, link, message });
        }
    }

    pub(super) fn claim_judged(&mut self, turn: &mut Turn<'_>, judged: Judged) {
        match judged {
            Judged::Half => {}
            Judged::Proven(claim) => self.keep_proof(turn, &claim.proof, Some(claim.link)),
            Judged::False(claim) => {
                self.counters.gossip.proofs_refused += 1;
                self.convict_link(turn, claim.link, Some(claim.proof.origin()), &claim.proof.encode());
            }
        }
    }
}

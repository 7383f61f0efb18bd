//! What this node publishes: transactions become batches, batches become numbered, signed messages.
//!
//! ```text
//! Submit ─▶ open batch of its register ─▶ full, or 2 ms after the last ─▶ draft ─▶ signed: sequence, floor, previous ─▶ append
//!   ├─ nothing was published in it for 2 ms ───────────────────────────▶ draft
//!   └─ above 32 KiB: the body is stored first, then announced alone ───▶ draft
//! ```
//!
//! Numbers are given when a message is signed, in the order in which messages are stored and sent: a number is never
//! skipped and never used twice.

mod batch;
mod floor;
#[cfg(test)]
mod tests;

pub(crate) use batch::{Batches, Draft};

use crate::{
    Micros, SubmitRefusal, Token,
    bounds::{MAX_QUEUED_BYTES, MAX_QUEUED_TRANSACTIONS},
};
use floor::Floor;
use peerwright_ledger::{Message, MessageBody, MessageRefused, RegisterId};
use peerwright_secure::NodeKey;
use std::{collections::BTreeMap, time::Duration};

/// A signed message of this node on its way to the store.
#[derive(Debug, Clone)]
pub(crate) struct OwnMessage {
    pub message: Message,
    /// The submissions that wait for it.
    pub tokens: Vec<Token>,
    /// What of the outbox's room it takes.
    pub room: Room,
}

/// Room in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Room {
    pub transactions: usize,
    pub bytes: usize,
}

/// Numbers and signs this node's messages, and bounds what waits.
#[derive(Debug)]
pub(crate) struct Outbox {
    key: NodeKey,
    incarnation: u64,
    sequence: u64,
    previous: [u8; 32],
    /// The last number given in each register that this process published in.
    register_sequences: BTreeMap<RegisterId, u64>,
    floor: Floor,
    taken: Room,
    pub batches: Batches,
}

impl Outbox {
    pub(crate) fn new(key: NodeKey, incarnation: u64) -> Self {
        Self {
            key,
            incarnation,
            sequence: 0,
            previous: [0; 32],
            register_sequences: BTreeMap::new(),
            floor: Floor::default(),
            taken: Room::default(),
            batches: Batches::default(),
        }
    }

    /// Takes room for one transaction.
    pub(crate) fn reserve(&mut self, bytes: usize) -> Result<(), SubmitRefusal> {
        let taken = Room { transactions: self.taken.transactions + 1, bytes: self.taken.bytes.saturating_add(bytes) };
        if taken.transactions > MAX_QUEUED_TRANSACTIONS || taken.bytes > MAX_QUEUED_BYTES {
            return Err(SubmitRefusal::Overloaded);
        }
        self.taken = taken;
        Ok(())
    }

    /// Gives room back.
    pub(crate) fn release(&mut self, room: Room) {
        self.taken.transactions = self.taken.transactions.saturating_sub(room.transactions);
        self.taken.bytes = self.taken.bytes.saturating_sub(room.bytes);
    }

    pub(crate) fn taken(&self) -> Room {
        self.taken
    }

    /// The number of this node's latest message.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Makes a draft this node's next message.
    pub(crate) fn sign(
        &mut self,
        now: Micros,
        wall: Micros,
        time_to_live: Duration,
        draft: Draft,
    ) -> Result<OwnMessage, (MessageRefused, Vec<Token>, Room)> {
        let sequence = self.sequence + 1;
        let register_sequence = self.register_sequences.get(&draft.register).map_or(1, |last| last + 1);
        let message = MessageBody {
            origin: self.key.public(),
            incarnation: self.incarnation,
            sequence,
            floor: self.floor.at(now, sequence),
            previous: self.previous,
            register: draft.register,
            register_sequence,
            created_at_micros: wall.0,
            expires_at_micros: (wall + time_to_live).0,
            entries: draft.entries,
        };
        match message.sign(&self.key) {
            Ok(message) => {
                self.sequence = sequence;
                self.register_sequences.insert(draft.register, register_sequence);
                self.previous = message.id();
                Ok(OwnMessage { message, tokens: draft.tokens, room: draft.room })
            }
            Err(refused) => Err((refused, draft.tokens, draft.room)),
        }
    }
}

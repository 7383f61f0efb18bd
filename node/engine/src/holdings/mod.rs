//! What this node holds of the registers that it is subscribed to: the store's content, in short.
//!
//! A *stream* is one origin's life in one register. Its messages are numbered from 1 without holes, so what is held of
//! it is a few ranges, and what two nodes hold of a register can be compared by one hash.
//!
//! ```text
//!  held    1 ─────────────────────────── 90   what was stored here once: the hash is over this, and it is not taken again
//!  there                  41 ─ 43   53 ─ 90   of that, what peers are told of; the rest is in dockets and was let go of
//! ```
//!
//! So nodes that let go of messages at different times go on to have one hash, and whoever comes later is told of what
//! it can have.

mod page;
#[cfg(test)]
mod tests;

use crate::{
    Held, MessageRange,
    bounds::{MAX_STREAM_RANGES, MAX_STREAMS},
    frame::DigestRow,
    ranges::Ranges,
};
use peerwright_ledger::{MessageBody, RegisterId};
use peerwright_secure::{NodePublicKey, sha256};
use std::collections::BTreeMap;

/// One origin's life in one register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stream {
    pub register: RegisterId,
    pub origin: NodePublicKey,
    pub incarnation: u64,
}

impl Stream {
    pub(crate) fn of(message: &MessageBody) -> Self {
        Self { register: message.register, origin: message.origin, incarnation: message.incarnation }
    }

    pub(crate) fn of_range(range: &MessageRange) -> Self {
        Self { register: range.register, origin: range.origin, incarnation: range.incarnation }
    }

    pub(crate) fn range(&self, from: u64, to: u64) -> MessageRange {
        MessageRange { register: self.register, origin: self.origin, incarnation: self.incarnation, from, to }
    }
}

#[derive(Debug, Default)]
struct Holding {
    /// Whether the store has told what it holds.
    loaded: bool,
    streams: BTreeMap<(NodePublicKey, u64), Ranges>,
    /// Of those, what the store has not let go of; no stream without a range.
    there: BTreeMap<(NodePublicKey, u64), Ranges>,
    /// What it let go of before it had told what it holds.
    gone_early: Vec<Held>,
    messages: u64,
    /// The hash, unless something changed since it was made.
    hash: Option<[u8; 16]>,
}

impl Holding {
    /// What would leave more ranges than the bound is told of as if it were there.
    fn let_go(&mut self, row: &Held) {
        let stream = (row.origin, row.incarnation);
        let Some(there) = self.there.get_mut(&stream) else { return };
        for (from, to) in &row.ranges {
            // At most one more range is left.
            if there.as_slice().len() < MAX_STREAM_RANGES {
                there.remove_range(*from, *to);
                continue;
            }
            let mut left = there.clone();
            left.remove_range(*from, *to);
            if left.as_slice().len() <= MAX_STREAM_RANGES {
                *there = left;
            }
        }
        if there.is_empty() {
            self.there.remove(&stream);
        }
    }
}

/// What is held of every subscribed register.
#[derive(Debug, Default)]
pub(crate) struct Holdings {
    registers: BTreeMap<RegisterId, Holding>,
    streams: usize,
}

impl Holdings {
    /// Begins to hold a register; what of it is held already, the store tells. Says whether that is new.
    pub(crate) fn subscribe(&mut self, register: RegisterId) -> bool {
        let is_new = !self.registers.contains_key(&register);
        self.registers.entry(register).or_default();
        is_new
    }

    /// Holds a register no longer.
    pub(crate) fn unsubscribe(&mut self, register: &RegisterId) {
        if let Some(holding) = self.registers.remove(register) {
            self.streams = self.streams.saturating_sub(holding.streams.len());
        }
    }

    pub(crate) fn is_subscribed(&self, register: &RegisterId) -> bool {
        self.registers.contains_key(register)
    }

    pub(crate) fn is_loaded(&self, register: &RegisterId) -> bool {
        self.registers.get(register).is_some_and(|holding| holding.loaded)
    }

    pub(crate) fn all_loaded(&self) -> bool {
        self.registers.values().all(|holding| holding.loaded)
    }

    pub(crate) fn registers(&self) -> impl Iterator<Item = RegisterId> {
        self.registers.keys().copied()
    }

    pub(crate) fn not_loaded(&self) -> Vec<RegisterId> {
        self.registers.iter().filter(|(_, holding)| !holding.loaded).map(|(register, _)| *register).collect()
    }

    /// Takes in the store's answer about `registers`. What was stored meanwhile stays.
    pub(crate) fn load(&mut self, registers: &[RegisterId], held: &[Held]) {
        for row in held {
            let Some(holding) = self.registers.get_mut(&row.register) else { continue };
            let ranges = holding.streams.entry((row.origin, row.incarnation)).or_insert_with(|| {
                self.streams += 1;
                Ranges::default()
            });
            let before = ranges.count();
            let there = holding.there.entry((row.origin, row.incarnation)).or_default();
            for (from, to) in &row.ranges {
                ranges.insert_range(*from, *to);
                there.insert_range(*from, *to);
            }
            holding.messages = holding.messages.saturating_add(ranges.count().saturating_sub(before));
            holding.hash = None;
        }
        for register in registers {
            if let Some(holding) = self.registers.get_mut(register) {
                holding.loaded = true;
                for row in std::mem::take(&mut holding.gone_early) {
                    holding.let_go(&row);
                }
            }
        }
    }

    /// The store has let go of these messages.
    pub(crate) fn let_go(&mut self, gone: Vec<Held>) {
        for row in gone {
            match self.registers.get_mut(&row.register) {
                Some(holding) if holding.loaded => holding.let_go(&row),
                Some(holding) => holding.gone_early.push(row),
                None => {}
            }
        }
    }

    pub(crate) fn contains(&self, stream: &Stream, register_sequence: u64) -> bool {
        self.ranges(stream).is_some_and(|ranges| ranges.contains(register_sequence))
    }

    /// What is held of a stream.
    pub(crate) fn ranges(&self, stream: &Stream) -> Option<&Ranges> {
        self.registers.get(&stream.register)?.streams.get(&(stream.origin, stream.incarnation))
    }

    /// Whether one more message could be remembered, or which bound is in the way.
    pub(crate) fn has_room_for(&self, stream: &Stream, register_sequence: u64) -> Result<(), &'static str> {
        match self.ranges(stream) {
            Some(ranges) if ranges.length_with(register_sequence) > MAX_STREAM_RANGES => Err("ranges_full"),
            None if self.streams >= MAX_STREAMS => Err("streams_full"),
            Some(_) | None => Ok(()),
        }
    }

    /// Remembers a message that the store holds now; says whether that is new.
    pub(crate) fn add(&mut self, stream: &Stream, register_sequence: u64) -> bool {
        let Some(holding) = self.registers.get_mut(&stream.register) else { return false };
        let ranges = holding.streams.entry((stream.origin, stream.incarnation)).or_insert_with(|| {
            self.streams += 1;
            Ranges::default()
        });
        if ranges.contains(register_sequence) {
            return false;
        }
        ranges.insert(register_sequence);
        holding.there.entry((stream.origin, stream.incarnation)).or_default().insert(register_sequence);
        holding.messages = holding.messages.saturating_add(1);
        holding.hash = None;
        true
    }

    /// How many messages of a register are held.
    pub(crate) fn messages(&self, register: &RegisterId) -> u64 {
        self.registers.get(register).map_or(0, |holding| holding.messages)
    }

    /// What is held of a register, in short; `None` unless the store has told.
    pub(crate) fn digest(&mut self, register: &RegisterId) -> Option<DigestRow> {
        let holding = self.registers.get_mut(register).filter(|holding| holding.loaded)?;
        let hash = match holding.hash {
            Some(hash) => hash,
            None => *holding.hash.insert(hash_of(&holding.streams)),
        };
        Some(DigestRow { register: *register, messages: holding.messages, hash })
    }
}

/// The first half of a SHA-256 over streams and ranges in order.
fn hash_of(streams: &BTreeMap<(NodePublicKey, u64), Ranges>) -> [u8; 16] {
    let mut bytes = Vec::new();
    for ((origin, incarnation), ranges) in streams {
        bytes.extend_from_slice(origin.as_bytes());
        bytes.extend_from_slice(&incarnation.to_be_bytes());
        bytes.extend_from_slice(&(ranges.as_slice().len() as u64).to_be_bytes());
        for (from, to) in ranges.as_slice() {
            bytes.extend_from_slice(&from.to_be_bytes());
            bytes.extend_from_slice(&to.to_be_bytes());
        }
    }
    let digest = sha256(&bytes);
    digest.first_chunk().copied().unwrap_or_default()
}

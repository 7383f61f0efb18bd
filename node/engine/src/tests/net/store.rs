//! The store's model.

use crate::{BodyRefused, Held, MessageRange, StoreFailed, ranges::Ranges};
use bytes::Bytes;
use peerwright_ledger::{Entry, Message, RegisterId, TransactionId};
use peerwright_secure::NodePublicKey;
use std::collections::{BTreeMap, BTreeSet};

type Place = (RegisterId, NodePublicKey, u64, u64);

/// What outlives a node's process.
#[derive(Default)]
pub(crate) struct MemoryStore {
    pub(crate) messages: BTreeMap<Place, Message>,
    pub(crate) bodies: BTreeMap<TransactionId, Bytes>,
    /// How often a message was appended that was there.
    pub(crate) appended_again: usize,
    /// Every operation fails.
    pub(crate) fails: bool,
}

impl MemoryStore {
    pub(super) fn append(&mut self, messages: &[Message]) -> Result<(), StoreFailed> {
        if self.fails {
            return Err(StoreFailed);
        }
        for message in messages {
            let body = message.body();
            for entry in &body.entries {
                if let Entry::Announced { id, .. } = entry {
                    assert!(self.bodies.contains_key(id), "a message was stored before its body");
                }
            }
            let place = (body.register, body.origin, body.incarnation, body.register_sequence);
            if self.messages.insert(place, message.clone()).is_some() {
                self.appended_again += 1;
            }
        }
        Ok(())
    }

    pub(super) fn put_body(&mut self, id: TransactionId, bytes: Bytes) -> Result<(), BodyRefused> {
        if self.fails {
            return Err(BodyRefused::Store);
        }
        if peerwright_secure::sha256(&bytes) != *id.as_bytes() {
            return Err(BodyRefused::Invalid);
        }
        self.bodies.insert(id, bytes);
        Ok(())
    }

    pub(super) fn held(&self, registers: &[RegisterId]) -> Vec<Held> {
        let mut streams: BTreeMap<(RegisterId, NodePublicKey, u64), Ranges> = BTreeMap::new();
        for (register, origin, incarnation, sequence) in self.messages.keys() {
            if registers.contains(register) {
                streams.entry((*register, *origin, *incarnation)).or_default().insert(*sequence);
            }
        }
        let row = |((register, origin, incarnation), ranges): (_, Ranges)| Held {
            register,
            origin,
            incarnation,
            ranges: ranges.as_slice().to_vec(),
        };
        streams.into_iter().map(row).collect()
    }

    /// Lets go of all that is held of a register, as when dockets hold its transactions.
    pub(super) fn let_go(&mut self, register: RegisterId) -> Vec<Held> {
        let gone = self.held(&[register]);
        self.messages.retain(|(of, ..), _| *of != register);
        gone
    }

    pub(super) fn read(&self, ranges: &[MessageRange], max_messages: usize, max_bytes: usize) -> Vec<Bytes> {
        let (mut read, mut bytes) = (Vec::new(), 0);
        for range in ranges {
            let place = |sequence| (range.register, range.origin, range.incarnation, sequence);
            for message in self.messages.range(place(range.from)..=place(range.to)).map(|(_, message)| message) {
                bytes += message.encoded().len();
                if read.len() >= max_messages || (!read.is_empty() && bytes > max_bytes) {
                    return read;
                }
                read.push(message.encoded().clone());
            }
        }
        read
    }

    pub(super) fn chunk(&self, id: &TransactionId, offset: u32, length: u32) -> Option<Bytes> {
        let body = self.bodies.get(id)?;
        let from = (offset as usize).min(body.len());
        Some(body.slice(from..(from + length as usize).min(body.len())))
    }

    /// The transactions of a register, as text; a large one as its length.
    pub(crate) fn texts(&self, register: RegisterId) -> BTreeSet<String> {
        let of_register = self.messages.iter().filter(|((of, ..), _)| *of == register);
        let entries = of_register.flat_map(|(_, message)| &message.body().entries);
        let text = |entry: &Entry| match entry {
            Entry::Inline(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            Entry::Announced { id, .. } => format!("{} bytes", self.bodies[id].len()),
        };
        entries.map(text).collect()
    }
}

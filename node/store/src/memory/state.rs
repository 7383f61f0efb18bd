//! The maps of the model.

use super::{dead_letters::DeadLetters, dockets::Dockets, log::Log, messages::Stored};
use crate::{
    Appended, Counts, ListedTransaction, MessageRange, Purged, StoredTransaction,
    message::{IndexEntry, IndexedMessage, Place, find_entry},
};
use bytes::Bytes;
use peerwright_ledger::{Message, RegisterId, TransactionId};
use peerwright_secure::NodePublicKey;
use std::collections::{BTreeMap, btree_map::Entry as Slot};

/// One life of an origin in one register.
pub(super) type Stream = (RegisterId, NodePublicKey, u64);

/// What a [`crate::Memory`] holds.
#[derive(Debug, Default)]
pub(super) struct State {
    incarnation: Option<u64>,
    pub(super) streams: BTreeMap<Stream, Stored>,
    pub(super) by_sequence: BTreeMap<(NodePublicKey, u64, u64), (Stream, u64)>,
    /// The places of the messages, in the order in which they were stored.
    pub(super) order: BTreeMap<u64, (Stream, u64)>,
    index: BTreeMap<(RegisterId, TransactionId), u64>,
    listed: BTreeMap<(RegisterId, u64), Row>,
    last_position: u64,
    pub(super) bodies: BTreeMap<TransactionId, (RegisterId, Bytes)>,
    pub(super) dead_letters: DeadLetters,
    pub(super) documents: BTreeMap<&'static str, Bytes>,
    pub(super) dockets: Dockets,
    pub(super) log: Log,
}

#[derive(Debug)]
struct Row {
    entry: IndexEntry,
    stream: Stream,
    register_sequence: u64,
    number: usize,
    stored_at: u64,
}

impl State {
    pub(super) fn next_incarnation(&mut self, now: u64) -> u64 {
        let next = self.incarnation.map_or(now, |last| now.max(last.saturating_add(1)));
        self.incarnation = Some(next);
        next
    }

    pub(super) fn append(&mut self, message: IndexedMessage, now: u64) -> Appended {
        let IndexedMessage { message, entries } = message;
        let body = message.body();
        let stream = (body.register, body.origin, body.incarnation);
        let sequence = (body.origin, body.incarnation, body.sequence);
        let place = (stream, body.register_sequence);
        if self.streams.get(&stream).is_some_and(|stored| stored.gone.contains(&place.1)) {
            return Appended::Duplicate;
        }
        if let Some(existing) = self.by_sequence.get(&sequence).and_then(|place| self.at(*place)) {
            return if existing.id() == message.id() { Appended::Duplicate } else { Appended::Conflicting };
        }
        if self.at(place).is_some() {
            return Appended::Conflicting;
        }
        let transactions = self.index_entries(&entries, stream, body.register_sequence, now);
        self.by_sequence.insert(sequence, place);
        self.last_position += 1;
        self.order.insert(self.last_position, place);
        self.streams.entry(stream).or_default().messages.insert(place.1, message);
        Appended::Stored { transactions }
    }

    pub(super) fn at(&self, (stream, register_sequence): (Stream, u64)) -> Option<&Message> {
        self.streams.get(&stream)?.messages.get(&register_sequence)
    }

    fn index_entries(&mut self, entries: &[IndexEntry], stream: Stream, register_sequence: u64, stored_at: u64) -> u32 {
        let (register, _, _) = stream;
        let mut new = 0;
        for (number, entry) in entries.iter().enumerate() {
            if let Slot::Vacant(slot) = self.index.entry((register, entry.id)) {
                self.last_position += 1;
                slot.insert(self.last_position);
                let row = Row { entry: *entry, stream, register_sequence, number, stored_at };
                self.listed.insert((register, self.last_position), row);
                new += 1;
            }
        }
        new
    }

    pub(super) fn put_body(&mut self, register: RegisterId, id: TransactionId, bytes: Bytes) {
        self.bodies.entry(id).or_insert((register, bytes));
    }

    pub(super) fn purge(&mut self, register: RegisterId) -> Purged {
        let Counts { messages, transactions } = self.counts(register);
        let bodies = self.bodies.len();
        self.dead_letters.purge(register);
        self.streams.retain(|(of, _, _), _| *of != register);
        self.by_sequence.retain(|_, ((of, _, _), _)| *of != register);
        self.order.retain(|_, ((of, _, _), _)| *of != register);
        self.index.retain(|(of, _), _| *of != register);
        self.listed.retain(|(of, _), _| *of != register);
        self.bodies.retain(|_, (of, _)| *of != register);
        Purged { messages, transactions, bodies: (bodies - self.bodies.len()) as u64 }
    }

    /// Forgets that a message carries a transaction; whether it did.
    pub(super) fn unlist(&mut self, (stream, register_sequence): (Stream, u64), id: TransactionId) -> bool {
        let (register, _, _) = stream;
        let Slot::Occupied(position) = self.index.entry((register, id)) else { return false };
        let Slot::Occupied(row) = self.listed.entry((register, *position.get())) else { return false };
        let carries = (row.get().stream, row.get().register_sequence) == (stream, register_sequence);
        if carries {
            row.remove();
            position.remove();
        }
        carries
    }

    pub(super) fn read(&self, ranges: &[MessageRange], max_messages: usize, max_bytes: usize) -> Vec<Bytes> {
        let mut total = 0;
        let messages = ranges.iter().flat_map(|range| self.range(range));
        messages
            .take(max_messages)
            .take_while(|bytes| {
                let first = total == 0;
                total += bytes.len();
                first || total <= max_bytes
            })
            .collect()
    }

    fn range(&self, range: &MessageRange) -> impl Iterator<Item = Bytes> {
        let stream = self.streams.get(&(range.register, range.origin, range.incarnation));
        // The map refuses to look at a range that ends before it begins.
        let stream = stream.filter(|_| range.from <= range.to);
        let messages = stream.into_iter().flat_map(|stored| stored.messages.range(range.from..=range.to));
        messages.map(|(_, message)| message.encoded().clone())
    }

    pub(super) fn transaction(&self, register: RegisterId, id: TransactionId) -> Option<StoredTransaction> {
        let row = self.index.get(&(register, id)).and_then(|position| self.listed.get(&(register, *position)));
        let row = row?;
        let message = self.at((row.stream, row.register_sequence))?;
        let place = find_entry(message, row.number);
        let bytes = match place {
            Some(Place::Inline(bytes)) => Some(bytes),
            Some(Place::Body) => self.bodies.get(&id).map(|(_, bytes)| bytes.clone()),
            None => None,
        };
        let (_, origin, incarnation) = row.stream;
        bytes.map(|bytes| StoredTransaction { id, bytes, origin, incarnation, stored_at: row.stored_at })
    }

    pub(super) fn list(&self, register: RegisterId, after: Option<u64>, limit: usize) -> Vec<ListedTransaction> {
        let first = after.map_or(0, |after| after.saturating_add(1));
        let rows = self.listed.range((register, first)..=(register, u64::MAX)).take(limit);
        rows.map(|((_, position), row)| ListedTransaction {
            position: *position,
            id: row.entry.id,
            size: row.entry.size,
            origin: row.stream.1,
            stored_at: row.stored_at,
        })
        .collect()
    }

    pub(super) fn counts(&self, register: RegisterId) -> Counts {
        let streams = self.streams.iter().filter(|((of, _, _), _)| *of == register);
        let messages = streams.map(|(_, stored)| stored.messages.len() as u64).sum();
        let transactions = self.listed.range((register, 0)..=(register, u64::MAX)).count() as u64;
        Counts { messages, transactions }
    }

    pub(super) fn body_chunk(&self, id: TransactionId, offset: u64, length: u32) -> Option<Bytes> {
        let (_, bytes) = self.bodies.get(&id)?;
        let end = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(bytes.len());
        Some(bytes.slice(end(offset)..end(offset.saturating_add(length.into()))))
    }
}

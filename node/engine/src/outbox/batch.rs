//! Transactions that wait a moment for company.

use super::Room;
use crate::{Micros, Token};
use bytes::Bytes;
use peerwright_ledger::{
    Entry, RegisterId, TransactionId,
    message::{MAX_ENTRIES, MAX_GATHERED_BYTES},
};
use std::{collections::BTreeMap, time::Duration};

/// The content of a message that has no number yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    pub register: RegisterId,
    pub entries: Vec<Entry>,
    pub tokens: Vec<Token>,
    pub room: Room,
}

impl Draft {
    /// The announcement of a body that is stored.
    pub(crate) fn announce(register: RegisterId, token: Token, id: TransactionId, size: u32) -> Self {
        Self {
            register,
            entries: vec![Entry::Announced { id, size }],
            tokens: vec![token],
            room: Room { transactions: 1, bytes: size as usize },
        }
    }

    fn empty(register: RegisterId) -> Self {
        Self { register, entries: Vec::new(), tokens: Vec::new(), room: Room::default() }
    }

    fn add(&mut self, token: Token, transaction: Bytes) {
        self.room.transactions += 1;
        self.room.bytes += transaction.len();
        self.entries.push(Entry::Inline(transaction));
        self.tokens.push(token);
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= MAX_ENTRIES || self.room.bytes >= MAX_GATHERED_BYTES
    }

    fn has_room_for(&self, bytes: usize) -> bool {
        self.entries.is_empty() || self.room.bytes + bytes <= MAX_GATHERED_BYTES
    }
}

/// At most one open batch a register; what is inside is bounded by the outbox.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    open: BTreeMap<RegisterId, (Micros, Draft)>,
}

impl Batches {
    /// Adds a transaction that rides in a message; gives the batches that are full now.
    pub(crate) fn add(&mut self, now: Micros, register: RegisterId, token: Token, transaction: Bytes) -> Vec<Draft> {
        let mut full = Vec::new();
        if self.open.get(&register).is_some_and(|(_, draft)| !draft.has_room_for(transaction.len())) {
            full.extend(self.open.remove(&register).map(|(_, draft)| draft));
        }
        let (_, draft) = self.open.entry(register).or_insert_with(|| (now, Draft::empty(register)));
        draft.add(token, transaction);
        if draft.is_full() {
            full.extend(self.open.remove(&register).map(|(_, draft)| draft));
        }
        full
    }

    /// Takes out the batches that were opened a window ago or earlier, oldest first.
    pub(crate) fn take_due(&mut self, now: Micros, window: Duration) -> Vec<Draft> {
        let mut due: Vec<(Micros, RegisterId)> = self
            .open
            .iter()
            .filter(|(_, (opened, _))| *opened + window <= now)
            .map(|(register, (opened, _))| (*opened, *register))
            .collect();
        due.sort_unstable();
        due.iter().filter_map(|(_, register)| self.open.remove(register)).map(|(_, draft)| draft).collect()
    }

    /// When the oldest batch is due.
    pub(crate) fn next_due(&self, window: Duration) -> Option<Micros> {
        self.open.values().map(|(opened, _)| *opened + window).min()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

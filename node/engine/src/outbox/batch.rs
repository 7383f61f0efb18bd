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

/// What of a register waits until its window ends.
#[derive(Debug)]
struct Open {
    /// When the register last published, if it has.
    since: Option<Micros>,
    draft: Draft,
}

/// At most one open batch a register; what is inside is bounded by the outbox.
///
/// ```text
///   a      b  c d         window ends      e                       a alone and at once: nobody else was there
///   ▼      ▼  ▼ ▼              │           ▼                       b, c, d together: sent when a's window ends, and
///   a ─────────────────────▶ b c d ────▶ (quiet) e                 open one more; e comes after that one: at once
/// ```
///
/// While the store is busy a window does not end: what came would wait behind the append that is under way, alone.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    open: BTreeMap<RegisterId, Open>,
}

impl Batches {
    /// Adds a transaction that rides in a message; gives what is to be published now: batches that are full, and what comes
    /// to a register that has published nothing for a window, unless the store is busy.
    pub(crate) fn add(
        &mut self,
        now: Micros,
        window: Duration,
        is_busy: bool,
        register: RegisterId,
        token: Token,
        transaction: Bytes,
    ) -> Vec<Draft> {
        let open = self.open.entry(register).or_insert_with(|| Open { since: None, draft: Draft::empty(register) });
        if open.is_quiet(now, window) && !is_busy {
            open.draft.add(token, transaction);
            return vec![open.publish(now)];
        }
        let mut ready = Vec::new();
        if !open.draft.has_room_for(transaction.len()) {
            ready.push(open.publish(now));
        }
        open.draft.add(token, transaction);
        if open.draft.is_full() {
            ready.push(open.publish(now));
        }
        ready
    }

    /// Takes out the batches whose window has ended, those that have waited longest first.
    pub(crate) fn take_due(&mut self, now: Micros, window: Duration) -> Vec<Draft> {
        self.open.retain(|_, open| !open.is_quiet(now, window));
        let due = self.open.values_mut().filter(|open| !open.draft.entries.is_empty() && open.due(window) <= now);
        let mut due: Vec<_> = due.map(|open| (open.since, open.publish(now))).collect();
        due.sort_by_key(|(since, draft)| (*since, draft.register));
        due.into_iter().map(|(_, draft)| draft).collect()
    }

    /// When the oldest batch is due.
    pub(crate) fn next_due(&self, window: Duration) -> Option<Micros> {
        let waiting = self.open.values().filter(|open| !open.draft.entries.is_empty());
        waiting.map(|open| open.due(window)).min()
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.values().all(|open| open.draft.entries.is_empty())
    }
}

impl Open {
    /// Whether nothing was published for a window and nothing waits.
    fn is_quiet(&self, now: Micros, window: Duration) -> bool {
        self.draft.entries.is_empty() && self.due(window) <= now
    }

    /// When its window ends, or has ended.
    fn due(&self, window: Duration) -> Micros {
        self.since.map_or(Micros(0), |since| since + window)
    }

    /// Takes out what waits; a new window begins.
    fn publish(&mut self, now: Micros) -> Draft {
        self.since = Some(now);
        let empty = Draft::empty(self.draft.register);
        std::mem::replace(&mut self.draft, empty)
    }
}

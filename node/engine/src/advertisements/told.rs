//! What this node has told its links, and whom it owes what.

use crate::{
    Advertisement, LinkId, Micros, Token,
    bounds::{MAX_ADVERTISED_DESCRIPTION_BYTES, MAX_ADVERTISED_NAME_BYTES, MAX_ADVERTISEMENTS_OF_A_PEER},
};
use peerwright_ledger::RegisterId;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What this node says, the same to all.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Since when the driver has something to say: when all links are told everything next. `None` before.
    again: Option<Micros>,
    rows: BTreeMap<RegisterId, Advertisement>,
    /// Links that are told everything next.
    owed: BTreeSet<LinkId>,
    reading: Option<Token>,
    /// When the store is to be asked next.
    due: Option<Micros>,
    /// When there was last something to say.
    said: Option<Micros>,
}

/// What differs from what was told before.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) rows: Vec<Advertisement>,
    pub(crate) gone: Vec<RegisterId>,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.gone.is_empty()
    }
}

impl Told {
    /// Whether the driver has something to say.
    pub(crate) fn has_begun(&self) -> bool {
        self.again.is_some()
    }

    /// These links are told everything, soon, and all of them once more at `again`.
    pub(crate) fn owe_all(&mut self, now: Micros, links: Vec<LinkId>, again: Micros) {
        self.owed = links.into_iter().collect();
        self.again = Some(again);
        self.due_by(now);
    }

    /// A link is to be told everything.
    pub(crate) fn owe(&mut self, now: Micros, link: LinkId) {
        self.owed.insert(link);
        self.due_by(now);
    }

    pub(crate) fn link_ended(&mut self, link: LinkId) {
        self.owed.remove(&link);
    }

    /// The store is asked at this time, or before.
    pub(crate) fn due_by(&mut self, at: Micros) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Whether all links are to be told everything again.
    pub(crate) fn is_time_again(&self, now: Micros) -> bool {
        self.again.is_some_and(|again| again <= now)
    }

    /// Whether the store is to be asked now. It is asked one question at a time.
    pub(crate) fn is_due(&self, now: Micros) -> bool {
        self.has_begun() && self.reading.is_none() && self.due.is_some_and(|due| due <= now)
    }

    pub(crate) fn begin_reading(&mut self, token: Token) {
        (self.reading, self.due) = (Some(token), None);
    }

    /// An answer has come. Says whether it is the one that is waited for.
    pub(crate) fn has_read(&mut self, token: Token) -> bool {
        self.reading.take_if(|reading| *reading == token).is_some()
    }

    /// When there is something to do.
    pub(crate) fn next(&self) -> Option<Micros> {
        let due = self.due.filter(|_| self.reading.is_none());
        [self.again, due].into_iter().flatten().min()
    }

    /// Takes what the store holds now. Gives what is new of it.
    pub(crate) fn replace(&mut self, now: Micros, rows: Vec<Advertisement>) -> Changes {
        let rows = rows.into_iter().filter(|row| row.first < row.dockets).take(MAX_ADVERTISEMENTS_OF_A_PEER);
        let rows: BTreeMap<RegisterId, Advertisement> = rows.map(|row| (row.register, short(row))).collect();
        let is_new = |row: &&Advertisement| self.rows.get(&row.register) != Some(row);
        let changed = rows.values().filter(is_new).cloned().collect();
        let gone = self.rows.keys().filter(|register| !rows.contains_key(register)).copied().collect();
        if !(self.rows.is_empty() && rows.is_empty()) {
            self.said = Some(now);
        }
        self.rows = rows;
        Changes { rows: changed, gone }
    }

    /// Whether nothing is advertised, and nobody can remember that anything was: that is not worth a frame.
    pub(crate) fn is_silent(&self, now: Micros, expiry: Duration) -> bool {
        self.rows.is_empty() && self.said.is_none_or(|said| now.since(said) >= expiry)
    }

    /// All that is told now.
    pub(crate) fn all(&self) -> Vec<Advertisement> {
        self.rows.values().cloned().collect()
    }

    /// Whether a register is among it.
    pub(crate) fn tells(&self, register: &RegisterId) -> bool {
        self.rows.contains_key(register)
    }

    /// How many registers that are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether the link is owed everything; then it is not any more.
    pub(crate) fn take_owed(&mut self, link: LinkId) -> bool {
        self.owed.remove(&link)
    }
}

/// With texts that fit a frame.
fn short(mut row: Advertisement) -> Advertisement {
    cut(&mut row.name, MAX_ADVERTISED_NAME_BYTES);
    cut(&mut row.description, MAX_ADVERTISED_DESCRIPTION_BYTES);
    row
}

/// Cuts a text between two characters.
fn cut(text: &mut String, bytes: usize) {
    text.truncate(text.floor_char_boundary(bytes));
}

//! A node's volume: what it holds survives the process once it was synced, and no earlier.

use crate::pool::Number;
use peerwright_engine::{Micros, Token};
use peerwright_ledger::TransactionId;
use std::{collections::BTreeSet, net::SocketAddr};

/// A set of numbers of the pool.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers {
    words: Vec<u64>,
}

impl Numbers {
    pub(crate) fn contains(&self, number: Number) -> bool {
        self.words.get(number as usize / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// Adds a number; whether it is new.
    pub(crate) fn insert(&mut self, number: Number) -> bool {
        let place = number as usize / 64;
        if place >= self.words.len() {
            self.words.resize(place + 1, 0);
        }
        let bit = 1 << (number % 64);
        let is_new = self.words[place] & bit == 0;
        self.words[place] |= bit;
        is_new
    }

    pub(crate) fn count(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    pub(crate) fn insert_all(&mut self, numbers: impl IntoIterator<Item = Number>) {
        for number in numbers {
            self.insert(number);
        }
    }

    /// Adds all of another set.
    pub(crate) fn add(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            *word |= more;
        }
    }

    /// The numbers of this set that another lacks: the first, and how many.
    pub(crate) fn missing_in(&self, other: &Self) -> Option<(Number, u32)> {
        let lacking = self
            .words
            .iter()
            .enumerate()
            .map(|(place, word)| (place, word & !other.words.get(place).copied().unwrap_or(0)));
        let (mut first, mut count) = (None, 0);
        for (place, word) in lacking.filter(|(_, word)| *word != 0) {
            count += word.count_ones();
            first = first.or_else(|| Number::try_from(place * 64).ok().map(|base| base + word.trailing_zeros()));
        }
        first.map(|first| (first, count))
    }
}

/// What the disk keeps.
#[derive(Debug, Clone, Default)]
pub(crate) struct Volume {
    pub messages: Numbers,
    pub bodies: BTreeSet<TransactionId>,
    /// The incarnation of the latest start.
    pub incarnation: u64,
    /// Where good neighbours of the latest start were.
    pub anchors: Vec<SocketAddr>,
}

/// A write that is not synced yet.
#[derive(Debug)]
struct Unsynced {
    token: Token,
    messages: Vec<Number>,
    body: Option<TransactionId>,
}

/// The store of one node.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub volume: Volume,
    /// In order of writing.
    unsynced: Vec<Unsynced>,
    /// An image of the volume that it may be rolled back to.
    pub image: Option<(Micros, Box<Volume>)>,
    /// Every operation fails.
    pub fails: bool,
}

impl Store {
    /// A store that begins with what a volume holds.
    pub(crate) fn on(volume: Volume) -> Self {
        Self { volume, ..Self::default() }
    }

    /// Writes messages, without a sync. Gives one that was written before, if any.
    pub(crate) fn append(&mut self, token: Token, messages: Vec<Number>) -> Option<Number> {
        let again = messages.iter().copied().find(|number| self.has(*number));
        self.unsynced.push(Unsynced { token, messages, body: None });
        again
    }

    /// Whether a message was written, synced or not.
    pub(crate) fn has(&self, number: Number) -> bool {
        self.volume.messages.contains(number) || self.unsynced.iter().any(|write| write.messages.contains(&number))
    }

    pub(crate) fn put_body(&mut self, token: Token, id: TransactionId) {
        self.unsynced.push(Unsynced { token, messages: Vec::new(), body: Some(id) });
    }

    pub(crate) fn has_body(&self, id: &TransactionId) -> bool {
        self.volume.bodies.contains(id) || self.unsynced.iter().any(|write| write.body.as_ref() == Some(id))
    }

    /// The sync of a write is done: it and all before it are durable.
    pub(crate) fn synced(&mut self, token: Token) {
        let Some(last) = self.unsynced.iter().position(|write| write.token == token) else { return };
        for write in self.unsynced.drain(..=last) {
            keep(&mut self.volume, write);
        }
    }

    /// The machine loses power, or the process is killed: of what was not synced the first `kept` writes happen to be
    /// on the disk.
    pub(crate) fn crash(&mut self, kept: usize) {
        for write in self.unsynced.drain(..).take(kept) {
            keep(&mut self.volume, write);
        }
    }

    pub(crate) fn unsynced(&self) -> usize {
        self.unsynced.len()
    }
}

fn keep(volume: &mut Volume, write: Unsynced) {
    volume.messages.insert_all(write.messages);
    volume.bodies.extend(write.body);
}

#[cfg(test)]
mod tests {
    use super::Store;
    use peerwright_engine::Token;

    #[test]
    fn what_was_not_synced_is_lost_in_a_crash_but_for_a_prefix() {
        let mut store = Store::default();
        assert_eq!(store.append(Token(1), vec![1, 70]), None);
        store.synced(Token(1));
        assert_eq!(store.append(Token(2), vec![2]), None);
        assert_eq!(store.append(Token(3), vec![3]), None);
        store.crash(1);
        let holds: Vec<u32> = (0..100).filter(|number| store.volume.messages.contains(*number)).collect();
        assert_eq!(holds, [1, 2, 70]);
    }

    #[test]
    fn writing_again_is_noticed_before_and_after_the_sync() {
        let mut store = Store::default();
        assert_eq!(store.append(Token(1), vec![5]), None);
        assert_eq!(store.append(Token(2), vec![5]), Some(5));
        store.synced(Token(2));
        assert_eq!(store.append(Token(3), vec![5]), Some(5));
    }
}

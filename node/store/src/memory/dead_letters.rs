//! The model's dead letters.

use crate::{DeadLetter, ListedDeadLetter, MAX_DEAD_LETTERS};
use peerwright_ledger::{RegisterId, TransactionId};
use std::collections::BTreeMap;

/// By position.
#[derive(Debug, Default)]
pub(super) struct DeadLetters {
    letters: BTreeMap<u64, DeadLetter>,
    last_position: u64,
}

impl DeadLetters {
    pub(super) fn bury(&mut self, letters: Vec<DeadLetter>) -> Vec<(RegisterId, TransactionId)> {
        for letter in letters {
            self.exhume(&[(letter.register, letter.id)]);
            self.last_position += 1;
            self.letters.insert(self.last_position, letter);
        }
        let mut gone = Vec::new();
        while self.letters.len() > usize::try_from(MAX_DEAD_LETTERS).unwrap_or(usize::MAX) {
            gone.extend(self.letters.pop_first().map(|(_, letter)| (letter.register, letter.id)));
        }
        gone
    }

    pub(super) fn exhume(&mut self, wanted: &[(RegisterId, TransactionId)]) -> u64 {
        let before = self.letters.len();
        self.letters.retain(|_, letter| !wanted.contains(&(letter.register, letter.id)));
        (before - self.letters.len()) as u64
    }

    pub(super) fn purge(&mut self, register: RegisterId) {
        self.letters.retain(|_, letter| letter.register != register);
    }

    pub(super) fn find(&self, register: RegisterId, id: TransactionId) -> Option<DeadLetter> {
        self.letters.values().find(|letter| (letter.register, letter.id) == (register, id)).cloned()
    }

    pub(super) fn list(&self, register: RegisterId, after: Option<u64>, limit: usize) -> Vec<ListedDeadLetter> {
        let first = after.map_or(0, |after| after.saturating_add(1));
        let rows = self.letters.range(first..).filter(|(_, letter)| letter.register == register).take(limit);
        rows.map(|(position, letter)| ListedDeadLetter { position: *position, letter: letter.clone() }).collect()
    }
}

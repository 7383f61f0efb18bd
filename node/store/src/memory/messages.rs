//! What is held of streams, and what of that was let go of.

use super::state::{State, Stream};
use crate::{Held, ListedMessage, MessageRange, Purged, message::Contents};
use peerwright_ledger::{Message, RegisterId};
use std::collections::{BTreeMap, BTreeSet};

/// The messages of one stream.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) messages: BTreeMap<u64, Message>,
    /// The numbers of those that were let go of.
    pub(super) gone: BTreeSet<u64>,
}

impl State {
    pub(super) fn held(&self, registers: &[RegisterId]) -> Vec<Held> {
        self.rows(registers, |stored| {
            let held: BTreeSet<u64> = stored.messages.keys().chain(&stored.gone).copied().collect();
            coalesce(held)
        })
    }

    pub(super) fn gone(&self, registers: &[RegisterId]) -> Vec<Held> {
        self.rows(registers, |stored| coalesce(stored.gone.iter().copied()))
    }

    fn rows(&self, registers: &[RegisterId], ranges: impl Fn(&Stored) -> Vec<(u64, u64)>) -> Vec<Held> {
        let wanted = self.streams.iter().filter(|((register, _, _), _)| registers.contains(register));
        let rows = wanted.map(|((register, origin, incarnation), stored)| Held {
            register: *register,
            origin: *origin,
            incarnation: *incarnation,
            ranges: ranges(stored),
        });
        rows.filter(|row| !row.ranges.is_empty()).collect()
    }

    pub(super) fn let_go(&mut self, ranges: &[MessageRange]) -> Purged {
        let (mut places, mut removed) = (BTreeSet::new(), Purged::default());
        // The map refuses to look at a range that ends before it begins.
        for range in ranges.iter().filter(|range| range.from <= range.to) {
            let stream = (range.register, range.origin, range.incarnation);
            let stored = self.streams.get(&stream).into_iter();
            let numbers = stored.flat_map(|stored| stored.messages.range(range.from..=range.to));
            places.extend(numbers.map(|(number, _)| (stream, *number)));
        }
        self.order.retain(|_, place| !places.contains(place));
        for place in places {
            self.let_one_go(place, &mut removed);
        }
        removed
    }

    fn let_one_go(&mut self, place: (Stream, u64), removed: &mut Purged) {
        let Some(stored) = self.streams.get_mut(&place.0) else { return };
        let Some(message) = stored.messages.remove(&place.1) else { return };
        stored.gone.insert(place.1);
        let body = message.body();
        self.by_sequence.remove(&(body.origin, body.incarnation, body.sequence));
        removed.messages += 1;
        // What is stored was readable.
        let Ok(contents) = Contents::read(message.encoded().clone()) else { return };
        for id in contents.transactions {
            removed.transactions += u64::from(self.unlist(place, id));
            let is_of_register = self.bodies.get(&id).is_some_and(|(of, _)| *of == place.0.0);
            if contents.is_announced && is_of_register && self.bodies.remove(&id).is_some() {
                removed.bodies += 1;
            }
        }
    }

    pub(super) fn messages_after(&self, after: Option<u64>, limit: usize) -> Vec<ListedMessage> {
        let first = after.map_or(0, |after| after.saturating_add(1));
        let rows = self.order.range(first..).take(limit);
        rows.filter_map(|(position, place)| {
            let message = self.at(*place)?;
            let (register, origin, incarnation) = place.0;
            let transactions = Contents::read(message.encoded().clone()).ok()?.transactions;
            let register_sequence = place.1;
            Some(ListedMessage { position: *position, register, origin, incarnation, register_sequence, transactions })
        })
        .collect()
    }

    pub(super) fn newest_message(&self) -> Option<u64> {
        self.order.last_key_value().map(|(position, _)| *position)
    }
}

/// Ranges of ascending numbers, both ends inclusive.
fn coalesce(numbers: impl IntoIterator<Item = u64>) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    ranges
}

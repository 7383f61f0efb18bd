//! What this node has accepted of one register and does not know the fate of: pure, by the places of its own messages.
//!
//! ```text
//! own messages:  1 2 3 4 5 6 7 8 9
//!                    ▲ mark    ▲ read      up to the mark everything is settled, up to here everything is known
//!                      4   6 7             open, in this order
//! ```

use crate::registers::marks::KeptMark;
use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_ledger::TransactionId;
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};
use tokio::time::Instant;

/// The longest pause between two times that a transaction is handed in.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// Up to where this node's own messages are done with: a life of its process, and the number within it and the register.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub(super) incarnation: u64,
    pub(super) sequence: u64,
}

impl KeptMark for Mark {
    fn write(self, writer: &mut Writer) {
        writer.u64(self.incarnation).u64(self.sequence);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { incarnation: reader.u64("incarnation")?, sequence: reader.u64("sequence")? })
    }
}

/// Where a transaction is among this node's own messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) message: Mark,
    /// Its number within the message.
    pub(super) entry: usize,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    place: Place,
    valid_until: u64,
    attempts: u32,
    due: Instant,
}

/// The open transactions of one register.
#[derive(Debug)]
pub(super) struct Lane {
    /// Lives whose messages are to be read, the last of them this one's.
    lives: VecDeque<u64>,
    read: Mark,
    order: BTreeMap<Place, TransactionId>,
    open: BTreeMap<TransactionId, Open>,
    /// No sealer was reached: nothing is handed in before.
    paused_until: Option<Instant>,
    failures: u32,
}

impl Lane {
    /// Nothing is known behind `mark`; these are the former lives in which this node wrote something, and its own now.
    pub(super) fn new(mark: Mark, former: impl IntoIterator<Item = u64>, own: u64) -> Self {
        let former = former.into_iter().filter(|life| *life >= mark.incarnation && *life != own);
        let lives = former.chain([own]).collect();
        Self { lives, read: mark, order: BTreeMap::new(), open: BTreeMap::new(), paused_until: None, failures: 0 }
    }

    /// The life that is read, and behind which of its messages.
    pub(super) fn cursor(&self) -> Mark {
        let incarnation = self.lives.front().copied().unwrap_or(self.read.incarnation);
        let sequence = if incarnation == self.read.incarnation { self.read.sequence } else { 0 };
        Mark { incarnation, sequence }
    }

    /// Whether all former lives are read.
    pub(super) fn is_current(&self) -> bool {
        self.lives.len() <= 1
    }

    /// All messages through this one are known.
    pub(super) fn set_read(&mut self, through: Mark) {
        self.read = self.read.max(through);
    }

    /// There is nothing more of the life that is read.
    pub(super) fn next_life(&mut self) {
        if !self.is_current() {
            self.lives.pop_front();
        }
    }

    /// Takes a transaction in; whether it is new.
    pub(super) fn take(&mut self, id: TransactionId, place: Place, valid_until: u64, due: Instant) -> bool {
        if self.open.contains_key(&id) {
            return false;
        }
        self.order.insert(place, id);
        self.open.insert(id, Open { place, valid_until, attempts: 0, due });
        true
    }

    pub(super) fn contains(&self, id: &TransactionId) -> bool {
        self.open.contains_key(id)
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// It is known what became of a transaction; whether it was open.
    pub(super) fn settle(&mut self, id: &TransactionId) -> bool {
        let Some(open) = self.open.remove(id) else { return false };
        self.order.remove(&open.place);
        true
    }

    /// Everything through here is settled.
    pub(super) fn mark(&self) -> Mark {
        match self.order.first_key_value() {
            Some((Place { message: Mark { incarnation, sequence }, .. }, _)) => {
                Mark { incarnation: *incarnation, sequence: sequence.saturating_sub(1) }.min(self.read)
            }
            None => self.read,
        }
    }

    /// At most so many that are due, in their order.
    pub(super) fn due(&self, now: Instant, most: usize) -> Vec<TransactionId> {
        if self.paused_until.is_some_and(|until| until > now) {
            return Vec::new();
        }
        let is_due = |id: &&TransactionId| self.open.get(*id).is_some_and(|open| open.due <= now);
        self.order.values().filter(is_due).take(most).copied().collect()
    }

    /// Those whose time is over.
    pub(super) fn expired(&self, now_micros: u64) -> Vec<(TransactionId, u64)> {
        let expired = self.open.iter().filter(|(_, open)| open.valid_until <= now_micros);
        expired.map(|(id, open)| (*id, open.valid_until)).collect()
    }

    /// A sealer has these: they are handed in again only after a while, each time twice as long.
    pub(super) fn postpone(&mut self, ids: &[TransactionId], now: Instant, first: Duration) {
        for id in ids {
            if let Some(open) = self.open.get_mut(id) {
                open.due = now + pause(first, open.attempts);
                open.attempts = open.attempts.saturating_add(1);
            }
        }
        (self.paused_until, self.failures) = (None, 0);
    }

    /// No sealer was reached.
    pub(super) fn failed(&mut self, now: Instant, first: Duration) {
        self.paused_until = Some(now + pause(first, self.failures));
        self.failures = self.failures.saturating_add(1);
    }
}

fn pause(first: Duration, attempts: u32) -> Duration {
    first.saturating_mul(2u32.saturating_pow(attempts)).min(MAX_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn id(number: u8) -> TransactionId {
        TransactionId::from_bytes([number; 32])
    }

    fn mark(incarnation: u64, sequence: u64) -> Mark {
        Mark { incarnation, sequence }
    }

    fn place(sequence: u64, entry: usize) -> Place {
        Place { message: mark(5, sequence), entry }
    }

    #[test]
    fn former_lives_are_read_from_the_mark_on_and_then_this_one() {
        let mut lane = Lane::new(mark(3, 7), [2, 3, 4, 5], 5);
        assert_eq!((lane.cursor(), lane.is_current()), (mark(3, 7), false));
        lane.set_read(mark(3, 9));
        assert_eq!(lane.cursor(), mark(3, 9));
        lane.next_life();
        assert_eq!(lane.cursor(), mark(4, 0));
        lane.next_life();
        assert_eq!((lane.cursor(), lane.is_current()), (mark(5, 0), true));
        lane.next_life();
        assert_eq!(lane.cursor(), mark(5, 0));
    }

    #[test]
    fn the_mark_stays_before_the_first_that_is_open() {
        let (mut lane, now) = (Lane::new(Mark::default(), [], 5), Instant::now());
        for (number, place) in [(1, place(2, 0)), (2, place(2, 1)), (3, place(4, 0))] {
            assert!(lane.take(id(number), place, 10, now));
        }
        assert!(!lane.take(id(1), place(9, 0), 10, now));
        lane.set_read(mark(5, 9));

        assert_eq!(lane.mark(), mark(5, 1));
        assert!(lane.settle(&id(1)) && !lane.settle(&id(1)));
        assert_eq!(lane.mark(), mark(5, 1));
        assert!(lane.settle(&id(2)));
        assert_eq!(lane.mark(), mark(5, 3));
        assert!(lane.settle(&id(3)));
        assert_eq!((lane.mark(), lane.len()), (mark(5, 9), 0));
    }

    #[test]
    fn what_is_due_comes_in_order_and_comes_later_each_time() {
        let (mut lane, now) = (Lane::new(Mark::default(), [], 5), Instant::now());
        lane.take(id(9), place(1, 0), 10, now);
        lane.take(id(1), place(2, 0), 20, now);
        lane.take(id(5), place(3, 0), 30, now + SECOND);

        assert_eq!(lane.due(now, 8), [id(9), id(1)]);
        assert_eq!(lane.due(now + SECOND, 2), [id(9), id(1)]);
        assert_eq!(lane.due(now + SECOND, 8), [id(9), id(1), id(5)]);
        lane.postpone(&[id(9)], now, 2 * SECOND);
        lane.postpone(&[id(9)], now, 2 * SECOND);
        assert_eq!(lane.due(now + 3 * SECOND, 8), [id(1), id(5)]);
        assert_eq!(lane.due(now + 4 * SECOND, 8), [id(9), id(1), id(5)]);
        assert_eq!(lane.expired(20), [(id(1), 20), (id(9), 10)]);
    }

    #[test]
    fn while_no_sealer_is_reached_nothing_is_due_but_never_for_longer_than_a_minute() {
        let (mut lane, now) = (Lane::new(Mark::default(), [], 5), Instant::now());
        lane.take(id(1), place(1, 0), 10, now);
        for _ in 0..40 {
            lane.failed(now, SECOND);
        }
        assert!(lane.due(now + 59 * SECOND, 8).is_empty());
        assert_eq!(lane.due(now + 60 * SECOND, 8), [id(1)]);
        lane.postpone(&[], now, SECOND);
        assert_eq!(lane.due(now, 8), [id(1)]);
    }
}

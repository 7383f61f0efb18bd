//! Which messages of one origin's life were seen: exact, and never sliding past a hole.
//!
//! ```text
//! sequence   1 ........ contiguous | hole | above | hole | above
//!            seen, or below the      not    seen    not    seen
//!            origin's signed floor   seen           seen
//! ```
//!
//! A hole closes when its message arrives, by gossip or by sync, or when the origin's floor passes it.

use super::Untracked;
use crate::{
    Micros,
    bounds::{CLOCK_SKEW, MAX_FETCHES, MAX_SEEN_RANGES},
    ranges::Ranges,
};
use peerwright_ledger::MessageBody;

/// One origin's life.
#[derive(Debug)]
pub(crate) struct Life {
    pub incarnation: u64,
    contiguous: u64,
    above: Ranges,
    /// Holes below are left to sync: history, and what nobody near keeps any more.
    start: u64,
    /// Messages that are seen and cannot be passed on yet, because they announce a body that is not here.
    withheld: Vec<u64>,
    /// When, by the wall clock, no message of it can travel any more.
    pub until: Micros,
    /// It was told that the origin lives twice.
    pub is_told_double: bool,
}

impl Life {
    /// The life that `message` is the first to be heard of: what lies below the message's floor is not missed.
    pub(super) fn beginning_with(message: &MessageBody, history: u64) -> Self {
        Self {
            incarnation: message.incarnation,
            contiguous: message.floor.saturating_sub(1),
            above: Ranges::default(),
            start: message.sequence.saturating_sub(history),
            withheld: Vec::new(),
            until: Micros(0),
            is_told_double: false,
        }
    }

    pub(crate) fn has_seen(&self, sequence: u64) -> bool {
        sequence <= self.contiguous || self.above.contains(sequence)
    }

    /// Remembers a verified message; says whether it is new.
    pub(super) fn insert(&mut self, message: &MessageBody) -> Result<bool, Untracked> {
        self.until = self.until.max(Micros(message.expires_at_micros) + CLOCK_SKEW * 2);
        let was_seen = self.has_seen(message.sequence);
        self.contiguous = self.contiguous.max(message.floor.saturating_sub(1));
        self.absorb();
        if was_seen {
            return Ok(false);
        }
        if self.above.length_with(message.sequence) > MAX_SEEN_RANGES {
            return Err(Untracked::Behind);
        }
        self.above.insert(message.sequence);
        self.absorb();
        Ok(true)
    }

    /// Makes what follows `contiguous` without a hole part of it.
    fn absorb(&mut self) {
        self.above.remove_range(0, self.contiguous);
        if let Some((from, to)) = self.above.as_slice().first().copied()
            && from == self.contiguous.saturating_add(1)
        {
            self.contiguous = to;
            self.above.remove_range(from, to);
        }
    }

    /// The first hole up to `through` that gossip has to fill.
    pub(crate) fn first_hole(&self, through: u64) -> Option<(u64, u64)> {
        let mut from = self.contiguous.saturating_add(1).max(self.start);
        for (seen_from, seen_to) in self.above.as_slice() {
            if from < *seen_from {
                break;
            }
            from = from.max(seen_to.saturating_add(1));
        }
        let next = self.above.as_slice().iter().map(|(seen_from, _)| *seen_from).find(|seen_from| *seen_from > from);
        let to = next.map_or(through, |next| through.min(next - 1));
        (from <= to && !self.has_seen(from)).then_some((from, to))
    }

    /// Nobody who was asked keeps what lies below `floor`: the first hole is left to sync, as far as it does.
    pub(crate) fn leave_to_sync(&mut self, floor: u64) {
        if let Some((_, to)) = self.first_hole(floor.saturating_sub(1)) {
            self.start = self.start.max(to.saturating_add(1));
        }
    }

    /// Up to where there is no hole but those that are left to sync, and everything may be passed on.
    pub(crate) fn announceable(&self) -> u64 {
        let above = self.above.as_slice().iter().find(|(from, to)| *from <= self.start && self.start <= *to);
        let whole = above.map_or(self.contiguous, |(_, to)| *to);
        self.withheld.first().map_or(whole, |first| whole.min(first.saturating_sub(1)))
    }

    /// The message cannot be passed on yet. More than there can be bodies under way are not told apart from others.
    pub(crate) fn withhold(&mut self, sequence: u64) {
        if let Err(place) = self.withheld.binary_search(&sequence)
            && self.withheld.len() < MAX_FETCHES
        {
            self.withheld.insert(place, sequence);
        }
    }

    /// The message may be passed on, or never will be.
    pub(crate) fn release(&mut self, sequence: u64) {
        if let Ok(place) = self.withheld.binary_search(&sequence) {
            self.withheld.remove(place);
        }
    }

    pub(crate) fn is_withheld(&self, sequence: u64) -> bool {
        self.withheld.binary_search(&sequence).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Life;
    use crate::gossip::tests::message;

    fn life_with(sequences: &[u64]) -> Life {
        let mut life = Life::beginning_with(&message(1, sequences[0], 1), 64);
        for sequence in sequences {
            life.insert(&message(1, *sequence, 1)).unwrap();
        }
        life
    }

    #[test]
    fn a_hole_that_nobody_keeps_is_left_to_sync_and_holds_no_announcement_up() {
        let mut life = life_with(&[1, 2, 6, 7, 9]);
        assert_eq!((life.first_hole(9), life.announceable()), (Some((3, 5)), 2));
        life.leave_to_sync(5);
        assert_eq!((life.first_hole(9), life.announceable()), (Some((5, 5)), 2), "somebody keeps 5");
        life.leave_to_sync(u64::MAX);
        assert_eq!((life.first_hole(9), life.announceable()), (Some((8, 8)), 7));
        assert!(!life.has_seen(4), "it may still come");
        life.insert(&message(1, 8, 1)).unwrap();
        assert_eq!((life.first_hole(9), life.announceable()), (None, 9));
    }

    #[test]
    fn what_cannot_be_given_yet_is_not_announced() {
        let mut life = life_with(&[1, 2, 3]);
        life.withhold(2);
        assert_eq!((life.announceable(), life.is_withheld(2)), (1, true));
        life.release(2);
        assert_eq!(life.announceable(), 3);
    }
}

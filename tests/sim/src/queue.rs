//! What is going to happen, in the order (time, who caused it, that one's own count).
//!
//! That order does not depend on how nodes are spread over threads: what one node sees is a merge of what the others
//! sent, each in its own order. A calendar of buckets keeps the part that is sorted small:
//!
//! ```text
//!  sorted now │ ring of 1 ms buckets, unsorted, for the next 4 s │ later: a map of buckets
//! ```

use crate::event::Event;
use peerwright_engine::Micros;
use std::collections::{BTreeMap, BinaryHeap};

/// 2^10 microseconds a bucket.
const BUCKET_BITS: u32 = 10;
const RING: u64 = 4_096;

/// A queue of events.
#[derive(Debug)]
pub(crate) struct Queue {
    current: BinaryHeap<Event>,
    /// The bucket that `current` holds; all before it are empty.
    cursor: u64,
    ring: Vec<Vec<Event>>,
    later: BTreeMap<u64, Vec<Event>>,
    in_ring: usize,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self {
            current: BinaryHeap::new(),
            cursor: 0,
            ring: (0..RING).map(|_| Vec::new()).collect(),
            later: BTreeMap::new(),
            in_ring: 0,
        }
    }

    pub(crate) fn push(&mut self, event: Event) {
        let bucket = event.at.0 >> BUCKET_BITS;
        if bucket <= self.cursor {
            self.current.push(event);
        } else if bucket < self.cursor + RING {
            self.in_ring += 1;
            self.slot(bucket).push(event);
        } else {
            self.later.entry(bucket).or_default().push(event);
        }
    }

    /// Takes out the next event that happens before `end`.
    pub(crate) fn pop_before(&mut self, end: Micros) -> Option<Event> {
        while self.current.is_empty() {
            if !self.advance(end.0.saturating_sub(1) >> BUCKET_BITS) {
                return None;
            }
        }
        if self.current.peek()?.at >= end {
            return None;
        }
        self.current.pop()
    }

    /// Moves on to the next bucket that holds something, but not behind `last`; whether there is one.
    fn advance(&mut self, last: u64) -> bool {
        if self.in_ring == 0 {
            let next = self.later.keys().next().copied().unwrap_or(u64::MAX);
            if next > last {
                return false;
            }
            self.cursor = self.cursor.max(next.saturating_sub(1));
        }
        while self.cursor < last {
            self.cursor += 1;
            // What has come within reach of the ring moves into it.
            let horizon = self.cursor + RING;
            while let Some(entry) = self.later.first_entry().filter(|entry| *entry.key() < horizon) {
                let (bucket, events) = entry.remove_entry();
                self.in_ring += events.len();
                self.slot(bucket).extend(events);
            }
            let cursor = self.cursor;
            if !self.slot(cursor).is_empty() {
                let spare = std::mem::take(&mut self.current).into_vec();
                let events = std::mem::replace(self.slot(cursor), spare);
                self.in_ring -= events.len();
                self.current = BinaryHeap::from(events);
                return true;
            }
        }
        false
    }

    fn slot(&mut self, bucket: u64) -> &mut Vec<Event> {
        let place = usize::try_from(bucket % RING).unwrap_or(0);
        &mut self.ring[place]
    }
}

#[cfg(test)]
mod tests {
    use super::Queue;
    use crate::{
        event::{Event, What},
        random::Random,
    };
    use peerwright_engine::Micros;

    #[test]
    fn events_come_in_their_order_whatever_the_order_of_pushing() {
        let mut random = Random::new(1, 0);
        let (mut queue, mut now, mut expected, mut number) = (Queue::new(), 0, Vec::new(), 0);
        let mut seen = Vec::new();
        for _ in 0..2_000 {
            for _ in 0..random.below(4) {
                let reach = [100, 5_000, 3_000_000, 60_000_000][random.place(4)];
                number += 1;
                let at = now + random.below(reach);
                let from = u32::try_from(random.below(3)).unwrap();
                expected.push((at, from, number));
                queue.push(Event { at: Micros(at), from, number, to: 0, what: What::Timer });
            }
            now += random.below(50_000);
            while let Some(event) = queue.pop_before(Micros(now)) {
                assert!(event.at < Micros(now));
                seen.push((event.at.0, event.from, event.number));
            }
        }
        while let Some(event) = queue.pop_before(Micros(u64::MAX)) {
            seen.push((event.at.0, event.from, event.number));
        }
        expected.sort_unstable();
        assert_eq!(seen, expected);
    }
}

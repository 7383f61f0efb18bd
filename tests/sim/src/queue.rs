//! What is going to happen.
//!
//! ```text
//!  due, unsorted │ ring of 1 ms buckets, unsorted, for the next 4 s │ later: a map of buckets
//!      └─▶ what happens before the end of a window is taken out all at once, and ordered by whoever takes it
//! ```

use crate::event::Event;
use peerwright_engine::Micros;
use std::collections::BTreeMap;

/// 2^10 microseconds a bucket.
const BUCKET_BITS: u32 = 10;
const RING: u64 = 4_096;
/// Buckets whose room is kept. One that grew beyond so many events is not: a moment in which much happened would be paid
/// for in all buckets for ever.
const SPARE: usize = 64;
const SPARE_EVENTS: usize = 4_096;

/// A queue of events.
#[derive(Debug)]
pub(crate) struct Queue {
    /// What happens in the bucket `cursor` or before.
    due: Vec<Event>,
    cursor: u64,
    ring: Vec<Vec<Event>>,
    later: BTreeMap<u64, Vec<Event>>,
    in_ring: usize,
    /// Room of buckets that are over, for those that begin: a bucket of the ring that is empty has none.
    spare: Vec<Vec<Event>>,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self {
            due: Vec::new(),
            cursor: 0,
            ring: (0..RING).map(|_| Vec::new()).collect(),
            later: BTreeMap::new(),
            in_ring: 0,
            spare: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, event: Event) {
        let bucket = event.at.0 >> BUCKET_BITS;
        if bucket <= self.cursor {
            self.due.push(event);
        } else if bucket < self.cursor + RING {
            self.in_ring += 1;
            let spare = &mut self.spare;
            let events = slot(&mut self.ring, bucket);
            if events.capacity() == 0 {
                *events = spare.pop().unwrap_or_default();
            }
            events.push(event);
        } else {
            self.later.entry(bucket).or_default().push(event);
        }
    }

    /// Takes out all that happens before `end`, in no order.
    pub(crate) fn take_before(&mut self, end: Micros, taken: &mut Vec<Event>) {
        self.advance(end.0.saturating_sub(1) >> BUCKET_BITS);
        taken.extend(self.due.extract_if(.., |event| event.at < end));
    }

    /// Moves on to the bucket `last`.
    fn advance(&mut self, last: u64) {
        while self.cursor < last {
            if self.in_ring == 0 {
                // Nothing is near: on to what is far, or to the end.
                let next = self.later.keys().next().map_or(last, |next| (next - 1).min(last - 1));
                self.cursor = self.cursor.max(next);
            }
            self.cursor = (self.cursor + 1).min(last);
            // What has come within reach of the ring moves into it.
            let horizon = self.cursor + RING;
            while let Some(entry) = self.later.first_entry().filter(|entry| *entry.key() < horizon) {
                let (bucket, events) = entry.remove_entry();
                self.in_ring += events.len();
                slot(&mut self.ring, bucket).extend(events);
            }
            let mut events = std::mem::take(slot(&mut self.ring, self.cursor));
            self.in_ring -= events.len();
            self.due.append(&mut events);
            if self.spare.len() < SPARE && (1..=SPARE_EVENTS).contains(&events.capacity()) {
                self.spare.push(events);
            }
        }
    }
}

fn slot(ring: &mut [Vec<Event>], bucket: u64) -> &mut Vec<Event> {
    let place = usize::try_from(bucket % RING).unwrap_or(0);
    &mut ring[place]
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
    fn each_event_is_taken_once_and_with_the_window_that_it_is_in() {
        let mut random = Random::new(1, 0);
        let (mut queue, mut from, mut expected, mut number) = (Queue::new(), 0, Vec::new(), 0);
        let (mut seen, mut taken) = (Vec::new(), Vec::new());
        let mut take = |queue: &mut Queue, from: u64, to: u64| {
            queue.take_before(Micros(to), &mut taken);
            taken.sort_unstable_by_key(|event| (event.at, event.from, event.number));
            for event in taken.drain(..) {
                assert!((from..to).contains(&event.at.0), "{event:?} is not in {from}..{to}");
                seen.push((event.at.0, event.from, event.number));
            }
        };
        for _ in 0..2_000 {
            for _ in 0..random.below(4) {
                let reach = [100, 5_000, 3_000_000, 60_000_000][random.place(4)];
                number += 1;
                let at = from + random.below(reach);
                let sender = u32::try_from(random.below(3)).unwrap();
                expected.push((at, sender, number));
                queue.push(Event { at: Micros(at), from: sender, number, to: 0, what: What::Timer });
            }
            let to = from + random.below(50_000);
            take(&mut queue, from, to);
            from = to;
        }
        take(&mut queue, from, u64::MAX);
        expected.sort_unstable();
        assert_eq!(seen, expected);
    }
}

//! Times of timers of which there are many.
//!
//! ```text
//! times   when each runs out                                   the truth
//! queue   a heap of (when, which), none of them too late       some of them moved or cancelled since: dropped when met
//! ```

use super::Timer;
use crate::Micros;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, btree_map::Entry},
};

/// At most one time for each timer.
#[derive(Debug)]
pub(super) struct Queue {
    times: BTreeMap<Timer, Time>,
    heap: BinaryHeap<Reverse<(Micros, Timer)>>,
    /// The heap's first entry is known to be true, or there is none: most looks change nothing.
    is_settled: bool,
}

#[derive(Debug)]
struct Time {
    at: Micros,
    /// The entry of the heap that will lead here: not behind `at`.
    queued: Micros,
}

/// The heap is made anew when it has so many times as many entries as there are timers, and a few.
const STALE: usize = 2;
const FEW: usize = 32;

impl Default for Queue {
    fn default() -> Self {
        Self { times: BTreeMap::new(), heap: BinaryHeap::new(), is_settled: true }
    }
}

impl Queue {
    /// Sets or moves a timer.
    pub(super) fn set(&mut self, timer: Timer, at: Micros) {
        self.unsettle(timer);
        match self.times.entry(timer) {
            Entry::Occupied(mut time) => {
                let time = time.get_mut();
                time.at = at;
                if time.queued <= at {
                    return;
                }
                time.queued = at;
            }
            Entry::Vacant(vacant) => {
                vacant.insert(Time { at, queued: at });
            }
        }
        self.heap.push(Reverse((at, timer)));
        self.tidy();
    }

    pub(super) fn cancel(&mut self, timer: Timer) {
        self.unsettle(timer);
        self.times.remove(&timer);
    }

    /// When a timer runs out.
    pub(super) fn at(&self, timer: Timer) -> Option<Micros> {
        self.times.get(&timer).map(|time| time.at)
    }

    /// The timer that runs out first, and when.
    pub(super) fn first(&mut self) -> Option<(Micros, Timer)> {
        if !self.is_settled {
            self.settle();
        }
        self.heap.peek().map(|Reverse(first)| *first)
    }

    /// Takes out the timer that runs out first.
    pub(super) fn pop(&mut self) {
        if let Some((_, timer)) = self.first() {
            self.is_settled = false;
            self.heap.pop();
            self.times.remove(&timer);
        }
    }

    /// Reads what [`Queue::first`] will look at.
    pub(super) fn touch(&self) -> u64 {
        self.heap.peek().map_or(0, |Reverse((at, _))| at.0)
    }

    /// What is done with the timer that comes first may make another the first.
    fn unsettle(&mut self, timer: Timer) {
        self.is_settled &= self.heap.peek().is_none_or(|Reverse((_, first))| *first != timer);
    }

    /// Drops and moves entries until the first one is true.
    fn settle(&mut self) {
        self.is_settled = true;
        while let Some(Reverse((at, timer))) = self.heap.peek().copied() {
            let time = self.times.get_mut(&timer).filter(|time| time.queued == at);
            match time {
                Some(time) if time.at == at => return,
                Some(time) => {
                    time.queued = time.at;
                    let moved = Reverse((time.at, timer));
                    if let Some(mut first) = self.heap.peek_mut() {
                        *first = moved;
                    }
                }
                None => {
                    self.heap.pop();
                }
            }
        }
    }

    /// Timers that are set and cancelled again and again leave no more behind than there are timers.
    fn tidy(&mut self) {
        if self.heap.len() > STALE * self.times.len() + FEW {
            self.heap = self.times.iter().map(|(timer, time)| Reverse((time.at, *timer))).collect();
            self.times.values_mut().for_each(|time| time.queued = time.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FEW, Queue, STALE};
    use crate::{LinkId, Micros, timers::Timer};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn whatever_is_set_moved_and_cancelled_the_earliest_comes_first(
            steps in prop::collection::vec((0..5u8, 0..5u64, 0..50u64), 0..300),
        ) {
            let (mut queue, mut expected, mut now) = (Queue::default(), BTreeMap::new(), 0);
            for (step, link, wait) in steps {
                let (timer, at) = (Timer::Link(LinkId(link)), Micros(now + wait));
                match step {
                    0 | 1 => {
                        queue.set(timer, at);
                        expected.insert(timer, at);
                    }
                    2 => {
                        queue.cancel(timer);
                        expected.remove(&timer);
                    }
                    3 => now += wait,
                    _ => {
                        let first = expected.iter().map(|(timer, at)| (*at, *timer)).min();
                        queue.pop();
                        first.map(|(_, timer)| expected.remove(&timer));
                    }
                }
                prop_assert_eq!(queue.first(), expected.iter().map(|(timer, at)| (*at, *timer)).min());
                prop_assert_eq!(queue.at(timer), expected.get(&timer).copied());
                prop_assert!(queue.heap.len() <= STALE * expected.len() + FEW + 1);
            }
        }
    }
}

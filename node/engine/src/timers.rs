//! What is to be looked at, and when. The driver knows one timer: the earliest of these.

use crate::{LinkId, Micros, overlay::Chore};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, btree_map::Entry},
};

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The oldest open batch has waited long enough.
    Batch,
    /// Addresses may be dialled, or dials have taken too long.
    Dial,
    /// Something is to be done for the views.
    Upkeep(Chore),
    /// A ban ends.
    BanExpiry,
    /// Somebody who was kept away may come back.
    Pause,
    /// A link may need a keepalive, or be dead.
    Link(LinkId),
    /// A link is due its state heartbeat.
    Heartbeat(LinkId),
    /// A peer has not answered a request of sync.
    Answer(LinkId),
    /// Links are to be told what sync has brought.
    Offer,
    /// Holes have waited long enough.
    Gaps,
    /// Links are to be told how far this node has come.
    Announce,
    /// What was announced has not come, or a Graft was not answered.
    Graft,
    /// Fetches of bodies may have stalled.
    Fetch,
    /// Readiness may have come by waiting.
    Ready,
    /// A failed operation of the store is to be tried again.
    Store,
    /// What is new of members is to be passed on.
    Spread,
    /// Members are to be compared with a neighbour's.
    Reconcile,
    /// A suspicion has had its time.
    Suspicion,
    /// The case of an accused member is to come further.
    Case,
    /// Searches for holders may begin, or wait for answers that do not come.
    Directory,
    /// Quiet origins may be forgotten.
    Sweep,
}

/// At most one time for each timer.
///
/// ```text
/// times   when each runs out                                   the truth
/// queue   a heap of (when, which), none of them too late       some of them moved or cancelled since: dropped when met
/// ```
#[derive(Debug, Default)]
pub(crate) struct Timers {
    times: BTreeMap<Timer, Time>,
    queue: BinaryHeap<Reverse<(Micros, Timer)>>,
}

#[derive(Debug)]
struct Time {
    at: Micros,
    /// The entry of the queue that will lead here: not behind `at`.
    queued: Micros,
}

/// The queue is made anew when it has so many times as many entries as there are timers, and a few.
const STALE: usize = 2;
const FEW: usize = 32;

impl Timers {
    /// Sets or moves a timer.
    pub(crate) fn set(&mut self, timer: Timer, at: Micros) {
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
        self.queue.push(Reverse((at, timer)));
        self.tidy();
    }

    /// Sets a timer unless it runs out earlier anyway.
    pub(crate) fn set_no_later(&mut self, timer: Timer, at: Micros) {
        if self.times.get(&timer).is_none_or(|set| set.at > at) {
            self.set(timer, at);
        }
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.times.contains_key(&timer)
    }

    pub(crate) fn cancel(&mut self, timer: Timer) {
        self.times.remove(&timer);
    }

    /// When the next timer runs out.
    pub(crate) fn next(&mut self) -> Option<Micros> {
        while let Some(Reverse((at, timer))) = self.queue.peek().copied() {
            let time = self.times.get_mut(&timer).filter(|time| time.queued == at);
            match time {
                Some(time) if time.at == at => return Some(at),
                Some(time) => {
                    time.queued = time.at;
                    let moved = Reverse((time.at, timer));
                    if let Some(mut first) = self.queue.peek_mut() {
                        *first = moved;
                    }
                }
                None => {
                    self.queue.pop();
                }
            }
        }
        None
    }

    /// Takes out the earliest timer that has run out.
    pub(crate) fn pop_due(&mut self, now: Micros) -> Option<Timer> {
        self.next().filter(|at| *at <= now)?;
        let Reverse((_, timer)) = self.queue.pop()?;
        self.times.remove(&timer);
        Some(timer)
    }

    /// Timers that are set and cancelled again and again leave no more behind than there are timers.
    fn tidy(&mut self) {
        if self.queue.len() > STALE * self.times.len() + FEW {
            self.queue = self.times.iter().map(|(timer, time)| Reverse((time.at, *timer))).collect();
            self.times.values_mut().for_each(|time| time.queued = time.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Timer, Timers};
    use crate::{LinkId, Micros};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn timers_run_out_in_order_and_once() {
        let mut timers = Timers::default();
        timers.set(Timer::Offer, Micros(30));
        timers.set(Timer::Link(LinkId(1)), Micros(10));
        timers.set(Timer::Link(LinkId(1)), Micros(20));
        timers.set_no_later(Timer::Offer, Micros(40));
        timers.set(Timer::Gaps, Micros(5));
        timers.cancel(Timer::Gaps);
        assert_eq!(timers.next(), Some(Micros(20)));
        assert_eq!(timers.pop_due(Micros(19)), None);
        assert_eq!(timers.pop_due(Micros(30)), Some(Timer::Link(LinkId(1))));
        assert_eq!(timers.pop_due(Micros(30)), Some(Timer::Offer));
        assert_eq!(timers.pop_due(Micros(30)), None);
        assert_eq!(timers.next(), None);
    }
    proptest! {
        #[test]
        fn whatever_is_set_moved_and_cancelled_the_earliest_comes_next(
            steps in prop::collection::vec((0..6u8, 0..5u64, 0..50u64), 0..300),
        ) {
            let (mut timers, mut expected, mut now) = (Timers::default(), BTreeMap::new(), 0);
            for (step, link, wait) in steps {
                let (timer, at) = (Timer::Link(LinkId(link)), Micros(now + wait));
                match step {
                    0 | 1 => {
                        timers.set(timer, at);
                        expected.insert(timer, at);
                    }
                    2 => {
                        timers.set_no_later(timer, at);
                        let set = expected.entry(timer).or_insert(at);
                        *set = at.min(*set);
                    }
                    3 => {
                        timers.cancel(timer);
                        expected.remove(&timer);
                    }
                    4 => now += wait,
                    _ => {
                        let due = expected.iter().map(|(timer, at)| (*at, *timer)).min().filter(|(at, _)| at.0 <= now);
                        let due = due.map(|(_, timer)| timer);
                        prop_assert_eq!(timers.pop_due(Micros(now)), due);
                        due.map(|timer| expected.remove(&timer));
                    }
                }
                prop_assert_eq!(timers.next(), expected.values().min().copied());
                prop_assert!(timers.queue.len() <= 2 * expected.len() + 32 + 1);
            }
        }
    }
}

//! What is to be looked at, and when. The driver knows one timer: the earliest of these.

mod queue;

use crate::{LinkId, Micros, overlay::Chore};
use queue::Queue;

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
    /// Links are to be told what this node holds.
    Advertisements,
    /// Quiet origins may be forgotten.
    Sweep,
}

/// The timers that there is one of, in their order.
const LONE: [Timer; 23] = [
    Timer::Batch,
    Timer::Dial,
    Timer::Upkeep(Chore::Shuffle),
    Timer::Upkeep(Chore::Exchange),
    Timer::Upkeep(Chore::Feel),
    Timer::Upkeep(Chore::Improve),
    Timer::Upkeep(Chore::Mingle),
    Timer::BanExpiry,
    Timer::Pause,
    Timer::Offer,
    Timer::Gaps,
    Timer::Announce,
    Timer::Graft,
    Timer::Fetch,
    Timer::Ready,
    Timer::Store,
    Timer::Spread,
    Timer::Reconcile,
    Timer::Suspicion,
    Timer::Case,
    Timer::Directory,
    Timer::Advertisements,
    Timer::Sweep,
];

impl Timer {
    /// Its place among [`LONE`]; `None` for a timer that each link has.
    const fn place(self) -> Option<usize> {
        Some(match self {
            Self::Batch => 0,
            Self::Dial => 1,
            Self::Upkeep(Chore::Shuffle) => 2,
            Self::Upkeep(Chore::Exchange) => 3,
            Self::Upkeep(Chore::Feel) => 4,
            Self::Upkeep(Chore::Improve) => 5,
            Self::Upkeep(Chore::Mingle) => 6,
            Self::BanExpiry => 7,
            Self::Pause => 8,
            Self::Link(_) | Self::Heartbeat(_) | Self::Answer(_) => return None,
            Self::Offer => 9,
            Self::Gaps => 10,
            Self::Announce => 11,
            Self::Graft => 12,
            Self::Fetch => 13,
            Self::Ready => 14,
            Self::Store => 15,
            Self::Spread => 16,
            Self::Reconcile => 17,
            Self::Suspicion => 18,
            Self::Case => 19,
            Self::Directory => 20,
            Self::Advertisements => 21,
            Self::Sweep => 22,
        })
    }
}

/// What a timer is set to that is not set.
const NEVER: Micros = Micros(u64::MAX);

/// At most one time for each timer. What comes next is looked up after every input, so the timers that there is one of lie
/// side by side.
///
/// ```text
/// lone    by place: when each runs out, or NEVER
/// links   three for each link, in a queue
/// ```
#[derive(Debug)]
pub(crate) struct Timers {
    lone: [Micros; LONE.len()],
    links: Queue,
}

impl Default for Timers {
    fn default() -> Self {
        Self { lone: [NEVER; LONE.len()], links: Queue::default() }
    }
}

impl Timers {
    /// Sets or moves a timer.
    pub(crate) fn set(&mut self, timer: Timer, at: Micros) {
        match timer.place() {
            Some(place) => self.put(place, at),
            None => self.links.set(timer, at),
        }
    }

    /// Sets a timer unless it runs out earlier anyway.
    pub(crate) fn set_no_later(&mut self, timer: Timer, at: Micros) {
        if self.at(timer).is_none_or(|set| set > at) {
            self.set(timer, at);
        }
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.at(timer).is_some()
    }

    pub(crate) fn cancel(&mut self, timer: Timer) {
        match timer.place() {
            Some(place) => self.put(place, NEVER),
            None => self.links.cancel(timer),
        }
    }

    /// When the next timer runs out.
    pub(crate) fn next(&mut self) -> Option<Micros> {
        let lone = self.lone.iter().min().copied().filter(|at| *at != NEVER);
        let link = self.links.first().map(|(at, _)| at);
        [lone, link].into_iter().flatten().min()
    }

    /// Takes out the earliest timer that has run out.
    pub(crate) fn pop_due(&mut self, now: Micros) -> Option<Timer> {
        let lone = self.lone.iter().zip(LONE).min().map(|(at, timer)| (*at, timer));
        let (at, timer) = lone.into_iter().chain(self.links.first()).min()?;
        if at > now || at == NEVER {
            return None;
        }
        match timer.place() {
            Some(place) => self.put(place, NEVER),
            None => self.links.pop(),
        }
        Some(timer)
    }

    /// Reads what [`Timers::next`] will look at.
    pub(crate) fn touch(&self) -> u64 {
        let lone = self.lone.iter().map(|at| at.0).fold(0, |sum, at| sum ^ at);
        lone ^ self.links.touch()
    }

    fn at(&self, timer: Timer) -> Option<Micros> {
        match timer.place() {
            Some(place) => self.lone.get(place).copied().filter(|at| *at != NEVER),
            None => self.links.at(timer),
        }
    }

    fn put(&mut self, place: usize, at: Micros) {
        if let Some(time) = self.lone.get_mut(place) {
            *time = at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LONE, Timer, Timers};
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

    #[test]
    fn each_lone_timer_has_its_place_and_all_lie_in_their_order() {
        for (place, timer) in LONE.into_iter().enumerate() {
            assert_eq!(timer.place(), Some(place), "{timer:?}");
        }
        assert!(LONE.is_sorted());
    }

    fn timer() -> impl Strategy<Value = Timer> {
        let lone = (0..LONE.len()).prop_map(|place| LONE[place]);
        let link = (0..3u8, 0..3u64).prop_map(|(kind, link)| match kind {
            0 => Timer::Link(LinkId(link)),
            1 => Timer::Heartbeat(LinkId(link)),
            _ => Timer::Answer(LinkId(link)),
        });
        prop_oneof![lone, link]
    }

    proptest! {
        #[test]
        fn whatever_is_set_moved_and_cancelled_the_earliest_comes_next(
            steps in prop::collection::vec((0..6u8, timer(), 0..20u64), 0..300),
        ) {
            let (mut timers, mut expected, mut now) = (Timers::default(), BTreeMap::new(), 0);
            for (step, timer, wait) in steps {
                let at = Micros(now + wait);
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
                prop_assert_eq!(timers.is_set(timer), expected.contains_key(&timer));
            }
        }
    }
}

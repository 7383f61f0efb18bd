//! What is to be looked at, and when. The driver knows one timer: the earliest of these.

use crate::{LinkId, Micros, overlay::Chore};
use std::collections::{BTreeMap, BTreeSet};

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
    /// Quiet origins may be forgotten.
    Sweep,
}

/// At most one time for each timer.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    queue: BTreeSet<(Micros, Timer)>,
    times: BTreeMap<Timer, Micros>,
}

impl Timers {
    /// Sets or moves a timer.
    pub(crate) fn set(&mut self, timer: Timer, at: Micros) {
        self.cancel(timer);
        self.times.insert(timer, at);
        self.queue.insert((at, timer));
    }

    /// Sets a timer unless it runs out earlier anyway.
    pub(crate) fn set_no_later(&mut self, timer: Timer, at: Micros) {
        if self.times.get(&timer).is_none_or(|set| *set > at) {
            self.set(timer, at);
        }
    }

    pub(crate) fn cancel(&mut self, timer: Timer) {
        if let Some(at) = self.times.remove(&timer) {
            self.queue.remove(&(at, timer));
        }
    }

    /// When the next timer runs out.
    pub(crate) fn next(&self) -> Option<Micros> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes out the earliest timer that has run out.
    pub(crate) fn pop_due(&mut self, now: Micros) -> Option<Timer> {
        let (at, timer) = *self.queue.first().filter(|(at, _)| *at <= now)?;
        self.queue.remove(&(at, timer));
        self.times.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::{Timer, Timers};
    use crate::{LinkId, Micros};

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
}

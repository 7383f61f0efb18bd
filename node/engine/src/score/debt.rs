//! What offences cost. Only time pays it back.

use super::share::Share;
use crate::Micros;
use std::time::Duration;

/// The whole debt is forgotten in so long, and a part of it in that part of the time: the time for which an incident
/// counts.
const FORGOTTEN_IN: Duration = Duration::from_secs(86_400);
/// As much of a debt good conduct may make up for.
const GOODWILL: Share = Share::percent(10);

/// How much of the behaviour is held against a peer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Debt {
    owed: Share,
    since: Micros,
}

impl Default for Debt {
    fn default() -> Self {
        Self { owed: Share::NONE, since: Micros(0) }
    }
}

impl Debt {
    pub(crate) fn add(&mut self, now: Micros, cost: Share) {
        *self = Self { owed: self.at(now).plus(cost), since: now };
    }

    /// What is still owed.
    pub(crate) fn at(&self, now: Micros) -> Share {
        if self.owed == Share::NONE {
            return Share::NONE;
        }
        let paid = Share::of(whole_micros(now.since(self.since)), whole_micros(FORGOTTEN_IN));
        self.owed.minus(paid)
    }

    /// The best that behaviour can be.
    pub(crate) fn ceiling(&self, now: Micros) -> Share {
        Share::WHOLE.minus(self.at(now).minus(GOODWILL))
    }
}

fn whole_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

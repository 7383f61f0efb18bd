//! A circuit breaker: stops calling what keeps failing, then lets one call through to see.
//!
//! ```text
//!            5 failures in a row             the wait is over
//!  Closed ───────────────────────▶ Open ───────────────────────▶ HalfOpen: one probe
//!    ▲  ▲                            ▲                               │       │
//!    │  └──────── reset by hand      └──── it failed: a longer wait ─┘       │
//!    └─────────────────────────── it succeeded ──────────────────────────────┘
//! ```
//!
//! The wait begins short and doubles up to the reset time, so that a peer that was away for a minute is found soon and
//! one that is gone is left alone; it is drawn anew within a quarter each time, so that breakers that opened together do
//! not probe together. Consecutive failures, one jittered probe: the shape of linkerd's breaker.
//!
//! Time and randomness come from the caller. A caller asks for a [`Permit`] and gives it back with what came of the
//! call; what belongs to a state that is over is ignored, so a slow answer from before cannot close or open anything.

mod rolling;
mod settings;
#[cfg(test)]
mod tests;

pub use rolling::RollingAverage;
pub use settings::{
    BreakerSettings, BreakerSettingsRefused, MAX_FAILURES, MAX_RESET, MIN_FAILURES, MIN_FIRST_WAIT, MIN_RESET,
};

use crate::Micros;
use std::time::Duration;
use thiserror::Error;

/// Whether calls go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BreakerState {
    /// They do.
    Closed,
    /// They do not.
    Open,
    /// One does, to see.
    HalfOpen,
}

impl BreakerState {
    /// As a metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// A breaker went from one state to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerChange {
    /// The state that is over.
    pub from: BreakerState,
    /// The state from now on.
    pub to: BreakerState,
    /// Why: the code of the failure that opened it, or `probe`, `succeeded`, `reset`.
    pub reason: &'static str,
}

/// The right to make one call. To be given back.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a probe that is never given back keeps the breaker half open"]
pub struct Permit {
    epoch: u64,
    since: Micros,
}

/// The call is not to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the breaker is open after failures, the last of them {cause}")]
pub struct Rejected {
    /// The code of the failure that opened the breaker.
    pub cause: &'static str,
    /// When a probe will be let through; `None` while one is under way.
    pub until: Option<Micros>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed { failures: u32 },
    Open { until: Micros, cause: &'static str },
    HalfOpen { cause: &'static str },
}

/// One breaker.
#[derive(Debug, Clone)]
pub struct Breaker {
    settings: BreakerSettings,
    state: State,
    /// Names the present state: permits of others are void.
    epoch: u64,
    /// How often it opened since it was last closed.
    openings: u32,
    took: RollingAverage,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(settings: BreakerSettings) -> Self {
        let state = State::Closed { failures: 0 };
        Self { settings, state, epoch: 0, openings: 0, took: RollingAverage::default() }
    }

    /// Is as patient as `settings` say from the next failure on.
    pub fn tune(&mut self, settings: BreakerSettings) {
        self.settings = settings;
    }

    /// Whether calls go through.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Mean time that the latest successful calls took; `None` before the first.
    #[must_use]
    pub fn average(&self) -> Option<Duration> {
        self.took.average()
    }

    /// Asks to make a call.
    pub fn acquire(&mut self, now: Micros) -> Result<(Permit, Option<BreakerChange>), Rejected> {
        match self.state {
            State::Closed { .. } => Ok((Permit { epoch: self.epoch, since: now }, None)),
            State::Open { until, cause } if until <= now => {
                let change = self.enter(State::HalfOpen { cause }, "probe");
                Ok((Permit { epoch: self.epoch, since: now }, Some(change)))
            }
            State::Open { until, cause } => Err(Rejected { cause, until: Some(until) }),
            State::HalfOpen { cause } => Err(Rejected { cause, until: None }),
        }
    }

    /// The call succeeded.
    pub fn succeeded(&mut self, permit: Permit, now: Micros) -> Option<BreakerChange> {
        if permit.epoch != self.epoch {
            return None;
        }
        self.took.add(now.since(permit.since));
        match &mut self.state {
            State::Closed { failures } => {
                *failures = 0;
                None
            }
            State::HalfOpen { .. } => Some(self.close("succeeded")),
            State::Open { .. } => None,
        }
    }

    /// The call failed with this code. `random` is a fresh random number.
    pub fn failed(&mut self, permit: Permit, now: Micros, cause: &'static str, random: u64) -> Option<BreakerChange> {
        if permit.epoch != self.epoch {
            return None;
        }
        match &mut self.state {
            State::Closed { failures } => {
                *failures = failures.saturating_add(1);
                if *failures < self.settings.failures {
                    return None;
                }
            }
            State::HalfOpen { .. } => {}
            State::Open { .. } => return None,
        }
        let wait = jittered(self.settings.wait(self.openings), random);
        self.openings = self.openings.saturating_add(1);
        Some(self.enter(State::Open { until: now + wait, cause }, cause))
    }

    /// The call was not made after all, or nobody knows what came of it: it counts for nothing, and the next one may
    /// probe in its place.
    pub fn abandoned(&mut self, permit: Permit, now: Micros) -> Option<BreakerChange> {
        match self.state {
            State::HalfOpen { cause } if permit.epoch == self.epoch => {
                Some(self.enter(State::Open { until: now, cause }, "abandoned"))
            }
            _ => None,
        }
    }

    /// Closes the breaker: by hand, or because what it guards was heard of in another way.
    pub fn reset(&mut self) -> Option<BreakerChange> {
        match &mut self.state {
            State::Closed { failures } => {
                *failures = 0;
                None
            }
            State::Open { .. } | State::HalfOpen { .. } => Some(self.close("reset")),
        }
    }

    fn close(&mut self, reason: &'static str) -> BreakerChange {
        self.openings = 0;
        self.enter(State::Closed { failures: 0 }, reason)
    }

    fn enter(&mut self, state: State, reason: &'static str) -> BreakerChange {
        let from = self.state();
        self.state = state;
        self.epoch += 1;
        BreakerChange { from, to: self.state(), reason }
    }
}

/// `wait` give or take a quarter of it.
fn jittered(wait: Duration, random: u64) -> Duration {
    let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
    let quarter = micros / 4;
    let drawn = random.checked_rem(quarter.saturating_mul(2).saturating_add(1)).unwrap_or(0);
    Duration::from_micros((micros - quarter).saturating_add(drawn))
}

/// How many breakers there are, by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BreakerStatistics {
    /// All.
    pub total: u64,
    /// Those that let nothing through.
    pub open: u64,
    /// Those with a probe under way.
    pub half_open: u64,
    /// Those that let calls through.
    pub closed: u64,
}

impl BreakerStatistics {
    /// Counts one breaker.
    pub fn count(&mut self, state: BreakerState) {
        self.total += 1;
        match state {
            BreakerState::Closed => self.closed += 1,
            BreakerState::Open => self.open += 1,
            BreakerState::HalfOpen => self.half_open += 1,
        }
    }
}

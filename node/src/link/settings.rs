//! How links behave.

use peerwright_engine::{
    breaker::{BreakerSettings, BreakerSettingsRefused},
    session::{Carrier, LadderSettings, SessionSettingsRefused, Window},
};
use std::{ops::RangeInclusive, time::Duration};
use thiserror::Error;

/// How long a Hello may take to be answered.
const HELLO_WITHIN: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(30);
/// How long a session may be without a carrier. At its longest it is as long as the silence that makes a peer suspect.
const RESUME_WITHIN: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_millis(1_500);
/// How long a dial may take by all its carriers.
const DIAL_WITHIN: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(120);
/// How long a call may wait for frames.
const POLL_FOR: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(20);

/// How links behave. The defaults are those of production; tests shorten them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSettings {
    /// The carriers that are offered to others and used.
    pub carriers: Vec<Carrier>,
    /// What a session keeps until it is acknowledged.
    pub window: Window,
    /// When a carrier is given up, and when a better one is tried.
    pub ladder: LadderSettings,
    /// When a peer, or a carrier to it, is left alone.
    pub breaker: BreakerSettings,
    /// A dial must have come to something in this time: 5 s to 2 min.
    pub dial_within: Duration,
    /// A Hello must be answered in this time: 500 ms to 30 s.
    pub hello_within: Duration,
    /// A session without a carrier is lost after this time: 50 ms to 1.5 s.
    pub resume_within: Duration,
    /// A call of the lower carriers waits so long for frames: 100 ms to 20 s.
    pub poll_for: Duration,
}

impl Default for LinkSettings {
    fn default() -> Self {
        Self {
            carriers: Carrier::ALL.to_vec(),
            window: Window::default(),
            ladder: LadderSettings::default(),
            breaker: BreakerSettings::default(),
            dial_within: Duration::from_secs(15),
            hello_within: Duration::from_secs(3),
            resume_within: Duration::from_millis(500),
            poll_for: Duration::from_secs(5),
        }
    }
}

/// A setting out of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LinkSettingsRefused {
    /// No carrier.
    #[error("a node needs at least one carrier")]
    NoCarrier,
    /// Of the session or the ladder.
    #[error(transparent)]
    Session(#[from] SessionSettingsRefused),
    /// Of the breaker.
    #[error(transparent)]
    Breaker(#[from] BreakerSettingsRefused),
    /// `dial_within`.
    #[error("a dial may take 5 s to 2 min, not {0:?}")]
    Dial(Duration),
    /// `hello_within`.
    #[error("a Hello may take 500 ms to 30 s, not {0:?}")]
    Hello(Duration),
    /// `resume_within`.
    #[error("a session may be without a carrier for 50 ms to 1.5 s, not {0:?}")]
    Resume(Duration),
    /// `poll_for`.
    #[error("a call may wait 100 ms to 20 s for frames, not {0:?}")]
    Poll(Duration),
}

impl LinkSettings {
    /// Checks every range.
    pub fn check(&self) -> Result<(), LinkSettingsRefused> {
        self.window.check()?;
        self.ladder.check()?;
        self.breaker.check()?;
        if self.carriers.is_empty() {
            return Err(LinkSettingsRefused::NoCarrier);
        }
        if !DIAL_WITHIN.contains(&self.dial_within) {
            return Err(LinkSettingsRefused::Dial(self.dial_within));
        }
        if !HELLO_WITHIN.contains(&self.hello_within) {
            return Err(LinkSettingsRefused::Hello(self.hello_within));
        }
        if !RESUME_WITHIN.contains(&self.resume_within) {
            return Err(LinkSettingsRefused::Resume(self.resume_within));
        }
        if !POLL_FOR.contains(&self.poll_for) {
            return Err(LinkSettingsRefused::Poll(self.poll_for));
        }
        Ok(())
    }

    /// Whether others may use this carrier.
    #[must_use]
    pub fn offers(&self, carrier: Carrier) -> bool {
        self.carriers.contains(&carrier)
    }

    /// How long a call may take in all: its wait, and time to travel and to be handed on.
    pub(super) fn call_within(&self) -> Duration {
        self.poll_for + self.hello_within
    }
}

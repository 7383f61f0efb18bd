//! One measure of one identity: fills with what is taken, and drains evenly. Pure: time is given.

use peerwright_engine::Micros;
use std::time::Duration;

const MICROS_A_MINUTE: u128 = 60_000_000;

/// How much of a minute's allowance is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Meter {
    /// Units times the microseconds of a minute, so that draining is exact in integers.
    level: u128,
    at: Micros,
}

impl Meter {
    /// How long to wait until so many units fit; `None` when they do now. More than a minute's allowance fits when
    /// nothing is used, for otherwise it never would.
    pub(super) fn wait(&self, now: Micros, per_minute: u64, units: u64) -> Option<Duration> {
        let level = self.level(now, per_minute);
        let room = u128::from(per_minute) * MICROS_A_MINUTE;
        let over = (level + u128::from(units) * MICROS_A_MINUTE).saturating_sub(room).min(level);
        let micros = over.div_ceil(u128::from(per_minute).max(1));
        (over > 0 && units > 0).then(|| Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)))
    }

    /// Takes so many units, whether they fit or not.
    pub(super) fn add(&mut self, now: Micros, per_minute: u64, units: u64) {
        self.level = self.level(now, per_minute) + u128::from(units) * MICROS_A_MINUTE;
        self.at = self.at.max(now);
    }

    /// Whether nothing is used.
    pub(super) fn is_empty(&self, now: Micros, per_minute: u64) -> bool {
        self.level(now, per_minute) == 0
    }

    fn level(&self, now: Micros, per_minute: u64) -> u128 {
        self.level.saturating_sub(now.since(self.at).as_micros() * u128::from(per_minute))
    }
}

//! How patient a breaker is.

use std::time::Duration;
use thiserror::Error;

/// The fewest failures in a row that may open a breaker.
pub const MIN_FAILURES: u32 = 3;
/// The most.
pub const MAX_FAILURES: u32 = 20;
/// The shortest reset time.
pub const MIN_RESET: Duration = Duration::from_secs(60);
/// The longest.
pub const MAX_RESET: Duration = Duration::from_secs(30 * 60);
/// The shortest first wait.
pub const MIN_FIRST_WAIT: Duration = Duration::from_secs(1);

/// When a breaker opens and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// So many failures in a row open it: 3 to 20.
    pub failures: u32,
    /// How long it is open the first time: 1 s up to `reset`. Each failed probe doubles the wait.
    pub first_wait: Duration,
    /// How long it is open at most, give or take a quarter: 1 to 30 minutes.
    pub reset: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self { failures: 5, first_wait: Duration::from_secs(10), reset: Duration::from_secs(5 * 60) }
    }
}

/// A setting out of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BreakerSettingsRefused {
    /// `failures`.
    #[error("a breaker opens after {MIN_FAILURES} to {MAX_FAILURES} failures in a row, not {0}")]
    Failures(u32),
    /// `reset`.
    #[error("a breaker is open for 1 to 30 minutes at most, not {0:?}")]
    Reset(Duration),
    /// `first_wait`.
    #[error("a breaker is first open for 1 second up to its reset time, not {0:?}")]
    FirstWait(Duration),
}

impl BreakerSettings {
    /// Checks every range.
    pub fn check(&self) -> Result<(), BreakerSettingsRefused> {
        if !(MIN_FAILURES..=MAX_FAILURES).contains(&self.failures) {
            return Err(BreakerSettingsRefused::Failures(self.failures));
        }
        if !(MIN_RESET..=MAX_RESET).contains(&self.reset) {
            return Err(BreakerSettingsRefused::Reset(self.reset));
        }
        if !(MIN_FIRST_WAIT..=self.reset).contains(&self.first_wait) {
            return Err(BreakerSettingsRefused::FirstWait(self.first_wait));
        }
        Ok(())
    }

    /// How long the breaker is open when it has opened `openings` times before without being closed.
    pub(super) fn wait(&self, openings: u32) -> Duration {
        let factor = 1u32.checked_shl(openings).unwrap_or(u32::MAX);
        self.first_wait.saturating_mul(factor).min(self.reset)
    }
}

//! How long to wait before trying again.

use crate::random::Random;
use std::time::Duration;

/// Exponential: the first wait, doubled with each further failure up to a limit, give or take a quarter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    first: Duration,
    limit: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, limit: Duration) -> Self {
        Self { first, limit: limit.max(first) }
    }

    pub(crate) fn first(&self) -> Duration {
        self.first
    }

    /// The longest wait, but for the quarter.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// The wait after `failures` failures in a row.
    pub(crate) fn wait(&self, failures: u32, random: &mut Random) -> Duration {
        let factor = 1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        random.around(self.first.saturating_mul(factor).min(self.limit))
    }
}

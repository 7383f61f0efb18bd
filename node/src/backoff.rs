//! Waits between attempts: doubling, with jitter, so that a hundred nodes do not come back at one instant.

use crate::tls::fill_random;
use std::time::Duration;

/// Grows from attempt to attempt.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    limit: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, limit: Duration) -> Self {
        Self { first, limit, next: first }
    }

    /// The next wait. The one after it will be twice as long.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.draw();
        self.grow();
        wait
    }

    /// A wait between half of the current step and all of it.
    pub(crate) fn draw(&self) -> Duration {
        let half = self.next / 2;
        let span = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).saturating_add(1);
        half + Duration::from_micros(random_below(span))
    }

    /// Doubles the current step.
    pub(crate) fn grow(&mut self) {
        self.next = self.next.saturating_mul(2).min(self.limit);
    }

    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

/// A random number below `bound`; zero without a bound or without randomness, which only costs the jitter.
pub(crate) fn random_below(bound: u64) -> u64 {
    let mut bytes = [0; 8];
    if fill_random(&mut bytes).is_err() {
        return 0;
    }
    u64::from_be_bytes(bytes).checked_rem(bound).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_waits_are_those_of_the_sequence_with_jitter_below_each() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second, second * 60);
        for step in [1, 2, 4, 8, 16, 32, 60, 60, 60, 60] {
            let wait = backoff.next();
            assert!(wait >= second * step / 2 && wait <= second * step, "{wait:?} at step {step}");
        }
    }

    #[test]
    fn waits_double_up_to_the_limit_and_begin_anew() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second, second * 4);
        for step in [1, 2, 4, 4] {
            let wait = backoff.next();
            assert!(wait >= second * step / 2 && wait <= second * step, "{wait:?} at step {step}");
        }
        backoff.reset();
        assert!(backoff.next() <= second);
    }
}

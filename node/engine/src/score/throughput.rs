//! How fast a peer hands over what it is asked for.

use super::share::Share;
use std::time::Duration;

/// Answers shorter than this say more of the distance than of the throughput.
const SHORTEST_ANSWER: usize = 16 * 1024;
/// The mean moves towards each new answer by one part in so many.
const SMOOTHING: u64 = 8;

/// The smoothed rate of long answers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Throughput {
    bytes_per_second: u64,
    answers: u8,
}

impl Throughput {
    pub(crate) fn push(&mut self, bytes: usize, took: Duration) {
        if bytes < SHORTEST_ANSWER {
            return;
        }
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let rate = bytes.saturating_mul(1_000_000) / micros;
        self.bytes_per_second = match self.answers {
            0 => rate,
            _ => (self.bytes_per_second / SMOOTHING).saturating_mul(SMOOTHING - 1).saturating_add(rate / SMOOTHING),
        };
        self.answers = self.answers.saturating_add(1);
    }

    /// How near the rate comes to `full`; a half while nothing is known.
    pub(crate) fn share(&self, full_bytes_per_second: u32) -> Share {
        match self.answers {
            0 => Share::HALF,
            answers => Share::of(self.bytes_per_second, full_bytes_per_second.into()).after(answers.into()),
        }
    }
}

//! The mean over the latest calls.

use std::{collections::VecDeque, time::Duration};

/// How many calls the mean is over. An older one makes room for a newer.
const WINDOW: usize = 20;

/// A mean over the latest 20 durations, exact in microseconds.
#[derive(Debug, Clone, Default)]
pub struct RollingAverage {
    latest: VecDeque<u32>,
    sum: u64,
}

impl RollingAverage {
    /// Adds a duration; one above an hour counts as an hour and some.
    pub fn add(&mut self, took: Duration) {
        if self.latest.len() == WINDOW
            && let Some(oldest) = self.latest.pop_front()
        {
            self.sum -= u64::from(oldest);
        }
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        self.latest.push_back(micros);
        self.sum += u64::from(micros);
    }

    /// The mean; `None` of nothing.
    #[must_use]
    pub fn average(&self) -> Option<Duration> {
        self.sum.checked_div(self.latest.len() as u64).map(Duration::from_micros)
    }
}

//! What is told of heartbeats: how long their answers take, and why one is not taken.

use std::{fmt, time::Duration};

/// Upper ends of the classes of round trips, from a quarter of a millisecond to four seconds.
pub const ROUND_TRIP_CLASSES: [Duration; 15] = [
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_micros(1_000),
    Duration::from_micros(2_000),
    Duration::from_micros(4_000),
    Duration::from_micros(8_000),
    Duration::from_micros(16_000),
    Duration::from_micros(32_000),
    Duration::from_micros(64_000),
    Duration::from_micros(128_000),
    Duration::from_micros(256_000),
    Duration::from_micros(512_000),
    Duration::from_micros(1_024_000),
    Duration::from_micros(2_048_000),
    Duration::from_micros(4_096_000),
];

/// Round trips of keepalives, counted by how long they took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoundTrips {
    /// How many.
    pub count: u64,
    /// How long all of them took together, microseconds.
    pub sum_micros: u64,
    /// How many took as long as each of [`ROUND_TRIP_CLASSES`], and longer than the one before. The longest are in none.
    pub classes: [u64; ROUND_TRIP_CLASSES.len()],
}

impl RoundTrips {
    pub(crate) fn add(&mut self, took: Duration) {
        self.count += 1;
        self.sum_micros = self.sum_micros.saturating_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        let class = ROUND_TRIP_CLASSES.iter().position(|end| took <= *end);
        if let Some(count) = class.and_then(|class| self.classes.get_mut(class)) {
            *count += 1;
        }
    }
}

/// Why a heartbeat, a keepalive or the answer to one was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeartbeatFault {
    /// It could not be read; the link is closed.
    Malformed,
    /// It is of a shape that this version does not know.
    Unsupported,
    /// It answers a keepalive that was not sent on this link.
    Unasked,
}

impl HeartbeatFault {
    /// As a metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unsupported => "unsupported",
            Self::Unasked => "unasked",
        }
    }
}

impl fmt::Display for HeartbeatFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_is_counted_in_the_class_that_ends_at_or_after_it() {
        let mut trips = RoundTrips::default();
        for micros in [0, 250, 251, 4_096_000, 4_096_001] {
            trips.add(Duration::from_micros(micros));
        }
        assert_eq!((trips.count, trips.sum_micros), (5, 8_192_502));
        assert_eq!((trips.classes[0], trips.classes[1], trips.classes[14]), (2, 1, 1));
        assert_eq!(trips.classes.iter().sum::<u64>(), 4, "the longest is in none");
    }
}

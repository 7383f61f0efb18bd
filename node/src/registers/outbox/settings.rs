//! The numbers that an outbox goes by, each with the range that is accepted.

use std::{ops::RangeInclusive, time::Duration};
use thiserror::Error;

/// Range of [`OutboxSettings::capacity`].
pub const OUTBOX_CAPACITY: RangeInclusive<u32> = 100..=100_000;
/// Range of [`OutboxSettings::hand_in_after`].
pub const HAND_IN_AFTER: RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_secs(60);

/// The numbers of an outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxSettings {
    /// How many transactions may wait for what becomes of them: 100 to 100,000.
    pub capacity: u32,
    /// After so long without a docket a transaction is handed straight to the sealers: 200 ms to 60 s.
    pub hand_in_after: Duration,
}

impl Default for OutboxSettings {
    fn default() -> Self {
        Self { capacity: 10_000, hand_in_after: Duration::from_secs(2) }
    }
}

/// A number outside its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OutboxSettingsRefused {
    /// The capacity.
    #[error("an outbox has room for 100 to 100000 transactions, not {0}")]
    Capacity(u32),
    /// When it is handed in.
    #[error("a transaction is handed straight to the sealers after 200 ms to 60 s, not {0:?}")]
    HandInAfter(Duration),
}

impl OutboxSettings {
    /// Checks every range.
    pub fn check(&self) -> Result<(), OutboxSettingsRefused> {
        if !OUTBOX_CAPACITY.contains(&self.capacity) {
            return Err(OutboxSettingsRefused::Capacity(self.capacity));
        }
        if !HAND_IN_AFTER.contains(&self.hand_in_after) {
            return Err(OutboxSettingsRefused::HandInAfter(self.hand_in_after));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_within_their_ranges_are_taken_and_others_are_named() {
        let defaults = OutboxSettings::default();
        assert_eq!(defaults.check(), Ok(()));
        for capacity in [99, 100_001] {
            let refused = OutboxSettings { capacity, ..defaults }.check();
            assert_eq!(refused, Err(OutboxSettingsRefused::Capacity(capacity)));
        }
        for hand_in_after in [Duration::from_millis(199), Duration::from_millis(60_001)] {
            let refused = OutboxSettings { hand_in_after, ..defaults }.check();
            assert_eq!(refused, Err(OutboxSettingsRefused::HandInAfter(hand_in_after)));
        }
    }
}

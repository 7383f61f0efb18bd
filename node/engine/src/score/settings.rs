//! What a network may set of the score.

use crate::settings::all_within;
use std::ops::RangeInclusive;
use thiserror::Error;

/// The sum of the three weights.
const WEIGHTS_SUM: u32 = 100;
/// What a score may lose a day unseen, percent.
pub const DECAY_RANGE: RangeInclusive<u8> = 0..=100;
/// First deliveries that may be expected of a peer.
pub const EXPECTED_DELIVERIES_RANGE: RangeInclusive<u16> = 1..=10_000;
/// Rates that may count as full throughput.
pub const FULL_THROUGHPUT_RANGE: RangeInclusive<u32> = 1_024..=1_073_741_824;

/// How a score is made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoreSettings {
    /// Weight of links, dials and answers, percent.
    pub reliability_weight: u8,
    /// Weight of latency and throughput, percent.
    pub performance_weight: u8,
    /// Weight of messages and limits, percent.
    pub behaviour_weight: u8,
    /// What a score loses a day unseen, percent: it is multiplied by e^(-decay x days).
    pub decay_per_day: u8,
    /// Messages that a peer is the first to bring in a day and that earn all that bringing messages can earn.
    pub expected_deliveries: u16,
    /// The rate of long answers that earns all that throughput can earn, bytes a second.
    pub full_throughput: u32,
}

impl Default for ScoreSettings {
    fn default() -> Self {
        Self {
            reliability_weight: 40,
            performance_weight: 30,
            behaviour_weight: 30,
            decay_per_day: 1,
            expected_deliveries: 100,
            full_throughput: 1_048_576,
        }
    }
}

/// Why settings are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ScoreSettingsRefused {
    /// The weights make more or less than a whole.
    #[error("score: the three weights must sum to 100 percent, not to {0}")]
    Weights(u32),
    /// A number is too small or too large.
    #[error("score: {0} is outside its range")]
    OutOfRange(&'static str),
}

impl ScoreSettings {
    /// Whether every number is within its range, and the weights make a whole.
    pub fn check(&self) -> Result<(), ScoreSettingsRefused> {
        let weights = [self.reliability_weight, self.performance_weight, self.behaviour_weight];
        let sum: u32 = weights.iter().copied().map(u32::from).sum();
        if sum != WEIGHTS_SUM {
            return Err(ScoreSettingsRefused::Weights(sum));
        }
        all_within(&[
            ("decay_per_day", DECAY_RANGE.contains(&self.decay_per_day)),
            ("expected_deliveries", EXPECTED_DELIVERIES_RANGE.contains(&self.expected_deliveries)),
            ("full_throughput", FULL_THROUGHPUT_RANGE.contains(&self.full_throughput)),
        ])
        .map_err(ScoreSettingsRefused::OutOfRange)
    }
}

#[cfg(test)]
mod tests {
    use super::{ScoreSettings, ScoreSettingsRefused};

    #[test]
    fn the_defaults_are_taken_and_what_is_out_of_range_is_not() {
        let defaults = ScoreSettings::default();
        assert_eq!(defaults.check(), Ok(()));
        let refused = ScoreSettings { behaviour_weight: 31, ..defaults };
        assert_eq!(refused.check(), Err(ScoreSettingsRefused::Weights(101)));
        let refused = ScoreSettings { decay_per_day: 101, ..defaults };
        assert_eq!(refused.check(), Err(ScoreSettingsRefused::OutOfRange("decay_per_day")));
        let refused = ScoreSettings { expected_deliveries: 0, ..defaults };
        assert_eq!(refused.check(), Err(ScoreSettingsRefused::OutOfRange("expected_deliveries")));
        let refused = ScoreSettings { full_throughput: 1_023, ..defaults };
        assert_eq!(refused.check(), Err(ScoreSettingsRefused::OutOfRange("full_throughput")));
    }
}

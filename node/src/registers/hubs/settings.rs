//! The numbers by which a node goes from hub to hub, each with the range that is accepted.

use std::{ops::RangeInclusive, time::Duration};
use thiserror::Error;

/// Range of [`HubSettings::keepalive`].
const KEEPALIVE: RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_secs(30);
/// Range of [`HubSettings::missed`].
const MISSED: RangeInclusive<u32> = 1..=10;
/// Range of [`HubSettings::answers_a_second`].
const ANSWERS_A_SECOND: RangeInclusive<u32> = 1..=100_000;
/// The longest [`HubSettings::failback`].
const LONGEST_FAILBACK: Duration = Duration::from_secs(86_400);

/// How a node goes from hub to hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubSettings {
    /// Between two keepalives, twice that to a hub with too many; each is answered within half of it: 200 ms to 30 s.
    pub keepalive: Duration,
    /// A hub is left with so many in a row unanswered: 1 to 10.
    pub missed: u32,
    /// A hub before the active one takes its place after answering for so long, at most a day; never when absent.
    pub failback: Option<Duration>,
    /// Keepalives a second that a hub answers before it advises nodes to ask half as often: 1 to 100000.
    pub answers_a_second: u32,
}

impl Default for HubSettings {
    fn default() -> Self {
        Self { keepalive: Duration::from_secs(1), missed: 2, failback: None, answers_a_second: 1_000 }
    }
}

/// A number outside its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HubSettingsRefused {
    /// The time between keepalives.
    #[error("keepalives to hubs are 200 ms to 30 s apart, not {0:?}")]
    Keepalive(Duration),
    /// How many may be missed.
    #[error("a hub is left after 1 to 10 missed keepalives, not {0}")]
    Missed(u32),
    /// When a node goes back.
    #[error("nodes go back to a hub after at most a day, not {0:?}")]
    Failback(Duration),
    /// How many keepalives a hub answers.
    #[error("a hub answers 1 to 100000 keepalives a second, not {0}")]
    AnswersASecond(u32),
}

impl HubSettings {
    /// Checks every range.
    pub fn check(&self) -> Result<(), HubSettingsRefused> {
        if !KEEPALIVE.contains(&self.keepalive) {
            return Err(HubSettingsRefused::Keepalive(self.keepalive));
        }
        if !MISSED.contains(&self.missed) {
            return Err(HubSettingsRefused::Missed(self.missed));
        }
        if !ANSWERS_A_SECOND.contains(&self.answers_a_second) {
            return Err(HubSettingsRefused::AnswersASecond(self.answers_a_second));
        }
        match self.failback {
            Some(failback) if failback > LONGEST_FAILBACK => Err(HubSettingsRefused::Failback(failback)),
            _ => Ok(()),
        }
    }

    /// How long an answer may take.
    pub(super) fn answer_within(&self) -> Duration {
        self.keepalive / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_within_their_ranges_are_taken_and_others_are_named() {
        let defaults = HubSettings::default();
        assert_eq!(defaults.check(), Ok(()));
        for keepalive in [Duration::from_millis(199), Duration::from_millis(30_001)] {
            let refused = HubSettings { keepalive, ..defaults }.check();
            assert_eq!(refused, Err(HubSettingsRefused::Keepalive(keepalive)));
        }
        for missed in [0, 11] {
            assert_eq!(HubSettings { missed, ..defaults }.check(), Err(HubSettingsRefused::Missed(missed)));
        }
        for answers_a_second in [0, 100_001] {
            let refused = HubSettings { answers_a_second, ..defaults }.check();
            assert_eq!(refused, Err(HubSettingsRefused::AnswersASecond(answers_a_second)));
        }
        let failback = Duration::from_secs(86_401);
        let refused = HubSettings { failback: Some(failback), ..defaults }.check();
        assert_eq!(refused, Err(HubSettingsRefused::Failback(failback)));
    }
}

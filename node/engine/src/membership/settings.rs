//! How membership is kept.

use crate::settings::{SettingRefused, in_range};
use std::{ops::RangeInclusive, time::Duration};

/// How membership is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MembershipSettings {
    /// How long a record waits for company before it is passed on.
    pub spread_window: Duration,
    /// The same for what is urgent: accusations, what answers them, and who leaves.
    pub urgent_window: Duration,
    /// How often this node compares its members with a neighbour's. When they are equal again and again the time
    /// doubles, up to eight times.
    pub reconcile_interval: Duration,
    /// Records kept at most, those of gone members that are still remembered included. Full: records of further
    /// members are refused.
    pub capacity: usize,
    /// How long a member that is dead or has left is remembered, so that nobody brings it back by an old record.
    pub remember_gone: Duration,
}

impl MembershipSettings {
    /// Accepted for `spread_window`.
    pub const SPREAD_WINDOW: RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_secs(1);
    /// Accepted for `urgent_window`.
    pub const URGENT_WINDOW: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_millis(200);
    /// Accepted for `reconcile_interval`.
    pub const RECONCILE_INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);
    /// Accepted for `capacity`.
    pub const CAPACITY: RangeInclusive<usize> = 16..=16_384;
    /// Accepted for `remember_gone`.
    pub const REMEMBER_GONE: RangeInclusive<Duration> = Duration::from_secs(30)..=Duration::from_secs(86_400);

    /// Whether every value is within its range.
    pub fn check(&self) -> Result<(), SettingRefused> {
        in_range("membership.spreadWindow", self.spread_window, &Self::SPREAD_WINDOW)?;
        in_range("membership.urgentWindow", self.urgent_window, &Self::URGENT_WINDOW)?;
        in_range("membership.reconcileInterval", self.reconcile_interval, &Self::RECONCILE_INTERVAL)?;
        in_range("membership.capacity", self.capacity, &Self::CAPACITY)?;
        in_range("membership.rememberGone", self.remember_gone, &Self::REMEMBER_GONE)
    }
}

impl Default for MembershipSettings {
    fn default() -> Self {
        Self {
            spread_window: Duration::from_millis(100),
            urgent_window: Duration::from_millis(10),
            reconcile_interval: Duration::from_secs(4),
            capacity: 16_384,
            remember_gone: Duration::from_secs(600),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::MembershipSettings;

    #[test]
    fn the_defaults_are_within_their_ranges_and_a_value_outside_is_named() {
        assert_eq!(MembershipSettings::default().check(), Ok(()));
        let refused = MembershipSettings { capacity: 20_000, ..Default::default() }.check().unwrap_err();
        assert_eq!(refused.to_string(), "membership.capacity is 20000: accepted is 16 to 16384");
    }
}

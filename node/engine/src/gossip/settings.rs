//! How messages are spread.

use crate::settings::all_within;
use std::{ops::RangeInclusive, time::Duration};
use thiserror::Error;

/// Links that this node's own messages may be required to go out on.
pub const FANOUT_RANGE: RangeInclusive<usize> = 2..=20;
/// How often a message may be allowed to be passed on.
pub const HOP_LIMIT_RANGE: RangeInclusive<u8> = 1..=64;
/// How long gossip may be made to spread a message; the policy's limit is brought into it.
pub const TIME_TO_LIVE_RANGE: RangeInclusive<Duration> = Duration::from_secs(300)..=Duration::from_secs(86_400);
/// How long announcements may gather.
pub const ANNOUNCE_RANGE: RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_millis(250);
/// How long a batch of transactions may wait for company.
pub const BATCH_RANGE: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_millis(100);

/// How messages are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GossipSettings {
    /// This node's own messages go out on at least so many links, whatever the trees say, so that no few neighbours can
    /// keep them to themselves.
    pub fanout: usize,
    /// How often a message of this node may be passed on. One that may not is announced instead.
    pub hop_limit: u8,
    /// How long a batch of transactions waits for company.
    pub batch_window: Duration,
    /// How long announcements gather while the links are stable.
    pub announce_calm: Duration,
    /// How long they gather for a while after a link was lost.
    pub announce_alert: Duration,
}

impl Default for GossipSettings {
    fn default() -> Self {
        Self {
            fanout: 3,
            hop_limit: 16,
            batch_window: Duration::from_millis(2),
            announce_calm: Duration::from_millis(250),
            announce_alert: Duration::from_millis(20),
        }
    }
}

/// Why settings are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("gossip: {0} is outside its range")]
pub struct GossipSettingsRefused(&'static str);

impl GossipSettings {
    /// Whether every number is within its range.
    pub fn check(&self) -> Result<(), GossipSettingsRefused> {
        all_within(&[
            ("fanout", FANOUT_RANGE.contains(&self.fanout)),
            ("hop_limit", HOP_LIMIT_RANGE.contains(&self.hop_limit)),
            ("batch_window", BATCH_RANGE.contains(&self.batch_window)),
            ("announce_calm", ANNOUNCE_RANGE.contains(&self.announce_calm)),
            ("announce_alert", ANNOUNCE_RANGE.contains(&self.announce_alert)),
        ])
        .map_err(GossipSettingsRefused)
    }
}

#[cfg(test)]
mod tests {
    use super::{GossipSettings, GossipSettingsRefused};
    use std::time::Duration;

    #[test]
    fn the_defaults_are_in_range() {
        assert_eq!(GossipSettings::default().check(), Ok(()));
    }

    #[test]
    fn what_is_outside_its_range_is_refused_by_name() {
        let default = GossipSettings::default;
        for (settings, name) in [
            (GossipSettings { fanout: 1, ..default() }, "fanout"),
            (GossipSettings { fanout: 21, ..default() }, "fanout"),
            (GossipSettings { hop_limit: 0, ..default() }, "hop_limit"),
            (GossipSettings { batch_window: Duration::from_millis(101), ..default() }, "batch_window"),
            (GossipSettings { announce_calm: Duration::from_millis(251), ..default() }, "announce_calm"),
            (GossipSettings { announce_alert: Duration::from_millis(19), ..default() }, "announce_alert"),
        ] {
            assert_eq!(settings.check(), Err(GossipSettingsRefused(name)));
        }
    }
}

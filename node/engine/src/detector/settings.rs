//! How quickly this node believes that another is gone.

use crate::settings::{SettingRefused, in_range};
use std::{ops::RangeInclusive, time::Duration};

/// How quickly this node believes that another is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DetectionSettings {
    /// A link on which nothing was sent for so long carries a keepalive.
    pub keepalive: Duration,
    /// A peer on whose link nothing was heard for so long is suspected.
    pub suspicion_after: Duration,
    /// How long a suspected peer, and those who were asked to probe it, have for an answer.
    pub probe_timeout: Duration,
    /// How many others are asked to probe a suspected peer.
    pub indirect_probes: usize,
    /// How long an accusation stands in a network of up to 127 members before its subject is unreachable; half as long
    /// when three accuse.
    pub standing: Duration,
    /// How long an unreachable member of such a network has before it is dead.
    pub dead_after: Duration,
    /// A link on which nothing was heard for so long is closed, whatever others say of its peer.
    pub silence_limit: Duration,
    /// With fewer healthy peers than this, or than there are, the service is degraded.
    pub minimum_healthy_peers: usize,
}

impl DetectionSettings {
    /// Accepted for `keepalive`.
    pub const KEEPALIVE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(30);
    /// Accepted for `suspicion_after`.
    pub const SUSPICION_AFTER: RangeInclusive<Duration> = Duration::from_millis(150)..=Duration::from_secs(60);
    /// Accepted for `probe_timeout`.
    pub const PROBE_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(10);
    /// Accepted for `indirect_probes`.
    pub const INDIRECT_PROBES: RangeInclusive<usize> = 0..=8;
    /// Accepted for `standing`.
    pub const STANDING: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);
    /// Accepted for `dead_after`.
    pub const DEAD_AFTER: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(3_600);
    /// Accepted for `silence_limit`.
    pub const SILENCE_LIMIT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);
    /// Accepted for `minimum_healthy_peers`.
    pub const MINIMUM_HEALTHY_PEERS: RangeInclusive<usize> = 1..=100;

    /// Whether every value is within its range, and a keepalive comes before suspicion does.
    pub fn check(&self) -> Result<(), SettingRefused> {
        in_range("detection.keepalive", self.keepalive, &Self::KEEPALIVE)?;
        let lowest = *Self::SUSPICION_AFTER.start().max(&(self.keepalive * 5 / 4));
        in_range("detection.suspicionAfter", self.suspicion_after, &(lowest..=*Self::SUSPICION_AFTER.end()))?;
        in_range("detection.probeTimeout", self.probe_timeout, &Self::PROBE_TIMEOUT)?;
        in_range("detection.indirectProbes", self.indirect_probes, &Self::INDIRECT_PROBES)?;
        in_range("detection.standing", self.standing, &Self::STANDING)?;
        in_range("detection.deadAfter", self.dead_after, &Self::DEAD_AFTER)?;
        in_range("detection.silenceLimit", self.silence_limit, &Self::SILENCE_LIMIT)?;
        in_range("detection.minimumHealthyPeers", self.minimum_healthy_peers, &Self::MINIMUM_HEALTHY_PEERS)
    }

    /// How long an accusation stands in a network of so many members.
    pub(crate) fn standing_among(&self, members: usize) -> Duration {
        among(self.standing, members)
    }

    /// How long an unreachable member has in a network of so many.
    pub(crate) fn dead_after_among(&self, members: usize) -> Duration {
        among(self.dead_after, members)
    }
}

impl Default for DetectionSettings {
    fn default() -> Self {
        Self {
            keepalive: Duration::from_secs(1),
            suspicion_after: Duration::from_millis(1_500),
            probe_timeout: Duration::from_millis(400),
            indirect_probes: 3,
            standing: Duration::from_secs(1),
            dead_after: Duration::from_secs(10),
            silence_limit: Duration::from_secs(5),
            minimum_healthy_peers: 5,
        }
    }
}

/// A time that holds up to 127 members, and grows with the logarithm of their number beyond: as the way of a message.
fn among(time: Duration, members: usize) -> Duration {
    const DIGITS: u32 = 7;
    time * (members.max(1).ilog2() + 1).max(DIGITS) / DIGITS
}

#[cfg(test)]
mod tests {
    use super::DetectionSettings;
    use std::time::Duration;

    #[test]
    fn the_defaults_are_within_their_ranges() {
        assert_eq!(DetectionSettings::default().check(), Ok(()));
    }

    #[test]
    fn suspicion_before_a_keepalive_is_refused() {
        let settings = DetectionSettings { suspicion_after: Duration::from_secs(1), ..Default::default() };
        assert_eq!(settings.check().unwrap_err().name, "detection.suspicionAfter");
    }

    #[test]
    fn nobody_can_be_dead_before_ten_seconds() {
        let settings = DetectionSettings { dead_after: Duration::from_secs(9), ..Default::default() };
        assert_eq!(settings.check().unwrap_err().name, "detection.deadAfter");
    }

    #[test]
    fn times_grow_with_the_logarithm_of_the_network() {
        let settings = DetectionSettings::default();
        let millis = |members| settings.standing_among(members).as_millis();
        assert_eq!(
            (millis(0), millis(3), millis(127), millis(1_000), millis(10_000)),
            (1_000, 1_000, 1_000, 1_428, 2_000)
        );
        assert_eq!(settings.dead_after_among(100), Duration::from_secs(10));
    }
}

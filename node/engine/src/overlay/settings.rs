//! How many links the overlay keeps, and how often it changes them.

use crate::settings::all_within;
use std::{ops::RangeInclusive, time::Duration};
use thiserror::Error;

/// Neighbours that a node may be set to have.
pub(super) const ACTIVE_RANGE: RangeInclusive<usize> = 3..=64;
/// Neighbours below which a node may be set to ask with priority, and that it may have to choose itself.
pub(super) const LEAST_RANGE: RangeInclusive<usize> = 1..=64;
/// Dials and questions that a node may be set to have under way.
pub(super) const SEARCHING_RANGE: RangeInclusive<usize> = 1..=64;
/// Addresses that a node may be set to send in a shuffle.
pub(super) const SHUFFLED_RANGE: RangeInclusive<usize> = 1..=crate::bounds::MAX_SHUFFLED;
/// Dials that may be allowed to fail before an address is forgotten.
pub(super) const ATTEMPTS_RANGE: RangeInclusive<u32> = 1..=20;
/// Addresses that a passive view may be set to hold.
pub(super) const PASSIVE_RANGE: RangeInclusive<usize> = 8..=512;
/// Points by which a newcomer may have to beat the worst neighbour.
pub(super) const SWAP_MARGIN_RANGE: RangeInclusive<u8> = 0..=100;
/// Time without use after which a link outside the active view may be closed.
pub(super) const IDLE_RANGE: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(86_400);
/// Of so many neighbours as many are the nearest members as the second number says.
const NEAR_SHARE: (usize, usize) = (8, 5);
/// Time between two rounds of any kind of upkeep.
pub(super) const INTERVAL_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

/// The overlay: which links a node makes for gossip and membership, and how it keeps them good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverlaySettings {
    /// Neighbours that a node looks for. It never has more.
    pub active: usize,
    /// Fewer neighbours than this are urgent: the node asks with priority, and others make room.
    pub active_minimum: usize,
    /// Neighbours that this node chose and dialled itself; at least so many, so that nobody can fill the view from
    /// outside.
    pub active_outbound: usize,
    /// Dials and questions to further neighbours under way at once, so that some of the room is left for those who ask.
    pub searching: usize,
    /// Addresses kept at hand for neighbours that leave.
    pub passive: usize,
    /// Addresses sent in one shuffle.
    pub shuffled: usize,
    /// Time between two shuffles of a node.
    pub shuffle_interval: Duration,
    /// Time between two looks for a better neighbour. The first ones come sooner.
    pub improve_interval: Duration,
    /// Time between two trials of somebody unknown as a neighbour: what joins clusters that have lost each other.
    pub mingle_interval: Duration,
    /// By how much the score of a newcomer must be above that of the worst neighbour.
    pub swap_margin: u8,
    /// A link that is no neighbour's and was not used for so long is closed.
    pub idle_after: Duration,
    /// Dials in a row that may fail before an address is forgotten that nobody configured.
    pub reconnect_attempts: u32,
}

impl Default for OverlaySettings {
    fn default() -> Self {
        Self {
            active: 8,
            active_minimum: 6,
            active_outbound: 3,
            searching: 4,
            passive: 60,
            shuffled: 8,
            shuffle_interval: Duration::from_secs(30),
            improve_interval: Duration::from_secs(60),
            mingle_interval: Duration::from_secs(600),
            swap_margin: 10,
            idle_after: Duration::from_secs(15 * 60),
            reconnect_attempts: 5,
        }
    }
}

/// Why settings are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OverlayRefused {
    /// A number is outside its range.
    #[error("overlay: {0} is outside its range")]
    OutOfRange(&'static str),
    /// Two numbers do not go together.
    #[error("overlay: {0}")]
    Contradiction(&'static str),
}

impl OverlaySettings {
    /// Neighbours that are to be the nearest members: more than somebody with a share of the members can hope to be, and
    /// fewer than all, so that there is room for the good and for strangers.
    pub(crate) fn near(&self) -> usize {
        let (of, near) = NEAR_SHARE;
        (self.active * near / of).max(self.active_outbound)
    }

    /// Whether every number is within its range and the numbers go together.
    pub fn check(&self) -> Result<(), OverlayRefused> {
        let intervals = [self.shuffle_interval, self.improve_interval, self.mingle_interval];
        all_within(&[
            ("active", ACTIVE_RANGE.contains(&self.active)),
            ("passive", PASSIVE_RANGE.contains(&self.passive)),
            ("active_minimum", LEAST_RANGE.contains(&self.active_minimum)),
            ("active_outbound", LEAST_RANGE.contains(&self.active_outbound)),
            ("shuffled", SHUFFLED_RANGE.contains(&self.shuffled)),
            ("searching", SEARCHING_RANGE.contains(&self.searching)),
            ("swap_margin", SWAP_MARGIN_RANGE.contains(&self.swap_margin)),
            ("idle_after", IDLE_RANGE.contains(&self.idle_after)),
            ("an interval", intervals.iter().all(|interval| INTERVAL_RANGE.contains(interval))),
            ("reconnect_attempts", ATTEMPTS_RANGE.contains(&self.reconnect_attempts)),
        ])
        .map_err(OverlayRefused::OutOfRange)?;
        if self.active_minimum > self.active {
            return Err(OverlayRefused::Contradiction("active_minimum is above active"));
        }
        if self.searching > self.active {
            return Err(OverlayRefused::Contradiction("searching is above active"));
        }
        if self.active_outbound > self.active {
            return Err(OverlayRefused::Contradiction("active_outbound is above active"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{OverlayRefused, OverlaySettings};
    use std::time::Duration;

    #[test]
    fn the_defaults_are_in_range_and_others_may_not_be() {
        let defaults = OverlaySettings::default();
        assert_eq!(defaults.check(), Ok(()));
        let refused = OverlaySettings { active: 65, ..defaults };
        assert_eq!(refused.check(), Err(OverlayRefused::OutOfRange("active")));
        let refused = OverlaySettings { shuffle_interval: Duration::ZERO, ..defaults };
        assert_eq!(refused.check(), Err(OverlayRefused::OutOfRange("an interval")));
        let refused = OverlaySettings { active_minimum: 9, ..defaults };
        assert_eq!(refused.check(), Err(OverlayRefused::Contradiction("active_minimum is above active")));
        let refused = OverlaySettings { searching: 9, ..defaults };
        assert_eq!(refused.check(), Err(OverlayRefused::Contradiction("searching is above active")));
        let refused = OverlaySettings { searching: 0, ..defaults };
        assert_eq!(refused.check(), Err(OverlayRefused::OutOfRange("searching")));
        let refused = OverlaySettings { active: 4, searching: 4, active_minimum: 4, active_outbound: 5, ..defaults };
        assert_eq!(refused.check(), Err(OverlayRefused::Contradiction("active_outbound is above active")));
    }
}

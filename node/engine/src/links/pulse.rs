//! What the silence of a link means.

use super::Link;
use crate::{DetectionSettings, Direction, Micros};
use std::time::Duration;

/// What a look at a link says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pulse {
    /// Nothing was heard for so long that the link is of no use, whatever became of its peer.
    Ended,
    /// Nothing was heard for a while: its peer may be gone.
    Suspect,
    /// Nothing was sent for a while: a keepalive is due.
    Idle,
    /// Nothing to do.
    Alive,
}

impl Link {
    /// Looks at the link. Times of silence are multiplied by `multiplier`.
    pub(crate) fn pulse(&self, now: Micros, settings: &DetectionSettings, multiplier: u32) -> Pulse {
        if self.ends(settings, multiplier) <= now {
            Pulse::Ended
        } else if self.is_suspect_at(settings, multiplier) <= now {
            Pulse::Suspect
        } else if self.last_sent + self.keepalive(settings) <= now {
            Pulse::Idle
        } else {
            Pulse::Alive
        }
    }

    /// When to look again, after what the last look said was done.
    pub(crate) fn next_look(&self, now: Micros, settings: &DetectionSettings, multiplier: u32) -> Micros {
        let next = self
            .ends(settings, multiplier)
            .min(self.is_suspect_at(settings, multiplier))
            .min(self.last_sent + self.keepalive(settings));
        next.max(now + Duration::from_millis(1))
    }

    /// Whether nothing was heard within the last two keepalives.
    pub(crate) fn is_silent(&self, now: Micros, settings: &DetectionSettings) -> bool {
        now.since(self.last_heard) > settings.keepalive * 2
    }

    fn ends(&self, settings: &DetectionSettings, multiplier: u32) -> Micros {
        self.last_heard + settings.silence_limit.max(settings.suspicion_after) * multiplier
    }

    fn is_suspect_at(&self, settings: &DetectionSettings, multiplier: u32) -> Micros {
        (self.last_heard + settings.suspicion_after * multiplier).max(self.suspect_from)
    }

    /// The side that was dialled waits a little longer: the answer to the other side's keepalive then serves as its own.
    fn keepalive(&self, settings: &DetectionSettings) -> Duration {
        match self.direction {
            Direction::Outbound => settings.keepalive,
            Direction::Inbound => settings.keepalive * 5 / 4,
        }
    }
}

//! Whether a link is alive: the thin failure detector.

use super::Link;
use crate::{Config, Micros};

/// What a look at a link says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pulse {
    /// Nothing was heard for too long.
    Unreachable,
    /// Nothing was sent for a while: a keepalive is due. Look again at this time.
    Idle(Micros),
    /// Nothing to do. Look again at this time.
    Alive(Micros),
}

impl Link {
    /// Looks at the link.
    pub(crate) fn pulse(&self, now: Micros, config: &Config) -> Pulse {
        let deadline = self.last_heard + config.unreachable_after;
        if deadline <= now {
            return Pulse::Unreachable;
        }
        let keepalive = self.last_sent + config.keepalive;
        if keepalive <= now {
            Pulse::Idle(deadline.min(now + config.keepalive))
        } else {
            Pulse::Alive(deadline.min(keepalive))
        }
    }

    /// Whether something was heard within the last two keepalives.
    pub(crate) fn is_silent(&self, now: Micros, config: &Config) -> bool {
        now.since(self.last_heard) > config.keepalive * 2
    }
}

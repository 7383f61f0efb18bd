//! Whether this node has enough peers to be of use.

use std::fmt;

/// Whether this node has enough peers to be of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum ServiceStatus {
    /// No healthy peer.
    #[default]
    Offline,
    /// Fewer healthy peers than the least number that is asked for, and than there are.
    Degraded,
    /// Enough of them.
    Online,
}

impl ServiceStatus {
    /// The status in one word.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Degraded => "degraded",
            Self::Online => "online",
        }
    }
}

impl fmt::Display for ServiceStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.label())
    }
}

/// The status of a node that has certified `known` peers, of whom `healthy` are healthy. Where there are fewer than the
/// minimum at all, all of them are enough.
pub(crate) fn status(healthy: usize, known: usize, minimum: usize) -> ServiceStatus {
    if healthy == 0 {
        ServiceStatus::Offline
    } else if healthy < minimum.min(known) {
        ServiceStatus::Degraded
    } else {
        ServiceStatus::Online
    }
}

#[cfg(test)]
mod tests {
    use super::{ServiceStatus::*, status};

    #[test]
    fn offline_without_a_healthy_peer_degraded_below_the_minimum_online_from_it_on() {
        assert_eq!(status(0, 20, 5), Offline);
        assert_eq!(status(1, 20, 5), Degraded);
        assert_eq!(status(4, 20, 5), Degraded);
        assert_eq!(status(5, 20, 5), Online);
        assert_eq!(status(20, 20, 5), Online);
    }

    #[test]
    fn a_network_smaller_than_the_minimum_is_online_when_all_of_it_is_healthy() {
        assert_eq!(status(2, 2, 5), Online);
        assert_eq!(status(1, 2, 5), Degraded);
        assert_eq!(status(0, 0, 5), Offline);
    }
}

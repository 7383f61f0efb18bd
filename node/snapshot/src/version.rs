//! The order of a network's snapshots.

use std::fmt;
use thiserror::Error;

/// A snapshot's place in the order: by epoch, then by revision. The default is before every published snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Rises when the operator finds no valid snapshot to continue from.
    pub epoch: u64,
    /// Rises with the content, within an epoch.
    pub revision: u64,
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.epoch, self.revision)
    }
}

/// A snapshot that would take a node back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("snapshot {offered} is older than {current}, which this node has persisted")]
pub struct Older {
    /// The snapshot that was refused.
    pub offered: Version,
    /// The one in force.
    pub current: Version,
}

impl Older {
    /// The refusal as a metric label.
    #[must_use]
    pub const fn code(self) -> &'static str {
        "snapshot_older"
    }
}

//! Whether a node may serve, in one word.

use std::fmt;

/// Whether a node may serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// It may.
    Ready {
        /// It serves what it has: no other node has been reachable so far.
        alone: bool,
    },
    /// It may not.
    Waiting(Reason),
}

/// Why a node may not serve. The most lasting reason is the one to tell: a banned node that syncs is banned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It has no certificate or no snapshot, and the operator has not given it one yet.
    WaitingForOperator,
    /// The snapshot bans it.
    Banned,
    /// It lacks messages that reachable peers hold.
    Syncing,
    /// The process has not come that far.
    Starting,
    /// The process is ending.
    Draining,
    /// The process is about to end, to be started anew.
    Failed,
}

impl Reason {
    /// The word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::WaitingForOperator => "waiting-for-operator",
            Self::Banned => "banned",
            Self::Syncing => "syncing",
            Self::Starting => "starting",
            Self::Draining => "draining",
            Self::Failed => "failed",
        }
    }

    const fn explanation(self) -> &'static str {
        match self {
            Self::WaitingForOperator => "the operator has not yet given this node a certificate and a snapshot",
            Self::Banned => "a PeerBan or spec.bans of the network names this node",
            Self::Syncing => "this node does not yet hold all that its reachable peers advertised",
            Self::Starting => "the process is starting",
            Self::Draining => "the process is ending",
            Self::Failed => "the store failed: the process ends, to be started anew",
        }
    }
}

impl Readiness {
    /// Whether the node may serve.
    #[must_use]
    pub const fn is_ready(self) -> bool {
        matches!(self, Self::Ready { .. })
    }

    /// `ready`, or the reason's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ready { .. } => "ready",
            Self::Waiting(reason) => reason.word(),
        }
    }
}

/// The word first, then what it means.
impl fmt::Display for Readiness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready { alone: false } => formatter.write_str("ready"),
            Self::Ready { alone: true } => formatter.write_str("ready alone: no other node has been reachable so far"),
            Self::Waiting(reason) => write!(formatter, "{} {}", reason.word(), reason.explanation()),
        }
    }
}

//! What feeds a peer's score.

use crate::Misbehaviour;
use std::time::Duration;

/// Something that came of dealing with a peer. Every part of the engine reports what it sees; what each is worth is
/// decided in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A link to the peer is in use, whoever dialled.
    Connected,
    /// A dial came to nothing.
    ConnectFailed,
    /// A link ended without this node's doing.
    LinkLost,
    /// A link was closed because nothing was heard on it.
    Silent,
    /// A link ended because one of the two wished so, for no fault of the peer.
    Parted,
    /// A keepalive was answered after this time.
    RoundTrip(Duration),
    /// The peer was the first to bring a message that verified.
    FirstDelivery {
        /// The message's length.
        bytes: usize,
    },
    /// The peer brought a message that was known.
    Duplicate,
    /// A pull or a request was answered.
    Answered {
        /// What came.
        bytes: usize,
        /// How long it took.
        took: Duration,
    },
    /// A pull or a request was not answered in time, or not with what the peer had announced.
    Unanswered,
    /// The peer passed on something that does not verify.
    InvalidMessage,
    /// The peer sent a frame of a known kind that cannot be read. A defect of its version may do that, so this is not
    /// yet a breach.
    Malformed,
    /// The peer broke the protocol as no version of an honest peer would.
    #[cfg_attr(not(test), expect(dead_code, reason = "no part has met one that a defect could not explain"))]
    ProtocolViolation,
    /// The peer has signed what proves its malice to anybody.
    MaliciousContent,
    /// The peer sent or asked for more than its limits allow.
    LimitExceeded,
}

impl Outcome {
    /// What the outcome is called where it may lead to a ban. Failures and silence never do.
    pub(crate) const fn misbehaviour(self) -> Option<Misbehaviour> {
        match self {
            Self::InvalidMessage | Self::Malformed => Some(Misbehaviour::InvalidMessage),
            Self::LimitExceeded => Some(Misbehaviour::Spam),
            Self::ProtocolViolation => Some(Misbehaviour::ProtocolViolation),
            Self::MaliciousContent => Some(Misbehaviour::MaliciousContent),
            Self::Connected
            | Self::ConnectFailed
            | Self::LinkLost
            | Self::Silent
            | Self::Parted
            | Self::RoundTrip(_)
            | Self::FirstDelivery { .. }
            | Self::Duplicate
            | Self::Answered { .. }
            | Self::Unanswered => None,
        }
    }

    /// The outcome in one word.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::ConnectFailed => "connect_failed",
            Self::LinkLost => "link_lost",
            Self::Silent => "silent",
            Self::Parted => "parted",
            Self::RoundTrip(_) => "round_trip",
            Self::FirstDelivery { .. } => "first_delivery",
            Self::Duplicate => "duplicate",
            Self::Answered { .. } => "answered",
            Self::Unanswered => "unanswered",
            Self::InvalidMessage => "invalid_message",
            Self::Malformed => "malformed",
            Self::ProtocolViolation => "protocol_violation",
            Self::MaliciousContent => "malicious_content",
            Self::LimitExceeded => "limit_exceeded",
        }
    }
}

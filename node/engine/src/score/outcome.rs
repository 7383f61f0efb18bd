//! What feeds a peer's score.

use std::time::Duration;

/// Something that came of dealing with a peer. Every part of the engine reports what it sees; what each is worth is
/// decided in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A dial led to a link.
    Connected,
    /// A dial came to nothing.
    ConnectFailed,
    /// A link ended without this node's doing.
    LinkLost,
    /// A link was closed because nothing was heard on it.
    Silent,
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
    /// The peer sent a frame that cannot be read, or broke the protocol so that no honest peer would.
    ProtocolViolation,
    /// The peer sent more than its limits allow.
    LimitExceeded,
}

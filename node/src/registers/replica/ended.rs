//! Why nothing more comes from a source.

use crate::registers::Unreached;
use bytes::Bytes;
use peerwright_encoding::DecodeError;
use peerwright_ledger::{ControlRefused, DocketHeader, DocketRefused, ForkProof, RegisterId};
use peerwright_store::StoreError;
use thiserror::Error;
use tonic::{Code, Status};

/// Why nothing more comes from a source.
#[derive(Debug, Error)]
pub(super) enum Ended {
    #[error(transparent)]
    Unreached(#[from] Unreached),
    #[error("the source does not hold the register")]
    NotHeld,
    #[error("the source no longer holds what is to come next: {0}")]
    Trimmed(String),
    #[error("the source ended: {0}")]
    Source(Status),
    #[error("the source seals, and nobody leads it")]
    Leaderless,
    #[error("the source hung up")]
    HungUp,
    #[error("the source is silent")]
    Silent,
    #[error("the source holds less than it says")]
    Short,
    #[error("what it sent cannot be read: {0}")]
    Malformed(DecodeError, Bytes),
    #[error("docket {number} is refused: {refused}")]
    Refused { number: u64, refused: DocketRefused, shown: Bytes },
    #[error("docket 0 is of register {0}")]
    OtherRegister(RegisterId, Bytes),
    #[error("the checkpoint on the volume: {0}")]
    Checkpoint(#[from] ControlRefused),
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    #[error("no docket has come for long although there are more")]
    Stalled,
    #[error("docket {} of the register is certified twice", .0.number())]
    Fork(Box<ForkProof>),
    #[error("the source follows others, and somebody better is in reach")]
    Idle,
    #[error("another hub is active")]
    Turned,
    #[error("the node is ending")]
    Stopped,
}

impl Ended {
    /// A docket that is refused, with the header that shows it.
    pub(super) fn refused(header: &DocketHeader, refused: DocketRefused) -> Self {
        Self::Refused { number: header.number, refused, shown: header.encode().into() }
    }

    /// As a metric label, and in a word for people.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Unreached(_) => "unreached",
            Self::NotHeld => "not_held",
            Self::Trimmed(_) => "trimmed",
            Self::Source(_) => "ended",
            Self::Leaderless => "leaderless",
            Self::HungUp => "hung_up",
            Self::Silent => "silent",
            Self::Short => "short",
            Self::Malformed(..) => "malformed",
            Self::Refused { .. } | Self::OtherRegister(..) => "refused",
            Self::Store(_) | Self::Checkpoint(_) => "store",
            Self::Stalled => "deadline",
            Self::Fork(_) => "fork",
            Self::Idle => "idle",
            Self::Turned => "turned",
            Self::Stopped => "stopped",
        }
    }

    /// What shows that the source gave what no honest one gives; nothing where a failure, a clock or another history may
    /// be the cause.
    pub(super) fn offence(&self) -> Option<Bytes> {
        match self {
            Self::Refused {
                refused: DocketRefused::InFuture { .. } | DocketRefused::Previous { .. } | DocketRefused::History,
                ..
            } => None,
            Self::Malformed(_, shown) | Self::Refused { shown, .. } | Self::OtherRegister(_, shown) => {
                Some(shown.clone())
            }
            _ => None,
        }
    }
}

impl From<Status> for Ended {
    fn from(status: Status) -> Self {
        match status.code() {
            Code::NotFound => Self::NotHeld,
            Code::OutOfRange => Self::Trimmed(status.message().to_owned()),
            Code::FailedPrecondition => Self::Leaderless,
            _ => Self::Source(status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Ended;
    use peerwright_encoding::DecodeError;
    use tonic::Status;

    #[test]
    fn only_what_does_not_verify_is_an_offence() {
        let malformed = Ended::Malformed(DecodeError::Invalid("a test"), b"what came".as_slice().into());
        assert_eq!(malformed.offence().as_deref(), Some(b"what came".as_slice()));
        for blameless in [Ended::HungUp, Ended::Silent, Ended::Short, Status::unavailable("later").into()] {
            assert_eq!((blameless.offence(), blameless.code() == "refused"), (None, false));
        }
    }

    #[test]
    fn a_source_that_has_nothing_for_this_node_says_why() {
        assert_eq!(Ended::from(Status::not_found("none")).code(), "not_held");
        assert_eq!(Ended::from(Status::out_of_range("from 7")).code(), "trimmed");
        assert_eq!(Ended::from(Status::failed_precondition("leaderless")).code(), "leaderless");
    }
}

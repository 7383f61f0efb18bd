//! Why a transaction is not taken.

use crate::{RegisterId, TransactionId};
use peerwright_encoding::DecodeError;
use peerwright_secure::SignatureRefused;
use thiserror::Error;

/// Why a transaction is not taken. [`Refusal::code`] is the reason on the wire and the metric label.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Not the canonical encoding of a transaction.
    #[error("the transaction cannot be read: {0}")]
    Malformed(#[from] DecodeError),
    /// Longer than is accepted here.
    #[error("the transaction has {bytes} bytes, at most {limit} are accepted")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The longest accepted.
        limit: u32,
    },
    /// A payload's data is not what its hash says.
    #[error("payload {0} does not match its hash")]
    PayloadHashMismatch(usize),
    /// Signed by another key than the author's.
    #[error("the key that signs is not the transaction's author")]
    AuthorMismatch,
    /// The author did not sign the transaction.
    #[error("the author's signature does not hold: {0}")]
    Signature(#[from] SignatureRefused),
    /// Made later than now, by more than clocks may differ.
    #[error("the transaction is dated {seconds} s in the future; compare the clocks")]
    CreatedInFuture {
        /// How far ahead.
        seconds: u64,
    },
    /// Valid until before it was made.
    #[error("the transaction is not valid at any time: it ends before it was created")]
    NeverValid,
    /// Valid for too long.
    #[error("the transaction would be valid for {seconds} s, at most {limit} s are accepted")]
    LifetimeTooLong {
        /// Its lifetime.
        seconds: u64,
        /// The longest accepted.
        limit: u64,
    },
    /// No longer valid.
    #[error("the transaction expired {seconds} s ago; sign it again")]
    Expired {
        /// How long ago.
        seconds: u64,
    },
    /// For another register than the one it was handed in for.
    #[error("the transaction is for register {0}")]
    OtherRegister(RegisterId),
    /// Not the transaction that was announced.
    #[error("the transaction is {0}, which is not the one that was announced")]
    OtherTransaction(TransactionId),
}

impl Refusal {
    /// The refusal on the wire and as a metric label.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::TooLarge { .. } => "too_large",
            Self::PayloadHashMismatch(_) => "payload_hash_mismatch",
            Self::AuthorMismatch => "author_mismatch",
            Self::Signature(refused) => refused.code(),
            Self::CreatedInFuture { .. } => "created_in_future",
            Self::NeverValid => "never_valid",
            Self::LifetimeTooLong { .. } => "lifetime_too_long",
            Self::Expired { .. } => "expired",
            Self::OtherRegister(_) => "other_register",
            Self::OtherTransaction(_) => "other_transaction",
        }
    }
}

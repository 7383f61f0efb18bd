//! What a member has signed, on its way to the verifier.

use super::{
    MAX_STATEMENT_BYTES,
    record::{MemberRecord, holds},
};
use crate::detector::Accusation;
use bytes::Bytes;
use peerwright_secure::Context;

const _: () = assert!(MAX_STATEMENT_BYTES <= u8::MAX as usize, "a frame gives the length in one byte");

/// Something that a member has signed about itself or another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// What a member says of itself.
    Record(Bytes),
    /// That one member does not reach another.
    Accusation(Bytes),
}

impl Statement {
    /// Its bytes, the signature at their end.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        match self {
            Self::Record(bytes) | Self::Accusation(bytes) => bytes,
        }
    }

    /// Whether its bytes are what they should be, its signature aside.
    pub(crate) fn is_readable(&self) -> bool {
        match self {
            Self::Record(bytes) => MemberRecord::decode(bytes).is_ok(),
            Self::Accusation(bytes) => Accusation::decode(bytes).is_ok(),
        }
    }

    /// Whether it is signed by whom it names: decided by the bytes alone.
    #[must_use]
    pub fn holds(&self) -> bool {
        match self {
            Self::Record(bytes) => {
                MemberRecord::decode(bytes).is_ok_and(|record| holds(&record.key, Context::Member, bytes))
            }
            Self::Accusation(bytes) => {
                Accusation::decode(bytes).is_ok_and(|said| holds(&said.accuser, Context::Accusation, bytes))
            }
        }
    }
}

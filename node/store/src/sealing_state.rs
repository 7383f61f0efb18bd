//! The rows that a sealer keeps beside its log.

use crate::{Applied, LogEntry, LogState, StoreError, checksum::Checked, codec::from_ordered};
use bytes::Bytes;

/// Name, index, checksum, bytes.
pub(crate) type Row = (String, i64, i64, Vec<u8>);

/// A row of `sealing_states`.
#[derive(Clone, Copy)]
pub(crate) enum SealingState {
    Purged(u64),
    Applied(u64),
    Vote,
}

impl SealingState {
    /// Its name and its index.
    pub(crate) const fn key(self) -> (&'static str, u64) {
        match self {
            Self::Purged(index) => ("purged", index),
            Self::Applied(index) => ("applied", index),
            Self::Vote => ("vote", 0),
        }
    }

    pub(crate) fn checksum(self, bytes: &[u8]) -> i64 {
        let checked = match self {
            Self::Purged(index) => Checked::Purged(index),
            Self::Applied(index) => Checked::Applied(index),
            Self::Vote => Checked::Vote,
        };
        checked.checksum(bytes)
    }
}

/// Adds what a row says. Rows of later versions say nothing.
pub(crate) fn read((name, index, checksum, bytes): Row, state: &mut LogState) -> Result<(), StoreError> {
    let index = from_ordered(index);
    let row = match name.as_str() {
        "purged" => SealingState::Purged(index),
        "applied" => SealingState::Applied(index),
        "vote" => SealingState::Vote,
        _ => return Ok(()),
    };
    if row.checksum(&bytes) != checksum {
        return Err(StoreError::CorruptLog(format!("the row '{name}' of the sealing log")));
    }
    let bytes = Bytes::from(bytes);
    match row {
        SealingState::Purged(index) => state.purged = Some(LogEntry { index, bytes }),
        SealingState::Applied(index) => state.applied = Some(Applied { index, state: bytes }),
        SealingState::Vote => state.vote = Some(bytes),
    }
    Ok(())
}

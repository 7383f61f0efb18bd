//! What the writer is asked for about dockets and the sealing log.

use super::Slot;
use crate::{
    Applied, DocketCertificate, LogEntry, NewLog, StoreError,
    prepared::{PreparedDocket, PreparedExtension},
};
use bytes::Bytes;
use peerwright_ledger::RegisterId;

/// An operation, with the place for its answer.
pub(crate) enum DocketOperation {
    Extend { extensions: Vec<PreparedExtension>, slot: Slot<()> },
    Certify { certificates: Vec<DocketCertificate>, slot: Slot<()> },
    Replace { register: RegisterId, docket: Option<Box<PreparedDocket>>, slot: Slot<()> },
    Trim { register: RegisterId, below: u64, slot: Slot<()> },
    Purge { register: RegisterId, slot: Slot<u64> },
    Index { register: RegisterId, slot: Slot<Option<u64>> },
    DropIndex { register: RegisterId, slot: Slot<()> },
    AppendLog { entries: Vec<LogEntry>, slot: Slot<()> },
    TruncateLog { from: u64, slot: Slot<()> },
    PurgeLog { last: LogEntry, slot: Slot<()> },
    SaveVote { vote: Bytes, slot: Slot<()> },
    Apply { extensions: Vec<PreparedExtension>, applied: Applied, slot: Slot<()> },
    BeginLog { extensions: Vec<PreparedExtension>, log: NewLog, slot: Slot<()> },
}

impl DocketOperation {
    /// Whether a docket was written over another, and with it what the index could not read.
    pub(crate) const fn replaces(&self) -> bool {
        matches!(self, Self::Replace { .. })
    }

    pub(crate) fn finish(self, committed: &Result<(), StoreError>) {
        match self {
            Self::Extend { slot, .. }
            | Self::Certify { slot, .. }
            | Self::Replace { slot, .. }
            | Self::Trim { slot, .. }
            | Self::DropIndex { slot, .. }
            | Self::AppendLog { slot, .. }
            | Self::TruncateLog { slot, .. }
            | Self::PurgeLog { slot, .. }
            | Self::SaveVote { slot, .. }
            | Self::Apply { slot, .. }
            | Self::BeginLog { slot, .. } => slot.finish(committed),
            Self::Purge { slot, .. } => slot.finish(committed),
            Self::Index { slot, .. } => slot.finish(committed),
        }
    }
}

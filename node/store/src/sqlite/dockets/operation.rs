//! What the writer is asked for about dockets and the sealing log.

use super::{
    apply::{self, Outcome},
    chain::Chain,
    index, log,
    prepared::{PreparedDocket, PreparedExtension},
};
use crate::{Applied, DocketCertificate, LogEntry, StoreError, sqlite::queue::Slot};
use bytes::Bytes;
use peerwright_ledger::RegisterId;
use sqlx::SqliteConnection;
use std::mem::take;

/// An operation, with the place for its answer.
pub(in crate::sqlite) enum DocketOperation {
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
}

impl DocketOperation {
    /// Writes. What it writes is taken out of it: a group is written once.
    pub(in crate::sqlite) async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        match self {
            Self::Extend { extensions, slot } => slot.answer(apply::extend(connection, take(extensions)).await?),
            Self::Certify { certificates, slot } => slot.answer(apply::certify(connection, take(certificates)).await?),
            Self::Replace { register, docket, slot } => {
                if let Some(docket) = docket.take() {
                    slot.answer(apply::replace(connection, *register, *docket).await?);
                }
            }
            Self::Trim { register, below, slot } => slot.fill(apply::trim(connection, *register, *below).await?),
            Self::Purge { register, slot } => slot.fill(apply::purge(connection, *register).await?),
            Self::Index { register, slot } => slot.answer(extend_index(connection, *register).await?),
            Self::DropIndex { register, slot } => {
                if let Some(chain) = Chain::load(&mut *connection, *register).await? {
                    index::drop_index(connection, chain.id).await?;
                }
                slot.fill(());
            }
            Self::AppendLog { entries, slot } => slot.answer(log::append(connection, take(entries)).await?),
            Self::TruncateLog { from, slot } => slot.fill(log::truncate(connection, *from).await?),
            Self::PurgeLog { last, slot } => slot.fill(log::purge(connection, last.clone()).await?),
            Self::SaveVote { vote, slot } => slot.fill(log::save_vote(connection, vote.clone()).await?),
            Self::Apply { extensions, applied, slot } => {
                slot.answer(apply_log(connection, take(extensions), applied.clone()).await?);
            }
        }
        Ok(())
    }

    /// Whether a docket was written over another, and with it what the index could not read.
    pub(in crate::sqlite) const fn replaces(&self) -> bool {
        matches!(self, Self::Replace { .. })
    }

    pub(in crate::sqlite) fn finish(self, committed: &Result<(), StoreError>) {
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
            | Self::Apply { slot, .. } => slot.finish(committed),
            Self::Purge { slot, .. } => slot.finish(committed),
            Self::Index { slot, .. } => slot.finish(committed),
        }
    }
}

async fn extend_index(connection: &mut SqliteConnection, register: RegisterId) -> Outcome<Option<u64>> {
    let Some(mut chain) = Chain::load(&mut *connection, register).await? else { return Ok(Ok(None)) };
    Ok(match index::extend(connection, &mut chain).await? {
        Some(_) => Ok(chain.held.indexed_through),
        None => Err(StoreError::CorruptDocket { register, number: chain.unindexed_from() }),
    })
}

async fn apply_log(
    connection: &mut SqliteConnection,
    extensions: Vec<PreparedExtension>,
    applied: Applied,
) -> Outcome<()> {
    if let Err(refusal) = log::check_applied(connection, applied.index).await? {
        return Ok(Err(refusal));
    }
    if let Err(refusal) = apply::extend(connection, extensions).await? {
        return Ok(Err(refusal));
    }
    log::save_applied(connection, applied).await?;
    Ok(Ok(()))
}

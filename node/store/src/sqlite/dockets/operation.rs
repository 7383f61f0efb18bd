//! Does what the writer is asked for about dockets and the sealing log.

use super::{
    apply::{self, Outcome},
    chain, log,
};
use crate::{
    Applied, NewLog, StoreError,
    index::{self, Tables},
    prepared::PreparedExtension,
    queue::DocketOperation,
};
use peerwright_ledger::RegisterId;
use sqlx::SqliteConnection;
use std::mem::take;

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
                if let Some(chain) = chain::load(&mut *connection, *register).await? {
                    connection.drop_index(chain.id).await?;
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
            Self::BeginLog { extensions, log, slot } => {
                slot.answer(begin_log(connection, take(extensions), take(log)).await?);
            }
        }
        Ok(())
    }
}

async fn extend_index(connection: &mut SqliteConnection, register: RegisterId) -> Outcome<Option<u64>> {
    let Some(mut chain) = chain::load(&mut *connection, register).await? else { return Ok(Ok(None)) };
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

async fn begin_log(connection: &mut SqliteConnection, extensions: Vec<PreparedExtension>, log: NewLog) -> Outcome<()> {
    if let Err(refusal) = log.check() {
        return Ok(Err(refusal));
    }
    if let Err(refusal) = apply::extend(connection, extensions).await? {
        return Ok(Err(refusal));
    }
    log::begin(connection, log).await
}

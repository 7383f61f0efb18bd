//! Does what the writer is asked for about dockets and the sealing log.

use super::{
    apply::{self, Outcome},
    chain, log,
};
use crate::{
    Applied, NewLog, StoreError,
    index::{self, Tables as _},
    prepared::PreparedExtension,
    queue::DocketOperation,
    sqlite::at_once,
};
use peerwright_ledger::RegisterId;
use rusqlite::Connection;
use std::mem::take;

impl DocketOperation {
    /// Writes. What it writes is taken out of it: a group is written once.
    pub(in crate::sqlite) fn apply(&mut self, mut connection: &Connection) -> Result<(), StoreError> {
        match self {
            Self::Extend { extensions, slot } => slot.answer(apply::extend(connection, take(extensions))?),
            Self::Certify { certificates, slot } => slot.answer(apply::certify(connection, take(certificates))?),
            Self::Replace { register, docket, slot } => {
                if let Some(docket) = docket.take() {
                    slot.answer(apply::replace(connection, *register, *docket)?);
                }
            }
            Self::Trim { register, below, slot } => slot.fill(apply::trim(connection, *register, *below)?),
            Self::Purge { register, slot } => slot.fill(apply::purge(connection, *register)?),
            Self::Index { register, slot } => slot.answer(extend_index(connection, *register)?),
            Self::DropIndex { register, slot } => {
                if let Some(chain) = chain::load(connection, *register)? {
                    at_once(connection.drop_index(chain.id))?;
                }
                slot.fill(());
            }
            Self::AppendLog { entries, slot } => slot.answer(log::append(connection, take(entries))?),
            Self::TruncateLog { from, slot } => slot.fill(log::truncate(connection, *from)?),
            Self::PurgeLog { last, slot } => slot.fill(log::purge(connection, last.clone())?),
            Self::SaveVote { vote, slot } => slot.fill(log::save_vote(connection, vote.clone())?),
            Self::Apply { extensions, applied, slot } => {
                slot.answer(apply_log(connection, take(extensions), applied.clone())?);
            }
            Self::BeginLog { extensions, log, slot } => {
                slot.answer(begin_log(connection, take(extensions), take(log))?);
            }
        }
        Ok(())
    }
}

fn extend_index(mut connection: &Connection, register: RegisterId) -> Outcome<Option<u64>> {
    let Some(mut chain) = chain::load(connection, register)? else { return Ok(Ok(None)) };
    Ok(match at_once(index::extend(&mut connection, &mut chain))? {
        Some(_) => Ok(chain.held.indexed_through),
        None => Err(StoreError::CorruptDocket { register, number: chain.unindexed_from() }),
    })
}

fn apply_log(connection: &Connection, extensions: Vec<PreparedExtension>, applied: Applied) -> Outcome<()> {
    if let Err(refusal) = log::check_applied(connection, applied.index)? {
        return Ok(Err(refusal));
    }
    if let Err(refusal) = apply::extend(connection, extensions)? {
        return Ok(Err(refusal));
    }
    log::save_applied(connection, applied)?;
    Ok(Ok(()))
}

fn begin_log(connection: &Connection, extensions: Vec<PreparedExtension>, log: NewLog) -> Outcome<()> {
    if let Err(refusal) = log.check() {
        return Ok(Err(refusal));
    }
    if let Err(refusal) = apply::extend(connection, extensions)? {
        return Ok(Err(refusal));
    }
    log::begin(connection, log)
}

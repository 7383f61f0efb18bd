//! Does what the writer is asked for about dockets and the sealing log.

use super::{
    apply::{self, Outcome},
    chain, log,
};
use crate::{
    Applied, NewLog, StoreError,
    index::{self, Tables},
    postgres::session::Session,
    prepared::PreparedExtension,
    queue::DocketOperation,
};
use peerwright_ledger::RegisterId;
use std::mem::take;

/// Writes. What it writes is taken out of it: a group is written once.
pub(in crate::postgres) async fn apply(
    session: &mut Session,
    operation: &mut DocketOperation,
) -> Result<(), StoreError> {
    match operation {
        DocketOperation::Extend { extensions, slot } => slot.answer(apply::extend(session, take(extensions)).await?),
        DocketOperation::Certify { certificates, slot } => {
            slot.answer(apply::certify(session, take(certificates)).await?);
        }
        DocketOperation::Replace { register, docket, slot } => {
            if let Some(docket) = docket.take() {
                slot.answer(apply::replace(session, *register, *docket).await?);
            }
        }
        DocketOperation::Trim { register, below, slot } => slot.fill(apply::trim(session, *register, *below).await?),
        DocketOperation::Purge { register, slot } => slot.fill(apply::purge(session, *register).await?),
        DocketOperation::Index { register, slot } => slot.answer(extend_index(session, *register).await?),
        DocketOperation::DropIndex { register, slot } => {
            if let Some(chain) = chain::load(session, *register).await? {
                session.drop_index(chain.id).await?;
            }
            slot.fill(());
        }
        DocketOperation::AppendLog { entries, slot } => slot.answer(log::append(session, take(entries)).await?),
        DocketOperation::TruncateLog { from, slot } => slot.fill(log::truncate(session, *from).await?),
        DocketOperation::PurgeLog { last, slot } => slot.fill(log::purge(session, last.clone()).await?),
        DocketOperation::SaveVote { vote, slot } => slot.fill(log::save_vote(session, vote).await?),
        DocketOperation::Apply { extensions, applied, slot } => {
            slot.answer(apply_log(session, take(extensions), applied.clone()).await?);
        }
        DocketOperation::BeginLog { extensions, log, slot } => {
            slot.answer(begin_log(session, take(extensions), take(log)).await?);
        }
    }
    Ok(())
}

async fn extend_index(session: &mut Session, register: RegisterId) -> Outcome<Option<u64>> {
    let Some(mut chain) = chain::load(session, register).await? else { return Ok(Ok(None)) };
    Ok(match index::extend(session, &mut chain).await? {
        Some(_) => Ok(chain.held.indexed_through),
        None => Err(StoreError::CorruptDocket { register, number: chain.unindexed_from() }),
    })
}

async fn apply_log(session: &Session, extensions: Vec<PreparedExtension>, applied: Applied) -> Outcome<()> {
    if let Err(refusal) = log::check_applied(session, applied.index).await? {
        return Ok(Err(refusal));
    }
    if let Err(refusal) = apply::extend(session, extensions).await? {
        return Ok(Err(refusal));
    }
    log::save_applied(session, &applied).await?;
    Ok(Ok(()))
}

async fn begin_log(session: &Session, extensions: Vec<PreparedExtension>, log: NewLog) -> Outcome<()> {
    if let Err(refusal) = log.check() {
        return Ok(Err(refusal));
    }
    if let Err(refusal) = apply::extend(session, extensions).await? {
        return Ok(Err(refusal));
    }
    log::begin(session, log).await
}

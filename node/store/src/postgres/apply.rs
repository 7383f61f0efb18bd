//! What each operation of a group writes, inside its transaction.

use super::{
    dead_letters, dockets,
    messages::{self, Arrival},
    session::Session,
};
use crate::{
    StoreError,
    codec::{from_ordered, ordered},
    queue::{Job, Operation},
};

/// Does all of a group. Appends that follow one another are written as one: a statement for all of their messages costs
/// what it costs for one.
pub(super) async fn apply(session: &mut Session, group: &mut [Job]) -> Result<(), StoreError> {
    let is_append = |job: &Job| matches!(job.operation, Operation::Append { .. });
    for jobs in group.chunk_by_mut(|one, next| is_append(one) && is_append(next)) {
        if jobs.first().is_some_and(is_append) {
            append(session, jobs).await?;
        } else {
            for job in jobs {
                apply_one(session, &mut job.operation).await?;
            }
        }
    }
    Ok(())
}

async fn append(session: &Session, jobs: &mut [Job]) -> Result<(), StoreError> {
    let mut arrivals = Vec::new();
    for job in &*jobs {
        if let Operation::Append { messages, now, .. } = &job.operation {
            arrivals.extend(messages.iter().map(|message| Arrival { message, now: *now }));
        }
    }
    let mut outcomes = messages::append(session, &arrivals).await?.into_iter();
    drop(arrivals);
    for job in jobs {
        if let Operation::Append { messages, slot, .. } = &mut job.operation {
            slot.fill(outcomes.by_ref().take(messages.len()).collect());
        }
    }
    Ok(())
}

async fn apply_one(session: &mut Session, operation: &mut Operation) -> Result<(), StoreError> {
    match operation {
        Operation::NextIncarnation { now, slot } => slot.fill(next_incarnation(session, *now).await?),
        Operation::PutBody { register, id, bytes, slot } => {
            messages::put_body(session, *register, *id, bytes).await?;
            slot.fill(());
        }
        Operation::PutDocument { name, bytes, slot } => {
            let bytes: &[u8] = bytes;
            session
                .execute(
                    "INSERT INTO documents (name, bytes) VALUES ($1, $2)
                     ON CONFLICT (name) DO UPDATE SET bytes = excluded.bytes",
                    &[&*name, &bytes],
                )
                .await?;
            slot.fill(());
        }
        Operation::Bury { letters, slot } => slot.fill(dead_letters::bury(session, letters).await?),
        Operation::Exhume { letters, slot } => slot.fill(dead_letters::exhume(session, letters).await?),
        Operation::Purge { register, slot } => slot.fill(messages::purge(session, *register).await?),
        Operation::LetGo { ranges, slot } => slot.fill(messages::let_go(session, ranges).await?),
        Operation::Dockets(operation) => dockets::apply(session, operation).await?,
        // Written with its neighbours.
        Operation::Append { .. } => {}
    }
    Ok(())
}

async fn next_incarnation(session: &Session, now: u64) -> Result<u64, StoreError> {
    let last: Option<(i64,)> = session.optional("SELECT number FROM records WHERE name = 'incarnation'", &[]).await?;
    let next = last.map_or(now, |(last,)| now.max(from_ordered(last).saturating_add(1)));
    session
        .execute(
            "INSERT INTO records (name, number) VALUES ('incarnation', $1)
             ON CONFLICT (name) DO UPDATE SET number = excluded.number",
            &[&ordered(next)],
        )
        .await?;
    Ok(next)
}

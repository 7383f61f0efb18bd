//! The log of the sealing group, and what was applied of it.

use super::apply::Outcome;
use crate::{
    Applied, LogEntry, LogState, NewLog, StoreError,
    checksum::Checked,
    codec::{from_ordered, limit, ordered},
    docket::follow_log,
    sealing_state::{self, SealingState},
};
use bytes::Bytes;
use futures::TryStreamExt;
use sqlx::{Executor, Sqlite, SqliteConnection, SqlitePool};

/// Entries that one call reads at most, however small they are.
const MAX_ENTRIES: i64 = 4096;

pub(in crate::sqlite) async fn append(connection: &mut SqliteConnection, entries: Vec<LogEntry>) -> Outcome<()> {
    let last = match end(&mut *connection).await? {
        Some(last) => Some(last),
        None => index_of(connection, "purged").await?,
    };
    if let Err(refusal) = follow_log(last, &entries) {
        return Ok(Err(refusal));
    }
    for LogEntry { index, bytes } in entries {
        sqlx::query("INSERT INTO sealing_log (entry, checksum, bytes) VALUES ($1, $2, $3)")
            .bind(ordered(index))
            .bind(Checked::LogEntry(index).checksum(&bytes))
            .bind(Vec::from(bytes))
            .execute(&mut *connection)
            .await?;
    }
    Ok(Ok(()))
}

pub(in crate::sqlite) async fn truncate(connection: &mut SqliteConnection, from: u64) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM sealing_log WHERE entry >= $1").bind(ordered(from)).execute(connection).await?;
    Ok(())
}

pub(in crate::sqlite) async fn purge(connection: &mut SqliteConnection, last: LogEntry) -> Result<(), StoreError> {
    if index_of(connection, "purged").await?.is_some_and(|purged| purged >= last.index) {
        return Ok(());
    }
    sqlx::query("DELETE FROM sealing_log WHERE entry <= $1")
        .bind(ordered(last.index))
        .execute(&mut *connection)
        .await?;
    save(connection, SealingState::Purged(last.index), last.bytes).await
}

pub(in crate::sqlite) async fn save_vote(connection: &mut SqliteConnection, vote: Bytes) -> Result<(), StoreError> {
    save(connection, SealingState::Vote, vote).await
}

/// Checks that an index may be applied now.
pub(in crate::sqlite) async fn check_applied(connection: &mut SqliteConnection, index: u64) -> Outcome<()> {
    Ok(match index_of(connection, "applied").await? {
        Some(applied) if applied >= index => Err(StoreError::AppliedBefore { index, applied }),
        _ => Ok(()),
    })
}

pub(in crate::sqlite) async fn save_applied(
    connection: &mut SqliteConnection,
    applied: Applied,
) -> Result<(), StoreError> {
    save(connection, SealingState::Applied(applied.index), applied.state).await
}

/// Lets go of the log with all that is kept beside it, and writes another.
pub(in crate::sqlite) async fn begin(connection: &mut SqliteConnection, log: NewLog) -> Outcome<()> {
    for table in ["DELETE FROM sealing_log", "DELETE FROM sealing_states WHERE name IN ('purged', 'applied', 'vote')"] {
        sqlx::query(table).execute(&mut *connection).await?;
    }
    let NewLog { purged, vote, applied, entries } = log;
    save_vote(connection, vote).await?;
    if let Some(LogEntry { index, bytes }) = purged {
        save(connection, SealingState::Purged(index), bytes).await?;
    }
    if let Some(applied) = applied {
        save_applied(connection, applied).await?;
    }
    append(connection, entries).await
}

async fn save(connection: &mut SqliteConnection, state: SealingState, bytes: Bytes) -> Result<(), StoreError> {
    let (name, index) = state.key();
    sqlx::query(
        "INSERT INTO sealing_states (name, entry, checksum, bytes) VALUES ($1, $2, $3, $4)
         ON CONFLICT (name) DO UPDATE SET entry = excluded.entry, checksum = excluded.checksum, bytes = excluded.bytes",
    )
    .bind(name)
    .bind(ordered(index))
    .bind(state.checksum(&bytes))
    .bind(Vec::from(bytes))
    .execute(connection)
    .await?;
    Ok(())
}

async fn index_of(connection: &mut SqliteConnection, name: &str) -> Result<Option<u64>, StoreError> {
    let index: Option<i64> = sqlx::query_scalar("SELECT entry FROM sealing_states WHERE name = $1")
        .bind(name)
        .fetch_optional(connection)
        .await?;
    Ok(index.map(from_ordered))
}

async fn end(connection: impl Executor<'_, Database = Sqlite>) -> Result<Option<u64>, StoreError> {
    let last: Option<i64> = sqlx::query_scalar("SELECT entry FROM sealing_log ORDER BY entry DESC LIMIT 1")
        .fetch_optional(connection)
        .await?;
    Ok(last.map(from_ordered))
}

pub(in crate::sqlite) async fn state(readers: &SqlitePool) -> Result<LogState, StoreError> {
    let mut snapshot = readers.begin().await?;
    let last = match end(&mut *snapshot).await? {
        None => None,
        Some(last) => read(&mut *snapshot, last, last.saturating_add(1), 0).await?.pop(),
    };
    let mut state = LogState { last, ..LogState::default() };
    let rows: Vec<sealing_state::Row> =
        sqlx::query_as("SELECT name, entry, checksum, bytes FROM sealing_states").fetch_all(&mut *snapshot).await?;
    for row in rows {
        sealing_state::read(row, &mut state)?;
    }
    Ok(state)
}

/// The sizes come first, so that no entry beyond the budget is read from the disk.
pub(in crate::sqlite) async fn read(
    connection: impl Executor<'_, Database = Sqlite>,
    from: u64,
    to: u64,
    max_bytes: usize,
) -> Result<Vec<LogEntry>, StoreError> {
    let mut rows = sqlx::query_as::<_, (i64, i64, Vec<u8>)>(
        "SELECT entry, checksum, bytes FROM sealing_log JOIN (
             SELECT chosen, SUM(size) OVER (ORDER BY chosen) AS total, ROW_NUMBER() OVER (ORDER BY chosen) AS place FROM (
                 SELECT entry AS chosen, LENGTH(bytes) AS size
                 FROM sealing_log WHERE entry >= $1 AND entry < $2 ORDER BY entry LIMIT $3
             ) AS sizes
         ) AS sums ON chosen = entry WHERE total <= $4 OR place = 1 ORDER BY entry",
    )
    .bind(ordered(from))
    .bind(ordered(to))
    .bind(MAX_ENTRIES)
    .bind(limit(max_bytes))
    .fetch(connection);
    let mut entries = Vec::new();
    while let Some((index, checksum, bytes)) = rows.try_next().await? {
        let index = from_ordered(index);
        if Checked::LogEntry(index).checksum(&bytes) != checksum {
            if entries.is_empty() {
                return Err(StoreError::CorruptLog(format!("entry {index} of the sealing log")));
            }
            break;
        }
        entries.push(LogEntry { index, bytes: bytes.into() });
    }
    Ok(entries)
}

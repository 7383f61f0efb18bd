//! The log of the sealing group, and what was applied of it.

use super::apply::Outcome;
use crate::{
    Applied, LogEntry, LogState, NewLog, StoreError,
    checksum::Checked,
    codec::{from_ordered, limit, ordered},
    docket::follow_log,
    postgres::{readers::Readers, session::Session},
    sealing_state::{self, SealingState},
};
use bytes::Bytes;

/// Entries that one call reads at most, however small they are.
const MAX_ENTRIES: i64 = 4096;

pub(super) async fn append(session: &Session, entries: Vec<LogEntry>) -> Outcome<()> {
    let last = match end(session).await? {
        Some(last) => Some(last),
        None => index_of(session, "purged").await?,
    };
    if let Err(refusal) = follow_log(last, &entries) {
        return Ok(Err(refusal));
    }
    let indexes: Vec<i64> = entries.iter().map(|entry| ordered(entry.index)).collect();
    let checksums: Vec<i64> =
        entries.iter().map(|entry| Checked::LogEntry(entry.index).checksum(&entry.bytes)).collect();
    let bytes: Vec<&[u8]> = entries.iter().map(|entry| entry.bytes.as_ref()).collect();
    session
        .execute(
            "INSERT INTO sealing_log (entry, checksum, bytes)
             SELECT * FROM unnest($1::BIGINT[], $2::BIGINT[], $3::BYTEA[])",
            &[&indexes, &checksums, &bytes],
        )
        .await?;
    Ok(Ok(()))
}

pub(super) async fn truncate(session: &Session, from: u64) -> Result<(), StoreError> {
    session.execute("DELETE FROM sealing_log WHERE entry >= $1", &[&ordered(from)]).await?;
    Ok(())
}

pub(super) async fn purge(session: &Session, last: LogEntry) -> Result<(), StoreError> {
    if index_of(session, "purged").await?.is_some_and(|purged| purged >= last.index) {
        return Ok(());
    }
    session.execute("DELETE FROM sealing_log WHERE entry <= $1", &[&ordered(last.index)]).await?;
    save(session, SealingState::Purged(last.index), &last.bytes).await
}

pub(super) async fn save_vote(session: &Session, vote: &Bytes) -> Result<(), StoreError> {
    save(session, SealingState::Vote, vote).await
}

/// Checks that an index may be applied now.
pub(super) async fn check_applied(session: &Session, index: u64) -> Outcome<()> {
    Ok(match index_of(session, "applied").await? {
        Some(applied) if applied >= index => Err(StoreError::AppliedBefore { index, applied }),
        _ => Ok(()),
    })
}

pub(super) async fn save_applied(session: &Session, applied: &Applied) -> Result<(), StoreError> {
    save(session, SealingState::Applied(applied.index), &applied.state).await
}

/// Lets go of the log with all that is kept beside it, and writes another.
pub(super) async fn begin(session: &Session, log: NewLog) -> Outcome<()> {
    session.execute("DELETE FROM sealing_log", &[]).await?;
    session.execute("DELETE FROM sealing_states WHERE name IN ('purged', 'applied', 'vote')", &[]).await?;
    let NewLog { purged, vote, applied, entries } = log;
    save_vote(session, &vote).await?;
    if let Some(LogEntry { index, bytes }) = purged {
        save(session, SealingState::Purged(index), &bytes).await?;
    }
    if let Some(applied) = applied {
        save_applied(session, &applied).await?;
    }
    append(session, entries).await
}

async fn save(session: &Session, state: SealingState, bytes: &Bytes) -> Result<(), StoreError> {
    let (name, index) = state.key();
    session
        .execute(
            "INSERT INTO sealing_states (name, entry, checksum, bytes) VALUES ($1, $2, $3, $4)
             ON CONFLICT (name) DO UPDATE SET entry = excluded.entry, checksum = excluded.checksum, bytes = excluded.bytes",
            &[&name, &ordered(index), &state.checksum(bytes), &bytes.as_ref()],
        )
        .await?;
    Ok(())
}

async fn index_of(session: &Session, name: &'static str) -> Result<Option<u64>, StoreError> {
    let index: Option<(i64,)> = session.optional("SELECT entry FROM sealing_states WHERE name = $1", &[&name]).await?;
    Ok(index.map(|(index,)| from_ordered(index)))
}

async fn end(session: &Session) -> Result<Option<u64>, StoreError> {
    let last: Option<(i64,)> =
        session.optional("SELECT entry FROM sealing_log ORDER BY entry DESC LIMIT 1", &[]).await?;
    Ok(last.map(|(last,)| from_ordered(last)))
}

pub(in crate::postgres) async fn state(readers: &Readers) -> Result<LogState, StoreError> {
    let read = readers.read_state(|session| async move {
        let rows = last_and_states(&session).await;
        (session, rows)
    });
    let (last, rows) = read.await?;
    let mut state = LogState { last, ..LogState::default() };
    for row in rows {
        sealing_state::read(row, &mut state)?;
    }
    Ok(state)
}

async fn last_and_states(session: &Session) -> Result<(Option<LogEntry>, Vec<sealing_state::Row>), StoreError> {
    let last = match end(session).await? {
        None => None,
        Some(last) => entries(session, last, last.saturating_add(1), 0).await?.pop(),
    };
    Ok((last, session.all("SELECT name, entry, checksum, bytes FROM sealing_states", &[]).await?))
}

pub(in crate::postgres) async fn read(
    readers: &Readers,
    from: u64,
    to: u64,
    max_bytes: usize,
) -> Result<Vec<LogEntry>, StoreError> {
    readers
        .read(|session| async move {
            let entries = entries(&session, from, to, max_bytes).await;
            (session, entries)
        })
        .await
}

/// The sizes come first, so that no entry beyond the budget is read from the disk.
async fn entries(session: &Session, from: u64, to: u64, max_bytes: usize) -> Result<Vec<LogEntry>, StoreError> {
    let rows: Vec<(i64, i64, Vec<u8>)> = session
        .all(
            "SELECT entry, checksum, bytes FROM sealing_log JOIN (
                 SELECT chosen, SUM(size) OVER (ORDER BY chosen) AS total,
                        ROW_NUMBER() OVER (ORDER BY chosen) AS place
                 FROM (
                     SELECT entry AS chosen, LENGTH(bytes) AS size
                     FROM sealing_log WHERE entry >= $1 AND entry < $2 ORDER BY entry LIMIT $3
                 ) AS sizes
             ) AS sums ON chosen = entry WHERE total <= $4::BIGINT OR place = 1 ORDER BY entry",
            &[&ordered(from), &ordered(to), &MAX_ENTRIES, &limit(max_bytes)],
        )
        .await?;
    let mut entries = Vec::with_capacity(rows.len());
    for (index, checksum, bytes) in rows {
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

//! The log of the sealing group, and what was applied of it.

use super::apply::Outcome;
use crate::{
    Applied, LogEntry, LogState, NewLog, StoreError,
    checksum::Checked,
    codec::{from_ordered, limit, ordered},
    docket::follow_log,
    sealing_state::{self, SealingState},
    sqlite::statements::Statements as _,
};
use bytes::Bytes;
use rusqlite::{Connection, params};
use std::ops::ControlFlow;

/// Entries that one call reads at most, however small they are.
const MAX_ENTRIES: i64 = 4096;

pub(in crate::sqlite) fn append(connection: &Connection, entries: Vec<LogEntry>) -> Outcome<()> {
    let last = match end(connection)? {
        Some(last) => Some(last),
        None => index_of(connection, "purged")?,
    };
    if let Err(refusal) = follow_log(last, &entries) {
        return Ok(Err(refusal));
    }
    for LogEntry { index, bytes } in entries {
        connection.run(
            "INSERT INTO sealing_log (entry, checksum, bytes) VALUES (?1, ?2, ?3)",
            params![ordered(index), Checked::LogEntry(index).checksum(&bytes), &bytes[..]],
        )?;
    }
    Ok(Ok(()))
}

pub(in crate::sqlite) fn truncate(connection: &Connection, from: u64) -> Result<(), StoreError> {
    connection.run("DELETE FROM sealing_log WHERE entry >= ?1", params![ordered(from)])?;
    Ok(())
}

pub(in crate::sqlite) fn purge(connection: &Connection, last: LogEntry) -> Result<(), StoreError> {
    if index_of(connection, "purged")?.is_some_and(|purged| purged >= last.index) {
        return Ok(());
    }
    connection.run("DELETE FROM sealing_log WHERE entry <= ?1", params![ordered(last.index)])?;
    save(connection, SealingState::Purged(last.index), last.bytes)
}

pub(in crate::sqlite) fn save_vote(connection: &Connection, vote: Bytes) -> Result<(), StoreError> {
    save(connection, SealingState::Vote, vote)
}

/// Checks that an index may be applied now.
pub(in crate::sqlite) fn check_applied(connection: &Connection, index: u64) -> Outcome<()> {
    Ok(match index_of(connection, "applied")? {
        Some(applied) if applied >= index => Err(StoreError::AppliedBefore { index, applied }),
        _ => Ok(()),
    })
}

pub(in crate::sqlite) fn save_applied(connection: &Connection, applied: Applied) -> Result<(), StoreError> {
    save(connection, SealingState::Applied(applied.index), applied.state)
}

/// Lets go of the log with all that is kept beside it, and writes another.
pub(in crate::sqlite) fn begin(connection: &Connection, log: NewLog) -> Outcome<()> {
    for table in ["DELETE FROM sealing_log", "DELETE FROM sealing_states WHERE name IN ('purged', 'applied', 'vote')"] {
        connection.run(table, [])?;
    }
    let NewLog { purged, vote, applied, entries } = log;
    save_vote(connection, vote)?;
    if let Some(LogEntry { index, bytes }) = purged {
        save(connection, SealingState::Purged(index), bytes)?;
    }
    if let Some(applied) = applied {
        save_applied(connection, applied)?;
    }
    append(connection, entries)
}

fn save(connection: &Connection, state: SealingState, bytes: Bytes) -> Result<(), StoreError> {
    let (name, index) = state.key();
    connection.run(
        "INSERT INTO sealing_states (name, entry, checksum, bytes) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (name) DO UPDATE SET entry = excluded.entry, checksum = excluded.checksum, bytes =
         excluded.bytes",
        params![name, ordered(index), state.checksum(&bytes), &bytes[..]],
    )?;
    Ok(())
}

fn index_of(connection: &Connection, name: &str) -> Result<Option<u64>, StoreError> {
    let index: Option<i64> = connection.optional_value("SELECT entry FROM sealing_states WHERE name = ?1", [name])?;
    Ok(index.map(from_ordered))
}

fn end(connection: &Connection) -> Result<Option<u64>, StoreError> {
    let last: Option<i64> =
        connection.optional_value("SELECT entry FROM sealing_log ORDER BY entry DESC LIMIT 1", [])?;
    Ok(last.map(from_ordered))
}

/// All from one state of the store.
pub(in crate::sqlite) fn state(connection: &mut Connection) -> Result<LogState, StoreError> {
    let snapshot = connection.transaction()?;
    let last = match end(&snapshot)? {
        None => None,
        Some(last) => read(&snapshot, last, last.saturating_add(1), 0)?.pop(),
    };
    let mut state = LogState { last, ..LogState::default() };
    let rows: Vec<sealing_state::Row> = snapshot.all("SELECT name, entry, checksum, bytes FROM sealing_states", [])?;
    for row in rows {
        sealing_state::read(row, &mut state)?;
    }
    Ok(state)
}

/// The sizes come first, so that no entry beyond the budget is read from the disk.
pub(in crate::sqlite) fn read(
    connection: &Connection,
    from: u64,
    to: u64,
    max_bytes: usize,
) -> Result<Vec<LogEntry>, StoreError> {
    let mut entries = Vec::new();
    connection.each(
        "SELECT entry, checksum, bytes FROM sealing_log JOIN (
             SELECT chosen, SUM(size) OVER (ORDER BY chosen) AS total, ROW_NUMBER() OVER (ORDER BY chosen) AS place FROM (
                 SELECT entry AS chosen, LENGTH(bytes) AS size
                 FROM sealing_log WHERE entry >= ?1 AND entry < ?2 ORDER BY entry LIMIT ?3
             ) AS sizes
         ) AS sums ON chosen = entry WHERE total <= ?4 OR place = 1 ORDER BY entry",
        params![ordered(from), ordered(to), MAX_ENTRIES, limit(max_bytes)],
        |(index, checksum, bytes): (i64, i64, Vec<u8>)| {
            let index = from_ordered(index);
            if Checked::LogEntry(index).checksum(&bytes) == checksum {
                entries.push(LogEntry { index, bytes: bytes.into() });
                return Ok(ControlFlow::Continue(()));
            }
            if entries.is_empty() {
                return Err(StoreError::CorruptLog(format!("entry {index} of the sealing log")));
            }
            Ok(ControlFlow::Break(()))
        },
    )?;
    Ok(entries)
}

//! What is derived from the messages in the same transaction: the ranges held, what of them was let go of, and where each
//! transaction is.

use super::statements::Statements as _;
use crate::{
    StoreError,
    codec::{from_ordered, ordered},
    message::IndexEntry,
};
use rusqlite::{Connection, params};

/// Indexes the transactions of a message that was just stored; how many of them were new to the register.
pub(super) fn transactions(
    connection: &Connection,
    register: i64,
    message_row: i64,
    entries: &[IndexEntry],
    stored_at: u64,
) -> Result<u32, StoreError> {
    let mut inserted = 0;
    for (number, entry) in (0i64..).zip(entries) {
        inserted += connection.run(
            "INSERT INTO transactions (register, id, message, entry, size, stored_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO NOTHING",
            params![register, entry.id.as_bytes(), message_row, number, entry.size, stored_at.cast_signed()],
        )?;
    }
    // At most one row an entry, and a message has few.
    Ok(u32::try_from(inserted).unwrap_or(u32::MAX))
}

/// Adds register sequences to the ranges of a stream, none of which was held before.
pub(super) fn ranges(connection: &Connection, stream: i64, mut added: Vec<u64>) -> Result<(), StoreError> {
    added.sort_unstable();
    for run in added.chunk_by(|one, next| one.checked_add(1) == Some(*next)) {
        if let (Some(first), Some(last)) = (run.first(), run.last()) {
            add_run(connection, stream, *first, *last)?;
        }
    }
    Ok(())
}

fn add_run(connection: &Connection, stream: i64, first: u64, last: u64) -> Result<(), StoreError> {
    let below: Option<(i64, i64)> = connection.optional(
        "SELECT first, last FROM ranges WHERE stream = ?1 AND first < ?2 ORDER BY first DESC LIMIT 1",
        params![stream, ordered(first)],
    )?;
    let joined_first = match below {
        Some((below_first, below_last)) if from_ordered(below_last).checked_add(1) == Some(first) => below_first,
        _ => ordered(first),
    };
    let above: Option<i64> = match last.checked_add(1) {
        None => None,
        Some(next) => connection.optional_value(
            "DELETE FROM ranges WHERE stream = ?1 AND first = ?2 RETURNING last",
            params![stream, ordered(next)],
        )?,
    };
    connection.run(
        "INSERT INTO ranges (stream, first, last) VALUES (?1, ?2, ?3)
         ON CONFLICT (stream, first) DO UPDATE SET last = excluded.last",
        params![stream, joined_first, above.unwrap_or(ordered(last))],
    )?;
    Ok(())
}

/// Adds register sequences to what was let go of a stream.
pub(super) fn gone(connection: &Connection, stream: i64, mut removed: Vec<u64>) -> Result<(), StoreError> {
    removed.sort_unstable();
    for run in removed.chunk_by(|one, next| one.checked_add(1) == Some(*next)) {
        if let (Some(first), Some(last)) = (run.first(), run.last()) {
            join_gone(connection, stream, *first, *last)?;
        }
    }
    Ok(())
}

/// Joins a run with all that it touches.
fn join_gone(connection: &Connection, stream: i64, first: u64, last: u64) -> Result<(), StoreError> {
    let touched: Vec<(i64, i64)> = connection.all(
        "DELETE FROM gone WHERE stream = ?1 AND first <= ?2 AND last >= ?3 RETURNING first, last",
        params![stream, ordered(last.saturating_add(1)), ordered(first.saturating_sub(1))],
    )?;
    let first = touched.iter().map(|(first, _)| *first).chain([ordered(first)]).min();
    let last = touched.iter().map(|(_, last)| *last).chain([ordered(last)]).max();
    connection.run("INSERT INTO gone (stream, first, last) VALUES (?1, ?2, ?3)", params![stream, first, last])?;
    Ok(())
}

/// The last number that was let go of a stream.
pub(super) fn last_gone(connection: &Connection, stream: i64) -> Result<Option<u64>, StoreError> {
    let last: Option<i64> =
        connection.optional_value("SELECT last FROM gone WHERE stream = ?1 ORDER BY first DESC LIMIT 1", [stream])?;
    Ok(last.map(from_ordered))
}

/// Whether this number was let go of.
pub(super) fn is_gone(connection: &Connection, stream: i64, number: u64) -> Result<bool, StoreError> {
    connection.value(
        "SELECT EXISTS (SELECT 1 FROM gone WHERE stream = ?1 AND first <= ?2 AND last >= ?2 ORDER BY first DESC)",
        params![stream, ordered(number)],
    )
}

//! What is derived from the messages in the same transaction: the ranges held, what of them was let go of, and where each
//! transaction is.

use crate::{
    StoreError,
    codec::{from_ordered, ordered},
    message::IndexEntry,
};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

/// Indexes the transactions of a message that was just stored; how many of them were new to the register.
pub(super) async fn transactions(
    connection: &mut SqliteConnection,
    register: i64,
    message_row: i64,
    entries: &[IndexEntry],
    stored_at: u64,
) -> Result<u32, StoreError> {
    if entries.is_empty() {
        return Ok(0);
    }
    let mut insert: QueryBuilder<Sqlite> =
        QueryBuilder::new("INSERT INTO transactions (register, id, message, entry, size, stored_at) ");
    insert.push_values((0i64..).zip(entries), |mut row, (number, entry)| {
        row.push_bind(register)
            .push_bind(entry.id.as_bytes().to_vec())
            .push_bind(message_row)
            .push_bind(number)
            .push_bind(i64::from(entry.size))
            .push_bind(stored_at.cast_signed());
    });
    let inserted = insert.push(" ON CONFLICT DO NOTHING").build().execute(connection).await?.rows_affected();
    // At most one row an entry, and a message has few.
    Ok(u32::try_from(inserted).unwrap_or(u32::MAX))
}

/// Adds register sequences to the ranges of a stream, none of which was held before.
pub(super) async fn ranges(
    connection: &mut SqliteConnection,
    stream: i64,
    mut added: Vec<u64>,
) -> Result<(), StoreError> {
    added.sort_unstable();
    for run in added.chunk_by(|one, next| one.checked_add(1) == Some(*next)) {
        if let (Some(first), Some(last)) = (run.first(), run.last()) {
            add_run(connection, stream, *first, *last).await?;
        }
    }
    Ok(())
}

async fn add_run(connection: &mut SqliteConnection, stream: i64, first: u64, last: u64) -> Result<(), StoreError> {
    let below: Option<(i64, i64)> =
        sqlx::query_as("SELECT first, last FROM ranges WHERE stream = $1 AND first < $2 ORDER BY first DESC LIMIT 1")
            .bind(stream)
            .bind(ordered(first))
            .fetch_optional(&mut *connection)
            .await?;
    let joined_first = match below {
        Some((below_first, below_last)) if from_ordered(below_last).checked_add(1) == Some(first) => below_first,
        _ => ordered(first),
    };
    let above: Option<i64> = match last.checked_add(1) {
        None => None,
        Some(next) => {
            sqlx::query_scalar("DELETE FROM ranges WHERE stream = $1 AND first = $2 RETURNING last")
                .bind(stream)
                .bind(ordered(next))
                .fetch_optional(&mut *connection)
                .await?
        }
    };
    sqlx::query(
        "INSERT INTO ranges (stream, first, last) VALUES ($1, $2, $3) ON CONFLICT (stream, first) DO UPDATE SET last = excluded.last",
    )
    .bind(stream)
    .bind(joined_first)
    .bind(above.unwrap_or(ordered(last)))
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds register sequences to what was let go of a stream.
pub(super) async fn gone(
    connection: &mut SqliteConnection,
    stream: i64,
    mut removed: Vec<u64>,
) -> Result<(), StoreError> {
    removed.sort_unstable();
    for run in removed.chunk_by(|one, next| one.checked_add(1) == Some(*next)) {
        if let (Some(first), Some(last)) = (run.first(), run.last()) {
            join_gone(connection, stream, *first, *last).await?;
        }
    }
    Ok(())
}

/// Joins a run with all that it touches.
async fn join_gone(connection: &mut SqliteConnection, stream: i64, first: u64, last: u64) -> Result<(), StoreError> {
    let touched: Vec<(i64, i64)> =
        sqlx::query_as("DELETE FROM gone WHERE stream = $1 AND first <= $2 AND last >= $3 RETURNING first, last")
            .bind(stream)
            .bind(ordered(last.saturating_add(1)))
            .bind(ordered(first.saturating_sub(1)))
            .fetch_all(&mut *connection)
            .await?;
    let first = touched.iter().map(|(first, _)| *first).chain([ordered(first)]).min();
    let last = touched.iter().map(|(_, last)| *last).chain([ordered(last)]).max();
    sqlx::query("INSERT INTO gone (stream, first, last) VALUES ($1, $2, $3)")
        .bind(stream)
        .bind(first)
        .bind(last)
        .execute(connection)
        .await?;
    Ok(())
}

/// The last number that was let go of a stream.
pub(super) async fn last_gone(connection: &mut SqliteConnection, stream: i64) -> Result<Option<u64>, StoreError> {
    let last: Option<i64> = sqlx::query_scalar("SELECT last FROM gone WHERE stream = $1 ORDER BY first DESC LIMIT 1")
        .bind(stream)
        .fetch_optional(connection)
        .await?;
    Ok(last.map(from_ordered))
}

/// Whether this number was let go of.
pub(super) async fn is_gone(connection: &mut SqliteConnection, stream: i64, number: u64) -> Result<bool, StoreError> {
    let is_gone = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM gone WHERE stream = $1 AND first <= $2 AND last >= $2 ORDER BY first DESC)",
    )
    .bind(stream)
    .bind(ordered(number))
    .fetch_one(connection)
    .await?;
    Ok(is_gone)
}

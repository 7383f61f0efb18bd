//! Messages in the order in which they were stored, and their end: with their transactions and bodies, while their
//! numbers stay known.

use super::index;
use crate::{
    ListedMessage, MessageRange, Purged, StoreError,
    codec::{from_ordered, limit, ordered, position},
    message::Contents,
    rows::{MessageRow, listed_message},
};
use sqlx::{SqliteConnection, SqlitePool};

pub(super) async fn after(
    readers: &SqlitePool,
    after: Option<u64>,
    max: usize,
) -> Result<Vec<ListedMessage>, StoreError> {
    let rows: Vec<MessageRow> = sqlx::query_as(
        "SELECT chosen.id, registers.register, lives.origin, lives.incarnation, chosen.register_sequence, chosen.bytes
         FROM (SELECT * FROM messages WHERE id > $1 ORDER BY id LIMIT $2) AS chosen
         JOIN streams ON streams.id = chosen.stream JOIN lives ON lives.id = chosen.life
         JOIN registers ON registers.id = streams.register ORDER BY chosen.id",
    )
    .bind(position(after))
    .bind(limit(max))
    .fetch_all(readers)
    .await?;
    rows.into_iter().map(listed_message).collect()
}

pub(super) async fn newest(readers: &SqlitePool) -> Result<Option<u64>, StoreError> {
    let newest: Option<i64> = sqlx::query_scalar("SELECT MAX(id) FROM messages").fetch_one(readers).await?;
    Ok(newest.map(i64::cast_unsigned))
}

pub(super) async fn let_go(connection: &mut SqliteConnection, ranges: &[MessageRange]) -> Result<Purged, StoreError> {
    let mut all = Purged::default();
    for range in ranges {
        let found: Option<(i64, i64)> = sqlx::query_as(
            "SELECT streams.id, streams.register FROM streams JOIN registers ON registers.id = streams.register
             JOIN lives ON lives.id = streams.life
             WHERE registers.register = $1 AND lives.origin = $2 AND lives.incarnation = $3",
        )
        .bind(range.register.as_bytes().as_slice())
        .bind(range.origin.as_bytes().as_slice())
        .bind(ordered(range.incarnation))
        .fetch_optional(&mut *connection)
        .await?;
        let Some((stream, register)) = found else { continue };
        let removed = let_go_of(connection, register, stream, range).await?;
        all.messages += removed.messages;
        all.transactions += removed.transactions;
        all.bodies += removed.bodies;
    }
    Ok(all)
}

async fn let_go_of(
    connection: &mut SqliteConnection,
    register: i64,
    stream: i64,
    range: &MessageRange,
) -> Result<Purged, StoreError> {
    let rows: Vec<(i64, i64, Vec<u8>)> = sqlx::query_as(
        "DELETE FROM messages WHERE stream = $1 AND register_sequence BETWEEN $2 AND $3
         RETURNING id, register_sequence, bytes",
    )
    .bind(stream)
    .bind(ordered(range.from))
    .bind(ordered(range.to))
    .fetch_all(&mut *connection)
    .await?;
    let mut removed = Purged { messages: rows.len() as u64, ..Purged::default() };
    let mut numbers = Vec::with_capacity(rows.len());
    for (message, number, bytes) in rows {
        numbers.push(from_ordered(number));
        let Ok(contents) = Contents::read(bytes) else {
            // The disk has changed it: what it carried is looked for everywhere.
            let listed = sqlx::query("DELETE FROM transactions WHERE message = $1").bind(message);
            removed.transactions += listed.execute(&mut *connection).await?.rows_affected();
            continue;
        };
        for id in &contents.transactions {
            let listed = sqlx::query("DELETE FROM transactions WHERE register = $1 AND id = $2 AND message = $3")
                .bind(register)
                .bind(id.as_bytes().as_slice())
                .bind(message);
            removed.transactions += listed.execute(&mut *connection).await?.rows_affected();
            if contents.is_announced {
                removed.bodies += remove_body(connection, register, id.as_bytes()).await?;
            }
        }
    }
    index::gone(connection, stream, numbers).await?;
    sqlx::query("UPDATE registers SET messages = messages - $1, transactions = transactions - $2 WHERE id = $3")
        .bind(removed.messages.cast_signed())
        .bind(removed.transactions.cast_signed())
        .bind(register)
        .execute(connection)
        .await?;
    Ok(removed)
}

async fn remove_body(connection: &mut SqliteConnection, register: i64, id: &[u8]) -> Result<u64, StoreError> {
    sqlx::query(
        "DELETE FROM body_chunks WHERE body IN (SELECT id FROM bodies WHERE register = $1 AND transaction_id = $2)",
    )
    .bind(register)
    .bind(id)
    .execute(&mut *connection)
    .await?;
    let body = sqlx::query("DELETE FROM bodies WHERE register = $1 AND transaction_id = $2").bind(register).bind(id);
    Ok(body.execute(connection).await?.rows_affected())
}

//! Reading, from the last commit.

use crate::{
    Counts, Held, ListedTransaction, MessageRange, StoreError, StoredTransaction,
    codec::{from_ordered, key, limit, ordered, position},
    rows::{BodyPart, CarrierRow, ListRow, TransactionRow, assemble, carriers, listed},
};
use bytes::Bytes;
use futures::TryStreamExt;
use peerwright_ledger::{RegisterId, TransactionId};
use peerwright_secure::NodePublicKey;
use sqlx::SqlitePool;
use std::collections::{BTreeMap, BTreeSet};

pub(super) async fn held(readers: &SqlitePool, registers: Vec<RegisterId>) -> Result<Vec<Held>, StoreError> {
    let rows = "SELECT registers.register, lives.origin, lives.incarnation, ranges.first, ranges.last
         FROM ranges JOIN streams ON streams.id = ranges.stream JOIN lives ON lives.id = streams.life
         JOIN registers ON registers.id = streams.register ORDER BY ranges.stream, ranges.first";
    read_ranges(readers, rows, registers).await
}

pub(super) async fn gone(readers: &SqlitePool, registers: Vec<RegisterId>) -> Result<Vec<Held>, StoreError> {
    let rows = "SELECT registers.register, lives.origin, lives.incarnation, gone.first, gone.last
         FROM gone JOIN streams ON streams.id = gone.stream JOIN lives ON lives.id = streams.life
         JOIN registers ON registers.id = streams.register ORDER BY gone.stream, gone.first";
    read_ranges(readers, rows, registers).await
}

async fn read_ranges(
    readers: &SqlitePool,
    rows: &'static str,
    registers: Vec<RegisterId>,
) -> Result<Vec<Held>, StoreError> {
    let wanted: BTreeSet<RegisterId> = registers.into_iter().collect();
    let mut rows = sqlx::query_as::<_, (Vec<u8>, Vec<u8>, i64, i64, i64)>(rows).fetch(readers);
    let mut held: BTreeMap<(RegisterId, NodePublicKey, u64), Vec<(u64, u64)>> = BTreeMap::new();
    while let Some((register, origin, incarnation, first, last)) = rows.try_next().await? {
        let register = RegisterId::from_bytes(key(register)?);
        if wanted.contains(&register) {
            let stream = (register, NodePublicKey::from_bytes(key(origin)?), from_ordered(incarnation));
            held.entry(stream).or_default().push((from_ordered(first), from_ordered(last)));
        }
    }
    let streams = held.into_iter();
    Ok(streams
        .map(|((register, origin, incarnation), ranges)| Held { register, origin, incarnation, ranges })
        .collect())
}

pub(super) async fn read(
    readers: &SqlitePool,
    ranges: Vec<MessageRange>,
    max_messages: usize,
    max_bytes: usize,
) -> Result<Vec<Bytes>, StoreError> {
    let mut messages = Vec::new();
    let mut room = max_bytes;
    for range in ranges {
        if messages.len() == max_messages || !read_range(readers, range, max_messages, &mut room, &mut messages).await?
        {
            break;
        }
    }
    Ok(messages)
}

/// Whether there is room for more.
async fn read_range(
    readers: &SqlitePool,
    range: MessageRange,
    max_messages: usize,
    room: &mut usize,
    messages: &mut Vec<Bytes>,
) -> Result<bool, StoreError> {
    let mut rows = sqlx::query_scalar::<_, Vec<u8>>(
        "SELECT messages.bytes FROM messages JOIN streams ON streams.id = messages.stream
         JOIN lives ON lives.id = streams.life JOIN registers ON registers.id = streams.register
         WHERE registers.register = $1 AND lives.origin = $2 AND lives.incarnation = $3 AND register_sequence BETWEEN $4 AND $5
         ORDER BY register_sequence LIMIT $6",
    )
    .bind(range.register.as_bytes().to_vec())
    .bind(range.origin.as_bytes().to_vec())
    .bind(ordered(range.incarnation))
    .bind(ordered(range.from))
    .bind(ordered(range.to))
    .bind(limit(max_messages - messages.len()))
    .fetch(readers);
    while let Some(message) = rows.try_next().await? {
        let left = room.checked_sub(message.len());
        if left.is_none() && !messages.is_empty() {
            return Ok(false);
        }
        *room = left.unwrap_or_default();
        messages.push(message.into());
    }
    Ok(true)
}

pub(super) async fn transactions(
    readers: &SqlitePool,
    register: RegisterId,
    ids: Vec<TransactionId>,
) -> Result<Vec<Option<StoredTransaction>>, StoreError> {
    // SQLite takes a list as one value by JSON alone.
    let wanted: Vec<String> = ids.iter().map(|id| format!("\"{id}\"")).collect();
    let rows: Vec<TransactionRow> = sqlx::query_as(
        "SELECT transactions.id, transactions.entry, transactions.size, transactions.stored_at, lives.origin,
         lives.incarnation, transactions.message FROM transactions
         JOIN messages ON messages.id = transactions.message JOIN lives ON lives.id = messages.life
         WHERE transactions.register = (SELECT id FROM registers WHERE register = $1)
         AND transactions.id IN (SELECT unhex(value) FROM json_each($2))",
    )
    .bind(register.as_bytes().to_vec())
    .bind(format!("[{}]", wanted.join(",")))
    .fetch_all(readers)
    .await?;
    if rows.is_empty() {
        return Ok(vec![None; ids.len()]);
    }
    let wanted: Vec<String> = carriers(&rows).iter().map(i64::to_string).collect();
    let carriers: Vec<CarrierRow> =
        sqlx::query_as("SELECT id, bytes FROM messages WHERE id IN (SELECT value FROM json_each($1))")
            .bind(format!("[{}]", wanted.join(",")))
            .fetch_all(readers)
            .await?;
    assemble(&ids, rows, carriers, |id, size| body_chunk(readers, id, 0, size)).await
}

pub(super) async fn list(
    readers: &SqlitePool,
    register: RegisterId,
    after: Option<u64>,
    max: usize,
) -> Result<Vec<ListedTransaction>, StoreError> {
    let rows: Vec<ListRow> = sqlx::query_as(
        "SELECT transactions.position, transactions.id, transactions.size, lives.origin, transactions.stored_at
         FROM transactions JOIN messages ON messages.id = transactions.message JOIN lives ON lives.id = messages.life
         WHERE transactions.register = (SELECT id FROM registers WHERE register = $1) AND transactions.position > $2
         ORDER BY transactions.position LIMIT $3",
    )
    .bind(register.as_bytes().to_vec())
    .bind(position(after))
    .bind(limit(max))
    .fetch_all(readers)
    .await?;
    rows.into_iter().map(listed).collect()
}

pub(super) async fn document(readers: &SqlitePool, name: &'static str) -> Result<Option<Bytes>, StoreError> {
    let bytes: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT bytes FROM documents WHERE name = $1").bind(name).fetch_optional(readers).await?;
    Ok(bytes.map(Bytes::from))
}

pub(super) async fn counts(readers: &SqlitePool, register: RegisterId) -> Result<Counts, StoreError> {
    let row: Option<(i64, i64)> = sqlx::query_as("SELECT messages, transactions FROM registers WHERE register = $1")
        .bind(register.as_bytes().to_vec())
        .fetch_optional(readers)
        .await?;
    let (messages, transactions) = row.unwrap_or_default();
    Ok(Counts { messages: messages.cast_unsigned(), transactions: transactions.cast_unsigned() })
}

/// Only the rows that hold the wanted bytes are read.
pub(super) async fn body_chunk(
    readers: &SqlitePool,
    id: TransactionId,
    offset: u64,
    length: u32,
) -> Result<Option<Bytes>, StoreError> {
    let body: Option<(i64, i64)> = sqlx::query_as("SELECT id, size FROM bodies WHERE transaction_id = $1")
        .bind(id.as_bytes().to_vec())
        .fetch_optional(readers)
        .await?;
    let Some((body, size)) = body else { return Ok(None) };
    let Some(part) = BodyPart::of(size, offset, length) else { return Ok(Some(Bytes::new())) };
    let rows: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT bytes FROM body_chunks WHERE body = $1 AND number BETWEEN $2 AND $3 ORDER BY number",
    )
    .bind(body)
    .bind(part.first)
    .bind(part.last)
    .fetch_all(readers)
    .await?;
    part.cut(id, rows).map(Some)
}

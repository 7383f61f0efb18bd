//! Reading, from the last commit.

use super::codec::{from_ordered, key, limit, ordered};
use crate::{
    BODY_CHUNK_BYTES, Counts, Held, ListedTransaction, MessageRange, StoreError, StoredTransaction,
    message::{Place, find_entry},
};
use bytes::Bytes;
use futures::TryStreamExt;
use peerwright_ledger::{Message, RegisterId, TransactionId};
use peerwright_secure::NodePublicKey;
use sqlx::SqlitePool;
use std::collections::{BTreeMap, BTreeSet};

/// Number of the entry, size, time of storing, origin, incarnation, message.
type TransactionRow = (i64, i64, i64, Vec<u8>, i64, Vec<u8>);
/// Position, id, size, origin, time of storing.
type ListRow = (i64, Vec<u8>, i64, Vec<u8>, i64);

pub(super) async fn held(readers: &SqlitePool, registers: Vec<RegisterId>) -> Result<Vec<Held>, StoreError> {
    let wanted: BTreeSet<RegisterId> = registers.into_iter().collect();
    let mut rows = sqlx::query_as::<_, (Vec<u8>, Vec<u8>, i64, i64, i64)>(
        "SELECT registers.register, lives.origin, lives.incarnation, ranges.first, ranges.last
         FROM ranges JOIN streams ON streams.id = ranges.stream JOIN lives ON lives.id = streams.life
         JOIN registers ON registers.id = streams.register ORDER BY ranges.stream, ranges.first",
    )
    .fetch(readers);
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

pub(super) async fn transaction(
    readers: &SqlitePool,
    register: RegisterId,
    id: TransactionId,
) -> Result<Option<StoredTransaction>, StoreError> {
    let row: Option<TransactionRow> = sqlx::query_as(
        "SELECT transactions.entry, transactions.size, transactions.stored_at, lives.origin, lives.incarnation,
         messages.bytes FROM transactions JOIN registers ON registers.id = transactions.register
         JOIN messages ON messages.id = transactions.message JOIN lives ON lives.id = messages.life
         WHERE registers.register = $1 AND transactions.id = $2",
    )
    .bind(register.as_bytes().to_vec())
    .bind(id.as_bytes().to_vec())
    .fetch_optional(readers)
    .await?;
    let Some((number, size, stored_at, origin, incarnation, message)) = row else { return Ok(None) };
    let damaged = |error: &dyn std::fmt::Display| StoreError::Damaged(format!("transaction {id}: {error}"));
    let number = usize::try_from(number).map_err(|error| damaged(&error))?;
    let bytes = match find_entry(&Message::decode(message).map_err(|error| damaged(&error))?, number) {
        Some(Place::Inline(bytes)) => Some(bytes),
        Some(Place::Body) => body_chunk(readers, id, 0, u32::try_from(size).map_err(|error| damaged(&error))?).await?,
        None => return Err(damaged(&"the message that carries it does not")),
    };
    let origin = NodePublicKey::from_bytes(key(origin)?);
    Ok(bytes.map(|bytes| StoredTransaction {
        id,
        bytes,
        origin,
        incarnation: from_ordered(incarnation),
        stored_at: stored_at.cast_unsigned(),
    }))
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
    .bind(after.map_or(0, |after| i64::try_from(after).unwrap_or(i64::MAX)))
    .bind(limit(max))
    .fetch_all(readers)
    .await?;
    rows.into_iter()
        .map(|(position, id, size, origin, stored_at)| {
            Ok(ListedTransaction {
                position: position.cast_unsigned(),
                id: TransactionId::from_bytes(key(id)?),
                size: u32::try_from(size).map_err(|error| StoreError::Damaged(error.to_string()))?,
                origin: NodePublicKey::from_bytes(key(origin)?),
                stored_at: stored_at.cast_unsigned(),
            })
        })
        .collect()
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
    let end = size.cast_unsigned().min(offset.saturating_add(length.into()));
    if offset >= end {
        return Ok(Some(Bytes::new()));
    }
    let chunk = BODY_CHUNK_BYTES as u64;
    let mut rows = sqlx::query_scalar::<_, Vec<u8>>(
        "SELECT bytes FROM body_chunks WHERE body = $1 AND number BETWEEN $2 AND $3 ORDER BY number",
    )
    .bind(body)
    .bind((offset / chunk).cast_signed())
    .bind(((end - 1) / chunk).cast_signed())
    .fetch(readers);
    let wanted = usize::try_from(end - offset).unwrap_or(usize::MAX);
    let mut skip = usize::try_from(offset % chunk).unwrap_or_default();
    let mut bytes = Vec::with_capacity(wanted);
    while let Some(row) = rows.try_next().await? {
        bytes.extend_from_slice(row.get(skip..).unwrap_or_default());
        skip = 0;
    }
    bytes.truncate(wanted);
    if bytes.len() < wanted {
        return Err(StoreError::Damaged(format!("the body of transaction {id} lacks bytes")));
    }
    Ok(Some(bytes.into()))
}

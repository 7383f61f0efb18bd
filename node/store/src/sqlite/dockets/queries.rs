//! Reading dockets, from the last commit. Whatever the disk has changed is never given on.

use super::chain;
use crate::{
    DocketTransactions, HeldDockets, Seen, StoreError, StoredDocket, StoredHeader, TransactionPlace,
    checker::{Checker, DocketRow, HeaderRow, IdsRow, MAX_DOCKETS, checked_ids},
    checksum::Checked,
    codec::{from_ordered, limit, ordered},
    index,
};
use bytes::Bytes;
use futures::TryStreamExt;
use peerwright_ledger::{RegisterId, TransactionId};
use sqlx::{FromRow, Row, SqlitePool};

pub(in crate::sqlite) async fn held(
    readers: &SqlitePool,
    register: RegisterId,
) -> Result<Option<HeldDockets>, StoreError> {
    Ok(chain::load(readers, register).await?.map(|chain| chain.held))
}

pub(in crate::sqlite) async fn registers(readers: &SqlitePool) -> Result<Vec<HeldDockets>, StoreError> {
    Ok(chain::load_all(readers).await?.into_iter().map(|chain| chain.held).collect())
}

pub(in crate::sqlite) async fn checkpoint(
    readers: &SqlitePool,
    register: RegisterId,
) -> Result<Option<Bytes>, StoreError> {
    let row: Option<(i64, Vec<u8>)> = sqlx::query_as(
        "SELECT checksum, bytes FROM checkpoints WHERE chain = (SELECT id FROM chains WHERE register = $1)",
    )
    .bind(register.as_bytes().to_vec())
    .fetch_optional(readers)
    .await?;
    match row {
        Some((checksum, bytes)) if Checked::Checkpoint(register).checksum(&bytes) != checksum => {
            Err(StoreError::CorruptCheckpoint(register))
        }
        row => Ok(row.map(|(_, bytes)| bytes.into())),
    }
}

pub(in crate::sqlite) async fn headers(
    readers: &SqlitePool,
    register: RegisterId,
    from: u64,
    seen: Seen,
    max: usize,
) -> Result<Vec<StoredHeader>, StoreError> {
    let mut rows = sqlx::query(
        "SELECT number, hash, header, certificate_checksum, certificate, first
         FROM chains JOIN dockets ON dockets.chain = chains.id
         WHERE register = $1 AND number >= first AND number >= $2
         AND number <= CASE WHEN $3 THEN certified ELSE head END ORDER BY number LIMIT $4",
    )
    .bind(register.as_bytes().to_vec())
    .bind(ordered(from))
    .bind(seen == Seen::Certified)
    .bind(limit(max.min(MAX_DOCKETS)))
    .fetch(readers);
    let mut checker = Checker::new(register, None);
    let mut headers = Vec::new();
    while let Some(row) = rows.try_next().await? {
        if headers.is_empty() {
            checker.begin(from_ordered(row.try_get("first")?).max(from));
        }
        let checked = checker.header(HeaderRow::from_row(&row)?);
        if !checker.take(checked, &mut headers)? {
            break;
        }
    }
    Ok(headers)
}

pub(in crate::sqlite) async fn dockets(
    readers: &SqlitePool,
    register: RegisterId,
    from: u64,
    seen: Seen,
    max_dockets: usize,
    max_bytes: usize,
) -> Result<Vec<StoredDocket>, StoreError> {
    let read = async || read_dockets(readers, register, from, seen, max_dockets, max_bytes).await;
    let dockets = read().await?;
    if !dockets.is_empty() || max_dockets == 0 {
        return Ok(dockets);
    }
    let held = held(readers, register).await?;
    if held.is_none_or(|held| from < held.first || held.last(seen).is_none_or(|last| from > last)) {
        return Ok(dockets);
    }
    // It has come meanwhile, or its row is lost.
    let dockets = read().await?;
    if dockets.is_empty() { Err(StoreError::CorruptDocket { register, number: from }) } else { Ok(dockets) }
}

/// Goes from docket to docket until the budget ends: neither a body nor a row beyond it is read from the disk.
async fn read_dockets(
    readers: &SqlitePool,
    register: RegisterId,
    from: u64,
    seen: Seen,
    max_dockets: usize,
    max_bytes: usize,
) -> Result<Vec<StoredDocket>, StoreError> {
    let mut rows = sqlx::query_as::<_, DocketRow>(
        "WITH RECURSIVE chosen (docket, place, last, total) AS (
             SELECT dockets.id, number, CASE WHEN $3 THEN certified ELSE head END, dockets.body_bytes
             FROM chains JOIN dockets ON dockets.chain = chains.id
             WHERE register = $1 AND number = $2 AND number >= first AND number <= CASE WHEN $3 THEN certified ELSE head END
             UNION ALL
             SELECT dockets.id, number, last, total + dockets.body_bytes
             FROM chosen JOIN chains ON register = $1 JOIN dockets ON dockets.chain = chains.id AND number = place + 1
             WHERE number <= last AND total + dockets.body_bytes <= $5
             LIMIT $4
         )
         SELECT number, hash, header, certificate_checksum, certificate, body_checksum, body
         FROM chosen JOIN dockets ON dockets.id = chosen.docket
         LEFT JOIN docket_bodies ON docket_bodies.docket = chosen.docket ORDER BY number",
    )
    .bind(register.as_bytes().to_vec())
    .bind(ordered(from))
    .bind(seen == Seen::Certified)
    .bind(limit(max_dockets.min(MAX_DOCKETS)))
    .bind(limit(max_bytes))
    .fetch(readers);
    let mut checker = Checker::new(register, Some(from));
    let mut dockets = Vec::new();
    while let Some(row) = rows.try_next().await? {
        let checked = checker.docket(row);
        if !checker.take(checked, &mut dockets)? {
            break;
        }
    }
    Ok(dockets)
}

pub(in crate::sqlite) async fn transaction_ids(
    readers: &SqlitePool,
    register: RegisterId,
    from: u64,
    max_ids: usize,
) -> Result<Vec<DocketTransactions>, StoreError> {
    let mut rows = sqlx::query_as::<_, IdsRow>(
        "SELECT number, ids_checksum, ids FROM (
             SELECT chosen, number, SUM(size) OVER (ORDER BY number) AS total, ROW_NUMBER() OVER (ORDER BY number) AS place
             FROM (
                 SELECT dockets.id AS chosen, number, dockets.transactions AS size
                 FROM chains JOIN dockets ON dockets.chain = chains.id
                 WHERE register = $1 AND number >= first AND number >= $2 ORDER BY number LIMIT $3
             ) AS sizes
         ) AS sums LEFT JOIN docket_bodies ON docket = chosen WHERE total <= $4 OR place = 1 ORDER BY number",
    )
    .bind(register.as_bytes().to_vec())
    .bind(ordered(from))
    .bind(limit(MAX_DOCKETS))
    .bind(limit(max_ids))
    .fetch(readers);
    let mut dockets = Vec::new();
    while let Some((number, checksum, ids)) = rows.try_next().await? {
        let number = from_ordered(number);
        match checked_ids(register, number, checksum, ids) {
            Ok(transactions) => dockets.push(DocketTransactions { number, transactions }),
            Err(corrupt) if dockets.is_empty() => return Err(corrupt),
            Err(_) => break,
        }
    }
    Ok(dockets)
}

/// All from one state of the store.
pub(in crate::sqlite) async fn find_all(
    readers: &SqlitePool,
    register: RegisterId,
    ids: &[TransactionId],
    seen: Seen,
) -> Result<Option<Vec<Option<TransactionPlace>>>, StoreError> {
    let mut snapshot = readers.begin().await?;
    index::find_all(&mut *snapshot, register, ids, seen).await
}

//! Reading dockets, from the last commit. Whatever the disk has changed is never given on.

use super::chain::Chain;
use crate::{
    DocketTransactions, HeldDockets, Seen, StoreError, StoredDocket, StoredHeader,
    checksum::Checked,
    sqlite::codec::{from_ordered, key, limit, ordered},
};
use bytes::Bytes;
use futures::TryStreamExt;
use peerwright_ledger::{DocketHash, RegisterId, TransactionId};
use peerwright_secure::sha256;
use sqlx::{FromRow, Row, SqlitePool};

/// Number, hash, header, checksum of the certificate, certificate.
type HeaderRow = (i64, Vec<u8>, Vec<u8>, Option<i64>, Option<Vec<u8>>);
/// The same, then checksum of the body, body.
type DocketRow = (i64, Vec<u8>, Vec<u8>, Option<i64>, Option<Vec<u8>>, Option<i64>, Option<Vec<u8>>);

/// Dockets that one call reads at most, however small they are.
const MAX_DOCKETS: usize = 4096;

pub(in crate::sqlite) async fn held(
    readers: &SqlitePool,
    register: RegisterId,
) -> Result<Option<HeldDockets>, StoreError> {
    Ok(Chain::load(readers, register).await?.map(|chain| chain.held))
}

pub(in crate::sqlite) async fn registers(readers: &SqlitePool) -> Result<Vec<HeldDockets>, StoreError> {
    Ok(Chain::load_all(readers).await?.into_iter().map(|chain| chain.held).collect())
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

/// Checks one docket after the other; the first that is not as it was stored, or is missing, ends the answer.
struct Checker {
    register: RegisterId,
    next: Option<u64>,
}

impl Checker {
    /// `Err` with the number that is corrupt.
    fn header(&mut self, row: HeaderRow) -> Result<StoredHeader, u64> {
        let (number, hash, header, certificate_checksum, certificate) = row;
        let number = from_ordered(number);
        if let Some(expected) = self.next.filter(|expected| *expected != number) {
            return Err(expected);
        }
        self.next = number.checked_add(1);
        let hash = key(hash).map_err(|_| number)?;
        let of = Checked::Certificate(self.register, number);
        let certified = certificate.as_ref().map(|bytes| of.checksum(bytes)) == certificate_checksum;
        if sha256(&header) != hash || !certified {
            return Err(number);
        }
        let hash = DocketHash::from_bytes(hash);
        Ok(StoredHeader { number, hash, header: header.into(), certificate: certificate.map(Bytes::from) })
    }

    fn docket(&mut self, row: DocketRow) -> Result<StoredDocket, u64> {
        let (number, hash, header, certificate_checksum, certificate, checksum, body) = row;
        let header = self.header((number, hash, header, certificate_checksum, certificate))?;
        let of = Checked::Body(self.register, header.number);
        match body {
            Some(body) if checksum == Some(of.checksum(&body)) => Ok(StoredDocket { header, body: body.into() }),
            _ => Err(header.number),
        }
    }

    /// Whether to go on.
    fn take<T>(&self, checked: Result<T, u64>, taken: &mut Vec<T>) -> Result<bool, StoreError> {
        match checked {
            Ok(value) => {
                taken.push(value);
                Ok(true)
            }
            Err(number) if taken.is_empty() => Err(StoreError::CorruptDocket { register: self.register, number }),
            Err(_) => Ok(false),
        }
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
    let mut checker = Checker { register, next: None };
    let mut headers = Vec::new();
    while let Some(row) = rows.try_next().await? {
        if headers.is_empty() {
            checker.next = Some(from_ordered(row.try_get("first")?).max(from));
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

/// The sizes come first, so that no body beyond the budget is read from the disk.
async fn read_dockets(
    readers: &SqlitePool,
    register: RegisterId,
    from: u64,
    seen: Seen,
    max_dockets: usize,
    max_bytes: usize,
) -> Result<Vec<StoredDocket>, StoreError> {
    let mut rows = sqlx::query_as::<_, DocketRow>(
        "SELECT number, hash, header, certificate_checksum, certificate, body_checksum, body FROM (
             SELECT chosen, SUM(size) OVER (ORDER BY place) AS total FROM (
                 SELECT dockets.id AS chosen, number AS place, dockets.body_bytes AS size
                 FROM chains JOIN dockets ON dockets.chain = chains.id
                 WHERE register = $1 AND $2 >= first AND number >= $2
                 AND number <= CASE WHEN $3 THEN certified ELSE head END ORDER BY number LIMIT $4
             ) AS sizes
         ) AS sums JOIN dockets ON dockets.id = chosen LEFT JOIN docket_bodies ON docket = chosen
         WHERE total <= $5 OR number = $2 ORDER BY number",
    )
    .bind(register.as_bytes().to_vec())
    .bind(ordered(from))
    .bind(seen == Seen::Certified)
    .bind(limit(max_dockets.min(MAX_DOCKETS)))
    .bind(limit(max_bytes))
    .fetch(readers);
    let mut checker = Checker { register, next: Some(from) };
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
    let mut rows = sqlx::query_as::<_, (i64, Option<i64>, Option<Vec<u8>>)>(
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

/// Transaction ids that are as they were stored.
pub(super) fn checked_ids(
    register: RegisterId,
    number: u64,
    checksum: Option<i64>,
    ids: Option<Vec<u8>>,
) -> Result<Vec<TransactionId>, StoreError> {
    let ids = ids.filter(|ids| checksum == Some(Checked::Ids(register, number).checksum(ids)));
    let ids = ids.ok_or(StoreError::CorruptDocket { register, number })?;
    Ok(ids.as_chunks().0.iter().map(|id| TransactionId::from_bytes(*id)).collect())
}

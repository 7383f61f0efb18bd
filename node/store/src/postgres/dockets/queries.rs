//! Reading dockets, from the last commit.

use super::chain;
use crate::{
    DocketTransactions, HeldDockets, Seen, StoreError, StoredDocket, StoredHeader, TransactionPlace,
    checker::{Checker, DocketRow, IdsRow, MAX_DOCKETS, checked_ids},
    checksum::Checked,
    codec::{from_ordered, limit, ordered},
    index,
    postgres::{readers::Readers, session::Session},
};
use bytes::Bytes;
use peerwright_ledger::{RegisterId, TransactionId};

/// Number, hash, header, checksum of the certificate, certificate; the first number held.
type HeaderAndFirst = (i64, Vec<u8>, Vec<u8>, Option<i64>, Option<Vec<u8>>, i64);

pub(in crate::postgres) async fn held(
    readers: &Readers,
    register: RegisterId,
) -> Result<Option<HeldDockets>, StoreError> {
    let read = readers.read(|session| async move {
        let chain = chain::load(&session, register).await;
        (session, chain)
    });
    Ok(read.await?.map(|chain| chain.held))
}

pub(in crate::postgres) async fn registers(readers: &Readers) -> Result<Vec<HeldDockets>, StoreError> {
    let read = readers.read(|session| async move {
        let chains = chain::load_all(&session).await;
        (session, chains)
    });
    Ok(read.await?.into_iter().map(|chain| chain.held).collect())
}

pub(in crate::postgres) async fn checkpoint(
    readers: &Readers,
    register: RegisterId,
) -> Result<Option<Bytes>, StoreError> {
    let row: Option<(i64, Vec<u8>)> = readers
        .optional(
            "SELECT checksum, bytes FROM checkpoints WHERE chain = (SELECT id FROM chains WHERE register = $1)",
            &[&register.as_bytes().as_slice()],
        )
        .await?;
    match row {
        Some((checksum, bytes)) if Checked::Checkpoint(register).checksum(&bytes) != checksum => {
            Err(StoreError::CorruptCheckpoint(register))
        }
        row => Ok(row.map(|(_, bytes)| bytes.into())),
    }
}

pub(in crate::postgres) async fn headers(
    readers: &Readers,
    register: RegisterId,
    from: u64,
    seen: Seen,
    max: usize,
) -> Result<Vec<StoredHeader>, StoreError> {
    let rows: Vec<HeaderAndFirst> = readers
        .all(
            "SELECT number, hash, header, certificate_checksum, certificate, first
             FROM chains JOIN dockets ON dockets.chain = chains.id
             WHERE register = $1 AND number >= first AND number >= $2
             AND number <= CASE WHEN $3 THEN certified ELSE head END ORDER BY number LIMIT $4",
            &[
                &register.as_bytes().as_slice(),
                &ordered(from),
                &(seen == Seen::Certified),
                &limit(max.min(MAX_DOCKETS)),
            ],
        )
        .await?;
    let begin = rows.first().map(|row| from_ordered(row.5).max(from));
    let mut checker = Checker::new(register, begin);
    let mut headers = Vec::with_capacity(rows.len());
    for (number, hash, header, certificate_checksum, certificate, _) in rows {
        let checked = checker.header((number, hash, header, certificate_checksum, certificate));
        if !checker.take(checked, &mut headers)? {
            break;
        }
    }
    Ok(headers)
}

pub(in crate::postgres) async fn dockets(
    readers: &Readers,
    register: RegisterId,
    from: u64,
    seen: Seen,
    max_dockets: usize,
    max_bytes: usize,
) -> Result<Vec<StoredDocket>, StoreError> {
    readers
        .read(|session| async move {
            let dockets = find_dockets(&session, register, from, seen, max_dockets, max_bytes).await;
            (session, dockets)
        })
        .await
}

async fn find_dockets(
    session: &Session,
    register: RegisterId,
    from: u64,
    seen: Seen,
    max_dockets: usize,
    max_bytes: usize,
) -> Result<Vec<StoredDocket>, StoreError> {
    let read = async || read_dockets(session, register, from, seen, max_dockets, max_bytes).await;
    let mut dockets = read().await?;
    if dockets.is_empty() && max_dockets > 0 {
        let held = chain::load(session, register).await?.map(|chain| chain.held);
        if held.is_some_and(|held| from >= held.first && held.last(seen).is_some_and(|last| from <= last)) {
            // It has come meanwhile, or its row is lost.
            dockets = read().await?;
            if dockets.is_empty() {
                return Err(StoreError::CorruptDocket { register, number: from });
            }
        }
    }
    Ok(dockets)
}

/// The sizes come first, so that no body beyond the budget is read from the disk.
async fn read_dockets(
    session: &Session,
    register: RegisterId,
    from: u64,
    seen: Seen,
    max_dockets: usize,
    max_bytes: usize,
) -> Result<Vec<StoredDocket>, StoreError> {
    let rows: Vec<DocketRow> = session
        .all(
            "SELECT number, hash, header, certificate_checksum, certificate, body_checksum, body FROM (
                 SELECT chain, number, SUM(size) OVER (ORDER BY number) AS total FROM (
                     SELECT chain, number, dockets.body_bytes AS size
                     FROM chains JOIN dockets ON dockets.chain = chains.id
                     WHERE register = $1 AND $2 >= first AND number >= $2
                     AND number <= CASE WHEN $3 THEN certified ELSE head END ORDER BY number LIMIT $4
                 ) AS sizes
             ) AS sums JOIN dockets USING (chain, number) LEFT JOIN docket_bodies USING (chain, number)
             WHERE total <= $5::BIGINT OR number = $2 ORDER BY number",
            &[
                &register.as_bytes().as_slice(),
                &ordered(from),
                &(seen == Seen::Certified),
                &limit(max_dockets.min(MAX_DOCKETS)),
                &limit(max_bytes),
            ],
        )
        .await?;
    let mut checker = Checker::new(register, Some(from));
    let mut dockets = Vec::with_capacity(rows.len());
    for row in rows {
        let checked = checker.docket(row);
        if !checker.take(checked, &mut dockets)? {
            break;
        }
    }
    Ok(dockets)
}

pub(in crate::postgres) async fn transaction_ids(
    readers: &Readers,
    register: RegisterId,
    from: u64,
    max_ids: usize,
) -> Result<Vec<DocketTransactions>, StoreError> {
    let rows: Vec<IdsRow> = readers
        .all(
            "SELECT number, ids_checksum, ids FROM (
                 SELECT chain, number, SUM(size) OVER (ORDER BY number) AS total,
                        ROW_NUMBER() OVER (ORDER BY number) AS place
                 FROM (
                     SELECT chain, number, dockets.transactions AS size
                     FROM chains JOIN dockets ON dockets.chain = chains.id
                     WHERE register = $1 AND number >= first AND number >= $2 ORDER BY number LIMIT $3
                 ) AS sizes
             ) AS sums LEFT JOIN docket_bodies USING (chain, number) WHERE total <= $4::BIGINT OR place = 1 ORDER BY number",
            &[&register.as_bytes().as_slice(), &ordered(from), &limit(MAX_DOCKETS), &limit(max_ids)],
        )
        .await?;
    let mut dockets = Vec::with_capacity(rows.len());
    for (number, checksum, ids) in rows {
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
pub(in crate::postgres) async fn find_all(
    readers: &Readers,
    register: RegisterId,
    ids: &[TransactionId],
    seen: Seen,
) -> Result<Option<Vec<Option<TransactionPlace>>>, StoreError> {
    readers
        .read_state(|mut session| async move {
            let found = index::find_all(&mut session, register, ids, seen).await;
            (session, found)
        })
        .await
}

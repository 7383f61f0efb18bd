//! Reading dockets, from the last commit. Whatever the disk has changed is never given on.

use super::chain;
use crate::{
    DocketTransactions, HeldDockets, Seen, StoreError, StoredDocket, StoredHeader, TransactionPlace,
    checker::{Checker, DocketRow, IdsRow, MAX_DOCKETS, checked_ids},
    checksum::Checked,
    codec::{from_ordered, limit, ordered},
    index,
    sqlite::{at_once, statements::Statements as _},
};
use bytes::Bytes;
use peerwright_ledger::{RegisterId, TransactionId};
use rusqlite::{Connection, params};
use std::ops::ControlFlow;

pub(in crate::sqlite) fn held(
    connection: &Connection,
    register: RegisterId,
) -> Result<Option<HeldDockets>, StoreError> {
    Ok(chain::load(connection, register)?.map(|chain| chain.held))
}

pub(in crate::sqlite) fn registers(connection: &Connection) -> Result<Vec<HeldDockets>, StoreError> {
    Ok(chain::load_all(connection)?.into_iter().map(|chain| chain.held).collect())
}

pub(in crate::sqlite) fn checkpoint(
    connection: &Connection,
    register: RegisterId,
) -> Result<Option<Bytes>, StoreError> {
    let row: Option<(i64, Vec<u8>)> = connection.optional(
        "SELECT checksum, bytes FROM checkpoints WHERE chain = (SELECT id FROM chains WHERE register = ?1)",
        params![register.as_bytes()],
    )?;
    match row {
        Some((checksum, bytes)) if Checked::Checkpoint(register).checksum(&bytes) != checksum => {
            Err(StoreError::CorruptCheckpoint(register))
        }
        row => Ok(row.map(|(_, bytes)| bytes.into())),
    }
}

pub(in crate::sqlite) fn headers(
    connection: &Connection,
    register: RegisterId,
    from: u64,
    seen: Seen,
    max: usize,
) -> Result<Vec<StoredHeader>, StoreError> {
    let mut checker = Checker::new(register, None);
    let mut headers = Vec::new();
    connection.each(
        "SELECT first, number, hash, header, certificate_checksum, certificate
         FROM chains JOIN dockets ON dockets.chain = chains.id
         WHERE register = ?1 AND number >= first AND number >= ?2
         AND number <= CASE WHEN ?3 THEN certified ELSE head END ORDER BY number LIMIT ?4",
        params![register.as_bytes(), ordered(from), seen == Seen::Certified, limit(max.min(MAX_DOCKETS))],
        |(first, number, hash, header, certificate_checksum, certificate)| {
            if headers.is_empty() {
                checker.begin(from_ordered(first).max(from));
            }
            let checked = checker.header((number, hash, header, certificate_checksum, certificate));
            Ok(go_on_while(checker.take(checked, &mut headers)?))
        },
    )?;
    Ok(headers)
}

const fn go_on_while(wanted: bool) -> ControlFlow<()> {
    if wanted { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

pub(in crate::sqlite) fn dockets(
    connection: &Connection,
    register: RegisterId,
    from: u64,
    seen: Seen,
    max_dockets: usize,
    max_bytes: usize,
) -> Result<Vec<StoredDocket>, StoreError> {
    let read = || read_dockets(connection, register, from, seen, max_dockets, max_bytes);
    let dockets = read()?;
    if !dockets.is_empty() || max_dockets == 0 {
        return Ok(dockets);
    }
    let held = held(connection, register)?;
    if held.is_none_or(|held| from < held.first || held.last(seen).is_none_or(|last| from > last)) {
        return Ok(dockets);
    }
    // It has come meanwhile, or its row is lost.
    let dockets = read()?;
    if dockets.is_empty() { Err(StoreError::CorruptDocket { register, number: from }) } else { Ok(dockets) }
}

/// Goes from docket to docket until the budget ends: neither a body nor a row beyond it is read from the disk.
fn read_dockets(
    connection: &Connection,
    register: RegisterId,
    from: u64,
    seen: Seen,
    max_dockets: usize,
    max_bytes: usize,
) -> Result<Vec<StoredDocket>, StoreError> {
    let mut checker = Checker::new(register, Some(from));
    let mut dockets = Vec::new();
    let values = params![
        register.as_bytes(),
        ordered(from),
        seen == Seen::Certified,
        limit(max_dockets.min(MAX_DOCKETS)),
        limit(max_bytes)
    ];
    connection.each(
        "WITH RECURSIVE chosen (docket, place, last, total) AS (
             SELECT dockets.id, number, CASE WHEN ?3 THEN certified ELSE head END, dockets.body_bytes
             FROM chains JOIN dockets ON dockets.chain = chains.id
             WHERE register = ?1 AND number = ?2 AND number >= first AND number <= CASE WHEN ?3 THEN certified ELSE head END
             UNION ALL
             SELECT dockets.id, number, last, total + dockets.body_bytes
             FROM chosen JOIN chains ON register = ?1 JOIN dockets ON dockets.chain = chains.id AND number = place + 1
             WHERE number <= last AND total + dockets.body_bytes <= ?5
             LIMIT ?4
         )
         SELECT number, hash, header, certificate_checksum, certificate, body_checksum, body
         FROM chosen JOIN dockets ON dockets.id = chosen.docket
         LEFT JOIN docket_bodies ON docket_bodies.docket = chosen.docket ORDER BY number",
        values,
        |row: DocketRow| {
            let checked = checker.docket(row);
            Ok(go_on_while(checker.take(checked, &mut dockets)?))
        },
    )?;
    Ok(dockets)
}

pub(in crate::sqlite) fn transaction_ids(
    connection: &Connection,
    register: RegisterId,
    from: u64,
    max_ids: usize,
) -> Result<Vec<DocketTransactions>, StoreError> {
    let mut dockets = Vec::new();
    connection.each(
        "SELECT number, ids_checksum, ids FROM (
             SELECT chosen, number, SUM(size) OVER (ORDER BY number) AS total, ROW_NUMBER() OVER (ORDER BY number) AS place
             FROM (
                 SELECT dockets.id AS chosen, number, dockets.transactions AS size
                 FROM chains JOIN dockets ON dockets.chain = chains.id
                 WHERE register = ?1 AND number >= first AND number >= ?2 ORDER BY number LIMIT ?3
             ) AS sizes
         ) AS sums LEFT JOIN docket_bodies ON docket = chosen WHERE total <= ?4 OR place = 1 ORDER BY number",
        params![register.as_bytes(), ordered(from), limit(MAX_DOCKETS), limit(max_ids)],
        |(number, checksum, ids): IdsRow| {
            let number = from_ordered(number);
            match checked_ids(register, number, checksum, ids) {
                Ok(transactions) => dockets.push(DocketTransactions { number, transactions }),
                Err(corrupt) if dockets.is_empty() => return Err(corrupt),
                Err(_) => return Ok(ControlFlow::Break(())),
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(dockets)
}

/// All from one state of the store.
pub(in crate::sqlite) fn find_all(
    connection: &mut Connection,
    register: RegisterId,
    ids: &[TransactionId],
    seen: Seen,
) -> Result<Option<Vec<Option<TransactionPlace>>>, StoreError> {
    let snapshot = connection.transaction()?;
    at_once(index::find_all(&mut &*snapshot, register, ids, seen))
}

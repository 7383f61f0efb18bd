//! The rows of registers.

use crate::sqlite::statements::Statements as _;
use crate::{
    StoreError,
    chain::{Chain, Columns},
    codec::{from_ordered, ordered},
    docket::Link,
};
use peerwright_ledger::RegisterId;
use rusqlite::{Connection, params};

pub(super) fn load(connection: &Connection, register: RegisterId) -> Result<Option<Chain>, StoreError> {
    let row: Option<Columns> = connection.optional(
        "SELECT id, first, head, head_hash, certified, indexed, unindexed_dockets, unindexed_transactions,
         transactions, body_bytes, register FROM chains WHERE register = ?1",
        params![register.as_bytes()],
    )?;
    row.map(Chain::read).transpose()
}

/// In the order of the registers.
pub(super) fn load_all(connection: &Connection) -> Result<Vec<Chain>, StoreError> {
    let rows: Vec<Columns> = connection.all(
        "SELECT id, first, head, head_hash, certified, indexed, unindexed_dockets, unindexed_transactions,
         transactions, body_bytes, register FROM chains WHERE register IS NOT NULL ORDER BY register",
        [],
    )?;
    rows.into_iter().map(Chain::read).collect()
}

/// Begins a register with its first docket, which is yet to be inserted.
pub(super) fn begin(connection: &Connection, register: RegisterId, first: Link) -> Result<Chain, StoreError> {
    let (number, hash) = first;
    let id = connection.value(
        "INSERT INTO chains (register, first, lowest, head, head_hash, unindexed_dockets, unindexed_transactions,
         transactions, body_bytes) VALUES (?1, ?2, ?2, ?2, ?3, 0, 0, 0, 0) RETURNING id",
        params![register.as_bytes(), ordered(number), hash.as_bytes()],
    )?;
    Ok(Chain::begun(id, register, first))
}

pub(super) fn save(connection: &Connection, chain: &Chain) -> Result<(), StoreError> {
    let held = &chain.held;
    connection.run(
        "UPDATE chains SET first = ?1, head = ?2, head_hash = ?3, certified = ?4, indexed = ?5,
         unindexed_dockets = ?6, unindexed_transactions = ?7, transactions = ?8, body_bytes = ?9 WHERE id = ?10",
        params![
            ordered(held.first),
            ordered(held.head),
            held.head_hash.as_bytes(),
            held.certified_through.map(ordered),
            held.indexed_through.map(ordered),
            chain.unindexed_dockets.cast_signed(),
            chain.unindexed_transactions.cast_signed(),
            held.transactions.cast_signed(),
            held.body_bytes.cast_signed(),
            chain.id
        ],
    )?;
    Ok(())
}

/// Moves `certified_through` up to the first docket that has no certificate.
pub(super) fn find_certified(connection: &Connection, chain: &mut Chain) -> Result<(), StoreError> {
    let lacking: Option<i64> = connection.optional_value(
        "SELECT number FROM dockets WHERE chain = ?1 AND number >= ?2
         AND certificate IS NULL ORDER BY number LIMIT 1",
        params![chain.id, ordered(chain.uncertified_from())],
    )?;
    chain.certify_up_to(lacking.map(from_ordered));
    Ok(())
}

/// Counts again what the index lacks.
pub(super) fn count_unindexed(connection: &Connection, chain: &mut Chain) -> Result<(), StoreError> {
    let (dockets, transactions): (i64, i64) = connection.one(
        "SELECT COUNT(*), CAST(COALESCE(SUM(transactions), 0) AS BIGINT) FROM dockets
         WHERE chain = ?1 AND number >= ?2",
        params![chain.id, ordered(chain.unindexed_from())],
    )?;
    chain.unindexed_dockets = dockets.cast_unsigned();
    chain.unindexed_transactions = transactions.cast_unsigned();
    Ok(())
}

//! The rows of registers.

use crate::{
    StoreError,
    chain::{Chain, Columns},
    codec::{from_ordered, ordered},
    docket::Link,
};
use peerwright_ledger::RegisterId;
use sqlx::{Executor, Sqlite, SqliteConnection};

pub(super) async fn load(
    connection: impl Executor<'_, Database = Sqlite>,
    register: RegisterId,
) -> Result<Option<Chain>, StoreError> {
    let row: Option<Columns> = sqlx::query_as(
        "SELECT id, first, head, head_hash, certified, indexed, unindexed_dockets, unindexed_transactions,
         transactions, body_bytes, register FROM chains WHERE register = $1",
    )
    .bind(register.as_bytes().as_slice())
    .fetch_optional(connection)
    .await?;
    row.map(Chain::read).transpose()
}

/// In the order of the registers.
pub(super) async fn load_all(connection: impl Executor<'_, Database = Sqlite>) -> Result<Vec<Chain>, StoreError> {
    let rows: Vec<Columns> = sqlx::query_as(
        "SELECT id, first, head, head_hash, certified, indexed, unindexed_dockets, unindexed_transactions,
         transactions, body_bytes, register FROM chains WHERE register IS NOT NULL ORDER BY register",
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Chain::read).collect()
}

/// Begins a register with its first docket, which is yet to be inserted.
pub(super) async fn begin(
    connection: &mut SqliteConnection,
    register: RegisterId,
    first: Link,
) -> Result<Chain, StoreError> {
    let (number, hash) = first;
    let id = sqlx::query_scalar(
        "INSERT INTO chains (register, first, lowest, head, head_hash, unindexed_dockets, unindexed_transactions,
         transactions, body_bytes) VALUES ($1, $2, $2, $2, $3, 0, 0, 0, 0) RETURNING id",
    )
    .bind(register.as_bytes().as_slice())
    .bind(ordered(number))
    .bind(hash.as_bytes().as_slice())
    .fetch_one(connection)
    .await?;
    Ok(Chain::begun(id, register, first))
}

pub(super) async fn save(connection: &mut SqliteConnection, chain: &Chain) -> Result<(), StoreError> {
    let held = &chain.held;
    sqlx::query(
        "UPDATE chains SET first = $1, head = $2, head_hash = $3, certified = $4, indexed = $5, unindexed_dockets = $6,
         unindexed_transactions = $7, transactions = $8, body_bytes = $9 WHERE id = $10",
    )
    .bind(ordered(held.first))
    .bind(ordered(held.head))
    .bind(held.head_hash.as_bytes().as_slice())
    .bind(held.certified_through.map(ordered))
    .bind(held.indexed_through.map(ordered))
    .bind(chain.unindexed_dockets.cast_signed())
    .bind(chain.unindexed_transactions.cast_signed())
    .bind(held.transactions.cast_signed())
    .bind(held.body_bytes.cast_signed())
    .bind(chain.id)
    .execute(connection)
    .await?;
    Ok(())
}

/// Moves `certified_through` up to the first docket that has no certificate.
pub(super) async fn find_certified(connection: &mut SqliteConnection, chain: &mut Chain) -> Result<(), StoreError> {
    let lacking: Option<i64> = sqlx::query_scalar(
        "SELECT number FROM dockets WHERE chain = $1 AND number >= $2 AND certificate IS NULL ORDER BY number LIMIT 1",
    )
    .bind(chain.id)
    .bind(ordered(chain.uncertified_from()))
    .fetch_optional(connection)
    .await?;
    chain.certify_up_to(lacking.map(from_ordered));
    Ok(())
}

/// Counts again what the index lacks.
pub(super) async fn count_unindexed(connection: &mut SqliteConnection, chain: &mut Chain) -> Result<(), StoreError> {
    let (dockets, transactions): (i64, i64) = sqlx::query_as(
        "SELECT COUNT(*), CAST(COALESCE(SUM(transactions), 0) AS BIGINT) FROM dockets WHERE chain = $1 AND number >= $2",
    )
    .bind(chain.id)
    .bind(ordered(chain.unindexed_from()))
    .fetch_one(connection)
    .await?;
    chain.unindexed_dockets = dockets.cast_unsigned();
    chain.unindexed_transactions = transactions.cast_unsigned();
    Ok(())
}

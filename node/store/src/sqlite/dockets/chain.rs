//! The row of a register: from where to where its dockets are held, and what is known of them.

use crate::{
    HeldDockets, StoreError,
    docket::Link,
    sqlite::codec::{from_ordered, key, ordered},
};
use peerwright_ledger::{DocketHash, RegisterId};
use sqlx::{Executor, FromRow, Row, Sqlite, SqliteConnection};

/// Id, first, head, its hash, certified, indexed, dockets and transactions above that, transactions, bytes of bodies.
type Columns = (i64, i64, i64, Vec<u8>, Option<i64>, Option<i64>, i64, i64, i64, i64);

/// The row of a register that is held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chain {
    pub(super) id: i64,
    pub(super) held: HeldDockets,
    pub(super) unindexed_dockets: u64,
    pub(super) unindexed_transactions: u64,
}

impl Chain {
    pub(super) async fn load(
        connection: impl Executor<'_, Database = Sqlite>,
        register: RegisterId,
    ) -> Result<Option<Self>, StoreError> {
        let row: Option<Columns> = sqlx::query_as(
            "SELECT id, first, head, head_hash, certified, indexed, unindexed_dockets, unindexed_transactions,
             transactions, body_bytes FROM chains WHERE register = $1",
        )
        .bind(register.as_bytes().as_slice())
        .fetch_optional(connection)
        .await?;
        row.map(|row| Self::read(register, row)).transpose()
    }

    pub(super) async fn load_all(connection: impl Executor<'_, Database = Sqlite>) -> Result<Vec<Self>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, first, head, head_hash, certified, indexed, unindexed_dockets, unindexed_transactions,
             transactions, body_bytes, register FROM chains WHERE register IS NOT NULL ORDER BY register",
        )
        .fetch_all(connection)
        .await?;
        rows.iter()
            .map(|row| Self::read(RegisterId::from_bytes(key(row.try_get("register")?)?), Columns::from_row(row)?))
            .collect()
    }

    fn read(register: RegisterId, row: Columns) -> Result<Self, StoreError> {
        let (id, first, head, hash, certified, indexed, dockets, ids, transactions, body_bytes) = row;
        let held = HeldDockets {
            register,
            first: from_ordered(first),
            head: from_ordered(head),
            head_hash: DocketHash::from_bytes(key(hash)?),
            certified_through: certified.map(from_ordered),
            indexed_through: indexed.map(from_ordered),
            transactions: transactions.cast_unsigned(),
            body_bytes: body_bytes.cast_unsigned(),
        };
        Ok(Self { id, held, unindexed_dockets: dockets.cast_unsigned(), unindexed_transactions: ids.cast_unsigned() })
    }

    /// Begins a register with its first docket, which is yet to be inserted.
    pub(super) async fn begin(
        connection: &mut SqliteConnection,
        register: RegisterId,
        first: Link,
    ) -> Result<Self, StoreError> {
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
        let held = HeldDockets {
            register,
            first: number,
            head: number,
            head_hash: hash,
            certified_through: None,
            indexed_through: None,
            transactions: 0,
            body_bytes: 0,
        };
        Ok(Self { id, held, unindexed_dockets: 0, unindexed_transactions: 0 })
    }

    pub(super) async fn save(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let held = &self.held;
        sqlx::query(
            "UPDATE chains SET first = $1, head = $2, head_hash = $3, certified = $4, indexed = $5, unindexed_dockets = $6,
             unindexed_transactions = $7, transactions = $8, body_bytes = $9 WHERE id = $10",
        )
        .bind(ordered(held.first))
        .bind(ordered(held.head))
        .bind(held.head_hash.as_bytes().as_slice())
        .bind(held.certified_through.map(ordered))
        .bind(held.indexed_through.map(ordered))
        .bind(self.unindexed_dockets.cast_signed())
        .bind(self.unindexed_transactions.cast_signed())
        .bind(held.transactions.cast_signed())
        .bind(held.body_bytes.cast_signed())
        .bind(self.id)
        .execute(connection)
        .await?;
        Ok(())
    }

    pub(super) fn head(&self) -> Link {
        (self.held.head, self.held.head_hash)
    }

    /// The lowest number that the index lacks.
    pub(super) fn unindexed_from(&self) -> u64 {
        self.held.indexed_through.map_or(0, |last| last.saturating_add(1)).max(self.held.first)
    }

    /// Moves `certified_through` up to the first docket that has no certificate.
    pub(super) async fn find_certified(&mut self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let held = &mut self.held;
        let from = held.certified_through.map_or(0, |last| last.saturating_add(1)).max(held.first);
        let missing: Option<i64> = sqlx::query_scalar(
            "SELECT number FROM dockets WHERE chain = $1 AND number >= $2 AND certificate IS NULL ORDER BY number LIMIT 1",
        )
        .bind(self.id)
        .bind(ordered(from))
        .fetch_optional(connection)
        .await?;
        held.certified_through = match missing {
            None => Some(held.head),
            Some(missing) => from_ordered(missing).checked_sub(1).filter(|last| *last >= held.first),
        };
        Ok(())
    }

    /// Counts again what the index lacks.
    pub(super) async fn count_unindexed(&mut self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let (dockets, transactions): (i64, i64) = sqlx::query_as(
            "SELECT COUNT(*), CAST(COALESCE(SUM(transactions), 0) AS BIGINT) FROM dockets WHERE chain = $1 AND number >= $2",
        )
        .bind(self.id)
        .bind(ordered(self.unindexed_from()))
        .fetch_one(connection)
        .await?;
        (self.unindexed_dockets, self.unindexed_transactions) = (dockets.cast_unsigned(), transactions.cast_unsigned());
        Ok(())
    }
}

//! What each operation writes, inside the transaction of its group.

use super::{dead_letters, index, messages};
use crate::{
    Appended, BODY_CHUNK_BYTES, MessageRange, Purged, StoreError,
    codec::{from_ordered, ordered},
    message::IndexedMessage,
};
use peerwright_ledger::{Message, RegisterId, TransactionId};
use peerwright_secure::NodePublicKey;
use sqlx::SqliteConnection;
use std::collections::{BTreeMap, HashMap};

/// The operations of one group. Row ids found once are kept for the rest of the group.
pub(super) struct Batch<'c> {
    connection: &'c mut SqliteConnection,
    registers: HashMap<RegisterId, i64>,
    lives: HashMap<(NodePublicKey, u64), i64>,
    streams: HashMap<(i64, i64), i64>,
    /// The last number of each stream that was let go of.
    last_gone: HashMap<i64, Option<u64>>,
}

/// How much a register grew, and where, within one operation.
#[derive(Default)]
struct Growth {
    messages: i64,
    transactions: i64,
}

impl<'c> Batch<'c> {
    pub(super) fn new(connection: &'c mut SqliteConnection) -> Self {
        Self {
            connection,
            registers: HashMap::new(),
            lives: HashMap::new(),
            streams: HashMap::new(),
            last_gone: HashMap::new(),
        }
    }

    /// For operations that keep nothing in the batch.
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        self.connection
    }

    pub(super) async fn next_incarnation(&mut self, now: u64) -> Result<u64, StoreError> {
        let last: Option<i64> = sqlx::query_scalar("SELECT value FROM records WHERE name = 'incarnation'")
            .fetch_optional(&mut *self.connection)
            .await?;
        let next = last.map_or(now, |last| now.max(from_ordered(last).saturating_add(1)));
        sqlx::query(
            "INSERT INTO records (name, value) VALUES ('incarnation', $1)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(ordered(next))
        .execute(&mut *self.connection)
        .await?;
        Ok(next)
    }

    pub(super) async fn append(&mut self, messages: &[IndexedMessage], now: u64) -> Result<Vec<Appended>, StoreError> {
        let mut outcomes = Vec::with_capacity(messages.len());
        let mut growth: BTreeMap<i64, Growth> = BTreeMap::new();
        let mut added: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
        for IndexedMessage { message, entries } in messages {
            let register = self.register(message.body().register).await?;
            let life = self.life(message.body().origin, message.body().incarnation).await?;
            let stream = self.stream(register, life).await?;
            if self.is_gone(stream, message.body().register_sequence).await? {
                outcomes.push(Appended::Duplicate);
                continue;
            }
            let Some(id) = self.insert(stream, life, message).await? else {
                outcomes.push(self.compare(life, message).await?);
                continue;
            };
            added.entry(stream).or_default().push(message.body().register_sequence);
            let transactions = index::transactions(self.connection, register, id, entries, now).await?;
            let grown = growth.entry(register).or_default();
            grown.messages += 1;
            grown.transactions += i64::from(transactions);
            outcomes.push(Appended::Stored { transactions });
        }
        for (stream, sequences) in added {
            index::ranges(self.connection, stream, sequences).await?;
        }
        for (register, Growth { messages, transactions }) in growth {
            sqlx::query(
                "UPDATE registers SET messages = messages + $1, transactions = transactions + $2 WHERE id = $3",
            )
            .bind(messages)
            .bind(transactions)
            .bind(register)
            .execute(&mut *self.connection)
            .await?;
        }
        Ok(outcomes)
    }

    pub(super) async fn let_go(&mut self, ranges: &[MessageRange]) -> Result<Purged, StoreError> {
        self.last_gone.clear();
        messages::let_go(self.connection, ranges).await
    }

    /// Whether this message of a stream was let go of. New ones lie behind all of those.
    async fn is_gone(&mut self, stream: i64, register_sequence: u64) -> Result<bool, StoreError> {
        let last = match self.last_gone.get(&stream) {
            Some(last) => *last,
            None => {
                let last = index::last_gone(self.connection, stream).await?;
                self.last_gone.insert(stream, last);
                last
            }
        };
        match last {
            Some(last) if register_sequence <= last => index::is_gone(self.connection, stream, register_sequence).await,
            _ => Ok(false),
        }
    }

    /// The row id; `None` when one of its two places is taken.
    async fn insert(&mut self, stream: i64, life: i64, message: &Message) -> Result<Option<i64>, StoreError> {
        let inserted = sqlx::query_scalar(
            "INSERT INTO messages (stream, register_sequence, life, sequence, bytes) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING RETURNING id",
        )
        .bind(stream)
        .bind(ordered(message.body().register_sequence))
        .bind(life)
        .bind(ordered(message.body().sequence))
        .bind(message.encoded().as_ref())
        .fetch_optional(&mut *self.connection)
        .await?;
        Ok(inserted)
    }

    async fn compare(&mut self, life: i64, message: &Message) -> Result<Appended, StoreError> {
        let same: Option<bool> =
            sqlx::query_scalar("SELECT bytes = $1 FROM messages WHERE life = $2 AND sequence = $3")
                .bind(message.encoded().as_ref())
                .bind(life)
                .bind(ordered(message.body().sequence))
                .fetch_optional(&mut *self.connection)
                .await?;
        Ok(if same == Some(true) { Appended::Duplicate } else { Appended::Conflicting })
    }

    pub(super) async fn put_body(
        &mut self,
        register: RegisterId,
        id: TransactionId,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let register = self.register(register).await?;
        let size = i64::try_from(bytes.len()).map_err(|_| StoreError::DiskFull)?;
        let body: Option<i64> = sqlx::query_scalar(
            "INSERT INTO bodies (register, transaction_id, size) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING id",
        )
        .bind(register)
        .bind(id.as_bytes().as_slice())
        .bind(size)
        .fetch_optional(&mut *self.connection)
        .await?;
        let Some(body) = body else { return Ok(()) };
        for (number, chunk) in (0i64..).zip(bytes.chunks(BODY_CHUNK_BYTES)) {
            sqlx::query("INSERT INTO body_chunks (body, number, bytes) VALUES ($1, $2, $3)")
                .bind(body)
                .bind(number)
                .bind(chunk)
                .execute(&mut *self.connection)
                .await?;
        }
        Ok(())
    }

    pub(super) async fn put_document(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO documents (name, bytes) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET bytes = excluded.bytes",
        )
        .bind(name)
        .bind(bytes)
        .execute(&mut *self.connection)
        .await?;
        Ok(())
    }

    pub(super) async fn purge(&mut self, register: RegisterId) -> Result<Purged, StoreError> {
        dead_letters::purge(self.connection, register).await?;
        let register_row = self.register(register).await?;
        self.registers.clear();
        self.streams.clear();
        self.last_gone.clear();
        self.delete("DELETE FROM ranges WHERE stream IN (SELECT id FROM streams WHERE register = $1)", register_row)
            .await?;
        let transactions = self.delete("DELETE FROM transactions WHERE register = $1", register_row).await?;
        let messages = self
            .delete("DELETE FROM messages WHERE stream IN (SELECT id FROM streams WHERE register = $1)", register_row)
            .await?;
        self.delete("DELETE FROM gone WHERE stream IN (SELECT id FROM streams WHERE register = $1)", register_row)
            .await?;
        self.delete("DELETE FROM streams WHERE register = $1", register_row).await?;
        self.delete("DELETE FROM body_chunks WHERE body IN (SELECT id FROM bodies WHERE register = $1)", register_row)
            .await?;
        let bodies = self.delete("DELETE FROM bodies WHERE register = $1", register_row).await?;
        self.delete("DELETE FROM registers WHERE id = $1", register_row).await?;
        Ok(Purged { messages, transactions, bodies })
    }

    async fn delete(&mut self, statement: &'static str, register: i64) -> Result<u64, StoreError> {
        Ok(sqlx::query(statement).bind(register).execute(&mut *self.connection).await?.rows_affected())
    }

    async fn register(&mut self, register: RegisterId) -> Result<i64, StoreError> {
        if let Some(row) = self.registers.get(&register) {
            return Ok(*row);
        }
        let key = register.as_bytes().as_slice();
        let found: Option<i64> = sqlx::query_scalar("SELECT id FROM registers WHERE register = $1")
            .bind(key)
            .fetch_optional(&mut *self.connection)
            .await?;
        let row = match found {
            Some(row) => row,
            None => {
                sqlx::query_scalar("INSERT INTO registers (register) VALUES ($1) RETURNING id")
                    .bind(key)
                    .fetch_one(&mut *self.connection)
                    .await?
            }
        };
        self.registers.insert(register, row);
        Ok(row)
    }

    async fn life(&mut self, origin: NodePublicKey, incarnation: u64) -> Result<i64, StoreError> {
        if let Some(row) = self.lives.get(&(origin, incarnation)) {
            return Ok(*row);
        }
        let key = origin.as_bytes().as_slice();
        let found: Option<i64> = sqlx::query_scalar("SELECT id FROM lives WHERE origin = $1 AND incarnation = $2")
            .bind(key)
            .bind(ordered(incarnation))
            .fetch_optional(&mut *self.connection)
            .await?;
        let row = match found {
            Some(row) => row,
            None => {
                sqlx::query_scalar("INSERT INTO lives (origin, incarnation) VALUES ($1, $2) RETURNING id")
                    .bind(key)
                    .bind(ordered(incarnation))
                    .fetch_one(&mut *self.connection)
                    .await?
            }
        };
        self.lives.insert((origin, incarnation), row);
        Ok(row)
    }

    async fn stream(&mut self, register: i64, life: i64) -> Result<i64, StoreError> {
        if let Some(row) = self.streams.get(&(register, life)) {
            return Ok(*row);
        }
        let found: Option<i64> = sqlx::query_scalar("SELECT id FROM streams WHERE register = $1 AND life = $2")
            .bind(register)
            .bind(life)
            .fetch_optional(&mut *self.connection)
            .await?;
        let row = match found {
            Some(row) => row,
            None => {
                sqlx::query_scalar("INSERT INTO streams (register, life) VALUES ($1, $2) RETURNING id")
                    .bind(register)
                    .bind(life)
                    .fetch_one(&mut *self.connection)
                    .await?
            }
        };
        self.streams.insert((register, life), row);
        Ok(row)
    }
}

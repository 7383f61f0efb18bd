//! What each operation writes, inside the transaction of its group.

use super::{dead_letters, index, messages, statements::Statements as _};
use crate::{
    Appended, BODY_CHUNK_BYTES, MessageRange, Purged, StoreError,
    codec::{from_ordered, ordered},
    message::IndexedMessage,
};
use peerwright_ledger::{Message, RegisterId, TransactionId};
use peerwright_secure::NodePublicKey;
use rusqlite::{Connection, params};
use std::collections::{BTreeMap, HashMap};

/// The operations of one group. Row ids found once are kept for the rest of the group.
pub(super) struct Batch<'c> {
    connection: &'c Connection,
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
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self {
            connection,
            registers: HashMap::new(),
            lives: HashMap::new(),
            streams: HashMap::new(),
            last_gone: HashMap::new(),
        }
    }

    /// For operations that keep nothing in the batch.
    pub(super) const fn connection(&self) -> &'c Connection {
        self.connection
    }

    pub(super) fn next_incarnation(&mut self, now: u64) -> Result<u64, StoreError> {
        let last: Option<i64> =
            self.connection.optional_value("SELECT value FROM records WHERE name = 'incarnation'", [])?;
        let next = last.map_or(now, |last| now.max(from_ordered(last).saturating_add(1)));
        self.connection.run(
            "INSERT INTO records (name, value) VALUES ('incarnation', ?1)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            params![ordered(next)],
        )?;
        Ok(next)
    }

    pub(super) fn append(&mut self, messages: &[IndexedMessage], now: u64) -> Result<Vec<Appended>, StoreError> {
        let mut outcomes = Vec::with_capacity(messages.len());
        let mut growth: BTreeMap<i64, Growth> = BTreeMap::new();
        let mut added: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
        for IndexedMessage { message, entries } in messages {
            let register = self.register(message.body().register)?;
            let life = self.life(message.body().origin, message.body().incarnation)?;
            let stream = self.stream(register, life)?;
            if self.is_gone(stream, message.body().register_sequence)? {
                outcomes.push(Appended::Duplicate);
                continue;
            }
            let Some(id) = self.insert(stream, life, message)? else {
                outcomes.push(self.compare(life, message)?);
                continue;
            };
            added.entry(stream).or_default().push(message.body().register_sequence);
            let transactions = index::transactions(self.connection, register, id, entries, now)?;
            let grown = growth.entry(register).or_default();
            grown.messages += 1;
            grown.transactions += i64::from(transactions);
            outcomes.push(Appended::Stored { transactions });
        }
        for (stream, sequences) in added {
            index::ranges(self.connection, stream, sequences)?;
        }
        for (register, Growth { messages, transactions }) in growth {
            self.connection.run(
                "UPDATE registers SET messages = messages + ?1, transactions = transactions + ?2 WHERE id = ?3",
                params![messages, transactions, register],
            )?;
        }
        Ok(outcomes)
    }

    pub(super) fn let_go(&mut self, ranges: &[MessageRange]) -> Result<Purged, StoreError> {
        self.last_gone.clear();
        messages::let_go(self.connection, ranges)
    }

    /// Whether this message of a stream was let go of. New ones lie behind all of those.
    fn is_gone(&mut self, stream: i64, register_sequence: u64) -> Result<bool, StoreError> {
        let last = match self.last_gone.get(&stream) {
            Some(last) => *last,
            None => {
                let last = index::last_gone(self.connection, stream)?;
                self.last_gone.insert(stream, last);
                last
            }
        };
        match last {
            Some(last) if register_sequence <= last => index::is_gone(self.connection, stream, register_sequence),
            _ => Ok(false),
        }
    }

    /// The row id; `None` when one of its two places is taken.
    fn insert(&mut self, stream: i64, life: i64, message: &Message) -> Result<Option<i64>, StoreError> {
        self.connection.optional_value(
            "INSERT INTO messages (stream, register_sequence, life, sequence, bytes) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING RETURNING id",
            params![
                stream,
                ordered(message.body().register_sequence),
                life,
                ordered(message.body().sequence),
                &message.encoded()[..]
            ],
        )
    }

    fn compare(&mut self, life: i64, message: &Message) -> Result<Appended, StoreError> {
        let same: Option<bool> = self.connection.optional_value(
            "SELECT bytes = ?1 FROM messages WHERE life = ?2 AND sequence = ?3",
            params![&message.encoded()[..], life, ordered(message.body().sequence)],
        )?;
        Ok(if same == Some(true) { Appended::Duplicate } else { Appended::Conflicting })
    }

    pub(super) fn put_body(&mut self, register: RegisterId, id: TransactionId, bytes: &[u8]) -> Result<(), StoreError> {
        let register = self.register(register)?;
        let size = i64::try_from(bytes.len()).map_err(|_| StoreError::DiskFull)?;
        let body: Option<i64> = self.connection.optional_value(
            "INSERT INTO bodies (register, transaction_id, size) VALUES (?1, ?2, ?3)
             ON CONFLICT DO NOTHING RETURNING id",
            params![register, id.as_bytes(), size],
        )?;
        let Some(body) = body else { return Ok(()) };
        for (number, chunk) in (0i64..).zip(bytes.chunks(BODY_CHUNK_BYTES)) {
            self.connection.run(
                "INSERT INTO body_chunks (body, number, bytes) VALUES (?1, ?2, ?3)",
                params![body, number, chunk],
            )?;
        }
        Ok(())
    }

    pub(super) fn put_document(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.connection.run(
            "INSERT INTO documents (name, bytes) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET bytes = excluded.bytes",
            params![name, bytes],
        )?;
        Ok(())
    }

    pub(super) fn purge(&mut self, register: RegisterId) -> Result<Purged, StoreError> {
        dead_letters::purge(self.connection, register)?;
        let register_row = self.register(register)?;
        self.registers.clear();
        self.streams.clear();
        self.last_gone.clear();
        self.delete("DELETE FROM ranges WHERE stream IN (SELECT id FROM streams WHERE register = ?1)", register_row)?;
        let transactions = self.delete("DELETE FROM transactions WHERE register = ?1", register_row)?;
        let messages = self.delete(
            "DELETE FROM messages WHERE stream IN (SELECT id FROM streams WHERE register = ?1)",
            register_row,
        )?;
        self.delete("DELETE FROM gone WHERE stream IN (SELECT id FROM streams WHERE register = ?1)", register_row)?;
        self.delete("DELETE FROM streams WHERE register = ?1", register_row)?;
        self.delete("DELETE FROM body_chunks WHERE body IN (SELECT id FROM bodies WHERE register = ?1)", register_row)?;
        let bodies = self.delete("DELETE FROM bodies WHERE register = ?1", register_row)?;
        self.delete("DELETE FROM registers WHERE id = ?1", register_row)?;
        Ok(Purged { messages, transactions, bodies })
    }

    fn delete(&mut self, statement: &'static str, register: i64) -> Result<u64, StoreError> {
        self.connection.run(statement, [register])
    }

    fn register(&mut self, register: RegisterId) -> Result<i64, StoreError> {
        if let Some(row) = self.registers.get(&register) {
            return Ok(*row);
        }
        let key = register.as_bytes().as_slice();
        let found: Option<i64> =
            self.connection.optional_value("SELECT id FROM registers WHERE register = ?1", [key])?;
        let row = match found {
            Some(row) => row,
            None => self.connection.value("INSERT INTO registers (register) VALUES (?1) RETURNING id", [key])?,
        };
        self.registers.insert(register, row);
        Ok(row)
    }

    fn life(&mut self, origin: NodePublicKey, incarnation: u64) -> Result<i64, StoreError> {
        if let Some(row) = self.lives.get(&(origin, incarnation)) {
            return Ok(*row);
        }
        let key = origin.as_bytes().as_slice();
        let found: Option<i64> = self.connection.optional_value(
            "SELECT id FROM lives WHERE origin = ?1 AND incarnation = ?2",
            params![key, ordered(incarnation)],
        )?;
        let row = match found {
            Some(row) => row,
            None => self.connection.value(
                "INSERT INTO lives (origin, incarnation) VALUES (?1, ?2) RETURNING id",
                params![key, ordered(incarnation)],
            )?,
        };
        self.lives.insert((origin, incarnation), row);
        Ok(row)
    }

    fn stream(&mut self, register: i64, life: i64) -> Result<i64, StoreError> {
        if let Some(row) = self.streams.get(&(register, life)) {
            return Ok(*row);
        }
        let found: Option<i64> = self
            .connection
            .optional_value("SELECT id FROM streams WHERE register = ?1 AND life = ?2", params![register, life])?;
        let row = match found {
            Some(row) => row,
            None => self
                .connection
                .value("INSERT INTO streams (register, life) VALUES (?1, ?2) RETURNING id", params![register, life])?,
        };
        self.streams.insert((register, life), row);
        Ok(row)
    }
}

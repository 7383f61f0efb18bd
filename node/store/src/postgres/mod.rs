//! The store of a node in a schema of a PostgreSQL database.
//!
//! ```text
//!  writes ─▶ queue ─▶ writer ── one connection: lock, generation ──▶ ┌────────┐
//!  reads ───────────▶ readers ── a few connections ────────────────▶ │ schema │
//!                                                                    └────────┘
//! ```
//!
//! A write is answered once the server has committed it, with `synchronous_commit`. A read whose connection is lost is
//! tried once more on a new one. While the server is away, reads and writes are refused with
//! [`StoreError::Unreachable`]; what was under way is looked up when it is there again.

mod apply;
mod columns;
mod connector;
mod dead_letters;
mod dockets;
mod failure;
mod hold;
mod messages;
mod readers;
mod schema;
mod session;
mod settings;
mod tls;
mod writer;

pub use settings::{PostgresRefused, PostgresSettings};

use crate::{
    Appended, Counts, DeadLetter, Failure, Held, ListedDeadLetter, ListedMessage, ListedTransaction, MessageRange,
    Pending, Purged, Store, StoreError, StoredTransaction,
    queue::{self, Queue},
};
use bytes::Bytes;
use connector::Connector;
use hold::Hold;
use peerwright_ledger::{Message, RegisterId, TransactionId};
use readers::Readers;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle};
use writer::Writer;

/// A store in a schema. Writing goes through one connection, reading through a few.
pub struct Postgres {
    network_uid: String,
    commits: Arc<AtomicU64>,
    ended: watch::Receiver<Option<StoreError>>,
    queue: Queue,
    readers: Readers,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Postgres").field("network_uid", &self.network_uid).finish_non_exhaustive()
    }
}

impl Postgres {
    /// Opens the schema of the settings for the network with this UID, and makes it when there is none. Refuses a
    /// database that does not keep what it acknowledges, and a schema that another process has open, that belongs to
    /// another network, or that a later version has written.
    pub async fn open(settings: PostgresSettings, network_uid: &str) -> Result<Self, StoreError> {
        Self::open_within(settings, network_uid, hold::LOCK_TIME).await
    }

    async fn open_within(
        settings: PostgresSettings,
        network_uid: &str,
        lock_time: Duration,
    ) -> Result<Self, StoreError> {
        if settings.is_open() {
            tracing::warn!("the connection to the database is not encrypted: name its authorities");
        }
        let connector = Arc::new(Connector::new(settings)?);
        let taken = Hold::take(Arc::clone(&connector), network_uid, lock_time).await;
        let (hold, session) = taken.map_err(|error| match error {
            // Nobody tries again but whoever starts the process again.
            StoreError::Unreachable(why) => StoreError::Unopened(why),
            other => other,
        })?;
        let (queue, jobs) = Queue::new();
        let writer = Writer::new(hold, session);
        let (commits, ended) = (Arc::clone(&writer.commits), writer.ended.subscribe());
        let writer = Mutex::new(Some(tokio::spawn(writer::run(writer, jobs))));
        let readers = Readers::new(connector);
        Ok(Self { network_uid: network_uid.to_owned(), commits, ended, queue, readers, writer })
    }
}

impl Store for Postgres {
    fn network_uid(&self) -> &str {
        &self.network_uid
    }

    fn next_incarnation(&self, now: u64) -> Pending<'_, u64> {
        self.queue.next_incarnation(now)
    }

    fn append(&self, messages: Vec<Message>, now: u64) -> Pending<'_, Vec<Appended>> {
        self.queue.append(messages, now)
    }

    fn put_body(&self, register: RegisterId, id: TransactionId, bytes: Bytes) -> Pending<'_, ()> {
        self.queue.put_body(register, id, bytes)
    }

    fn put_document(&self, name: &'static str, bytes: Bytes) -> Pending<'_, ()> {
        self.queue.put_document(name, bytes)
    }

    fn document(&self, name: &'static str) -> Pending<'_, Option<Bytes>> {
        Box::pin(messages::document(&self.readers, name))
    }

    fn bury(&self, letters: Vec<DeadLetter>) -> Pending<'_, Vec<(RegisterId, TransactionId)>> {
        self.queue.bury(letters)
    }

    fn exhume(&self, letters: Vec<(RegisterId, TransactionId)>) -> Pending<'_, u64> {
        self.queue.exhume(letters)
    }

    fn purge(&self, register: RegisterId) -> Pending<'_, Purged> {
        self.queue.purge(register)
    }

    fn let_go(&self, ranges: Vec<MessageRange>) -> Pending<'_, Purged> {
        self.queue.let_go(ranges)
    }

    fn held(&self, registers: Vec<RegisterId>) -> Pending<'_, Vec<Held>> {
        Box::pin(messages::held(&self.readers, registers))
    }

    fn gone(&self, registers: Vec<RegisterId>) -> Pending<'_, Vec<Held>> {
        Box::pin(messages::gone(&self.readers, registers))
    }

    fn read(&self, ranges: Vec<MessageRange>, max_messages: usize, max_bytes: usize) -> Pending<'_, Vec<Bytes>> {
        Box::pin(messages::read(&self.readers, ranges, max_messages, max_bytes))
    }

    fn messages_after(&self, after: Option<u64>, limit: usize) -> Pending<'_, Vec<ListedMessage>> {
        Box::pin(messages::after(&self.readers, after, limit))
    }

    fn newest_message(&self) -> Pending<'_, Option<u64>> {
        Box::pin(messages::newest(&self.readers))
    }

    fn transactions(
        &self,
        register: RegisterId,
        ids: Vec<TransactionId>,
    ) -> Pending<'_, Vec<Option<StoredTransaction>>> {
        Box::pin(messages::transactions(&self.readers, register, ids))
    }

    fn list(&self, register: RegisterId, after: Option<u64>, limit: usize) -> Pending<'_, Vec<ListedTransaction>> {
        Box::pin(messages::list(&self.readers, register, after, limit))
    }

    fn dead_letter(&self, register: RegisterId, id: TransactionId) -> Pending<'_, Option<DeadLetter>> {
        Box::pin(dead_letters::find(&self.readers, register, id))
    }

    fn dead_letters(
        &self,
        register: RegisterId,
        after: Option<u64>,
        limit: usize,
    ) -> Pending<'_, Vec<ListedDeadLetter>> {
        Box::pin(dead_letters::list(&self.readers, register, after, limit))
    }

    fn counts(&self, register: RegisterId) -> Pending<'_, Counts> {
        Box::pin(messages::counts(&self.readers, register))
    }

    fn body_chunk(&self, id: TransactionId, offset: u64, length: u32) -> Pending<'_, Option<Bytes>> {
        Box::pin(messages::body_chunk(&self.readers, id, offset, length))
    }

    fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    fn failed(&self) -> Failure {
        queue::failure(self.ended.clone())
    }

    fn close(&self) -> Pending<'_, ()> {
        self.queue.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        Box::pin(async move {
            if let Some(writer) = writer {
                writer.await?;
            }
            self.readers.close().await;
            Ok(())
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;

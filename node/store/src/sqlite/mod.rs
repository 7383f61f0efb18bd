//! The store of a node: one SQLite file in WAL mode, synced at every commit.
//!
//! ```text
//!  writes ─▶ queue ─▶ writer ── a thread and connection of its own ──▶ log ── beside it ─▶ file
//!  reads ───────────▶ readers ── a few connections, a thread for each read ──▶ log, file
//! ```
//!
//! SQLite answers within the call: a thread goes through a group of writes, or a read, and hands nothing over between its
//! statements.

mod apply;
mod checkpoint;
mod dead_letters;
mod dockets;
mod failure;
mod index;
mod messages;
mod open;
mod options;
mod queries;
mod readers;
mod schema;
mod statements;
mod writer;

use crate::{
    Appended, CarriedTransactions, Counts, DeadLetter, Failure, Held, ListedDeadLetter, ListedMessage,
    ListedTransaction, MessageRange, Pending, Purged, Store, StoreError, StoredTransaction,
    queue::{self, Queue},
};
use bytes::Bytes;
use options::Options;
use peerwright_ledger::{Message, RegisterId, TransactionId};
use readers::Readers;
use rusqlite::Connection;
use std::{
    fs::File,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    sync::watch,
    task::{JoinHandle, spawn_blocking},
};

/// The writer, and who moves its log. Each gives back the connection that it had.
type Workers = (std::thread::JoinHandle<Option<Connection>>, JoinHandle<Option<Connection>>);

/// A store in one file. Writing goes through one task, reading through a small pool.
#[derive(Debug)]
pub struct Sqlite {
    network_uid: String,
    commits: Arc<AtomicU64>,
    ended: watch::Receiver<Option<StoreError>>,
    queue: Queue,
    readers: Readers,
    workers: Mutex<Option<Workers>>,
    /// Held as long as the store is: a second process is refused.
    _lock: File,
}

impl Sqlite {
    /// Opens the store of the network with this UID, and makes it when there is none. Refuses network file systems,
    /// a file that another process has open, that belongs to another network, or that a later version has written.
    pub async fn open(path: &Path, network_uid: &str) -> Result<Self, StoreError> {
        Self::open_with(Options::writer(path), path, network_uid).await
    }

    async fn open_with(options: Options, path: &Path, network_uid: &str) -> Result<Self, StoreError> {
        let (writer, lock) = open::open(options, path, network_uid).await?;
        let (queue, jobs) = Queue::new();
        let commits = Arc::clone(&writer.commits);
        let ended = writer.ended.subscribe();
        let mover = checkpoint::run(writer.options.clone(), writer.written.subscribe(), writer.ended.clone());
        let writing = std::thread::Builder::new().name("store-writer".to_owned());
        let writing = writing.spawn(move || writer::run(writer, jobs));
        let writing = writing.map_err(|error| StoreError::Unopened(error.to_string()))?;
        Ok(Self {
            network_uid: network_uid.to_owned(),
            commits,
            ended,
            queue,
            readers: Readers::new(Options::reader(path)),
            workers: Mutex::new(Some((writing, tokio::spawn(mover)))),
            _lock: lock,
        })
    }
}

/// Runs what is written for any database, and asks none but SQLite, which answers within the call.
fn at_once<T>(asking: impl Future<Output = T>) -> T {
    futures::executor::block_on(asking)
}

impl Store for Sqlite {
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
        Box::pin(self.readers.read(move |connection| queries::document(connection, name)))
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
        Box::pin(self.readers.read(move |connection| queries::held(connection, registers)))
    }

    fn gone(&self, registers: Vec<RegisterId>) -> Pending<'_, Vec<Held>> {
        Box::pin(self.readers.read(move |connection| queries::gone(connection, registers)))
    }

    fn read(&self, ranges: Vec<MessageRange>, max_messages: usize, max_bytes: usize) -> Pending<'_, Vec<Bytes>> {
        Box::pin(self.readers.read(move |connection| queries::read(connection, ranges, max_messages, max_bytes)))
    }

    fn messages_after(&self, after: Option<u64>, limit: usize) -> Pending<'_, Vec<ListedMessage>> {
        Box::pin(self.readers.read(move |connection| messages::after(connection, after, limit)))
    }

    fn newest_message(&self) -> Pending<'_, Option<u64>> {
        Box::pin(self.readers.read(|connection| messages::newest(connection)))
    }

    fn transactions(
        &self,
        register: RegisterId,
        ids: Vec<TransactionId>,
    ) -> Pending<'_, Vec<Option<StoredTransaction>>> {
        Box::pin(self.readers.read(move |connection| queries::transactions(connection, register, ids)))
    }

    fn list(&self, register: RegisterId, after: Option<u64>, limit: usize) -> Pending<'_, Vec<ListedTransaction>> {
        Box::pin(self.readers.read(move |connection| queries::list(connection, register, after, limit)))
    }

    fn list_carried(
        &self,
        register: RegisterId,
        after: Option<u64>,
        limit: usize,
        max_bytes: u64,
    ) -> Pending<'_, CarriedTransactions> {
        let read =
            move |connection: &mut Connection| queries::list_carried(connection, register, after, limit, max_bytes);
        Box::pin(self.readers.read(read))
    }

    fn dead_letter(&self, register: RegisterId, id: TransactionId) -> Pending<'_, Option<DeadLetter>> {
        Box::pin(self.readers.read(move |connection| dead_letters::find(connection, register, id)))
    }

    fn dead_letters(
        &self,
        register: RegisterId,
        after: Option<u64>,
        limit: usize,
    ) -> Pending<'_, Vec<ListedDeadLetter>> {
        Box::pin(self.readers.read(move |connection| dead_letters::list(connection, register, after, limit)))
    }

    fn counts(&self, register: RegisterId) -> Pending<'_, Counts> {
        Box::pin(self.readers.read(move |connection| queries::counts(connection, register)))
    }

    fn body_chunk(&self, id: TransactionId, offset: u64, length: u32) -> Pending<'_, Option<Bytes>> {
        Box::pin(self.readers.read(move |connection| queries::body_chunk(connection, id, offset, length)))
    }

    fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    fn failed(&self) -> Failure {
        queue::failure(self.ended.clone())
    }

    fn close(&self) -> Pending<'_, ()> {
        self.queue.close();
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner).take();
        Box::pin(async move {
            let mut last = None;
            if let Some((writing, moving)) = workers {
                let written = spawn_blocking(|| writing.join()).await?;
                let written = written.map_err(|_| StoreError::Failed("its writer panicked".to_owned()))?;
                last = written.or(moving.await?);
            }
            self.readers.close().await;
            // Behind all others: only the last connection moves the log and removes it.
            let ends_in_order = *self.ended.borrow() == Some(StoreError::Closed);
            if let Some(connection) = last.filter(|_| ends_in_order) {
                spawn_blocking(|| checkpoint::close(connection)).await?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod power;
#[cfg(test)]
mod tests;

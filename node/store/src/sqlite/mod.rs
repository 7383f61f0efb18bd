//! The store of a node: one SQLite file in WAL mode, synced at every commit.

mod apply;
mod checkpoint;
mod dead_letters;
mod dockets;
mod failure;
mod index;
mod messages;
mod open;
mod queries;
mod writer;

use crate::{
    Appended, Counts, DeadLetter, Failure, Held, ListedDeadLetter, ListedMessage, ListedTransaction, MessageRange,
    Pending, Purged, Store, StoreError, StoredTransaction,
    queue::{self, Queue},
};
use bytes::Bytes;
use peerwright_ledger::{Message, RegisterId, TransactionId};
use sqlx::{SqlitePool, sqlite::SqliteConnectOptions};
use std::{
    fs::File,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{sync::watch, task::JoinHandle};

/// A store in one file. Writing goes through one task, reading through a small pool.
#[derive(Debug)]
pub struct Sqlite {
    network_uid: String,
    commits: Arc<AtomicU64>,
    ended: watch::Receiver<Option<StoreError>>,
    queue: Queue,
    readers: SqlitePool,
    /// The writer, and who moves its log.
    tasks: Mutex<Option<[JoinHandle<()>; 2]>>,
    /// Held as long as the store is: a second process is refused.
    _lock: File,
}

impl Sqlite {
    /// Opens the store of the network with this UID, and makes it when there is none. Refuses network file systems,
    /// a file that another process has open, that belongs to another network, or that a later version has written.
    pub async fn open(path: &Path, network_uid: &str) -> Result<Self, StoreError> {
        Self::open_with(open::writer_options(path), path, network_uid).await
    }

    async fn open_with(options: SqliteConnectOptions, path: &Path, network_uid: &str) -> Result<Self, StoreError> {
        let opened = open::open(options, path, network_uid).await?;
        let (queue, jobs) = Queue::new();
        let commits = Arc::clone(&opened.writer.commits);
        let ended = opened.writer.ended.subscribe();
        let writer = opened.writer;
        let mover = checkpoint::run(writer.options.clone(), writer.written.subscribe(), writer.ended.clone());
        let tasks = [tokio::spawn(writer::run(writer, jobs)), tokio::spawn(mover)];
        Ok(Self {
            network_uid: network_uid.to_owned(),
            commits,
            ended,
            queue,
            readers: opened.readers,
            tasks: Mutex::new(Some(tasks)),
            _lock: opened.lock,
        })
    }
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
        Box::pin(queries::document(&self.readers, name))
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
        Box::pin(queries::held(&self.readers, registers))
    }

    fn gone(&self, registers: Vec<RegisterId>) -> Pending<'_, Vec<Held>> {
        Box::pin(queries::gone(&self.readers, registers))
    }

    fn read(&self, ranges: Vec<MessageRange>, max_messages: usize, max_bytes: usize) -> Pending<'_, Vec<Bytes>> {
        Box::pin(queries::read(&self.readers, ranges, max_messages, max_bytes))
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
        Box::pin(queries::transactions(&self.readers, register, ids))
    }

    fn list(&self, register: RegisterId, after: Option<u64>, limit: usize) -> Pending<'_, Vec<ListedTransaction>> {
        Box::pin(queries::list(&self.readers, register, after, limit))
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
        Box::pin(queries::counts(&self.readers, register))
    }

    fn body_chunk(&self, id: TransactionId, offset: u64, length: u32) -> Pending<'_, Option<Bytes>> {
        Box::pin(queries::body_chunk(&self.readers, id, offset, length))
    }

    fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    fn failed(&self) -> Failure {
        queue::failure(self.ended.clone())
    }

    fn close(&self) -> Pending<'_, ()> {
        self.queue.close();
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
        Box::pin(async move {
            for task in tasks.into_iter().flatten() {
                task.await.map_err(|error| StoreError::Failed(error.to_string()))?;
            }
            self.readers.close().await;
            Ok(())
        })
    }
}

#[cfg(test)]
mod power;
#[cfg(test)]
mod tests;

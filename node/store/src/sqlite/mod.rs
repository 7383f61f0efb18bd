//! The store of a node: one SQLite file in WAL mode, synced at every commit.

mod apply;
mod checkpoint;
mod codec;
mod dockets;
mod failure;
mod index;
mod open;
mod queries;
mod queue;
mod writer;

use crate::{
    Appended, Counts, Failure, Held, ListedTransaction, MessageRange, Pending, Purged, Store, StoreError,
    StoredTransaction, message,
};
use bytes::Bytes;
use peerwright_ledger::{Message, RegisterId, TransactionId};
use queue::{Operation, Queue, Slot};
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

    /// Queues at once, so that the order of calls is the order of writes whatever the order of polling.
    fn write<T: Send + 'static>(&self, bytes: usize, operation: impl FnOnce(Slot<T>) -> Operation) -> Pending<'_, T> {
        let (slot, answer) = Slot::new();
        let queued = self.queue.push(bytes, operation(slot));
        Box::pin(async move {
            queued?;
            answer.await.unwrap_or(Err(StoreError::Closed))
        })
    }
}

impl Store for Sqlite {
    fn network_uid(&self) -> &str {
        &self.network_uid
    }

    fn next_incarnation(&self, now: u64) -> Pending<'_, u64> {
        self.write(0, |slot| Operation::NextIncarnation { now, slot })
    }

    fn append(&self, messages: Vec<Message>, now: u64) -> Pending<'_, Vec<Appended>> {
        let bytes = messages.iter().map(|message| message.encoded().len()).sum();
        match message::index(messages) {
            Ok(messages) => self.write(bytes, |slot| Operation::Append { messages, now, slot }),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn put_body(&self, register: RegisterId, id: TransactionId, bytes: Bytes) -> Pending<'_, ()> {
        self.write(bytes.len(), |slot| Operation::PutBody { register, id, bytes, slot })
    }

    fn put_document(&self, name: &'static str, bytes: Bytes) -> Pending<'_, ()> {
        self.write(bytes.len(), |slot| Operation::PutDocument { name, bytes, slot })
    }

    fn document(&self, name: &'static str) -> Pending<'_, Option<Bytes>> {
        Box::pin(queries::document(&self.readers, name))
    }

    fn purge(&self, register: RegisterId) -> Pending<'_, Purged> {
        self.write(0, |slot| Operation::Purge { register, slot })
    }

    fn held(&self, registers: Vec<RegisterId>) -> Pending<'_, Vec<Held>> {
        Box::pin(queries::held(&self.readers, registers))
    }

    fn read(&self, ranges: Vec<MessageRange>, max_messages: usize, max_bytes: usize) -> Pending<'_, Vec<Bytes>> {
        Box::pin(queries::read(&self.readers, ranges, max_messages, max_bytes))
    }

    fn transaction(&self, register: RegisterId, id: TransactionId) -> Pending<'_, Option<StoredTransaction>> {
        Box::pin(queries::transaction(&self.readers, register, id))
    }

    fn list(&self, register: RegisterId, after: Option<u64>, limit: usize) -> Pending<'_, Vec<ListedTransaction>> {
        Box::pin(queries::list(&self.readers, register, after, limit))
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
        let mut ended = self.ended.clone();
        Box::pin(async move {
            let why = match ended.wait_for(Option::is_some).await {
                Ok(why) => why.clone(),
                Err(_) => Some(StoreError::Failed("its writer ended without a word".to_owned())),
            };
            match why {
                Some(error) if error != StoreError::Closed => error,
                _ => std::future::pending().await,
            }
        })
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
mod tests;

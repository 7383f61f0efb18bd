//! The one task that writes. While a commit syncs, calls queue up; the next commit takes all of them.

use super::{
    apply::Batch,
    queue::{Job, Operation},
};
use crate::StoreError;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::{mpsc, watch};

/// A commit takes at most so many jobs ...
const GROUP_JOBS: usize = 1024;
/// ... and begins no further one above so many bytes, so that nobody waits long behind large bodies.
const GROUP_BYTES: usize = 16 << 20;

/// The writing connection.
pub(super) struct Writer {
    options: SqliteConnectOptions,
    /// `None` after a failed commit: the next one starts from a fresh connection, with no half-done transaction.
    connection: Option<SqliteConnection>,
    /// Why nothing is written any more: a failure after which only a new process can tell what the disk holds, or
    /// [`StoreError::Closed`].
    pub(super) ended: watch::Sender<Option<StoreError>>,
    pub(super) commits: Arc<AtomicU64>,
}

impl Writer {
    pub(super) fn new(options: SqliteConnectOptions, connection: SqliteConnection) -> Self {
        Self { options, connection: Some(connection), ended: watch::Sender::new(None), commits: Arc::default() }
    }

    /// All of the group, or nothing of it.
    async fn write(&mut self, group: &mut [Job]) -> Result<(), StoreError> {
        let failure = self.ended.borrow().clone();
        if let Some(failure) = failure {
            return Err(failure);
        }
        let outcome = self.try_write(group).await;
        if let Err(error) = &outcome {
            tracing::error!(error = %error, code = error.code(), jobs = group.len(), "nothing of a group was written");
            if let Some(connection) = self.connection.take() {
                drop(connection.close().await);
            }
            // After a failed sync the kernel may report success for pages that it has dropped: a retry proves nothing.
            if matches!(error, StoreError::Failed(_) | StoreError::Damaged(_)) {
                self.ended.send_replace(Some(error.clone()));
            }
        }
        outcome
    }

    async fn try_write(&mut self, group: &mut [Job]) -> Result<(), StoreError> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(SqliteConnection::connect_with(&self.options).await?),
        };
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let mut batch = Batch::new(&mut transaction);
        for job in group {
            match &mut job.operation {
                Operation::NextIncarnation { now, slot } => slot.fill(batch.next_incarnation(*now).await?),
                Operation::Append { messages, now, slot } => slot.fill(batch.append(messages, *now).await?),
                Operation::PutBody { register, id, bytes, slot } => {
                    batch.put_body(*register, *id, bytes).await?;
                    slot.fill(());
                }
                Operation::PutDocument { name, bytes, slot } => {
                    batch.put_document(name, bytes).await?;
                    slot.fill(());
                }
                Operation::Purge { register, slot } => slot.fill(batch.purge(*register).await?),
            }
        }
        transaction.commit().await?;
        self.commits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Writes until the queue is closed and empty.
pub(super) async fn run(mut writer: Writer, mut jobs: mpsc::Receiver<Job>) {
    while let Some(first) = jobs.recv().await {
        let mut bytes = first.bytes;
        let mut group = vec![first];
        while group.len() < GROUP_JOBS && bytes < GROUP_BYTES {
            let Ok(job) = jobs.try_recv() else { break };
            bytes += job.bytes;
            group.push(job);
        }
        let committed = writer.write(&mut group).await;
        for job in group {
            job.operation.finish(&committed);
        }
    }
    // A failure stays the last word.
    writer.ended.send_if_modified(|ended| {
        let first = ended.is_none();
        ended.get_or_insert(StoreError::Closed);
        first
    });
    if let Some(connection) = writer.connection
        && let Err(error) = connection.close().await
    {
        tracing::warn!(error = %error, "the store was not closed cleanly; nothing is lost");
    }
}

//! The one task that writes. While a commit syncs, calls queue up; the next commit takes all of them. What can wait is done
//! between the groups, a step at a time, and without a pause only while nobody writes.

use super::{apply::Batch, checkpoint::COMMIT_BYTES, dead_letters};
use crate::{
    StoreError,
    index::Upkeep,
    queue::{self, Job, Operation},
};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::{
    mpsc::{self, error::TryRecvError},
    watch,
};

/// About how much a step behind the writes has written.
const STEP_BYTES: u64 = 1 << 20;

/// The writing connection.
pub(super) struct Writer {
    pub(super) options: SqliteConnectOptions,
    /// `None` after a failed commit: the next one starts from a fresh connection, with no half-done transaction.
    connection: Option<SqliteConnection>,
    /// Why nothing is written any more: a failure after which only a new process can tell what the disk holds, or
    /// [`StoreError::Closed`].
    pub(super) ended: watch::Sender<Option<StoreError>>,
    pub(super) commits: Arc<AtomicU64>,
    /// About how much was written to the log.
    pub(super) written: watch::Sender<u64>,
    upkeep: Upkeep,
}

impl Writer {
    pub(super) fn new(options: SqliteConnectOptions, connection: SqliteConnection) -> Self {
        Self {
            options,
            connection: Some(connection),
            ended: watch::Sender::new(None),
            commits: Arc::default(),
            written: watch::Sender::new(0),
            upkeep: Upkeep::new(),
        }
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
            self.reset(error).await;
        }
        outcome
    }

    /// A step of what is to be done behind the writes. When it fails for lack of room, the next group tries again.
    async fn keep_up(&mut self) {
        if self.ended.borrow().is_some() {
            self.upkeep.pending = false;
        } else if let Err(error) = self.try_keep_up().await {
            tracing::warn!(error = %error, code = error.code(), "the index by transaction waits");
            self.upkeep.pending = false;
            self.reset(&error).await;
        }
    }

    /// After something failed: nothing of it stays, and after some errors nothing is written any more.
    async fn reset(&mut self, error: &StoreError) {
        if let Some(connection) = self.connection.take() {
            drop(connection.close().await);
        }
        // After a failed sync the kernel may report success for pages that it has dropped: a retry proves nothing.
        if matches!(error, StoreError::Failed(_) | StoreError::Damaged(_)) {
            self.ended.send_replace(Some(error.clone()));
        }
    }

    async fn try_keep_up(&mut self) -> Result<(), StoreError> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(SqliteConnection::connect_with(&self.options).await?),
        };
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        self.upkeep.step(&mut *transaction).await?;
        transaction.commit().await?;
        self.written.send_modify(|written| *written += STEP_BYTES);
        Ok(())
    }

    async fn try_write(&mut self, group: &mut [Job]) -> Result<(), StoreError> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(SqliteConnection::connect_with(&self.options).await?),
        };
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let mut batch = Batch::new(&mut transaction);
        for job in &mut *group {
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
                Operation::Bury { letters, slot } => {
                    slot.fill(dead_letters::bury(batch.connection(), letters).await?);
                }
                Operation::Exhume { letters, slot } => {
                    slot.fill(dead_letters::exhume(batch.connection(), letters).await?);
                }
                Operation::Purge { register, slot } => slot.fill(batch.purge(*register).await?),
                Operation::LetGo { ranges, slot } => slot.fill(batch.let_go(ranges).await?),
                Operation::Dockets(operation) => operation.apply(batch.connection()).await?,
            }
        }
        transaction.commit().await?;
        self.commits.fetch_add(1, Ordering::Relaxed);
        let bytes: usize = group.iter().map(|job| job.bytes).sum();
        self.written.send_modify(|written| *written += COMMIT_BYTES + bytes as u64);
        for job in group {
            if let Operation::Dockets(operation) = &job.operation {
                self.upkeep.look_again(operation.replaces());
            }
        }
        Ok(())
    }
}

/// Writes a job, and with it whatever waits.
async fn write_group(writer: &mut Writer, first: Job, jobs: &mut mpsc::Receiver<Job>) {
    let mut group = queue::group(first, jobs);
    let committed = writer.write(&mut group).await;
    for job in group {
        job.operation.finish(&committed);
    }
}

/// Writes until the queue is closed and empty.
pub(super) async fn run(mut writer: Writer, mut jobs: mpsc::Receiver<Job>) {
    loop {
        let first =
            if writer.upkeep.pending { jobs.try_recv() } else { jobs.recv().await.ok_or(TryRecvError::Disconnected) };
        match first {
            Ok(first) => write_group(&mut writer, first, &mut jobs).await,
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => break,
        }
        if writer.upkeep.pending {
            writer.keep_up().await;
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

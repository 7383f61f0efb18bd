//! The one thread that writes. While a commit syncs, calls queue up; the next commit takes all of them. What can wait is done
//! between the groups, a step at a time, and without a pause only while nobody writes.

use super::{
    apply::Batch,
    at_once,
    checkpoint::{self, COMMIT_BYTES},
    dead_letters,
    options::Options,
};
use crate::{
    StoreError,
    index::Upkeep,
    queue::{self, Job, Operation},
};
use rusqlite::{Connection, Transaction, TransactionBehavior};
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
    pub(super) options: Options,
    /// `None` after a failed commit: the next one starts from a fresh connection, with no half-done transaction.
    connection: Option<Connection>,
    /// Why nothing is written any more: a failure after which only a new process can tell what the disk holds, or
    /// [`StoreError::Closed`].
    pub(super) ended: watch::Sender<Option<StoreError>>,
    pub(super) commits: Arc<AtomicU64>,
    /// About how much was written to the log.
    pub(super) written: watch::Sender<u64>,
    upkeep: Upkeep,
}

impl Writer {
    pub(super) fn new(options: Options, connection: Connection) -> Self {
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
    fn write(&mut self, group: &mut [Job]) -> Result<(), StoreError> {
        let failure = self.ended.borrow().clone();
        if let Some(failure) = failure {
            return Err(failure);
        }
        let outcome = self.try_write(group);
        match &outcome {
            Ok(()) => self.shorten_log(),
            Err(error) => {
                let jobs = group.len();
                tracing::error!(error = %error, code = error.code(), jobs, "nothing of a group was written");
                self.reset(error);
            }
        }
        outcome
    }

    /// A step of what is to be done behind the writes. When it fails for lack of room, the next group tries again.
    fn keep_up(&mut self) {
        if self.ended.borrow().is_some() {
            self.upkeep.pending = false;
        } else if let Err(error) = self.try_keep_up() {
            tracing::warn!(error = %error, code = error.code(), "the index by transaction waits");
            self.upkeep.pending = false;
            self.reset(&error);
        } else {
            self.shorten_log();
        }
    }

    /// Keeps the log short. What is committed stays when this fails, and nothing is written after it.
    fn shorten_log(&mut self) {
        let Some(connection) = self.connection.as_ref().filter(|_| self.ended.borrow().is_none()) else { return };
        if let Err(error) = checkpoint::shorten_log(connection, self.options.log_pages) {
            tracing::error!(error = %error, code = error.code(), "the log of the store cannot be moved into its file");
            self.reset(&error);
        }
    }

    /// After something failed: nothing of it stays, and after some errors nothing is written any more.
    fn reset(&mut self, error: &StoreError) {
        let connection = self.connection.take();
        if matches!(error, StoreError::Failed(_) | StoreError::Damaged(_)) {
            // After a failed sync the kernel may report success for pages that it has dropped: a retry proves nothing.
            self.ended.send_replace(Some(error.clone()));
        } else if let Some(connection) = connection.filter(|_| self.ended.borrow().is_none()) {
            checkpoint::close(connection);
        }
    }

    fn try_keep_up(&mut self) -> Result<(), StoreError> {
        let transaction = begin(&mut self.connection, &self.options)?;
        at_once(self.upkeep.step(&mut &*transaction))?;
        transaction.commit()?;
        self.written.send_modify(|written| *written += STEP_BYTES);
        Ok(())
    }

    fn try_write(&mut self, group: &mut [Job]) -> Result<(), StoreError> {
        let transaction = begin(&mut self.connection, &self.options)?;
        let mut batch = Batch::new(&transaction);
        for job in &mut *group {
            match &mut job.operation {
                Operation::NextIncarnation { now, slot } => slot.fill(batch.next_incarnation(*now)?),
                Operation::Append { messages, now, slot } => slot.fill(batch.append(messages, *now)?),
                Operation::PutBody { register, id, bytes, slot } => {
                    batch.put_body(*register, *id, bytes)?;
                    slot.fill(());
                }
                Operation::PutDocument { name, bytes, slot } => {
                    batch.put_document(name, bytes)?;
                    slot.fill(());
                }
                Operation::Bury { letters, slot } => {
                    slot.fill(dead_letters::bury(batch.connection(), letters)?);
                }
                Operation::Exhume { letters, slot } => {
                    slot.fill(dead_letters::exhume(batch.connection(), letters)?);
                }
                Operation::Purge { register, slot } => slot.fill(batch.purge(*register)?),
                Operation::LetGo { ranges, slot } => slot.fill(batch.let_go(ranges)?),
                Operation::Dockets(operation) => operation.apply(batch.connection())?,
            }
        }
        transaction.commit()?;
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

/// Begins to write, on a new connection if there is none.
fn begin<'c>(connection: &'c mut Option<Connection>, options: &Options) -> Result<Transaction<'c>, StoreError> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(options.connect()?),
    };
    Ok(connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
}

/// Writes a job, and with it whatever waits.
fn write_group(writer: &mut Writer, first: Job, jobs: &mut mpsc::Receiver<Job>) {
    let mut group = queue::group(first, jobs);
    let committed = writer.write(&mut group);
    for job in group {
        job.operation.finish(&committed);
    }
}

/// Writes until the queue is closed and empty; gives the connection, if there is one.
pub(super) fn run(mut writer: Writer, mut jobs: mpsc::Receiver<Job>) -> Option<Connection> {
    loop {
        let first = if writer.upkeep.pending {
            jobs.try_recv()
        } else {
            jobs.blocking_recv().ok_or(TryRecvError::Disconnected)
        };
        match first {
            Ok(first) => write_group(&mut writer, first, &mut jobs),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => break,
        }
        if writer.upkeep.pending {
            writer.keep_up();
        }
    }
    // A failure stays the last word.
    writer.ended.send_if_modified(|ended| {
        let first = ended.is_none();
        ended.get_or_insert(StoreError::Closed);
        first
    });
    writer.connection
}

//! The bounded queue in front of the writer.

mod dockets;
mod requests;

pub(crate) use dockets::DocketOperation;

use crate::{Appended, DeadLetter, Failure, MessageRange, Pending, Purged, StoreError, message::IndexedMessage};
use bytes::Bytes;
use peerwright_ledger::{RegisterId, TransactionId};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

/// Jobs that wait at most; the next is refused with [`StoreError::Busy`].
const MAX_JOBS: usize = 4096;
/// Kibibytes that wait at most; what does not fit is refused with [`StoreError::Busy`].
const MAX_KIBIBYTES: u32 = 64 * 1024;

/// A commit takes at most so many jobs ...
const GROUP_JOBS: usize = 1024;
/// ... and begins no further one above so many bytes, so that nobody waits long behind large bodies.
const GROUP_BYTES: usize = 16 << 20;

/// What the writer is asked for.
pub(crate) enum Operation {
    NextIncarnation { now: u64, slot: Slot<u64> },
    Append { messages: Vec<IndexedMessage>, now: u64, slot: Slot<Vec<Appended>> },
    PutBody { register: RegisterId, id: TransactionId, bytes: Bytes, slot: Slot<()> },
    PutDocument { name: &'static str, bytes: Bytes, slot: Slot<()> },
    Bury { letters: Vec<DeadLetter>, slot: Slot<Vec<(RegisterId, TransactionId)>> },
    Exhume { letters: Vec<(RegisterId, TransactionId)>, slot: Slot<u64> },
    Purge { register: RegisterId, slot: Slot<Purged> },
    LetGo { ranges: Vec<MessageRange>, slot: Slot<Purged> },
    Dockets(DocketOperation),
}

impl Operation {
    /// Answers, once it is known whether the transaction that held this operation was committed.
    pub(crate) fn finish(self, committed: &Result<(), StoreError>) {
        match self {
            Self::NextIncarnation { slot, .. } => slot.finish(committed),
            Self::Append { slot, .. } => slot.finish(committed),
            Self::PutBody { slot, .. } => slot.finish(committed),
            Self::PutDocument { slot, .. } => slot.finish(committed),
            Self::Bury { slot, .. } => slot.finish(committed),
            Self::Exhume { slot, .. } => slot.finish(committed),
            Self::Purge { slot, .. } | Self::LetGo { slot, .. } => slot.finish(committed),
            Self::Dockets(operation) => operation.finish(committed),
        }
    }
}

/// Keeps the answer of an applied operation until it is durable.
pub(crate) struct Slot<T> {
    value: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T> Slot<T> {
    fn new() -> (Self, oneshot::Receiver<Result<T, StoreError>>) {
        let (answer, receiver) = oneshot::channel();
        (Self { value: None, answer }, receiver)
    }

    pub(crate) fn fill(&mut self, value: T) {
        self.answer(Ok(value));
    }

    /// Also a refusal waits until the group is committed: what it is about may have been written by the same group.
    pub(crate) fn answer(&mut self, answer: Result<T, StoreError>) {
        self.value = Some(answer);
    }

    pub(crate) fn finish(self, committed: &Result<(), StoreError>) {
        let answer = committed.clone().and_then(|()| self.value.unwrap_or(Err(StoreError::Closed)));
        // Whoever asked may have gone; the write stands.
        drop(self.answer.send(answer));
    }
}

/// An operation with the room that it takes in the queue until it is answered.
pub(crate) struct Job {
    pub(crate) operation: Operation,
    pub(crate) bytes: usize,
    _room: OwnedSemaphorePermit,
}

#[derive(Debug)]
pub(crate) struct Queue {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    room: Arc<Semaphore>,
}

impl Queue {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Job>) {
        let (sender, receiver) = mpsc::channel(MAX_JOBS);
        let room = Arc::new(Semaphore::new(MAX_KIBIBYTES as usize));
        (Self { jobs: Mutex::new(Some(sender)), room }, receiver)
    }

    /// Queues at once, so that the order of calls is the order of writes whatever the order of polling.
    fn ask<T: Send + 'static>(
        &self,
        bytes: usize,
        operation: impl FnOnce(Slot<T>) -> Operation,
    ) -> Pending<'static, T> {
        let (slot, answer) = Slot::new();
        let queued = self.push(bytes, operation(slot));
        Box::pin(async move {
            queued?;
            answer.await.unwrap_or(Err(StoreError::Closed))
        })
    }

    fn push(&self, bytes: usize, operation: Operation) -> Result<(), StoreError> {
        let kibibytes = u32::try_from(bytes / 1024 + 1).unwrap_or(MAX_KIBIBYTES).min(MAX_KIBIBYTES);
        let room = Arc::clone(&self.room).try_acquire_many_owned(kibibytes).map_err(|_| StoreError::Busy)?;
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = jobs.as_ref().ok_or(StoreError::Closed)?;
        sender.try_send(Job { operation, bytes, _room: room }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })
    }

    /// Takes nothing more; the writer ends when it has written what waits.
    pub(crate) fn close(&self) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// A job, and with it whatever waits: what one commit takes.
pub(crate) fn group(first: Job, jobs: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let mut bytes = first.bytes;
    let mut group = vec![first];
    while group.len() < GROUP_JOBS && bytes < GROUP_BYTES {
        let Ok(job) = jobs.try_recv() else { break };
        bytes += job.bytes;
        group.push(job);
    }
    group
}

/// How a store ends by itself, as its writer tells it. A store that was closed has not failed.
pub(crate) fn failure(mut ended: watch::Receiver<Option<StoreError>>) -> Failure {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn incarnation() -> Operation {
        Operation::NextIncarnation { now: 0, slot: Slot::new().0 }
    }

    #[test]
    fn a_full_queue_says_so_and_recovers_when_it_is_drained() {
        let (queue, mut jobs) = Queue::new();
        for _ in 0..MAX_JOBS {
            queue.push(0, incarnation()).unwrap();
        }
        assert_eq!(queue.push(0, incarnation()), Err(StoreError::Busy));
        drop(jobs.try_recv().unwrap());
        assert_eq!(queue.push(0, incarnation()), Ok(()));
    }

    #[test]
    fn bytes_that_wait_are_bounded_too() {
        let (queue, mut jobs) = Queue::new();
        queue.push(60 << 20, incarnation()).unwrap();
        assert_eq!(queue.push(10 << 20, incarnation()), Err(StoreError::Busy));
        drop(jobs.try_recv().unwrap());
        assert_eq!(queue.push(10 << 20, incarnation()), Ok(()));
    }

    #[test]
    fn a_closed_queue_refuses() {
        let (queue, _jobs) = Queue::new();
        queue.close();
        assert_eq!(queue.push(0, incarnation()), Err(StoreError::Closed));
    }
}

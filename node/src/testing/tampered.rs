//! A store that a test watches, holds up, or makes lie.

use bytes::{Bytes, BytesMut};
use peerwright_ledger::{RegisterId, TransactionId};
use peerwright_store::{
    Applied, DocketCertificate, DocketStore, DocketTransactions, Extension, HeldDockets, LogEntry, LogState, Memory,
    NewDocket, NewLog, Pending, SealingStore, Seen, StoreError, StoredDocket, StoredHeader, TransactionPlace,
};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::sync::{Semaphore, oneshot};

/// A write of dockets that is under way, also when nobody waits for it any more.
struct UnderWay {
    extensions: Vec<Extension>,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

/// The model, with a test in between.
pub(crate) struct Tampered {
    inner: Arc<Memory>,
    /// Bodies are read with their last byte changed.
    pub(crate) lies: AtomicBool,
    /// Each read of dockets takes one of these.
    reads: Semaphore,
    /// How often dockets were read.
    pub(crate) served: AtomicUsize,
    written: Mutex<Vec<u64>>,
    /// Those that wait, while writes do.
    waiting: Mutex<Option<VecDeque<UnderWay>>>,
}

impl Tampered {
    pub(crate) fn new(inner: Arc<Memory>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            lies: AtomicBool::new(false),
            reads: Semaphore::new(Semaphore::MAX_PERMITS),
            served: AtomicUsize::new(0),
            written: Mutex::default(),
            waiting: Mutex::default(),
        })
    }

    /// From now on so many reads are answered; the next ones wait.
    pub(crate) fn hold_after(&self, reads: usize) {
        self.reads.forget_permits(Semaphore::MAX_PERMITS);
        self.reads.add_permits(reads);
    }

    /// Answers what waits, and what comes.
    pub(crate) fn release(&self) {
        self.reads.add_permits(100_000);
    }

    /// From now on dockets that are handed in wait to be stored.
    pub(crate) fn hold_writes(&self) {
        self.waiting().get_or_insert_default();
    }

    /// Stores what waits, in its order, and then what comes.
    pub(crate) async fn release_writes(&self) {
        while let Some(UnderWay { extensions, answer }) = self.next_waiting() {
            let stored = self.inner.extend(extensions).await;
            // Whoever has handed it in may have left.
            drop(answer.send(stored));
        }
    }

    /// The write that has waited longest; once there is none, none waits any more.
    fn next_waiting(&self) -> Option<UnderWay> {
        let mut waiting = self.waiting();
        let next = waiting.as_mut().and_then(VecDeque::pop_front);
        if next.is_none() {
            *waiting = None;
        }
        next
    }

    fn waiting(&self) -> MutexGuard<'_, Option<VecDeque<UnderWay>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The numbers of all dockets that were ever handed in to be stored.
    pub(crate) fn written(&self) -> Vec<u64> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl DocketStore for Tampered {
    fn extend(&self, extensions: Vec<Extension>) -> Pending<'_, ()> {
        let numbers = extensions.iter().flat_map(|extension| &extension.dockets).map(|docket| docket.number);
        self.written.lock().unwrap_or_else(PoisonError::into_inner).extend(numbers);
        let Some(waiting) = &mut *self.waiting() else { return self.inner.extend(extensions) };
        let (answer, stored) = oneshot::channel();
        waiting.push_back(UnderWay { extensions, answer });
        Box::pin(async move { stored.await.unwrap_or(Err(StoreError::Closed)) })
    }

    fn certify(&self, certificates: Vec<DocketCertificate>) -> Pending<'_, ()> {
        self.inner.certify(certificates)
    }

    fn replace_docket(&self, register: RegisterId, docket: NewDocket) -> Pending<'_, ()> {
        self.inner.replace_docket(register, docket)
    }

    fn trim(&self, register: RegisterId, below: u64) -> Pending<'_, ()> {
        self.inner.trim(register, below)
    }

    fn purge_dockets(&self, register: RegisterId) -> Pending<'_, u64> {
        self.inner.purge_dockets(register)
    }

    fn index(&self, register: RegisterId) -> Pending<'_, Option<u64>> {
        self.inner.index(register)
    }

    fn drop_index(&self, register: RegisterId) -> Pending<'_, ()> {
        self.inner.drop_index(register)
    }

    fn held_dockets(&self, register: RegisterId) -> Pending<'_, Option<HeldDockets>> {
        self.inner.held_dockets(register)
    }

    fn registers(&self) -> Pending<'_, Vec<HeldDockets>> {
        self.inner.registers()
    }

    fn checkpoint(&self, register: RegisterId) -> Pending<'_, Option<Bytes>> {
        self.inner.checkpoint(register)
    }

    fn headers(&self, register: RegisterId, from: u64, seen: Seen, max: usize) -> Pending<'_, Vec<StoredHeader>> {
        self.inner.headers(register, from, seen, max)
    }

    fn dockets(
        &self,
        register: RegisterId,
        from: u64,
        seen: Seen,
        max_dockets: usize,
        max_bytes: usize,
    ) -> Pending<'_, Vec<StoredDocket>> {
        Box::pin(async move {
            if let Ok(read) = self.reads.acquire().await {
                read.forget();
            }
            self.served.fetch_add(1, Ordering::Relaxed);
            let mut dockets = self.inner.dockets(register, from, seen, max_dockets, max_bytes).await?;
            if self.lies.load(Ordering::Relaxed) {
                for docket in &mut dockets {
                    let mut body = BytesMut::from(&docket.body[..]);
                    if let Some(last) = body.last_mut() {
                        *last ^= 1;
                    }
                    docket.body = body.freeze();
                }
            }
            Ok(dockets)
        })
    }

    fn docket(&self, register: RegisterId, number: u64, seen: Seen) -> Pending<'_, Option<StoredDocket>> {
        self.inner.docket(register, number, seen)
    }

    fn transaction_ids(&self, register: RegisterId, from: u64, max_ids: usize) -> Pending<'_, Vec<DocketTransactions>> {
        self.inner.transaction_ids(register, from, max_ids)
    }

    fn find_all(
        &self,
        register: RegisterId,
        ids: Vec<TransactionId>,
        seen: Seen,
    ) -> Pending<'_, Vec<Option<TransactionPlace>>> {
        self.inner.find_all(register, ids, seen)
    }
}

impl SealingStore for Tampered {
    fn log_state(&self) -> Pending<'_, LogState> {
        self.inner.log_state()
    }

    fn append_log(&self, entries: Vec<LogEntry>) -> Pending<'_, ()> {
        self.inner.append_log(entries)
    }

    fn read_log(&self, from: u64, to: u64, max_bytes: usize) -> Pending<'_, Vec<LogEntry>> {
        self.inner.read_log(from, to, max_bytes)
    }

    fn truncate_log(&self, from: u64) -> Pending<'_, ()> {
        self.inner.truncate_log(from)
    }

    fn purge_log(&self, last: LogEntry) -> Pending<'_, ()> {
        self.inner.purge_log(last)
    }

    fn save_vote(&self, vote: Bytes) -> Pending<'_, ()> {
        self.inner.save_vote(vote)
    }

    fn apply(&self, extensions: Vec<Extension>, applied: Applied) -> Pending<'_, ()> {
        self.inner.apply(extensions, applied)
    }

    fn begin_log(&self, extensions: Vec<Extension>, log: NewLog) -> Pending<'_, ()> {
        self.inner.begin_log(extensions, log)
    }
}

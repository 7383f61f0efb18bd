//! A volume that has no more room.

use super::{chance::Chance, cluster::Cluster};
use bytes::Bytes;
use peerwright_ledger::{RegisterId, TransactionId};
use peerwright_store::{
    Applied, DocketCertificate, DocketStore, DocketTransactions, Extension, HeldDockets, LogEntry, LogState, Memory,
    NewDocket, NewLog, Pending, SealingStore, Seen, StoreError, StoredDocket, StoredHeader, TransactionPlace,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// A store whose volume can be full, and whose power can fail.
pub(crate) struct Volume {
    inner: Arc<dyn SealingStore>,
    is_full: AtomicBool,
    writes: AtomicU64,
    power_failed: CancellationToken,
    /// Syncs take a while, when there is something that says how long.
    chance: Option<Chance>,
}

/// The longest time from what is written to what is synced, and from there to the answer.
const SLOWEST_SYNC_MILLIS: u64 = 6;

impl Volume {
    pub(crate) fn empty() -> Self {
        Self::over(Arc::new(Memory::new("network")))
    }

    pub(crate) fn over(inner: Arc<dyn SealingStore>) -> Self {
        let power_failed = CancellationToken::new();
        Self { inner, is_full: AtomicBool::new(false), writes: AtomicU64::new(0), power_failed, chance: None }
    }

    /// The same volume with its power on again, and with syncs that take a while.
    pub(crate) fn powered_on(&self, chance: Option<Chance>) -> Self {
        Self { chance, ..Self::over(Arc::clone(&self.inner)) }
    }

    /// What was not synced is lost, what was synced stays, and nobody is told of either.
    pub(crate) fn cut_power(&self) {
        self.power_failed.cancel();
    }

    pub(crate) fn set_full(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::Relaxed);
    }

    /// How often it was written to.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    fn write<'s, T: Send + 's>(
        &'s self,
        write: impl FnOnce(&'s dyn SealingStore) -> Pending<'s, T> + Send + 's,
    ) -> Pending<'s, T> {
        if self.is_full.load(Ordering::Relaxed) {
            return Box::pin(std::future::ready(Err(StoreError::DiskFull)));
        }
        Box::pin(async move {
            self.work().await?;
            self.writes.fetch_add(1, Ordering::Relaxed);
            let written = write(self.inner.as_ref()).await;
            self.work().await?;
            written
        })
    }

    /// As long as the disk is at it; an error when the power fails meanwhile.
    async fn work(&self) -> Result<(), StoreError> {
        if let Some(chance) = &self.chance {
            tokio::select! {
                biased;
                () = self.power_failed.cancelled() => {}
                () = tokio::time::sleep(chance.millis(SLOWEST_SYNC_MILLIS)) => {}
            }
        }
        if self.power_failed.is_cancelled() { Err(StoreError::Closed) } else { Ok(()) }
    }
}

impl DocketStore for Volume {
    fn extend(&self, extensions: Vec<Extension>) -> Pending<'_, ()> {
        self.write(move |inner| inner.extend(extensions))
    }

    fn certify(&self, certificates: Vec<DocketCertificate>) -> Pending<'_, ()> {
        self.write(move |inner| inner.certify(certificates))
    }

    fn replace_docket(&self, register: RegisterId, docket: NewDocket) -> Pending<'_, ()> {
        self.write(move |inner| inner.replace_docket(register, docket))
    }

    fn trim(&self, register: RegisterId, below: u64) -> Pending<'_, ()> {
        self.write(move |inner| inner.trim(register, below))
    }

    fn purge_dockets(&self, register: RegisterId) -> Pending<'_, u64> {
        self.write(move |inner| inner.purge_dockets(register))
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
        self.inner.dockets(register, from, seen, max_dockets, max_bytes)
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

impl SealingStore for Volume {
    fn log_state(&self) -> Pending<'_, LogState> {
        self.inner.log_state()
    }

    fn append_log(&self, entries: Vec<LogEntry>) -> Pending<'_, ()> {
        self.write(move |inner| inner.append_log(entries))
    }

    fn read_log(&self, from: u64, to: u64, max_bytes: usize) -> Pending<'_, Vec<LogEntry>> {
        self.inner.read_log(from, to, max_bytes)
    }

    fn truncate_log(&self, from: u64) -> Pending<'_, ()> {
        self.write(move |inner| inner.truncate_log(from))
    }

    fn purge_log(&self, last: LogEntry) -> Pending<'_, ()> {
        self.write(move |inner| inner.purge_log(last))
    }

    fn save_vote(&self, vote: Bytes) -> Pending<'_, ()> {
        self.write(move |inner| inner.save_vote(vote))
    }

    fn apply(&self, extensions: Vec<Extension>, applied: Applied) -> Pending<'_, ()> {
        self.write(move |inner| inner.apply(extensions, applied))
    }

    fn begin_log(&self, extensions: Vec<Extension>, log: NewLog) -> Pending<'_, ()> {
        self.write(|inner| inner.begin_log(extensions, log))
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_volume_is_full_is_followed_and_takes_part_again_when_there_is_room() {
    let cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    let full = cluster.leader().await;
    cluster.store(full).set_full(true);
    let transactions = cluster.transactions(register, 0..20);
    cluster.seal(register, &transactions[..10]).await;
    assert_ne!(cluster.leader().await, full);
    assert_eq!(cluster.at(full).chain(&register).unwrap().head().number, 0);
    cluster.store(full).set_full(false);
    cluster.seal(register, &transactions[10..]).await;
    let (_, ids) = cluster.agreed(&[0, 1, 2], register).await;
    assert_eq!(ids.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_sealer_whose_volume_is_full_can_be_stopped() {
    let mut cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    let full = cluster.leader().await;
    cluster.store(full).set_full(true);
    cluster.seal(register, &cluster.transactions(register, 0..10)).await;
    let stopped = tokio::time::timeout(Duration::from_secs(5), cluster.kill(full)).await;
    assert!(stopped.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_idle_group_writes_nothing() {
    let cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    cluster.seal(register, &cluster.transactions(register, 0..1)).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let writes: Vec<u64> = cluster.all().map(|node| cluster.store(node).writes()).collect();
    tokio::time::sleep(Duration::from_secs(600)).await;
    let later: Vec<u64> = cluster.all().map(|node| cluster.store(node).writes()).collect();
    assert_eq!(later, writes);
}

//! Lag: dockets of a hundred transactions come into the source's store a hundred times a second, certified, as they do on
//! whoever follows the sealers; how long until the replica has stored each.
//!
//! ```text
//!  certified dockets ─▶ source's store, fsync ─▶ heads ═══▶ replica: verified, fsync ─▶ heads
//!                                     ▲ clock begins                             ▲ ends
//! ```

use super::{
    network::{Member, Network},
    threads,
};
use crate::{
    chain::{Growing, Recipe},
    corpus::NETWORK_UID,
    plan::{Outcome, Plan},
    quantile,
};
use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, stream::FuturesOrdered};
use peerwright_ledger::{RegisterId, register::VerifyPolicy};
use peerwright_node::NodeHandle;
use peerwright_store::{DocketStore as _, Extension, Pending, Sqlite, Store as _};
use std::{
    fs,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::{runtime::Builder, time::sleep_until};

/// Dockets a second, and transactions of each: 10,000 transactions a second, sealed every 10 ms.
pub(crate) const DOCKETS: u64 = 100;
pub(crate) const TRANSACTIONS: u32 = 100;
/// How often is looked at what the replica has: no lag is known better.
const LOOK: Duration = Duration::from_micros(200);
/// What was fed may take so long to arrive.
const GRACE: Duration = Duration::from_secs(10);

pub(super) fn run(plan: &Plan) -> Result<Outcome> {
    let network = Network::new(&plan.folder)?;
    let mut growing = begin(&network)?;
    let count = u64::from(plan.seconds) * DOCKETS;
    let mut extensions = Vec::new();
    for _ in 0..count {
        let docket = growing.docket(TRANSACTIONS)?;
        extensions.push(growing.extension(vec![docket]));
    }
    let register = growing.register();
    let source = network.source()?;
    let replica = network.replica(0, &source)?;
    for member in [&replica, &source] {
        member.settle(2)?;
    }
    network.subscribe(register, [&replica, &source])?;
    replica.catch_up(register, 0)?;

    let used = threads::now();
    let watcher = {
        let handle = replica.handle().clone();
        thread::spawn(move || watch(&handle, register, count))
    };
    let began = Instant::now();
    let committed = source.wait(feed(&source, extensions))?;
    let fed = began.elapsed();
    let visible = watcher.join().map_err(|_| anyhow::anyhow!("the watcher failed"))?;
    ensure!(visible.len() == committed.len(), "{} of {count} dockets came", visible.len());
    let mut lags: Vec<Duration> = visible
        .iter()
        .zip(&committed)
        .map(|(visible, committed)| visible.saturating_duration_since(*committed))
        .collect();
    Ok(Outcome {
        transactions: count * u64::from(TRANSACTIONS),
        seconds: fed.as_secs_f64(),
        p50_millis: quantile::millis(&mut lags, 500),
        p99_millis: quantile::millis(&mut lags, 990),
        processor: threads::since(&used),
        note: "certified dockets of 100 into the source's store every 10 ms".to_owned(),
        ..Outcome::default()
    })
}

/// A register that has its first docket.
fn begin(network: &Network) -> Result<Growing> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let folder = network.source_folder();
    fs::create_dir_all(&folder)?;
    let (growing, genesis) = Growing::begin(Recipe { verify: VerifyPolicy::Docket, authors: 64 })?;
    runtime.block_on(async {
        let store = Sqlite::open(&folder.join("store.sqlite"), NETWORK_UID).await?;
        store.extend(vec![growing.extension(vec![genesis])]).await?;
        store.close().await
    })?;
    Ok(growing)
}

/// Stores each docket when its time has come; when each was durable.
async fn feed(source: &Member, extensions: Vec<Extension>) -> Result<Vec<Instant>> {
    let (store, registers) = (source.store().clone(), &source.handle().registers);
    let began = tokio::time::Instant::now();
    let mut committed = Vec::with_capacity(extensions.len());
    let mut under_way: FuturesOrdered<Pending<'_, ()>> = FuturesOrdered::new();
    for (number, extension) in (0u32..).zip(extensions) {
        let due = began + Duration::from_secs(1) * number / u32::try_from(DOCKETS)?;
        loop {
            tokio::select! {
                biased;
                Some(stored) = under_way.next() => {
                    stored.context("the source does not store")?;
                    committed.push(Instant::now());
                    registers.recall().await?;
                }
                () = sleep_until(due) => break,
            }
        }
        // Queued at once: the order of calls is the order of writes.
        under_way.push_back(store.extend(vec![extension]));
    }
    while let Some(stored) = under_way.next().await {
        stored?;
        committed.push(Instant::now());
        registers.recall().await?;
    }
    Ok(committed)
}

/// When each docket behind the first was there.
fn watch(replica: &Arc<NodeHandle>, register: RegisterId, count: u64) -> Vec<Instant> {
    let mut visible = Vec::new();
    let end = Instant::now() + Duration::from_secs(count / DOCKETS) + GRACE;
    while (visible.len() as u64) < count && Instant::now() < end {
        let held = replica.registers.progress(register).map_or(0, |progress| progress.held);
        let now = Instant::now();
        while (visible.len() as u64) + 1 < held {
            visible.push(now);
        }
        thread::sleep(LOOK);
    }
    visible
}

//! What is replicated: a register in a store of its own, made once for a bench. Every probe has a copy of it, and the
//! rivals get the same transactions, byte for byte.

use crate::chain::{DOCKET_TRANSACTIONS, Growing, Recipe};
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use peerwright_ledger::{DocketBody, RegisterId, TransactionId};
use peerwright_node::config::Storage;
use peerwright_store::{DocketStore, HeldDockets, Postgres, Seen, Sqlite, Store};
use std::{
    fs::{self, File},
    path::Path,
};
use tokio::runtime::Runtime;

/// The network whose stores these are.
pub(crate) const NETWORK_UID: &str = "00000000-0000-4000-8000-0000000be9c5";
/// A store's file, as a node names it.
const FILE: &str = "store.sqlite";
/// Dockets that are stored at once.
const TOGETHER: usize = 16;
/// Body bytes that are read at once.
const READ_BYTES: usize = 8 << 20;

/// A store that holds registers and can be closed.
trait RegisterStore: Store + DocketStore {}

impl<S: Store + DocketStore> RegisterStore for S {}

/// An open store with one register in it.
pub(crate) struct Corpus<'r> {
    runtime: &'r Runtime,
    store: Box<dyn RegisterStore>,
    /// What it holds.
    pub(crate) held: HeldDockets,
}

/// Makes a register of so many transactions in a folder.
pub(crate) fn make(runtime: &Runtime, folder: &Path, recipe: Recipe, transactions: u64) -> Result<()> {
    fs::create_dir_all(folder)?;
    let store = runtime.block_on(Sqlite::open(&folder.join(FILE), NETWORK_UID))?;
    let (mut growing, genesis) = Growing::begin(recipe)?;
    let mut dockets = vec![genesis];
    let mut left = transactions;
    while left > 0 || !dockets.is_empty() {
        while left > 0 && dockets.len() < TOGETHER {
            let count = u32::try_from(left).unwrap_or(u32::MAX).min(DOCKET_TRANSACTIONS);
            dockets.push(growing.docket(count)?);
            left -= u64::from(count);
        }
        let extension = growing.extension(std::mem::take(&mut dockets));
        runtime.block_on(store.extend(vec![extension]))?;
    }
    let held = runtime.block_on(store.held_dockets(growing.register()))?.context("nothing was stored")?;
    while runtime.block_on(store.index(held.register))? < Some(held.head) {}
    Ok(runtime.block_on(store.close())?)
}

/// Copies a store, and has the copy on the disk before anything is measured.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    // What was written last may still be in the log beside the file.
    for name in [FILE.to_owned(), format!("{FILE}-wal")] {
        if from.join(&name).exists() {
            let file = to.join(&name);
            fs::copy(from.join(&name), &file).with_context(|| format!("{} cannot be copied", from.display()))?;
            File::open(&file)?.sync_all()?;
        }
    }
    Ok(())
}

impl<'r> Corpus<'r> {
    /// Opens the store in a folder.
    pub(crate) fn open(runtime: &'r Runtime, folder: &Path) -> Result<Self> {
        Self::stored(runtime, &Storage::Volume, folder)
    }

    /// Opens what a node kept there, or in its folder.
    pub(crate) fn stored(runtime: &'r Runtime, storage: &Storage, folder: &Path) -> Result<Self> {
        let store: Box<dyn RegisterStore> = match storage {
            Storage::Volume => Box::new(runtime.block_on(Sqlite::open(&folder.join(FILE), NETWORK_UID))?),
            Storage::Postgres(settings) => {
                Box::new(runtime.block_on(Postgres::open((**settings).clone(), NETWORK_UID))?)
            }
        };
        let held = runtime.block_on(store.registers())?.pop().context("the store holds no register")?;
        Ok(Self { runtime, store, held })
    }

    /// How many transactions it has beside the one that begins it.
    pub(crate) const fn transactions(&self) -> u64 {
        self.held.transactions.saturating_sub(1)
    }

    /// The register.
    pub(crate) const fn register(&self) -> RegisterId {
        self.held.register
    }

    /// Gives the transactions of each docket but the first, with their ids.
    pub(crate) fn each(&self, mut take: impl FnMut(&[(TransactionId, Bytes)]) -> Result<()>) -> Result<()> {
        let mut next = 1;
        while next <= self.held.head {
            let read = self.store.dockets(self.register(), next, Seen::Certified, usize::MAX, READ_BYTES);
            let dockets = self.runtime.block_on(read)?;
            let ids = self.runtime.block_on(self.store.transaction_ids(
                self.register(),
                next,
                dockets.len() * usize::try_from(DOCKET_TRANSACTIONS)?,
            ))?;
            ensure!(!dockets.is_empty(), "docket {next} is not there");
            for (docket, ids) in dockets.iter().zip(ids) {
                ensure!(ids.number == docket.header.number, "ids of another docket");
                let body = DocketBody::decode(docket.body.clone())?;
                let bytes = body.transactions().map(|transaction| body.encoded().slice_ref(transaction));
                take(&ids.transactions.into_iter().zip(bytes).collect::<Vec<_>>())?;
                next = docket.header.number + 1;
            }
        }
        Ok(())
    }

    /// Compares with a copy, docket by docket, and looks some transactions up by their ids.
    pub(crate) fn compare(&self, copy: &Self) -> Result<()> {
        ensure!(copy.held.head_hash == self.held.head_hash, "the copy has another head");
        ensure!(copy.held.certified_through == Some(self.held.head), "the copy is not certified to its head");
        ensure!(copy.held.indexed_through == Some(self.held.head), "the copy is not indexed to its head");
        ensure!(copy.held.first == 0, "the copy does not begin at the beginning");
        let mut next = 0;
        while next <= self.held.head {
            let read = |store: &dyn RegisterStore| {
                self.runtime.block_on(store.dockets(self.register(), next, Seen::Certified, usize::MAX, READ_BYTES))
            };
            let (ours, theirs) = (read(&*self.store)?, read(&*copy.store)?);
            ensure!(!ours.is_empty() && ours == theirs, "the copy differs from docket {next} on");
            let asked = self.runtime.block_on(self.store.transaction_ids(self.register(), next, 1))?;
            if let Some(id) = asked.first().and_then(|docket| docket.transactions.first()) {
                let find = |store: &dyn RegisterStore| {
                    self.runtime.block_on(store.find(self.register(), *id, Seen::Certified))
                };
                ensure!(find(&*copy.store)?.is_some_and(|place| place.number == next), "{id} is not found in the copy");
            }
            next += ours.len() as u64;
        }
        Ok(())
    }

    /// Writes what is queued, and ends.
    pub(crate) fn close(self) -> Result<()> {
        Ok(self.runtime.block_on(self.store.close())?)
    }
}

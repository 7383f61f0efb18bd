//! What this node says it holds, and what people have chosen of that.
//!
//! ```text
//! REST: public or not ─▶ document, fsync ─▶ chosen ─▶ driver: who may hear of it, the links are told at once
//! a further docket of a public register, or another state ─▶ moved ─▶ driver: told soon
//! driver: what is it? ─▶ store: first, last certified docket, docket 0 ─▶ told      read anew each time it is told
//! ```
//!
//! A register is private until somebody makes it public on this node, and stays what it was made until it is purged. The
//! choice is all that is kept: every figure that is told comes from the store, so no node says more than it holds.

use super::{Registers, ReplicaState, marks::MarksDocument};
use peerwright_engine::{
    Advertisement, HolderState,
    bounds::{MAX_ADVERTISED_DESCRIPTION_BYTES, MAX_ADVERTISEMENTS_OF_A_PEER},
};
use peerwright_ledger::{ControlRecord, DocketBody, GenesisRecord, RegisterId, Transaction};
use peerwright_secure::PeerId;
use peerwright_snapshot::Content;
use peerwright_store::{Seen, Store, StoreError, StoredDocket};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use thiserror::Error;
use tokio::sync::{Notify, watch};

/// Where the choice is kept: registers that are public, each with the time since when.
const DOCUMENT: MarksDocument = MarksDocument { name: "advertised-registers", max_marks: MAX_ADVERTISEMENTS_OF_A_PEER };

/// Which registers are public on this node.
#[derive(Debug, Default)]
pub(crate) struct Advertised {
    /// Since when, unix microseconds.
    public: Mutex<BTreeMap<RegisterId, u64>>,
    /// Held by whoever changes the choice.
    choosing: tokio::sync::Mutex<()>,
    /// How often it was changed.
    chosen: watch::Sender<u64>,
    /// Told when this node holds more of a public register, or has come to another state with it.
    pub(crate) moved: Notify,
    /// What docket 0 says of public registers: it never changes.
    named: Mutex<BTreeMap<RegisterId, Arc<Named>>>,
}

/// What a register is called, as far as that is told.
#[derive(Debug, Default)]
struct Named {
    name: String,
    description: String,
}

impl From<GenesisRecord> for Named {
    fn from(GenesisRecord { name, mut description, .. }: GenesisRecord) -> Self {
        description.truncate(description.floor_char_boundary(MAX_ADVERTISED_DESCRIPTION_BYTES));
        Self { name, description }
    }
}

/// What a choice has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Registers that were private.
    pub added: usize,
    /// Registers that were public.
    pub removed: usize,
}

/// Why a choice was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotChosen {
    /// So many are public already.
    #[error("this node advertises at most {MAX_ADVERTISEMENTS_OF_A_PEER} registers; withdraw one, or ask another node")]
    Full,
    /// It cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Advertised {
    /// Takes in what was chosen before.
    pub(crate) async fn load(&self, store: &dyn Store) -> Result<(), StoreError> {
        let kept = DOCUMENT.load(store).await?;
        *self.public() = kept;
        Ok(())
    }

    /// Makes registers public or private; those that are not named stay as they are, or become private when the list is
    /// the `whole` of what is to be public. Durable first, then in force; what changes nothing writes nothing.
    pub(crate) async fn choose(
        &self,
        store: &dyn Store,
        now: u64,
        wanted: &[(RegisterId, bool)],
        whole: bool,
    ) -> Result<Chosen, NotChosen> {
        let _choosing = self.choosing.lock().await;
        let before = self.public().clone();
        let mut after = if whole { BTreeMap::new() } else { before.clone() };
        for (register, is_public) in wanted {
            if *is_public {
                after.insert(*register, before.get(register).copied().unwrap_or(now));
            } else {
                after.remove(register);
            }
        }
        if after.len() > MAX_ADVERTISEMENTS_OF_A_PEER {
            return Err(NotChosen::Full);
        }
        let added = after.keys().filter(|register| !before.contains_key(register)).count();
        let removed = before.keys().filter(|register| !after.contains_key(register)).count();
        if added + removed > 0 {
            DOCUMENT.keep(store, &after).await?;
            self.named().retain(|register, _| after.contains_key(register));
            *self.public() = after;
            self.chosen.send_modify(|changes| *changes += 1);
        }
        Ok(Chosen { added, removed })
    }

    /// A register was purged: who begins it anew chooses anew.
    pub(super) async fn forget(&self, store: &dyn Store, register: RegisterId) -> Result<(), StoreError> {
        match self.choose(store, 0, &[(register, false)], false).await {
            Err(NotChosen::Store(error)) => Err(error),
            Ok(_) | Err(NotChosen::Full) => Ok(()),
        }
    }

    /// Whether everybody may know that this node holds the register.
    pub(crate) fn is_public(&self, register: &RegisterId) -> bool {
        self.public().contains_key(register)
    }

    /// What is told of a register may be another by now.
    pub(super) fn look_again(&self, register: &RegisterId) {
        if self.is_public(register) {
            self.moved.notify_one();
        }
    }

    /// Hears of every change of the choice.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.chosen.subscribe()
    }

    fn public(&self) -> MutexGuard<'_, BTreeMap<RegisterId, u64>> {
        self.public.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn named(&self) -> MutexGuard<'_, BTreeMap<RegisterId, Arc<Named>>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registers {
    /// What the node with the id `own` says to everybody that it holds: the public registers whose dockets the store has
    /// now, but for those that it is to delete. One that the snapshot gives to others only is served and told as well, so
    /// that these can have it.
    pub(crate) async fn advertisements(
        &self,
        content: &Content,
        own: &PeerId,
    ) -> Result<Vec<Advertisement>, StoreError> {
        let seals = content.sealers.contains(own);
        let purged: BTreeSet<&[u8; 16]> = content.purged_by(own).collect();
        let public: Vec<RegisterId> = self.advertised.public().keys().copied().collect();
        let mut rows = Vec::new();
        for register in public.into_iter().filter(|register| !purged.contains(register.as_bytes())) {
            rows.extend(self.advertisement(register, seals).await?);
        }
        Ok(rows)
    }

    async fn advertisement(&self, register: RegisterId, seals: bool) -> Result<Option<Advertisement>, StoreError> {
        let Some(held) = self.store.held_dockets(register).await? else { return Ok(None) };
        let Some(through) = held.certified_through else { return Ok(None) };
        let named = if held.first == 0 { self.name_of(register).await } else { Arc::default() };
        let (name, description) = (named.name.clone(), named.description.clone());
        let (first, dockets, state) = (held.first, through + 1, self.holder_state(register, seals));
        Ok(Some(Advertisement { register, first, dockets, state, name, description }))
    }

    fn holder_state(&self, register: RegisterId, seals: bool) -> HolderState {
        if self.forks.of(register).is_some() {
            return HolderState::Frozen;
        }
        match self.progress(register).map(|progress| progress.state) {
            _ if seals => HolderState::Sealing,
            Some(ReplicaState::FullyReplicated) => HolderState::FullReplica,
            Some(ReplicaState::Active) => HolderState::ForwardOnly,
            Some(ReplicaState::Frozen) => HolderState::Frozen,
            Some(ReplicaState::Subscribing | ReplicaState::Syncing | ReplicaState::Error) | None => {
                HolderState::Syncing
            }
        }
    }

    /// Without a docket 0 that can be read, nothing.
    async fn name_of(&self, register: RegisterId) -> Arc<Named> {
        if let Some(named) = self.advertised.named().get(&register) {
            return named.clone();
        }
        let docket = self.store.docket(register, 0, Seen::Certified).await;
        let docket = docket.inspect_err(|error| self.repairs.note(error)).ok().flatten();
        let Some(record) = docket.and_then(|docket| read_genesis(docket).ok()) else { return Arc::default() };
        let named = Arc::new(Named::from(record));
        if self.advertised.is_public(&register) {
            self.advertised.named().insert(register, named.clone());
        }
        named
    }
}

/// What docket 0 says of its register, or why that cannot be read.
pub(crate) fn read_genesis(docket: StoredDocket) -> Result<GenesisRecord, String> {
    let body = DocketBody::decode(docket.body).map_err(|error| error.to_string())?;
    let transaction = body.transactions().next().map(|encoded| Transaction::decode(body.encoded().slice_ref(encoded)));
    let transaction = transaction.ok_or("docket 0 is empty")?.map_err(|refusal| refusal.to_string())?;
    match ControlRecord::of(&transaction).map_err(|error| error.to_string())? {
        ControlRecord::Genesis(record) => Ok(*record),
        _ => Err("docket 0 holds no genesis".to_owned()),
    }
}

#[cfg(test)]
#[path = "advertised_tests.rs"]
mod tests;

//! What the parts of a sealer share.

use crate::{
    durable::Durable,
    raft::{LogId, StoredMembership},
    registers::Registers,
    settled::Settled,
    tail::Tail,
};
use peerwright_ledger::{Docket, RegisterId, TransactionId};
use peerwright_secure::{NodeKey, NodePublicKey};
use peerwright_store::{Applied, Extension, NewDocket, SealingStore, StoreError};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, watch};

/// Gives the time: unix microseconds.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// A sealer's state, its store, and who is told of what.
pub(crate) struct Core {
    pub(crate) key: NodeKey,
    pub(crate) store: Arc<dyn SealingStore>,
    pub(crate) clock: Clock,
    registers: Mutex<Registers>,
    /// Held while dockets are stored, so that what is recorded and what is fetched come one behind the other.
    pub(crate) writing: tokio::sync::Mutex<()>,
    /// Dockets were formed and are to be signed by others.
    pub(crate) formed: Notify,
    /// Certificates were completed.
    pub(crate) certified: Notify,
    /// Counts what was stored.
    pub(crate) recorded: watch::Sender<u64>,
    pub(crate) tail: Tail,
    pub(crate) durable: Arc<Durable>,
    /// Why the sealer has ended by itself.
    pub(crate) failed: watch::Sender<Option<String>>,
}

impl Core {
    pub(crate) fn new(
        key: NodeKey,
        store: Arc<dyn SealingStore>,
        clock: Clock,
        registers: Registers,
        durable: Arc<Durable>,
    ) -> Self {
        Self {
            key,
            store,
            clock,
            registers: Mutex::new(registers),
            writing: tokio::sync::Mutex::default(),
            formed: Notify::new(),
            certified: Notify::new(),
            recorded: watch::Sender::new(0),
            tail: Tail::default(),
            durable,
            failed: watch::Sender::new(None),
        }
    }

    /// Resolves when the sealer is to end.
    pub(crate) async fn cancelled(&self) {
        self.durable.cancelled.cancelled().await;
    }

    pub(crate) fn me(&self) -> NodePublicKey {
        self.key.public()
    }

    pub(crate) fn now(&self) -> u64 {
        (self.clock)()
    }

    /// Looks at the registers, or changes them. Never held while anything is waited for.
    pub(crate) fn registers<T>(&self, look: impl FnOnce(&mut Registers) -> T) -> T {
        look(&mut self.registers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Nothing more can be done: who waits for this sealer hears so.
    pub(crate) fn fail(&self, why: String) {
        tracing::error!(why, "the sealer has failed");
        self.failed.send_if_modified(|failed| {
            let first = failed.is_none();
            failed.get_or_insert(why);
            first
        });
    }

    /// Stores dockets, and that the log is settled up to there when it is further than before.
    pub(crate) async fn store_dockets(
        &self,
        extensions: Vec<Extension>,
        settled: &(Option<LogId>, StoredMembership),
    ) -> Result<(), StoreError> {
        let before = self.registers(|registers| registers.stored().0);
        match settled.0.filter(|id| Some(*id) > before) {
            None => self.durable.write(|| self.store.extend(extensions.clone())).await,
            Some(id) => {
                let state = Settled { id, membership: settled.1.clone() }.encode();
                let applied = Applied { index: id.index, state };
                self.durable.write(|| self.store.apply(extensions.clone(), applied.clone())).await
            }
        }
    }
}

/// Dockets of one register as the store takes them.
pub(crate) fn extension(
    register: RegisterId,
    dockets: impl IntoIterator<Item = (Docket, Vec<TransactionId>)>,
    checkpoint: bytes::Bytes,
) -> Extension {
    let dockets = dockets.into_iter().map(|(docket, transactions)| NewDocket::of(&docket, transactions)).collect();
    Extension { register, dockets, checkpoint }
}

//! The registers' dockets on this node: made, followed, served.
//!
//! ```text
//! messages (gossip) ─▶ store ─▶ Feed ─▶ sealing group ─▶ certified dockets ─┐        on sealers
//! another node ─────────────── Follow ─▶ Replica: Chain verifies ───────────┤        on all others
//!                                                                           ▼
//!                                    store ─▶ Heads ─▶ Follow of others, REST, whoever waits for `committed`
//! ```

mod callers;
mod create;
mod feed;
mod follow;
mod heads;
mod replica;
mod replicas;
mod sealer;
mod sealing_service;
mod standing;

pub(crate) use callers::{Callers, Unreached};
pub(crate) use create::Creator;
pub use create::{CreateRefused, NewRegister};
pub(crate) use follow::{Following, Source};
pub(crate) use heads::Heads;
pub(crate) use replicas::Replicas;
pub(crate) use sealer::Sealer;
pub(crate) use sealing_service::SealingService;
pub(crate) use standing::Standing;
pub use standing::{Progress, ReplicaState};

use crate::telemetry::Telemetry;
use bytes::Bytes;
use peerwright_ledger::{Docket, RegisterId, TransactionId};
use peerwright_store::{HeldDockets, SealingStore, Seen, StoreError, StoredDocket, TransactionPlace};
use std::sync::Arc;
use tokio::sync::{Notify, RwLock};
use tonic::Status;

/// What this node holds of registers, and how it hears of more.
#[derive(Clone)]
pub struct Registers {
    /// Where the dockets are.
    pub store: Arc<dyn SealingStore>,
    pub(crate) heads: Arc<Heads>,
    pub(crate) standing: Arc<Standing>,
    /// Told when messages were stored.
    pub(crate) arrived: Arc<Notify>,
    telemetry: Arc<Telemetry>,
    /// Who writes dockets: replicas share it, the sealing group has it alone.
    writing: Arc<RwLock<()>>,
}

impl Registers {
    /// The registers of a store.
    #[must_use]
    pub fn new(store: Arc<dyn SealingStore>, telemetry: Arc<Telemetry>) -> Self {
        Self {
            store,
            heads: Arc::default(),
            standing: Arc::default(),
            arrived: Arc::default(),
            telemetry,
            writing: Arc::default(),
        }
    }

    /// Takes note of what the store holds at the start.
    pub(crate) async fn begin(&self) -> Result<(), StoreError> {
        for (register, count) in self.counts().await? {
            self.heads.advance(register, count);
        }
        Ok(())
    }

    /// Looks up what the store holds by now.
    pub(crate) async fn recall(&self) -> Result<(), StoreError> {
        for (register, count) in self.counts().await? {
            self.advance(register, count);
        }
        Ok(())
    }

    /// The register has come as far as `count` dockets.
    pub(crate) fn advance(&self, register: RegisterId, count: u64) {
        self.telemetry.dockets_committed(self.heads.advance(register, count));
    }

    async fn counts(&self) -> Result<Vec<(RegisterId, u64)>, StoreError> {
        let held = self.store.registers().await?;
        let count = |held: &HeldDockets| held.certified_through.map(|through| (held.register, through + 1));
        Ok(held.iter().filter_map(count).collect())
    }

    /// Resolves when a committed docket that this node holds has the transaction.
    pub async fn committed(&self, register: RegisterId, id: TransactionId) -> Result<TransactionPlace, StoreError> {
        let mut heads = self.heads.watch(register);
        loop {
            heads.borrow_and_update();
            if let Some(place) = self.store.find(register, id, Seen::Certified).await? {
                return Ok(place);
            }
            // Its sender lives as long as the node.
            heads.changed().await.map_err(|_| StoreError::Closed)?;
        }
    }

    /// How far this node has come with a register that it follows.
    #[must_use]
    pub fn progress(&self, register: RegisterId) -> Option<Progress> {
        self.standing.of(register)
    }
}

/// Reads a register's id from a message.
pub(crate) fn register_id(bytes: &Bytes) -> Result<RegisterId, Status> {
    let bytes = <[u8; 16]>::try_from(bytes.as_ref());
    bytes.map(RegisterId::from_bytes).map_err(|_| Status::invalid_argument("register_id must have 16 bytes"))
}

/// A docket of the store as it travels.
fn encoded(stored: &StoredDocket) -> Bytes {
    let certificate = stored.header.certificate.as_deref().unwrap_or_default();
    Docket::assemble(&stored.header.header, certificate, &stored.body)
}

//! The registers' dockets on this node: made, followed, served.
//!
//! ```text
//! messages (gossip) ─▶ store ─▶ Feed ─▶ sealing group ─▶ certified dockets ─┐        on sealers
//!                        └────▶ Spent: what dockets hold goes               │
//! another node ─────────────── Follow ─▶ Replica: Chain verifies ───────────┤        on all others
//!                    (the active hub, where there are hubs) ▲                 ▼
//!                                    store ─▶ Heads ─▶ Follow of others, Tail of clients
//!                                      └────▶ ids ───▶ Waiters, Outbox: what has become of what was handed in
//! ```

mod advances;
mod advertised;
mod blueprints;
mod callers;
mod create;
mod desk;
mod digest;
mod feed;
mod follow;
mod followers;
mod forks;
mod heads;
mod hearing;
mod hubs;
mod marks;
mod outbox;
mod repairs;
mod replica;
mod replicas;
mod sealer;
mod sealing_service;
mod sources;
mod spent;
mod standing;
mod succession;
mod system;
mod tail;
mod tell;
mod waiters;

pub(crate) use advances::Advances;
pub(crate) use advertised::{Advertised, read_genesis};
pub use advertised::{Chosen, NotChosen};
pub(crate) use blueprints::{Act, Blueprint, BlueprintKeeper, Change, MAX_BLUEPRINT_NAME, Told, is_name, told};
pub use blueprints::{BlueprintFigures, Blueprints, MAX_BLUEPRINTS};
pub(crate) use callers::{Callers, Unreached};
pub(crate) use create::Creator;
pub use create::{CreateRefused, NewRegister};
pub(crate) use follow::{Following, Source};
pub(crate) use followers::Seat;
pub use followers::{Followers, FollowersFull, MAX_FOLLOWERS, MAX_FOLLOWERS_OF_ONE};
pub(crate) use forks::Forks;
pub(crate) use heads::Heads;
pub(crate) use hearing::Hearing;
pub(crate) use hubs::{HubKeeper, Hubs, Remark};
pub use hubs::{HubRow, HubSettings, HubSettingsRefused, HubStanding, HubState};
pub use outbox::{HAND_IN_AFTER, OUTBOX_CAPACITY, OutboxFigures, OutboxFull, OutboxSettings, OutboxSettingsRefused};
pub(crate) use outbox::{HandIn, OutboxKeeper};
pub(crate) use repairs::Repairs;
pub(crate) use replica::Budget;
pub use replica::{ReplicationSettingRefused, ReplicationSettings};
pub(crate) use replicas::Replicas;
pub(crate) use sealer::Sealer;
pub(crate) use sealing_service::SealingService;
pub(crate) use spent::Spent;
pub(crate) use standing::Standing;
pub use standing::{Progress, ReplicaState};
pub(crate) use succession::NetworkAuthority;
pub(crate) use tail::{Ended as TailEnded, Filter, Matched, MatchedDocket, Step, Tail, kind_name};
pub use waiters::Settled;
#[cfg(test)]
pub(crate) use {
    replica::{Audit, Replica},
    sources::{LeftSources, Sources},
};

use crate::telemetry::Telemetry;
use bytes::Bytes;
use outbox::Outbox;
use peerwright_ledger::{Docket, ForkProof, RegisterId, TransactionId};
use peerwright_store::{HeldDockets, SealingStore, Seen, StoreError, StoredDocket};
use sources::SourceNews;
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::{RwLock, watch};
use tonic::Status;
use waiters::Waiters;

/// What this node holds of registers, and how it hears of more.
#[derive(Clone)]
pub struct Registers {
    /// Where the dockets are.
    pub store: Arc<dyn SealingStore>,
    pub(crate) heads: Arc<Heads>,
    pub(crate) standing: Arc<Standing>,
    /// Who waits to hear of transactions.
    pub(crate) waiters: Arc<Waiters>,
    /// What this node has accepted and does not know the fate of.
    pub(crate) outbox: Arc<Outbox>,
    /// How registers are followed, as it is set now.
    pub(crate) replication: Arc<watch::Sender<ReplicationSettings>>,
    /// Clients that follow.
    pub followers: Arc<Followers>,
    advances: Arc<Advances>,
    /// Of which messages were stored.
    pub(crate) arrived: Arc<Advances>,
    telemetry: Arc<Telemetry>,
    /// Who writes dockets: replicas share it, the sealing group has it alone.
    writing: Arc<RwLock<()>>,
    budget: Budget,
    /// Which of them have two histories.
    pub(crate) forks: Arc<Forks>,
    /// What of them the disk has changed.
    pub(crate) repairs: Arc<Repairs>,
    /// Whom the dockets come from, where that is a hub.
    pub(crate) hubs: Arc<Hubs>,
    /// Which of them everybody may know of.
    pub(crate) advertised: Arc<Advertised>,
    /// Wakes replicas that nobody serves.
    pub(crate) source_news: Arc<SourceNews>,
    /// What the system register says.
    pub(crate) blueprints: Arc<Blueprints>,
}

impl Registers {
    /// The registers of a store.
    #[must_use]
    pub fn new(store: Arc<dyn SealingStore>, telemetry: Arc<Telemetry>) -> Self {
        let advertised = Arc::<Advertised>::default();
        Self {
            store,
            heads: Arc::default(),
            standing: Arc::new(Standing::new(advertised.clone())),
            waiters: Arc::default(),
            outbox: Arc::default(),
            replication: Arc::default(),
            followers: Arc::default(),
            advances: Arc::default(),
            arrived: Arc::default(),
            telemetry,
            writing: Arc::default(),
            budget: Budget::default(),
            forks: Arc::default(),
            repairs: Arc::default(),
            hubs: Arc::default(),
            advertised,
            source_news: Arc::default(),
            blueprints: Arc::default(),
        }
    }

    /// With other numbers for what is accepted here.
    #[must_use]
    pub fn with_outbox(self, settings: OutboxSettings) -> Self {
        Self { outbox: Arc::new(Outbox::new(settings)), ..self }
    }

    /// Goes by other numbers from now on.
    pub(crate) fn tune(&self, replication: ReplicationSettings, outbox: OutboxSettings) {
        self.replication.send_if_modified(|known| std::mem::replace(known, replication) != replication);
        self.outbox.tune(outbox);
    }

    /// Takes note of what the store holds at the start.
    pub(crate) async fn begin(&self) -> Result<(), StoreError> {
        for (register, count) in self.counts().await? {
            self.heads.advance(register, count);
        }
        Ok(())
    }

    /// Looks up what the store holds by now, whoever has written it, and tells those who wait for more.
    pub async fn recall(&self) -> Result<(), StoreError> {
        for (register, count) in self.counts().await? {
            self.advance(register, count);
        }
        Ok(())
    }

    /// The register has come as far as `count` dockets.
    pub(crate) fn advance(&self, register: RegisterId, count: u64) {
        let more = self.heads.advance(register, count);
        self.telemetry.dockets_committed(more);
        if more > 0 {
            self.advances.add(register);
            self.advertised.look_again(&register);
        }
    }

    async fn counts(&self) -> Result<Vec<(RegisterId, u64)>, StoreError> {
        let held = self.store.registers().await?;
        let count = |held: &HeldDockets| held.certified_through.map(|through| (held.register, through + 1));
        Ok(held.iter().filter_map(count).collect())
    }

    /// Resolves when a committed docket that this node holds has the transaction, or when it is known that none will.
    pub async fn settled(&self, register: RegisterId, id: TransactionId) -> Result<Settled, NotTold> {
        let waiting = self.waiters.wait(register, id)?;
        let found = self.store.find(register, id, Seen::Certified).await;
        if let Some(place) = found.inspect_err(|error| self.repairs.note(error))? {
            return Ok(Settled::Committed(place));
        }
        waiting.settled().await.ok_or(NotTold::Ending)
    }

    /// As when the sealers refuse a transaction that this node has accepted.
    #[cfg(test)]
    pub(crate) fn tell_dead(&self, register: RegisterId, id: TransactionId, reason: &str) {
        self.waiters.tell(register, id, &Settled::Dead(reason.to_owned()));
    }

    /// Whether anybody waits for a transaction of the register.
    #[cfg(test)]
    pub(crate) fn waiters_of(&self, register: RegisterId) -> bool {
        self.waiters.has(register)
    }

    /// How much this node has accepted and does not know the fate of.
    #[must_use]
    pub fn outbox_figures(&self) -> OutboxFigures {
        self.outbox.figures()
    }

    /// The proof that a register has two histories: nothing more of it is taken here.
    #[must_use]
    pub fn fork(&self, register: RegisterId) -> Option<Arc<ForkProof>> {
        self.forks.of(register)
    }

    /// The hubs that this node goes between, and which of them the dockets come from.
    #[must_use]
    pub fn hubs(&self) -> HubStanding {
        self.hubs.standing()
    }

    /// How many blueprints the network has, as far as this node has read them.
    #[must_use]
    pub fn blueprint_figures(&self) -> BlueprintFigures {
        self.blueprints.figures()
    }

    /// How far this node has come with a register that it follows.
    #[must_use]
    pub fn progress(&self, register: RegisterId) -> Option<Progress> {
        self.standing.of(register)
    }
}

/// Why nobody is told what becomes of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotTold {
    /// So many wait already.
    #[error("too many wait to hear of transactions; look it up by its id")]
    TooMany,
    /// The node ends.
    #[error("the node ends; look the transaction up by its id at another")]
    Ending,
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
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

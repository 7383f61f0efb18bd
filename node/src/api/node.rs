//! What the REST interface, the probes and the metrics ask of the running node.

use crate::{
    driver::Clock,
    probes::Readiness,
    registers::{CreateRefused, NewRegister, OutboxFull, Registers},
};
use futures::future::BoxFuture;
use peerwright_engine::{
    AddressView, AdvertisementView, AutoBan, BanRecord, BanView, MemberView, Micros, PeerView, RegisterView, ScoreView,
    ServiceStatus, Statistics, SubmitRefusal, breaker::BreakerStatistics,
};
use peerwright_ledger::{Limits, Refusal, RegisterId, Transaction, TransactionBody};
use peerwright_sealing::GroupStatus;
use peerwright_secure::{NodePublicKey, PeerId};
use peerwright_snapshot::Snapshot;
use peerwright_store::Store;
use std::sync::Arc;
use thiserror::Error;

/// The running node. The shell implements it over the driver; tests over maps.
pub trait Node: Send + Sync + 'static {
    /// Who this node is.
    fn identity(&self) -> &Identity;

    /// The snapshot in force; `None` before the first one was verified. In `dev` mode: one made up by the node.
    fn snapshot(&self) -> Option<Arc<Snapshot>>;

    /// Whether this node may serve, as its probe says it.
    fn readiness(&self) -> Readiness;

    /// The store that the node writes to.
    fn store(&self) -> Arc<dyn Store>;

    /// The committed dockets of its registers.
    fn registers(&self) -> &Registers;

    /// The sealing group as this node sees it; `None` while it does not seal.
    fn sealing(&self) -> Option<GroupStatus>;

    /// Begins a register; answers when its docket 0 is committed.
    fn create_register(&self, new: NewRegister) -> BoxFuture<'_, Result<RegisterId, CreateRefused>>;

    /// The engine's own view of itself, of one moment.
    fn view(&self) -> BoxFuture<'_, Result<View, Gone>>;

    /// Whether enough peers are healthy, and the members that the engine knows, ordered by peer id.
    fn members(&self) -> BoxFuture<'_, Result<(ServiceStatus, Vec<MemberView>), Gone>>;

    /// What peers say they hold of registers, ordered by peer and register; nothing of those that are banned.
    fn advertisements(&self) -> BoxFuture<'_, Result<Vec<AdvertisementView>, Gone>>;

    /// Signs as this node; the body's author must be this node's key.
    fn sign(&self, body: TransactionBody) -> Result<Transaction, Refusal>;

    /// What this node takes of a transaction.
    fn limits(&self) -> Limits;

    /// Gives a transaction that was checked to the engine, and answers when it is durable here or refused.
    fn submit_checked(&self, transaction: Transaction) -> BoxFuture<'_, Result<(), SubmitRefused>>;

    /// Checks a transaction with the ledger against the limits, and submits it.
    fn submit(&self, transaction: Transaction) -> BoxFuture<'_, Result<(), SubmitRefused>> {
        Box::pin(async move {
            transaction.verify(Clock::wall().0, &self.limits())?;
            self.submit_checked(transaction).await
        })
    }

    /// Bans these peers on this node alone, from now on and in place of those before: gives them to the engine and to
    /// the handshake.
    fn apply_local_bans(&self, bans: Vec<BanRecord>) -> BoxFuture<'_, Result<(), Gone>>;

    /// Lifts the ban of a peer that this node has made by itself.
    fn lift_auto_ban(&self, peer: PeerId) -> BoxFuture<'_, Result<(), Gone>>;

    /// Forgets the failures of a peer, so that it is dialled at once, and says how many dials had failed in a row.
    fn reset_failures(&self, peer: PeerId) -> BoxFuture<'_, Result<u32, Gone>>;
}

/// Who a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name of the PeerNetwork.
    pub network: String,
    /// Its namespace.
    pub namespace: String,
    /// The node's name.
    pub node: String,
    /// Trust domain: the audience of tokens for this node.
    pub trust_domain: String,
    /// The node's key.
    pub public_key: NodePublicKey,
    /// The node's peer id.
    pub peer_id: PeerId,
    /// The life of this process.
    pub incarnation: u64,
    /// When this process started, unix microseconds.
    pub started_at: u64,
}

/// What the engine shows of itself.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The engine's clock, in which the times of peers are.
    pub now: Micros,
    /// Peers with a live link.
    pub peers: Vec<PeerView>,
    /// Known addresses.
    pub addresses: Vec<AddressView>,
    /// Bans in force.
    pub bans: Vec<BanView>,
    /// Bans that this node has made by itself, in force or over.
    pub auto_bans: Vec<AutoBan>,
    /// What this node thinks of the peers that it knows, by peer id.
    pub scores: Vec<ScoreView>,
    /// Registers held.
    pub registers: Vec<RegisterView>,
    /// Figures.
    pub statistics: Statistics,
    /// The breakers in front of addresses and carriers.
    pub breakers: BreakerStatistics,
}

/// Why a submitted transaction was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubmitRefused {
    /// The transaction itself is at fault.
    #[error(transparent)]
    Transaction(#[from] Refusal),
    /// The node cannot take it, or not now.
    #[error("the node did not take the transaction: {0}")]
    Node(SubmitRefusal),
    /// Too much waits for the sealers already.
    #[error(transparent)]
    OutboxFull(#[from] OutboxFull),
}

impl SubmitRefused {
    /// As a metric label and on the wire.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Transaction(refusal) => refusal.code(),
            Self::Node(refusal) => refusal.label(),
            Self::OutboxFull(_) => "outbox_full",
        }
    }
}

/// The node has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the node is stopping")]
pub struct Gone;

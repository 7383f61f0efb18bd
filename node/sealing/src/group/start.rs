//! Starting a sealer.

use super::{
    Group,
    forgetful::{Forgetful, Standing},
};
use crate::{
    Clock, SealingSettings, SettingRefused, Transport,
    build::{self, Queue},
    core::Core,
    durable::Durable,
    exchange,
    raft::{self, Ballot, Log, Machine, Network, Raft, SealerId},
    record,
    restore::{NotRestored, Restored, restore},
};
use peerwright_secure::{NodeKey, NodePublicKey};
use peerwright_store::SealingStore;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, atomic::AtomicBool},
};
use thiserror::Error;

/// What a sealer is made of.
pub struct GroupParts {
    /// The node's key: who it is, and what it signs dockets with.
    pub key: NodeKey,
    /// Where log and dockets are kept.
    pub store: Arc<dyn SealingStore>,
    /// The way to the other sealers.
    pub transport: Arc<dyn Transport>,
    /// The time: unix microseconds.
    pub clock: Clock,
    /// The group's numbers.
    pub settings: SealingSettings,
    /// Who may be a sealer. A request of anybody else is refused, unless the group has them as a member.
    pub permitted: BTreeSet<NodePublicKey>,
}

/// Why a sealer does not start.
#[derive(Debug, Error)]
pub enum NotStarted {
    /// A number is outside its range.
    #[error(transparent)]
    Settings(#[from] SettingRefused),
    /// The store does not hold what a sealer can begin with.
    #[error(transparent)]
    NotRestored(#[from] NotRestored),
    /// The log cannot be read.
    #[error("the sealer's log cannot be read: {0}")]
    Log(String),
}

impl Group {
    /// Starts a sealer with what its store holds. One that never was in a group waits until it is told to
    /// [`initialise`](Group::initialise) one, or is taken into one.
    pub async fn start(parts: GroupParts) -> Result<Self, NotStarted> {
        let GroupParts { key, store, transport, clock, settings, permitted } = parts;
        settings.check()?;
        let durable = Arc::new(Durable::default());
        let Restored { registers, has_begun } = restore(store.as_ref(), key.clone(), &durable).await?;
        let core = Arc::new(Core::new(key.clone(), Arc::clone(&store), clock, registers, Arc::clone(&durable)));
        let me = SealerId::from(key.public());
        let network = Network { me, transport: Arc::clone(&transport) };
        let machine = Machine { core: Arc::clone(&core) };
        let ballot = Arc::new(ballot(Arc::clone(&store), Arc::clone(&durable)).await?);
        let standing = match (ballot.is_behind().await, has_begun) {
            (true, _) => Standing::Behind,
            (false, false) => Standing::Empty,
            (false, true) => Standing::Whole,
        };
        let log = Log::new(store, Arc::clone(&ballot), Arc::clone(&durable));
        let raft = Raft::new(me, raft::config(&settings), network, log, machine);
        let raft = raft.await.map_err(|error| NotStarted::Log(error.to_string()))?;
        let (queue, submissions) = Queue::new(&settings);
        let exchange = exchange::run(Arc::clone(&core), Arc::clone(&transport), settings.certificate_retry);
        let builder = build::run(Arc::clone(&core), raft.clone(), settings.uncertified_dockets, submissions);
        let tasks = vec![
            tokio::spawn(record::run(Arc::clone(&core))),
            tokio::spawn(exchange),
            tokio::spawn(builder),
            tokio::spawn(watch(Arc::clone(&core), raft.clone())),
        ];
        Ok(Self {
            core,
            raft,
            transport,
            settings,
            queue,
            permitted: Mutex::new(permitted),
            forgetful: Forgetful::new(standing),
            ballot,
            changing: tokio::sync::Mutex::default(),
            is_leaving: AtomicBool::new(false),
            tasks: Mutex::new(tasks),
            _cancel: durable.cancelled.clone().drop_guard(),
        })
    }
}

async fn ballot(store: Arc<dyn SealingStore>, durable: Arc<Durable>) -> Result<Ballot, NotStarted> {
    Ballot::open(store, durable).await.map_err(|error| NotStarted::Log(error.to_string()))
}

/// Says who leads, and when the consensus library has ended by itself: it could not store its log.
async fn watch(core: Arc<Core>, raft: Raft) {
    let (mut metrics, mut leader) = (raft.metrics(), None);
    let failed = async {
        loop {
            {
                let metrics = metrics.borrow_and_update();
                if let Err(fatal) = &metrics.running_state {
                    return fatal.to_string();
                }
                if metrics.current_leader != leader {
                    leader = metrics.current_leader;
                    tracing::info!(leader = ?leader.map(SealerId::key), term = metrics.current_term, "the group's leader");
                }
            }
            if metrics.changed().await.is_err() {
                return "it ended without a word".to_owned();
            }
        }
    };
    tokio::select! {
        biased;
        () = core.cancelled() => {}
        why = failed => core.fail(format!("the log cannot be kept: {why}")),
    }
}

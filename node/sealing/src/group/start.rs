//! Starting a sealer.

use super::{
    Group,
    candidacy::{Candidacy, Candidate},
    forgetful::{Forgetful, Standing},
};
use crate::{
    Clock, SealingSettings, SettingRefused, Transport, TransportError,
    build::{self, Queue},
    core::Core,
    durable::Durable,
    exchange,
    mutant::{Mutant, is_mutant},
    raft::{self, Ballot, Kept, Log, Machine, Network, Raft, SealerId},
    record,
    restore::{NotRestored, Restored, restore},
    wire::{encode_ballot, in_generation},
};
use bytes::Bytes;
use futures::future::BoxFuture;
use peerwright_secure::{NodeKey, NodePublicKey};
use peerwright_store::{NewLog, SealingStore};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Duration,
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
    /// Which group it is of: 0 the network's first, a higher one that a sealer has begun alone. Who is of an earlier group
    /// lets go of its log, keeps its dockets, and is taken in anew.
    pub generation: u64,
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
    /// It is of a later group.
    #[error("the sealer is of generation {0} already, and is not to be of an earlier one")]
    LaterGeneration(u64),
    /// The log cannot be read.
    #[error("the sealer's log cannot be read: {0}")]
    Log(String),
}

impl Group {
    /// Starts a sealer with what its store holds. One that never was in a group waits until it is told to
    /// [`initialise`](Group::initialise) one, or is taken into one.
    pub async fn start(parts: GroupParts) -> Result<Self, NotStarted> {
        let GroupParts { key, store, transport, clock, settings, generation, permitted } = parts;
        settings.check()?;
        let durable = Arc::new(Durable::default());
        let ballot = Arc::new(ballot(&store, &durable, generation).await?);
        let transport: Arc<dyn Transport> = Arc::new(InGeneration { transport, generation });
        let Restored { registers, has_begun } = restore(store.as_ref(), key.clone(), &durable).await?;
        let core = Arc::new(Core::new(key.clone(), Arc::clone(&store), clock, registers, Arc::clone(&durable)));
        let me = SealerId::from(key.public());
        let network = Network { me, transport: Arc::clone(&transport) };
        let machine = Machine { core: Arc::clone(&core) };
        let standing = match (ballot.is_behind().await, has_begun) {
            _ if is_mutant(Mutant::ForgetsThatItForgot) => Standing::Whole,
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
        let candidacy = Arc::new(Candidacy::new());
        let candidate = Candidate {
            core: Arc::clone(&core),
            raft: raft.clone(),
            transport: Arc::clone(&transport),
            candidacy: Arc::clone(&candidacy),
        };
        let tasks = vec![
            tokio::spawn(record::run(Arc::clone(&core))),
            tokio::spawn(exchange),
            tokio::spawn(builder),
            tokio::spawn(candidate.run()),
            tokio::spawn(watch(Arc::clone(&core), raft.clone())),
        ];
        let group = Self {
            core,
            raft,
            transport,
            settings,
            queue,
            permitted: Mutex::new(permitted),
            generation,
            forgetful: Forgetful::new(standing),
            ballot,
            changing: tokio::sync::Mutex::default(),
            is_leaving: AtomicBool::new(false),
            candidacy,
            tasks: Mutex::new(tasks),
            _cancel: durable.cancelled.clone().drop_guard(),
        };
        group.stand();
        Ok(group)
    }
}

/// What was voted in this generation. Of an earlier group nothing counts any more: its log is let go of.
async fn ballot(store: &Arc<dyn SealingStore>, durable: &Arc<Durable>, generation: u64) -> Result<Ballot, NotStarted> {
    let open = || async {
        let opened = Ballot::open(Arc::clone(store), Arc::clone(durable)).await;
        opened.map_err(|error| NotStarted::Log(error.to_string()))
    };
    let ballot = open().await?;
    match ballot.generation().await {
        before if before == generation => return Ok(ballot),
        later if later > generation => return Err(NotStarted::LaterGeneration(later)),
        before => tracing::warn!(before, now = generation, "the sealer lets go of the log of an earlier group"),
    }
    // There is a group that has more than it.
    let kept = Kept { is_behind: true, generation, ..Kept::default() };
    let log = NewLog { vote: encode_ballot(&kept), ..NewLog::default() };
    let begun = durable.write(|| store.begin_log(Vec::new(), log.clone())).await;
    begun.map_err(|error| NotStarted::Log(error.to_string()))?;
    open().await
}

/// Names the group in each request.
struct InGeneration {
    transport: Arc<dyn Transport>,
    generation: u64,
}

impl Transport for InGeneration {
    fn call(
        &self,
        to: NodePublicKey,
        request: Bytes,
        patience: Duration,
    ) -> BoxFuture<'static, Result<Bytes, TransportError>> {
        self.transport.call(to, in_generation(request, self.generation), patience)
    }
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

//! The group as the node sees it.

mod candidacy;
mod change;
mod forgetful;
mod handover;
mod inquiry;
mod serve;
mod start;
mod status;

pub use change::Sealers;
pub use start::{GroupParts, NotStarted};
pub use status::GroupStatus;

use crate::{
    Follower, GroupRefused, Outcome, SealingSettings,
    build::Queue,
    command::Command,
    core::Core,
    propose::propose,
    raft::{self, Ballot, Raft},
    snapshot::MAX_REGISTERS,
    transport::Transport,
    wire::{Answer, Request},
};
use bytes::Bytes;
use candidacy::Candidacy;
use forgetful::Forgetful;
use peerwright_ledger::{Chain, RegisterId, SealedDocket};
use peerwright_secure::NodePublicKey;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    time::Duration,
};
use tokio::task::JoinHandle;
use tokio_util::sync::DropGuard;

/// How long another sealer is given to say whether it has a group.
const BEGUN_PATIENCE: Duration = Duration::from_secs(2);

/// One sealer of a group: takes part in the log, signs, and stores what is certified.
pub struct Group {
    core: Arc<Core>,
    raft: Raft,
    transport: Arc<dyn Transport>,
    settings: SealingSettings,
    queue: Queue,
    permitted: Mutex<BTreeSet<NodePublicKey>>,
    generation: u64,
    forgetful: Forgetful,
    ballot: Arc<Ballot>,
    /// The members are being changed, or leadership is handed over: nothing else of the kind, and no new register.
    changing: tokio::sync::Mutex<()>,
    is_leaving: AtomicBool,
    candidacy: Arc<Candidacy>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    _cancel: DropGuard,
}

impl Group {
    /// Makes the first members of a group that has none. All of them may be told, with the same members, again and again
    /// until the group stands; nothing happens when it does. Refused until all others have answered that they have no group:
    /// a sealer that has lost its volume must not begin another one. A later group is begun by who [goes on
    /// alone](crate::go_on_alone), and not here.
    pub async fn initialise(&self, sealers: BTreeSet<NodePublicKey>) -> Result<(), GroupRefused> {
        use openraft::error::{InitializeError, RaftError};
        if self.generation > 0 {
            return Ok(());
        }
        for sealer in sealers.iter().filter(|sealer| **sealer != self.core.me()) {
            let answer = self.transport.call(*sealer, Request::Begun.encode(), BEGUN_PATIENCE).await;
            match answer.map(|answer| Answer::decode(&answer)) {
                Ok(Ok(Answer::Begun(false))) => {}
                Ok(Ok(Answer::Begun(true))) => return Ok(()),
                _ => return Err(GroupRefused::Unanswered(*sealer)),
            }
        }
        let members: BTreeSet<_> = sealers.into_iter().map(crate::raft::SealerId::from).collect();
        match self.raft.initialize(members).await {
            Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
            Err(RaftError::APIError(InitializeError::NotInMembers(_))) => Err(GroupRefused::OtherSealers),
            Err(RaftError::Fatal(_)) => Err(GroupRefused::Stopped),
        }
    }

    /// Hands in transactions of a register, in the order in which they are to be sealed; resolves when each has its
    /// outcome, in the same order. Their authors' signatures are not looked at: whoever hands in has verified them.
    ///
    /// Handing the same in again, here or at another sealer, seals it once.
    pub async fn submit(&self, register: RegisterId, transactions: Vec<Bytes>) -> Result<Vec<Outcome>, GroupRefused> {
        self.check_leading()?;
        let remembered = self.core.registers(|registers| {
            registers.get(&register).map(|_| registers.remembered()).ok_or(GroupRefused::UnknownRegister(register))
        })?;
        if self.is_stranded(&register) {
            return Err(GroupRefused::Stranded(register));
        }
        if remembered >= usize::try_from(self.settings.remembered_transactions).unwrap_or(usize::MAX) {
            return Err(GroupRefused::MemoryFull);
        }
        let answer = self.queue.push(register, transactions, self.core.now())?;
        answer.await.unwrap_or(Err(GroupRefused::Stopped))
    }

    /// Begins a register: `genesis` is its docket 0, which must name the group's members as its sealers. Resolves when the
    /// docket has its certificate.
    pub async fn create(&self, genesis: SealedDocket) -> Result<RegisterId, GroupRefused> {
        let (header, body) = genesis;
        let _changing = self.changing.try_lock().map_err(|_| GroupRefused::Changing)?;
        self.check_leading()?;
        let chain = Chain::begin_uncertified(&header, &body)?;
        let register = chain.register();
        if *chain.governance().sealers().sealers() != self.voters() {
            return Err(GroupRefused::OtherSealers);
        }
        let (exists, count) =
            self.core.registers(|registers| (registers.get(&register).is_some(), registers.ids().len()));
        if exists {
            return Err(GroupRefused::RegisterExists(register));
        }
        if count >= MAX_REGISTERS {
            return Err(GroupRefused::TooManyRegisters);
        }
        match propose(&self.raft, Command { header, body }).await? {
            raft::Answer::Formed { number, .. } => self.certified(register, number).await.map(|()| register),
            raft::Answer::Stale | raft::Answer::Nothing => Err(GroupRefused::RegisterExists(register)),
        }
    }

    /// Certified dockets from now on, those of one register in the order of their numbers.
    #[must_use]
    pub fn follow(&self) -> Follower {
        self.core.tail.follow()
    }

    /// The register as far as its dockets are certified and stored here.
    #[must_use]
    pub fn chain(&self, register: &RegisterId) -> Option<Chain> {
        self.core.registers(|registers| registers.get(register)?.certified().cloned())
    }

    /// Resolves with the cause when this sealer has ended by itself: its store has failed. Otherwise it stays pending.
    pub async fn failed(&self) -> String {
        let mut failed = self.core.failed.subscribe();
        match failed.wait_for(Option::is_some).await.map(|why| why.clone()) {
            Ok(Some(why)) => why,
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Ends the sealer; what was not certified goes on at the others, and here after the next start.
    pub async fn stop(&self) {
        self.core.durable.cancelled.cancel();
        if self.raft.shutdown().await.is_err() {
            tracing::warn!("the consensus library did not end cleanly; nothing is lost");
        }
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            if let Err(error) = task.await {
                tracing::warn!(%error, "a task of the sealer did not end cleanly; nothing is lost");
            }
        }
        // What is being stored for a snapshot is stored, or never will be.
        drop(self.core.writing.lock().await);
    }

    /// Waits until a docket is stored with its certificate.
    async fn certified(&self, register: RegisterId, number: u64) -> Result<(), GroupRefused> {
        let waiting = self.core.registers(|registers| registers.wait(register, number));
        match waiting {
            None => Ok(()),
            Some(waiting) => tokio::select! {
                biased;
                () = self.core.cancelled() => Err(GroupRefused::Stopped),
                stored = waiting => stored.map_err(|_| GroupRefused::Stopped),
            },
        }
    }
}

//! One register followed: dockets from its sources, verified and stored, and from another source when one fails.
//!
//! ```text
//! sources ─▶ SourceStream ──┬─ far behind ─▶ catch_up: headers, then bodies from several ─┬─▶ Writer ─▶ store: dockets
//!    ▲                      └─ otherwise ──▶ live: the cursor stream ─────────────────────┘            and checkpoint
//!    │                                          │ refused, silent, gone                       credit goes back,
//!    └── the next, and a wait ──────────────────┘                                             heads advance
//! ```
//!
//! Receiving, verifying and storing go on at the same time, each as far as what lies behind it has room. A run that ends
//! anywhere goes on behind the last docket stored, for each is stored with the checkpoint behind it.

mod audit;
mod budget;
mod catch_up;
mod ended;
mod fetch;
mod fork;
mod forward;
mod live;
mod ranges;
mod rest;
mod settings;
mod source;
mod stretch;
mod writer;

pub(crate) use audit::Audit;
pub(crate) use budget::Budget;
pub(super) use fetch::fetch_from_all;
pub use settings::{ReplicationSettingRefused, ReplicationSettings};

use super::{
    Registers,
    sources::{LeftSources, Sources},
};
use crate::{driver::Clock, tls::fill_random};
use ended::Ended;
use peerwright_ledger::{CertifiedHeader, Chain, Docket, DocketBody, RegisterId, Verify, register::VerifyPolicy};
use peerwright_secure::PeerId;
use peerwright_snapshot::ReplicaMode;
use peerwright_store::{NewDocket, Store, StoreError};
use rest::Rest;
use source::{BODIES_WITHIN, SourceStream};
use std::{convert::Infallible, sync::Arc, time::Duration};
use stretch::take_control;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

/// Who lacks fewer dockets than this needs no more than the cursor stream.
const CATCH_UP_FROM: u64 = 64;
/// A source that served so long was a good one, as one is that brought a docket: the next round comes soon.
const GOOD: Duration = Duration::from_secs(30);
/// Who follows others may follow this node, or one that does: what is sealed would then reach none of them. When nothing
/// has come from such a source for so long, it is left for the next of the others ...
const IDLE: Duration = Duration::from_secs(10);
/// ... and where a sealer is in reach, for that one, after so long, whether something comes or not; each time that a sealer
/// had nothing either, twice that.
const NEARER: Duration = Duration::from_millis(500);

/// Follows one register until it is dropped.
pub(crate) struct Replica {
    pub(crate) register: RegisterId,
    pub(crate) mode: ReplicaMode,
    pub(crate) registers: Registers,
    pub(crate) messages: Arc<dyn Store>,
    pub(crate) sources: Sources,
    /// As they are set now.
    pub(crate) settings: watch::Receiver<ReplicationSettings>,
}

impl Replica {
    /// Goes from source to source. Ends by itself only when the register has two histories.
    pub(crate) async fn run(self) {
        let (register, standing) = (self.register, self.registers.standing.clone());
        standing.begin(register, self.mode, self.registers.heads.count(register));
        if let Some(proof) = self.registers.forks.of(register) {
            return standing.frozen(register, fork::message(&proof));
        }
        let mut rest = Rest::new(&self.sources.hubs, self.registers.source_news.of(register));
        let (mut left, mut nearer) = (LeftSources::default(), NEARER);
        loop {
            let begun = Instant::now();
            rest.begin_round();
            let next = self.registers.heads.count(register);
            let mut sources = self.sources.of(register, next, &mut left).await;
            for _ in 0..sources.len() {
                let [primary, others @ ..] = sources.as_slice() else { break };
                let before = self.registers.heads.count(register);
                let ended = match self.round(*primary, others, nearer).await {
                    Ok(never) => match never {},
                    Err(ended) => ended,
                };
                self.left(*primary, &ended).await;
                if self.registers.heads.count(register) > before && !self.sources.is_makeshift(*primary) {
                    // A sealer had something: the next is looked for as soon.
                    nearer = NEARER;
                }
                match ended {
                    Ended::Fork(proof) => return self.freeze(*proof).await,
                    // No failure of the register's.
                    Ended::NotHeld | Ended::Leaderless => left.add(*primary),
                    // It is told already.
                    Ended::Stalled => {}
                    // From the first again.
                    Ended::Turned => break,
                    Ended::Idle => {
                        rest.was_good();
                        if self.sources.has_nearer().await {
                            nearer = IDLE.min(nearer * 2);
                            break;
                        }
                    }
                    ended => {
                        left.add(*primary);
                        let failures_to_error = self.set().failures_to_error;
                        let (code, now) = (ended.code(), Clock::wall().0);
                        standing.failed(register, code, ended.to_string(), failures_to_error, now);
                    }
                }
                sources.rotate_left(1);
            }
            let has_moved = self.registers.heads.count(register) > next;
            if has_moved || begun.elapsed() > GOOD {
                rest.was_good();
            }
            rest.until_next().await;
        }
    }

    /// What is set now.
    fn set(&self) -> ReplicationSettings {
        *self.settings.borrow()
    }

    /// Resolves when the register is behind and has not moved for too long.
    async fn stalled(&self) {
        loop {
            sleep(self.set().deadline / 10).await;
            if self.registers.standing.stalls(self.register, self.set().deadline, Clock::wall().0) {
                return;
            }
        }
    }

    /// Resolves when a source that follows others is to be left: for a sealer, looked for every `nearer` once there is little
    /// left to fetch, also while dockets come, for such a source may itself be the next to go; or for any other that has been
    /// heard of since, when nothing has come for long.
    async fn idles(&self, source: PeerId, nearer: Duration) {
        let mut heads = self.registers.heads.watch(self.register);
        let mut heard = Instant::now();
        loop {
            sleep(nearer).await;
            // Its sender lives as long as this node.
            if heads.has_changed().unwrap_or_default() {
                heads.mark_unchanged();
                heard = Instant::now();
            }
            let progress = self.registers.standing.of(self.register);
            let Some(progress) = progress.filter(|progress| progress.source == Some(source)) else { continue };
            if !progress.is_within(CATCH_UP_FROM) || !self.sources.is_makeshift(source) {
                continue;
            }
            if self.sources.has_nearer().await || heard.elapsed() >= IDLE && self.has_others(source).await {
                return;
            }
        }
    }

    /// Whether there is another source to ask.
    async fn has_others(&self, source: PeerId) -> bool {
        let next = self.registers.heads.count(self.register);
        let known = self.sources.of(self.register, next, &mut LeftSources::default()).await;
        known.iter().any(|other| *other != source)
    }

    /// A source is left: counted, and reported when it gave what no honest one gives.
    async fn left(&self, source: PeerId, ended: &Ended) {
        tracing::debug!(register = %self.register, %source, %ended, "a source was left");
        self.registers.telemetry.source_left(ended.code());
        if let Some(evidence) = ended.offence() {
            tracing::warn!(register = %self.register, %source, %ended, "a source gave what does not verify");
            self.sources.misbehaved(source, evidence).await;
        }
    }

    /// Where the last run ended; `None` where nothing is held. What a node holds from the middle on is let go of when it
    /// is to hold all: until docket 0 is here again it holds nothing, and says so.
    async fn resume(&self) -> Result<Option<Chain>, Ended> {
        let store = &self.registers.store;
        let first = store.held_dockets(self.register).await?.map_or(0, |held| held.first);
        if first > 0 && self.mode == ReplicaMode::FullReplica {
            tracing::info!(register = %self.register, first, "the register is fetched anew from docket 0 on");
            return self.begin_anew().await;
        }
        self.registers.standing.begins_at(self.register, first);
        match store.checkpoint(self.register).await {
            Ok(checkpoint) => Ok(checkpoint.map(|checkpoint| Chain::decode(&checkpoint)).transpose()?),
            Err(error @ StoreError::CorruptCheckpoint(_)) => {
                tracing::warn!(register = %self.register, %error, "the register is fetched anew");
                self.begin_anew().await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Lets go of what is held.
    async fn begin_anew(&self) -> Result<Option<Chain>, Ended> {
        let writing = self.registers.writing.read().await;
        // Before it is gone: nobody is told that it is still here.
        self.registers.heads.reset(self.register);
        self.registers.store.purge_dockets(self.register).await?;
        drop(writing);
        let (standing, now) = (&self.registers.standing, Clock::wall().0);
        standing.begins_at(self.register, 0);
        standing.lost(self.register, 0, now);
        Ok(None)
    }

    /// Follows a source until it fails, stalls, or is left for another. Bodies come from the others too while there is much to
    /// fetch.
    async fn round(&self, primary: PeerId, others: &[PeerId], nearer: Duration) -> Result<Infallible, Ended> {
        let chain = self.resume().await?;
        let (mut stream, chain) = tokio::select! {
            biased;
            agreed = Box::pin(self.agree(primary, chain)) => agreed?,
            () = self.stalled() => return Err(Ended::Stalled),
        };
        let next = next_number(chain.as_ref());
        let chain = match chain {
            Some(chain) if stream.holds.end.saturating_sub(next) < CATCH_UP_FROM => chain,
            chain => Box::pin(self.catch_up(&mut stream, chain, others)).await?,
        };
        self.live(stream, chain, nearer).await
    }

    /// Begins to follow a source, and with it the register where nothing is held. Nothing is written here.
    async fn agree(&self, primary: PeerId, mut chain: Option<Chain>) -> Result<(SourceStream, Option<Chain>), Ended> {
        let next = next_number(chain.as_ref());
        let mut stream = SourceStream::open(&self.sources, self.register, primary, next).await?;
        self.registers.standing.heard(self.register, primary, stream.holds.end, Clock::wall().0);
        match &chain {
            Some(chain) => self.compare(&mut stream, chain).await?,
            None if self.mode == ReplicaMode::ForwardOnly => {
                chain = self.begin_forward(&mut stream).await?;
                let first = next_number(chain.as_ref());
                self.registers.standing.begins_at(self.register, first);
            }
            None => {}
        }
        Ok((stream, chain))
    }
}

/// The number of the docket that comes behind a chain.
fn next_number(chain: Option<&Chain>) -> u64 {
    chain.map_or(0, |chain| chain.head().number + 1)
}

/// Takes a docket that governs a register: who signs what follows depends on its body.
async fn govern(
    registers: &Registers,
    stream: &mut SourceStream,
    register: RegisterId,
    chain: Option<Chain>,
    control: CertifiedHeader,
) -> Result<(Chain, NewDocket), Ended> {
    let CertifiedHeader { header, certificate } = control;
    stream.ask_bodies(header.number, 1).await?;
    let bodies = timeout(BODIES_WITHIN, stream.bodies()).await.map_err(|_| Ended::Silent)??;
    let body = bodies.into_iter().next().ok_or(Ended::Short)?;
    let now = Clock::wall().0;
    let taking = move || {
        let body = DocketBody::decode(body.clone()).map_err(|error| Ended::Malformed(error, body))?;
        take_control(register, chain, &Docket { header, certificate, body }, now)
    };
    registers.budget.verify(taking).await
}

/// How much is checked of a docket's transactions. Which ones are the sample nobody can foresee.
fn level(policy: VerifyPolicy) -> Verify {
    let mut secret = [0; 8];
    match fill_random(&mut secret) {
        Ok(()) => policy.with_secret(u64::from_be_bytes(secret)),
        // Without randomness nothing is left to chance.
        Err(_) => Verify::EveryTransaction,
    }
}

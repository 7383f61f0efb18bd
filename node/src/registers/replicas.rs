//! Which registers this node follows: those that the snapshot subscribes it to, unless it seals them itself. And which it
//! deletes.
//!
//! ```text
//! snapshot ─▶ no longer wanted, or otherwise ─▶ ended, awaited ─▶ to be purged? ─▶ messages, dockets, proofs deleted
//!          └▶ wanted ─▶ Replica
//! ```

use super::{
    Callers, Hubs, Registers, Unreached,
    replica::{Audit, Replica},
};
use crate::{link::MemberConnection, member::Membership};
use bytes::Bytes;
use peerwright_ledger::RegisterId;
use peerwright_secure::{PeerId, sha256};
use peerwright_snapshot::{ReplicaMode, Topology};
use peerwright_store::{Store, StoreError};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

/// Sources asked beside the sealers.
const OTHERS: usize = 3;

/// A purge that the store did not do is tried again after this time.
const PURGE_AGAIN: Duration = Duration::from_secs(5);

/// A replica that runs, until this is dropped.
struct Followed {
    mode: ReplicaMode,
    task: AbortOnDropHandle<()>,
}

/// Begins and ends replicas as snapshots come.
pub(crate) struct Replicas {
    pub(crate) registers: Registers,
    /// Where proofs of forks are kept, and messages.
    pub(crate) messages: Arc<dyn Store>,
    pub(crate) membership: Arc<Membership>,
    pub(crate) callers: Arc<Callers>,
}

impl Replicas {
    /// Runs until it is dropped; every replica ends with it.
    pub(crate) async fn run(self) {
        if let Err(error) = self.registers.forks.load(&*self.messages).await {
            // They are found again by whoever serves the other history.
            tracing::error!(%error, "the proofs of forks cannot be read");
        }
        let settings = self.registers.replication.subscribe();
        let audit = Audit { registers: self.registers.clone(), sources: self.sources(), settings };
        tokio::select! {
            biased;
            () = self.follow() => {}
            () = audit.run() => {}
        }
    }

    /// Follows and purges what the snapshot says.
    async fn follow(&self) {
        let mut snapshots = self.membership.watch_snapshot();
        let mut followed: BTreeMap<RegisterId, Followed> = BTreeMap::new();
        let mut purged = BTreeSet::new();
        loop {
            let (wanted, purges) = self.wanted();
            let is_as_wanted =
                |register: &RegisterId, replica: &mut Followed| wanted.get(register) == Some(&replica.mode);
            let ended: Vec<_> = followed.extract_if(.., |register, row| !is_as_wanted(register, row)).collect();
            for (register, Followed { task, .. }) in ended {
                task.abort();
                // What it handed to the store comes before what follows here.
                drop(task.await);
                self.registers.standing.forget(register);
            }
            for (register, mode) in wanted {
                followed.entry(register).or_insert_with(|| {
                    let task = AbortOnDropHandle::new(tokio::spawn(self.replica(register, mode)));
                    Followed { mode, task }
                });
            }
            purged.retain(|register| purges.contains(register));
            let mut is_left = false;
            for register in purges {
                if !purged.contains(&register) {
                    match self.purge(register).await {
                        Ok(()) => drop(purged.insert(register)),
                        Err(error) => {
                            tracing::warn!(%register, %error, "a register is not purged yet");
                            is_left = true;
                        }
                    }
                }
            }
            tokio::select! {
                biased;
                changed = snapshots.changed() => if changed.is_err() { return },
                () = sleep(PURGE_AGAIN), if is_left => {}
            }
        }
    }

    /// The registers to follow, and those to delete.
    fn wanted(&self) -> (BTreeMap<RegisterId, ReplicaMode>, BTreeSet<RegisterId>) {
        let Some(current) = self.membership.snapshot() else { return Default::default() };
        let (content, own) = (&current.snapshot.content, self.membership.peer_id());
        let purges = content.purged_by(&own).map(|register| RegisterId::from_bytes(*register)).collect();
        if content.sealers.contains(&own) {
            return (BTreeMap::new(), purges);
        }
        let held = content.held_by(self.membership.spiffe().node());
        (held.map(|(register, mode)| (RegisterId::from_bytes(*register), mode)).collect(), purges)
    }

    /// Deletes all that is here of a register which nobody follows any more.
    async fn purge(&self, register: RegisterId) -> Result<(), StoreError> {
        self.registers.advertised.forget(&*self.messages, register).await?;
        let writing = self.registers.writing.read().await;
        let messages = self.messages.purge(register).await?.messages;
        let dockets = self.registers.store.purge_dockets(register).await?;
        drop(writing);
        self.registers.forks.forget(&*self.messages, register).await?;
        self.registers.heads.reset(register);
        if messages + dockets > 0 {
            tracing::info!(%register, messages, dockets, "a register was deleted");
        }
        Ok(())
    }

    fn replica(&self, register: RegisterId, mode: ReplicaMode) -> impl Future<Output = ()> + Send + use<> {
        let settings = self.registers.replication.subscribe();
        let (registers, messages) = (self.registers.clone(), self.messages.clone());
        Replica { register, mode, registers, messages, sources: self.sources(), settings }.run()
    }

    fn sources(&self) -> Sources {
        let hubs = self.registers.hubs.clone();
        Sources { membership: self.membership.clone(), callers: self.callers.clone(), hubs }
    }
}

/// Whom a register is followed from.
pub(crate) struct Sources {
    pub(crate) membership: Arc<Membership>,
    pub(crate) callers: Arc<Callers>,
    pub(crate) hubs: Arc<Hubs>,
}

impl Sources {
    /// Whom to ask, in order: the sealers, then a few others that are alive, or where hubs hand dockets on a few of these.
    /// Each node and register has its own order, so that no source serves all. Who has a hub asks the active one alone.
    /// Nobody in a network that has no sealers.
    pub(super) async fn of(&self, register: RegisterId) -> Vec<PeerId> {
        let own = self.membership.peer_id();
        let Some(current) = self.membership.snapshot() else { return Vec::new() };
        let content = &current.snapshot.content;
        let sealers = &content.sealers;
        if sealers.is_empty() {
            return Vec::new();
        }
        if content.upstreams_of(&own).is_some() {
            return self.hubs.active().into_iter().collect();
        }
        let hubs: Option<BTreeSet<&PeerId>> =
            (content.topology == Topology::Hub).then(|| content.hubs.iter().collect());
        let may_serve = |peer: &PeerId| sealers.contains(peer) || hubs.as_ref().is_none_or(|hubs| hubs.contains(peer));
        let mut members = self.callers.alive().await;
        members.retain(|peer| *peer != own && may_serve(peer));
        members.sort_by_cached_key(|peer| {
            let drawn = sha256(&[own.as_bytes().as_slice(), register.as_bytes(), peer.as_bytes()].concat());
            (!sealers.contains(peer), drawn)
        });
        members.truncate(sealers.len() + OTHERS);
        members
    }

    /// Whether a source follows others: it neither seals nor is this node's hub.
    pub(super) fn is_makeshift(&self, source: PeerId) -> bool {
        let Some(current) = self.membership.snapshot() else { return false };
        let content = &current.snapshot.content;
        !content.sealers.contains(&source) && content.upstreams_of(&self.membership.peer_id()).is_none()
    }

    /// Whether a sealer can be reached.
    pub(super) async fn has_nearer(&self) -> bool {
        let Some(current) = self.membership.snapshot() else { return false };
        for sealer in &current.snapshot.content.sealers {
            if self.callers.reach(*sealer).await.is_ok() {
                return true;
            }
        }
        false
    }

    /// Reports what a source has given that does not verify, with the bytes that show it.
    pub(super) async fn misbehaved(&self, source: PeerId, evidence: Bytes) {
        self.callers.misbehaved(source, evidence).await;
    }

    pub(super) async fn reach(&self, source: PeerId) -> Result<Arc<MemberConnection>, Unreached> {
        self.callers.reach(source).await
    }
}

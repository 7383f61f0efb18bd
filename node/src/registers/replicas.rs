//! Which registers this node follows: those that the snapshot subscribes it to, unless it seals them itself. And which it
//! deletes.
//!
//! ```text
//! snapshot ─▶ no longer wanted, or otherwise ─▶ ended, awaited ─▶ to be purged? ─▶ messages, dockets, proofs deleted
//!          └▶ wanted ─▶ Replica
//! ```

use super::{
    Callers, Registers,
    replica::{Audit, Replica},
    sources::Sources,
};
use crate::member::Membership;
use peerwright_ledger::RegisterId;
use peerwright_snapshot::ReplicaMode;
use peerwright_store::{Store, StoreError};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

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
                self.registers.source_news.forget(register);
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
        Sources::new(&self.registers, &self.membership, &self.callers)
    }
}

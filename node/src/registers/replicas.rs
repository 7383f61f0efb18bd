//! Which registers this node follows: those that the snapshot subscribes it to, unless it seals them itself.

use super::{Callers, Registers, Unreached, replica::Replica};
use crate::{link::MemberConnection, member::Membership};
use peerwright_ledger::RegisterId;
use peerwright_secure::{PeerId, sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::task::{AbortHandle, JoinSet};

/// Sources asked beside the sealers.
const OTHERS: usize = 3;

/// Begins and ends replicas as snapshots come.
pub(crate) struct Replicas {
    pub(crate) registers: Registers,
    pub(crate) membership: Arc<Membership>,
    pub(crate) callers: Arc<Callers>,
}

impl Replicas {
    /// Runs until it is dropped; every replica ends with it.
    pub(crate) async fn run(self) {
        let mut snapshots = self.membership.watch_snapshot();
        let mut tasks = JoinSet::new();
        let mut followed: BTreeMap<RegisterId, AbortHandle> = BTreeMap::new();
        loop {
            let wanted = self.wanted();
            followed.retain(|register, replica| {
                let is_wanted = wanted.contains(register);
                if !is_wanted {
                    replica.abort();
                    self.registers.standing.forget(*register);
                }
                is_wanted
            });
            for register in wanted {
                followed.entry(register).or_insert_with(|| tasks.spawn(self.replica(register)));
            }
            tokio::select! {
                biased;
                changed = snapshots.changed() => if changed.is_err() { return },
                // One that was ended.
                Some(_) = tasks.join_next() => {}
            }
        }
    }

    fn wanted(&self) -> BTreeSet<RegisterId> {
        let Some(current) = self.membership.snapshot() else { return BTreeSet::new() };
        let content = &current.snapshot.content;
        if content.sealers.contains(&self.membership.peer_id()) {
            return BTreeSet::new();
        }
        content.subscriptions.iter().map(|row| RegisterId::from_bytes(row.register)).collect()
    }

    fn replica(&self, register: RegisterId) -> impl Future<Output = ()> + Send + use<> {
        let sources = Sources { membership: self.membership.clone(), callers: self.callers.clone() };
        Replica { register, registers: self.registers.clone(), sources }.run()
    }
}

/// Whom a register is followed from.
pub(super) struct Sources {
    membership: Arc<Membership>,
    callers: Arc<Callers>,
}

impl Sources {
    /// Whom to ask, in order: the sealers, then a few others that are alive. Each node and register has its own order, so
    /// that no source serves all. Nobody in a network that has no sealers.
    pub(super) async fn of(&self, register: RegisterId) -> Vec<PeerId> {
        let own = self.membership.peer_id();
        let current = self.membership.snapshot();
        let sealers = current.as_ref().map(|current| &current.snapshot.content.sealers);
        let Some(sealers) = sealers.filter(|sealers| !sealers.is_empty()) else { return Vec::new() };
        let mut members = self.callers.alive().await;
        members.retain(|peer| *peer != own);
        members.sort_by_cached_key(|peer| {
            let drawn = sha256(&[own.as_bytes().as_slice(), register.as_bytes(), peer.as_bytes()].concat());
            (!sealers.contains(peer), drawn)
        });
        members.truncate(sealers.len() + OTHERS);
        members
    }

    pub(super) async fn reach(&self, source: PeerId) -> Result<Arc<MemberConnection>, Unreached> {
        self.callers.reach(source).await
    }
}

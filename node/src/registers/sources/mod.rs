//! Whom a register is followed from.
//!
//! ```text
//! snapshot: sealers, hubs ─┐
//! members that are alive ──┼─▶ Sources ─▶ sealers, then those known to hold it, then others ─▶ Replica, Audit
//! what peers say they hold ┘
//! ```

mod news;
mod order;

pub(crate) use news::{NewsOf, SourceNews};
pub(crate) use order::LeftSources;

use super::{Callers, Hubs, Registers, Unreached};
use crate::{link::MemberConnection, member::Membership};
use bytes::Bytes;
use order::{Candidate, order};
use peerwright_engine::{HolderView, HolderWord};
use peerwright_ledger::RegisterId;
use peerwright_secure::{MemberCertificate, PeerId, sha256};
use peerwright_snapshot::Topology;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Sources asked beside the sealers.
const OTHERS: usize = 3;

/// Whom a register is followed from.
pub(crate) struct Sources {
    pub(super) membership: Arc<Membership>,
    pub(super) callers: Arc<Callers>,
    pub(super) hubs: Arc<Hubs>,
}

impl Sources {
    pub(crate) fn new(registers: &Registers, membership: &Arc<Membership>, callers: &Arc<Callers>) -> Self {
        Self { membership: membership.clone(), callers: callers.clone(), hubs: registers.hubs.clone() }
    }

    /// Whom to ask for a register of which docket `next` is needed, in order: the sealers, then a few others that are
    /// alive, those first that are known to hold it. Where hubs hand dockets on the others are hubs, and who has a hub asks
    /// the active one alone. Each node and register has its own order among equals, so that no source serves all. Nobody in
    /// a network that has no sealers.
    pub(crate) async fn of(&self, register: RegisterId, next: u64, left: &mut LeftSources) -> Vec<PeerId> {
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
        let mut alive = self.callers.alive().await;
        alive.retain(|peer| *peer != own);
        let draw = |peer: PeerId| {
            let drawn = sha256(&[own.as_bytes().as_slice(), register.as_bytes(), peer.as_bytes()].concat());
            Candidate { peer, word: None, drawn }
        };
        let (sealing, others): (Vec<_>, Vec<_>) =
            alive.into_iter().map(draw).partition(|one| sealers.contains(&one.peer));
        let others = match content.topology {
            Topology::Hub => {
                let hubs: BTreeSet<&PeerId> = content.hubs.iter().collect();
                by_lot(others.into_iter().filter(|other| hubs.contains(&other.peer)).collect())
            }
            Topology::Mesh => order(self.with_words(register, others).await, next, left),
        };
        let mut sources = by_lot(sealing);
        sources.extend(others);
        sources.truncate(sealers.len() + OTHERS);
        sources
    }

    /// With what is known of each.
    async fn with_words(&self, register: RegisterId, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
        let holders = self.callers.holders(register).await.into_iter();
        let words: BTreeMap<PeerId, HolderWord> = holders.map(|HolderView { peer, word }| (peer, word)).collect();
        candidates.iter_mut().for_each(|candidate| candidate.word = words.get(&candidate.peer).copied());
        candidates
    }

    /// Whether a member may be asked for a register. To ask one that has nothing to do with it would tell it of the register,
    /// unless it says itself to everybody that it holds that.
    pub(super) async fn may_ask(&self, register: RegisterId, member: &MemberCertificate) -> bool {
        if self.membership.concerns(register, member) {
            return true;
        }
        let holders = self.callers.holders(register).await;
        let is_public = |word| matches!(word, HolderWord::Advertised { .. });
        holders.iter().any(|holder| holder.peer == member.peer_id && is_public(holder.word))
    }

    /// Whether a source follows others: it neither seals nor is this node's hub.
    pub(super) fn is_makeshift(&self, source: PeerId) -> bool {
        let Some(current) = self.membership.snapshot() else { return false };
        let content = &current.snapshot.content;
        !content.sealers.contains(&source) && content.upstreams_of(&self.membership.peer_id()).is_none()
    }

    /// Whether a sealer that is alive can be reached.
    pub(super) async fn has_nearer(&self) -> bool {
        let Some(current) = self.membership.snapshot() else { return false };
        let alive = self.callers.alive().await;
        for sealer in alive.iter().filter(|peer| current.snapshot.content.sealers.contains(*peer)) {
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

fn by_lot(mut candidates: Vec<Candidate>) -> Vec<PeerId> {
    candidates.sort_unstable_by_key(|candidate| candidate.drawn);
    candidates.into_iter().map(|candidate| candidate.peer).collect()
}

//! Who holds a register, found by asking nodes that are nearer and nearer to it.
//!
//! ```text
//!   register ──▶ place in the space of ids                      answers: holders, and nodes nearer to the place
//!   k-buckets ──▶ the nearest known ──▶ paths ──▶ ask ──▶ ask ──▶ ... ──▶ the nearest of all
//!                                        three that share no node            │
//!                                                                            ├─▶ holders: dialled, sync does the rest
//!                                                                            └─▶ told that this node holds it, too
//! ```
//!
//! Kademlia (Maymounkov, Mazières 2002) with the disjoint paths of S/Kademlia (Baumgart, Mies 2007): a node that lies spoils
//! the path that asks it, and no other. Who holds what is kept by the nodes nearest to the register, for an hour, and only
//! on the holder's own word: a link proves who speaks, and where it listens.

mod buckets;
mod holders;
mod lookup;
mod place;
#[cfg(test)]
mod tests;

pub(crate) use buckets::Buckets;
pub(crate) use holders::Holders;
pub(crate) use lookup::{Lookup, Step};
pub(crate) use place::Place;

use crate::{
    LinkId, Micros,
    bounds::{QUESTION_EVERY, QUESTIONS_BURST},
    frame::Contact,
};
use peerwright_ledger::RegisterId;
use peerwright_secure::PeerId;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
};

/// A search for the holders of one register.
#[derive(Debug)]
pub(crate) struct Search {
    pub lookup: Lookup,
    /// Who is being asked, where, and until when the answer is waited for.
    pub asked: BTreeMap<PeerId, (SocketAddr, Micros)>,
}

/// What one node knows of who holds what.
#[derive(Debug)]
pub(crate) struct Directory {
    pub buckets: Buckets,
    pub holders: Holders,
    /// When the next search for each register of this node begins.
    pub due: BTreeMap<RegisterId, Micros>,
    pub searches: BTreeMap<RegisterId, Search>,
    /// Whom the last search for each register found, the best first.
    pub found: BTreeMap<RegisterId, Vec<Contact>>,
    /// Those of them that were not dialled yet.
    pub untried: BTreeMap<RegisterId, VecDeque<Contact>>,
    /// Registers that the peer of a link has said to hold: what searches find is not urgent.
    pub near: BTreeSet<RegisterId>,
    /// When each link's allowance of questions will be full again.
    spent_until: BTreeMap<LinkId, Micros>,
}

impl Directory {
    pub(crate) fn new(own: &PeerId) -> Self {
        Self {
            buckets: Buckets::new(own),
            holders: Holders::default(),
            due: BTreeMap::new(),
            searches: BTreeMap::new(),
            found: BTreeMap::new(),
            untried: BTreeMap::new(),
            near: BTreeSet::new(),
            spent_until: BTreeMap::new(),
        }
    }

    /// The peer of a link asks something. Says whether its allowance holds one more question (the virtual scheduling form
    /// of the leaky bucket, ITU-T I.371).
    pub(crate) fn may_ask(&mut self, now: Micros, link: LinkId) -> bool {
        let spent_until = self.spent_until.entry(link).or_default();
        let next = (*spent_until).max(now) + QUESTION_EVERY;
        let is_within = next <= now + QUESTION_EVERY * QUESTIONS_BURST;
        if is_within {
            *spent_until = next;
        }
        is_within
    }

    pub(crate) fn link_ended(&mut self, link: LinkId) {
        self.spent_until.remove(&link);
    }

    /// Whether the last search for a register found a peer.
    pub(crate) fn has_found(&self, register: &RegisterId, peer: &PeerId) -> bool {
        self.found.get(register).is_some_and(|found| found.iter().any(|holder| holder.peer == *peer))
    }

    /// The register is not this node's any more.
    pub(crate) fn forget(&mut self, register: &RegisterId) {
        self.due.remove(register);
        self.searches.remove(register);
        self.found.remove(register);
        self.untried.remove(register);
        self.near.remove(register);
    }

    /// When there is something to do.
    pub(crate) fn next(&self) -> Option<Micros> {
        let waiting = self.due.iter().filter(|(register, _)| !self.searches.contains_key(register));
        let answers = self.searches.values().flat_map(|search| search.asked.values().map(|(_, until)| *until));
        waiting.map(|(_, at)| *at).chain(answers).min()
    }
}

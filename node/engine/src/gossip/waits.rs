//! Messages that were announced, or that others have overtaken, and that do not come by themselves.
//!
//! ```text
//! announced ─▶ waiting, a moment ─▶ Graft to the first who announced it ─▶ given ─▶ more? the same again
//!                  │ it comes by itself: done      │ silent, or gives nothing: the next, at most three
//!                  ▼                               ▼ nobody left: sync
//! ```

use crate::{
    LinkId, Micros,
    bounds::{MAX_GRAFT_CANDIDATES, MAX_WAITS},
};
use peerwright_secure::NodePublicKey;
use std::collections::{BTreeMap, BTreeSet};

/// Somebody who has announced what is lacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Announcer {
    pub link: LinkId,
    /// How far the announcement went.
    pub through: u64,
}

/// What is asked of the first candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    pub link: LinkId,
    /// The first sequence that was lacked.
    pub from: u64,
    pub since: Micros,
}

/// One origin's life of which something is lacked.
#[derive(Debug)]
pub(crate) struct Wait {
    pub incarnation: u64,
    /// Those to ask, the next first.
    candidates: Vec<Announcer>,
    /// How many there ever were: each is asked once.
    known: usize,
    pub asked: Option<Asked>,
    at: Micros,
}

impl Wait {
    /// Who is asked now, or next.
    pub(crate) fn first(&self) -> Option<Announcer> {
        self.candidates.first().copied()
    }

    /// The first candidate is of no use any more.
    pub(crate) fn leave_first(&mut self) {
        if !self.candidates.is_empty() {
            self.candidates.remove(0);
        }
        self.asked = None;
    }

    fn add(&mut self, link: LinkId, through: u64) {
        if let Some(candidate) = self.candidates.iter_mut().find(|candidate| candidate.link == link) {
            candidate.through = candidate.through.max(through);
        } else if self.known < MAX_GRAFT_CANDIDATES {
            self.known += 1;
            self.candidates.push(Announcer { link, through });
        }
    }
}

/// All that is waited for, by origin.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    by_origin: BTreeMap<NodePublicKey, Wait>,
    queue: BTreeSet<(Micros, NodePublicKey)>,
}

impl Waits {
    /// `link` has what this node lacks, up to `through`; it is asked at `at` unless it has come by then. A newer life
    /// takes the place of an older one.
    pub(crate) fn note(&mut self, origin: NodePublicKey, incarnation: u64, link: LinkId, through: u64, at: Micros) {
        if self.by_origin.get(&origin).is_some_and(|wait| wait.incarnation < incarnation) {
            self.end(&origin);
        }
        let is_full = self.by_origin.len() >= MAX_WAITS;
        match self.by_origin.get_mut(&origin) {
            Some(wait) if wait.incarnation == incarnation => wait.add(link, through),
            Some(_) => {}
            None if is_full => {}
            None => {
                let candidates = vec![Announcer { link, through }];
                self.by_origin.insert(origin, Wait { incarnation, candidates, known: 1, asked: None, at });
                self.queue.insert((at, origin));
            }
        }
    }

    pub(crate) fn get(&self, origin: &NodePublicKey) -> Option<&Wait> {
        self.by_origin.get(origin)
    }

    pub(crate) fn get_mut(&mut self, origin: &NodePublicKey) -> Option<&mut Wait> {
        self.by_origin.get_mut(origin)
    }

    /// Looks at it again at another time.
    pub(crate) fn look_at(&mut self, origin: &NodePublicKey, at: Micros) {
        if let Some(wait) = self.by_origin.get_mut(origin) {
            self.queue.remove(&(wait.at, *origin));
            wait.at = at;
            self.queue.insert((at, *origin));
        }
    }

    pub(crate) fn end(&mut self, origin: &NodePublicKey) {
        if let Some(wait) = self.by_origin.remove(origin) {
            self.queue.remove(&(wait.at, *origin));
        }
    }

    /// The next that is due. It stays until it is ended or looked at later.
    pub(crate) fn next_due(&self, now: Micros) -> Option<NodePublicKey> {
        self.queue.first().filter(|(at, _)| *at <= now).map(|(_, origin)| *origin)
    }

    pub(crate) fn next_at(&self) -> Option<Micros> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// The link has ended: it is no candidate. Gives those that were asked of it.
    pub(crate) fn lose_link(&mut self, link: LinkId) -> Vec<NodePublicKey> {
        let mut interrupted = Vec::new();
        for (origin, wait) in &mut self.by_origin {
            wait.candidates.retain(|candidate| candidate.link != link);
            if wait.asked.take_if(|asked| asked.link == link).is_some() {
                interrupted.push(*origin);
            }
        }
        interrupted
    }

    pub(crate) fn count(&self) -> usize {
        self.by_origin.len()
    }
}

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

/// Somebody who may have what is lacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source {
    pub link: LinkId,
    /// How far it has come.
    pub through: u64,
    /// It has said that it has it all; else it has only pushed what comes behind.
    pub has_announced: bool,
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
    candidates: Vec<Source>,
    /// How many there ever were: each is asked once.
    known: usize,
    pub asked: Option<Asked>,
    /// The lowest sequence that is kept by some of those who had announced it all.
    pub floor: Option<u64>,
    at: Micros,
}

impl Wait {
    /// Who is asked now, or next.
    pub(crate) fn first(&self) -> Option<Source> {
        self.candidates.first().copied()
    }

    /// The first candidate is of no use any more.
    pub(crate) fn leave_first(&mut self) {
        if !self.candidates.is_empty() {
            self.candidates.remove(0);
        }
        self.asked = None;
    }

    /// The first candidate keeps nothing below `floor` of what is lacked. Who has not announced it proves nothing by that.
    pub(crate) fn first_lacks_it(&mut self, floor: u64) {
        if let Some(first) = self.first().filter(|first| first.has_announced) {
            // Of what comes behind its announcement it says nothing.
            let floor = floor.min(first.through.saturating_add(1));
            self.floor = Some(self.floor.map_or(floor, |other| other.min(floor)));
        }
        self.leave_first();
    }

    fn add(&mut self, source: Source) {
        if let Some(candidate) = self.candidates.iter_mut().find(|candidate| candidate.link == source.link) {
            candidate.through = candidate.through.max(source.through);
            candidate.has_announced |= source.has_announced;
        } else if self.known < MAX_GRAFT_CANDIDATES {
            self.known += 1;
            self.candidates.push(source);
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
    /// A source of what this node lacks; it is asked at `at` unless it has come by then. A newer life takes the place of an
    /// older one.
    pub(crate) fn note(&mut self, origin: NodePublicKey, incarnation: u64, source: Source, at: Micros) {
        if self.by_origin.get(&origin).is_some_and(|wait| wait.incarnation < incarnation) {
            self.end(&origin);
        }
        let is_full = self.by_origin.len() >= MAX_WAITS;
        match self.by_origin.get_mut(&origin) {
            Some(wait) if wait.incarnation == incarnation => wait.add(source),
            Some(_) => {}
            None if is_full => {}
            None => {
                let candidates = vec![source];
                self.by_origin.insert(origin, Wait { incarnation, candidates, known: 1, asked: None, floor: None, at });
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

    pub(crate) fn end(&mut self, origin: &NodePublicKey) -> Option<Wait> {
        let wait = self.by_origin.remove(origin)?;
        self.queue.remove(&(wait.at, *origin));
        Some(wait)
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

#[cfg(test)]
mod tests {
    use super::{Asked, Source, Waits};
    use crate::{
        LinkId, Micros,
        bounds::{MAX_GRAFT_CANDIDATES, MAX_WAITS},
    };
    use peerwright_secure::NodePublicKey;

    fn origin(number: usize) -> NodePublicKey {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        NodePublicKey::from_bytes(bytes)
    }

    fn source(link: u64) -> Source {
        Source { link: LinkId(link), through: 1, has_announced: true }
    }

    #[test]
    fn three_links_are_asked_in_the_order_in_which_they_announced() {
        let mut waits = Waits::default();
        for link in [5, 3, 5, 9, 1] {
            waits.note(origin(1), 1, source(link), Micros(10));
        }
        let mut asked = Vec::new();
        while let Some(first) = waits.get(&origin(1)).unwrap().first() {
            asked.push(first.link.0);
            waits.get_mut(&origin(1)).unwrap().leave_first();
            // Whoever was asked in vain announces again.
            waits.note(origin(1), 1, first, Micros(10));
        }
        assert_eq!((asked, MAX_GRAFT_CANDIDATES), (vec![5, 3, 9], 3));
    }

    #[test]
    fn only_who_has_announced_a_message_says_by_lacking_it_that_it_is_gone() {
        let mut waits = Waits::default();
        let pushing = Source { has_announced: false, ..source(1) };
        for source in [pushing, source(2), source(3)] {
            waits.note(origin(1), 1, Source { through: 20, ..source }, Micros(10));
        }
        let wait = waits.get_mut(&origin(1)).unwrap();
        let floors = [5, 9, 7].map(|floor| {
            wait.first_lacks_it(floor);
            wait.floor
        });
        assert_eq!((floors, wait.first()), ([None, Some(9), Some(7)], None));
    }

    #[test]
    fn nobody_says_that_what_it_has_not_announced_is_gone() {
        let mut waits = Waits::default();
        waits.note(origin(1), 1, Source { through: 20, ..source(1) }, Micros(10));
        let wait = waits.get_mut(&origin(1)).unwrap();
        wait.first_lacks_it(u64::MAX);
        assert_eq!(wait.floor, Some(21));
    }

    #[test]
    fn a_newer_life_takes_the_place_of_an_older_one() {
        let mut waits = Waits::default();
        waits.note(origin(1), 5, source(1), Micros(10));
        waits.note(origin(1), 6, source(2), Micros(20));
        waits.note(origin(1), 5, source(3), Micros(1));
        assert_eq!(waits.get(&origin(1)).unwrap().first().unwrap().link, LinkId(2));
        assert_eq!((waits.next_at(), waits.count()), (Some(Micros(20)), 1));
    }

    #[test]
    fn the_link_that_is_asked_may_end() {
        let mut waits = Waits::default();
        for (number, link) in [(1, 1), (1, 2), (2, 2), (2, 1)] {
            waits.note(origin(number), 1, source(link), Micros(10));
        }
        waits.get_mut(&origin(1)).unwrap().asked = Some(Asked { link: LinkId(1), from: 1, since: Micros(10) });
        assert_eq!(waits.lose_link(LinkId(1)), [origin(1)]);
        for number in [1, 2] {
            assert_eq!(waits.get(&origin(number)).unwrap().first().unwrap().link, LinkId(2));
        }
    }

    #[test]
    fn a_full_table_leaves_further_origins_to_sync() {
        let mut waits = Waits::default();
        for number in 0..=MAX_WAITS {
            waits.note(origin(number), 1, source(1), Micros(number as u64));
        }
        assert_eq!(waits.count(), MAX_WAITS);
        assert!(waits.get(&origin(MAX_WAITS)).is_none());
        assert!(waits.end(&origin(0)).is_some() && waits.end(&origin(0)).is_none());
        assert_eq!((waits.next_due(Micros(0)), waits.next_due(Micros(1))), (None, Some(origin(1))));
    }
}

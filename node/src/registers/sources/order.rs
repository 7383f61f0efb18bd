//! In which order those who may serve a register are asked, beside its sealers.
//!
//! ```text
//! say that they hold what is needed next ─▶ say that they hold what is here ─▶ take part in it ─▶ nothing is known
//!   whole · forward only · syncing            the same three                                         ─▶ say that they lack it
//! ```
//!
//! Who was asked and did not serve comes behind all others until it promises something else, and of these who was asked longest
//! ago first: so whoever serves is asked some day, however many there are, as long as the others keep to what they say.

use peerwright_engine::{HolderState, HolderWord};
use peerwright_secure::PeerId;
use std::{cmp::Reverse, collections::BTreeMap};

/// Who lacks no more dockets than this of the farthest counts as far as that one: word of further dockets comes seconds
/// later, and none is to serve all.
const AS_FAR: u64 = 64;

/// What a source does with a register of which it says that it holds dockets, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    Whole,
    ForwardOnly,
    Syncing,
}

/// What is known of a source, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Promise {
    /// It says that it holds the docket that is needed next.
    Next(Grade),
    /// It says that it holds as much as is here.
    Level(Grade),
    /// It takes part in the register, and has not said what it holds.
    Named,
    Nothing,
    /// It says that it holds less than what is here, begins later, or takes nothing more.
    Lacks,
}

impl Promise {
    fn of(word: Option<HolderWord>, next: u64) -> Self {
        let (first, dockets, state) = match word {
            None => return Self::Nothing,
            Some(HolderWord::Named) => return Self::Named,
            Some(HolderWord::Advertised { first, dockets, state }) => (first, dockets, state),
        };
        let grade = match state {
            HolderState::FullReplica | HolderState::Sealing => Grade::Whole,
            HolderState::ForwardOnly => Grade::ForwardOnly,
            HolderState::Syncing => Grade::Syncing,
            HolderState::Frozen => return Self::Lacks,
        };
        match next {
            _ if first > next || dockets < next => Self::Lacks,
            _ if dockets == next => Self::Level(grade),
            _ => Self::Next(grade),
        }
    }
}

/// One who may be asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) peer: PeerId,
    pub(super) word: Option<HolderWord>,
    /// By lot, different for each node and register.
    pub(super) drawn: [u8; 32],
}

/// Puts those into order who may be asked for a register of which docket `next` is needed.
pub(super) fn order(mut candidates: Vec<Candidate>, next: u64, left: &mut LeftSources) -> Vec<PeerId> {
    let promise = |candidate: &Candidate| Promise::of(candidate.word, next);
    left.look_at(candidates.iter().map(|candidate| (candidate.peer, promise(candidate))).collect());
    let farthest = candidates.iter().map(|candidate| dockets(candidate.word)).max().unwrap_or_default();
    candidates.sort_by_cached_key(|candidate| {
        let is_far = dockets(candidate.word).saturating_add(AS_FAR) >= farthest;
        (left.of(&candidate.peer), promise(candidate), Reverse(is_far), candidate.drawn)
    });
    candidates.into_iter().map(|candidate| candidate.peer).collect()
}

/// How many dockets a source says there are.
fn dockets(word: Option<HolderWord>) -> u64 {
    match word {
        Some(HolderWord::Advertised { dockets, .. }) => dockets,
        Some(HolderWord::Named) | None => 0,
    }
}

/// Sources that were left because they did not serve, as long as they promise nothing else. Bounded by the members.
#[derive(Debug, Default)]
pub(crate) struct LeftSources {
    /// What those promise who were put into order last.
    promises: BTreeMap<PeerId, Promise>,
    /// How many had been left when each was.
    numbers: BTreeMap<PeerId, u64>,
    count: u64,
}

impl LeftSources {
    /// A source does not hold the register, or has failed.
    pub(crate) fn add(&mut self, peer: PeerId) {
        self.count += 1;
        self.numbers.insert(peer, self.count);
    }

    /// Forgets who promises something else by now, or is there no longer.
    fn look_at(&mut self, promises: BTreeMap<PeerId, Promise>) {
        let before = std::mem::replace(&mut self.promises, promises);
        self.numbers.retain(|peer, _| before.get(peer).is_some_and(|promise| self.promises.get(peer) == Some(promise)));
    }

    /// Rises with how lately a source was left; nothing where it was not.
    fn of(&self, peer: &PeerId) -> Option<u64> {
        self.numbers.get(peer).copied()
    }
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;

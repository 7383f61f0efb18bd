//! Which messages of each origin were seen: exact, and never sliding past a hole.
//!
//! ```text
//! sequence   1 ........ contiguous | hole | above | hole | above
//!            seen, or below the      not    seen    not    seen
//!            origin's signed floor   seen           seen
//! ```
//!
//! A hole closes when its message arrives, by gossip or by sync, or when the origin's floor passes it.

use super::Place;
use crate::{
    Micros,
    bounds::{CLOCK_SKEW, MAX_INCARNATIONS, MAX_SEEN_ORIGINS, MAX_SEEN_RANGES},
    ranges::Ranges,
};
use peerwright_ledger::MessageBody;
use peerwright_secure::NodePublicKey;
use std::collections::BTreeMap;

/// What is known of a message's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing was verified for it.
    Unseen,
    /// It was verified before, or its origin no longer stands for it.
    Seen,
    /// Its incarnation is older than those that gossip follows.
    Stale,
}

/// Why a message cannot be remembered. It is not passed on then; sync brings it to those who lack it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Untracked {
    /// There are too many origins.
    Full,
    /// The origin's life has too many holes.
    Behind,
    /// The incarnation is too old.
    Stale,
}

impl Untracked {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Full => "seen_full",
            Self::Behind => "behind",
            Self::Stale => "stale_incarnation",
        }
    }
}

#[derive(Debug)]
struct Life {
    incarnation: u64,
    contiguous: u64,
    above: Ranges,
    /// When, by the wall clock, no message of it can travel any more.
    until: Micros,
}

impl Life {
    fn has_seen(&self, sequence: u64) -> bool {
        sequence <= self.contiguous || self.above.contains(sequence)
    }

    fn raise_floor(&mut self, floor: u64) {
        self.contiguous = self.contiguous.max(floor.saturating_sub(1));
        self.absorb();
    }

    /// Makes what follows `contiguous` without a hole part of it.
    fn absorb(&mut self) {
        self.above.remove_range(0, self.contiguous);
        if let Some((from, to)) = self.above.as_slice().first().copied()
            && from == self.contiguous.saturating_add(1)
        {
            self.contiguous = to;
            self.above.remove_range(from, to);
        }
    }
}

/// The seen-state of all origins.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// An origin's lives, newest first.
    origins: BTreeMap<NodePublicKey, Vec<Life>>,
}

impl Seen {
    pub(crate) fn standing(&self, place: &Place) -> Standing {
        let Some(lives) = self.origins.get(&place.origin) else { return Standing::Unseen };
        match lives.iter().find(|life| life.incarnation == place.incarnation) {
            Some(life) if life.has_seen(place.sequence) => Standing::Seen,
            None if is_stale(lives, place.incarnation) => Standing::Stale,
            Some(_) | None => Standing::Unseen,
        }
    }

    /// Remembers a verified message; says whether it is new.
    pub(crate) fn insert(&mut self, message: &MessageBody) -> Result<bool, Untracked> {
        let known = self.origins.len();
        let lives = match self.origins.entry(message.origin) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(_) if known >= MAX_SEEN_ORIGINS => return Err(Untracked::Full),
            std::collections::btree_map::Entry::Vacant(entry) => entry.insert(Vec::new()),
        };
        if is_stale(lives, message.incarnation) {
            return Err(Untracked::Stale);
        }
        let index = lives.partition_point(|life| life.incarnation > message.incarnation);
        if lives.get(index).is_none_or(|life| life.incarnation != message.incarnation) {
            let contiguous = message.floor.saturating_sub(1);
            let life =
                Life { incarnation: message.incarnation, contiguous, above: Ranges::default(), until: Micros(0) };
            lives.insert(index, life);
            lives.truncate(MAX_INCARNATIONS);
        }
        let Some(life) = lives.get_mut(index) else { return Err(Untracked::Stale) };
        life.until = life.until.max(Micros(message.expires_at_micros) + CLOCK_SKEW * 2);
        let was_seen = life.has_seen(message.sequence);
        life.raise_floor(message.floor);
        if was_seen {
            return Ok(false);
        }
        if life.above.length_with(message.sequence) > MAX_SEEN_RANGES {
            return Err(Untracked::Behind);
        }
        life.above.insert(message.sequence);
        life.absorb();
        Ok(true)
    }

    /// Forgets lives whose messages have all expired: a replay of one would be dropped as expired.
    pub(crate) fn sweep(&mut self, wall: Micros) {
        self.origins.retain(|_, lives| {
            lives.retain(|life| life.until > wall);
            !lives.is_empty()
        });
    }

    pub(crate) fn origins(&self) -> usize {
        self.origins.len()
    }
}

fn is_stale(lives: &[Life], incarnation: u64) -> bool {
    lives.len() >= MAX_INCARNATIONS && lives.iter().all(|life| life.incarnation > incarnation)
}

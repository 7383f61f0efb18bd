//! Which links carry which origin's messages: one tree an origin, grown by the messages themselves.
//!
//! ```text
//! default      push and be pushed to
//! a known message comes again by a link that is not the parent
//!              ─▶ Prune: the peer is not to push; this node announces there instead
//! announced, and does not come by itself; or the parent is lost
//!              ─▶ Graft: the peer is to push again, and this node pushes there again
//! announced, and would have come sooner by there
//!              ─▶ Graft there, Prune to the parent: the link is the parent now
//! ```
//!
//! The link that a message came on first is its origin's *parent* and is never pruned. A first copy by a link that was
//! pruned before changes nothing: both would end up pruned otherwise, each by the other's message. When both ends of a link
//! push to each other at the same time, both prune, and both have a parent elsewhere; when one of them has not, it answers
//! the Prune with a Graft, so that the link carries one way.

use super::{Bits, HeardNames, SaidNames, Slot};
use crate::{
    LinkId, Micros,
    bounds::{MAX_STRIKES, SERVED_BYTES, SERVED_WINDOW, STRIKE_PAUSE},
};
use std::collections::BTreeMap;

/// What one link is used for, by origin.
#[derive(Debug, Default)]
pub(crate) struct LinkTrees {
    /// Announced there and not pushed.
    lazy: Bits,
    /// The peer was told not to push.
    pruned: Bits,
    /// The peer has the message of theirs that was spread last.
    followed: Bits,
    /// The peer lacked the message before one of theirs: each comes to it for itself.
    alone: Bits,
    /// To be announced with the next batch, ascending.
    pending: Vec<Slot>,
    /// Where the next batch begins, so that each has its turn when a batch does not hold all.
    turn: Slot,
    pub said: SaidNames,
    pub heard: HeardNames,
    /// Times in a row that the peer did not give what it had announced.
    strikes: u8,
    /// Until when it is not asked.
    avoided_until: Micros,
    /// What the peer was given of recent messages since when.
    served: (Micros, usize),
}

impl LinkTrees {
    /// Takes the next origins to announce, as many as there is room for.
    pub(crate) fn take_pending(&mut self, limit: usize) -> Vec<Slot> {
        let mut taken = std::mem::take(&mut self.pending);
        let begin = taken.partition_point(|slot| *slot < self.turn);
        taken.rotate_left(begin);
        if taken.len() > limit {
            self.pending = taken.split_off(limit);
            self.pending.sort_unstable();
        }
        if let Some(last) = taken.last() {
            self.turn = Slot(last.0.saturating_add(1));
        }
        taken
    }

    /// An origin is to be announced.
    pub(crate) fn await_turn(&mut self, slot: Slot) {
        if let Err(place) = self.pending.binary_search(&slot) {
            self.pending.insert(place, slot);
        }
    }

    fn forget_pending(&mut self, slot: Slot) {
        if let Ok(place) = self.pending.binary_search(&slot) {
            self.pending.remove(place);
        }
    }

    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The peer did not give what it had announced: after a few times in a row it is left alone for a while.
    pub(crate) fn strike(&mut self, now: Micros) {
        self.strikes = self.strikes.saturating_add(1);
        if self.strikes >= MAX_STRIKES {
            self.avoided_until = now + STRIKE_PAUSE * u32::from(self.strikes - MAX_STRIKES + 1);
        }
    }

    /// The peer gave what it had announced.
    pub(crate) fn praise(&mut self) {
        self.strikes = 0;
    }

    pub(crate) fn is_avoided(&self, now: Micros) -> bool {
        self.avoided_until > now
    }

    /// How much more the peer may be given now.
    pub(crate) fn credit(&mut self, now: Micros) -> usize {
        if now.since(self.served.0) >= SERVED_WINDOW {
            self.served = (now, 0);
        }
        SERVED_BYTES.saturating_sub(self.served.1)
    }

    pub(crate) fn serve(&mut self, bytes: usize) {
        self.served.1 = self.served.1.saturating_add(bytes);
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        let pending = self.pending.capacity() * size_of::<Slot>();
        size_of::<Self>()
            + self.lazy.bytes()
            + self.pruned.bytes()
            + self.followed.bytes()
            + self.alone.bytes()
            + pending
            + self.said.bytes()
            + self.heard.bytes()
    }
}

/// The trees of all origins, as the live links carry them.
#[derive(Debug, Default)]
pub(crate) struct Trees {
    links: BTreeMap<LinkId, LinkTrees>,
    /// How often was swept, for the age of names.
    pub sweep: u8,
}

impl Trees {
    pub(crate) fn add_link(&mut self, link: LinkId) {
        self.links.insert(link, LinkTrees::default());
    }

    pub(crate) fn remove_link(&mut self, link: LinkId) {
        self.links.remove(&link);
    }

    pub(crate) fn link(&self, link: LinkId) -> Option<&LinkTrees> {
        self.links.get(&link)
    }

    pub(crate) fn link_mut(&mut self, link: LinkId) -> Option<&mut LinkTrees> {
        self.links.get_mut(&link)
    }

    /// Whether messages of this origin are announced on the link rather than pushed.
    pub(crate) fn is_lazy(&self, link: LinkId, slot: Slot) -> bool {
        self.links.get(&link).is_some_and(|trees| trees.lazy.contains(slot))
    }

    /// Whether the peer has the message of this origin that was spread last.
    pub(crate) fn is_followed(&self, link: LinkId, slot: Slot) -> bool {
        self.links.get(&link).is_some_and(|trees| trees.followed.contains(slot) && !trees.alone.contains(slot))
    }

    /// The peer cannot be told of this origin's messages by what is new in them.
    pub(crate) fn note_lack(&mut self, link: LinkId, slot: Slot) {
        if let Some(trees) = self.links.get_mut(&link) {
            trees.alone.insert(slot);
        }
    }

    /// A message is spread: the peer has it now, or will hear of it.
    pub(crate) fn note_spread(&mut self, link: LinkId, slot: Slot, has_it: bool) {
        let Some(trees) = self.links.get_mut(&link) else { return };
        if has_it {
            trees.followed.insert(slot);
        } else {
            trees.followed.remove(slot);
        }
    }

    /// Whether the peer was told not to push.
    pub(crate) fn is_pruned(&self, link: LinkId, slot: Slot) -> bool {
        self.links.get(&link).is_some_and(|trees| trees.pruned.contains(slot))
    }

    /// The peer does not want to be pushed to.
    pub(crate) fn peer_pruned(&mut self, link: LinkId, slot: Slot) {
        if let Some(trees) = self.links.get_mut(&link) {
            trees.lazy.insert(slot);
        }
    }

    /// The peer brought what is known: neither end is to push. Says whether it is to be told: when it was not before, and
    /// once in a while when it was, since it may have forgotten.
    pub(crate) fn prune(&mut self, link: LinkId, slot: Slot, sequence: u64) -> bool {
        let Some(trees) = self.links.get_mut(&link) else { return false };
        trees.lazy.insert(slot);
        trees.pruned.insert(slot) || sequence.is_multiple_of(16)
    }

    /// The peer wants to be pushed to again.
    pub(crate) fn peer_grafted(&mut self, link: LinkId, slot: Slot) {
        if let Some(trees) = self.links.get_mut(&link) {
            trees.lazy.remove(slot);
            trees.forget_pending(slot);
        }
    }

    /// The peer is asked to push again, and is pushed to again.
    pub(crate) fn graft(&mut self, link: LinkId, slot: Slot) {
        if let Some(trees) = self.links.get_mut(&link) {
            trees.lazy.remove(slot);
            trees.pruned.remove(slot);
            trees.forget_pending(slot);
        }
    }

    pub(crate) fn has_pending(&self) -> bool {
        self.links.values().any(LinkTrees::has_pending)
    }

    /// The link is to be told with the next batch how far this node has come.
    pub(crate) fn announce(&mut self, link: LinkId, slot: Slot) {
        if let Some(trees) = self.links.get_mut(&link) {
            trees.await_turn(slot);
        }
    }

    /// The number names nobody, or another origin from now on.
    pub(crate) fn forget(&mut self, slot: Slot) {
        for trees in self.links.values_mut() {
            trees.lazy.remove(slot);
            trees.pruned.remove(slot);
            trees.followed.remove(slot);
            trees.alone.remove(slot);
            trees.forget_pending(slot);
            trees.said.forget(slot);
            trees.heard.forget(slot);
        }
    }

    /// Lets names age.
    pub(crate) fn age(&mut self) {
        self.sweep = self.sweep.wrapping_add(1);
        for trees in self.links.values_mut() {
            trees.said.sweep(self.sweep);
            trees.heard.sweep(self.sweep);
        }
    }

    /// How many (origin, link) pairs are announced rather than pushed.
    pub(crate) fn lazy_count(&self, link: LinkId) -> u64 {
        self.links.get(&link).map_or(0, |trees| trees.lazy.count())
    }
}

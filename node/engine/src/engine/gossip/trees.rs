//! Which link each origin's messages come by.

use crate::{
    Class, GossipStatistics, LinkId, Micros,
    bounds::{MAX_ORPHAN_GRAFTS, QUICKER_BY, STEADY},
    engine::{Engine, Turn},
    frame::{Frame, Graft, Moved},
    gossip::Slot,
};
use peerwright_secure::NodePublicKey;
use std::time::Duration;

impl Engine {
    /// A link was the first to bring a message. It is the origin's parent from now on, unless there is one already and this
    /// link was told not to push: its copy was on its way then. One that was turned to shows whether it is as quick as it says.
    pub(super) fn adopt(&mut self, now: Micros, slot: Slot, link: LinkId) {
        if !self.is_active(link) {
            return;
        }
        let is_pruned = self.trees.is_pruned(link, slot);
        let Some(origin) = self.origins.get_mut(slot) else { return };
        if origin.parent.is_some() && is_pruned {
            return;
        }
        let before = origin.parent.replace(link);
        if std::mem::take(&mut origin.is_on_trial)
            && let Some(trees) = before.and_then(|before| self.trees.link_mut(before))
        {
            if before == Some(link) { trees.praise() } else { trees.strike(now) }
        }
    }

    /// A link brought a message that had come by another.
    pub(super) fn came_again(&mut self, turn: &mut Turn<'_>, link: LinkId, slot: Slot, sequence: u64) {
        if !self.is_active(link) {
            return;
        }
        let Some(origin) = self.origins.get_mut(slot) else { return };
        let key = origin.key;
        // What is this node's own needs no parent; for all else, somebody has to be left to push it.
        if key != self.own_key && *origin.parent.get_or_insert(link) == link {
            return;
        }
        self.tell_not_to_push(turn, link, slot, key, sequence);
    }

    /// A link announces what it could have pushed so many milliseconds ago. The announcement took as long as the push would
    /// have: if the message would have come well before it did, the link may become the parent.
    pub(super) fn compare_ways(&mut self, turn: &mut Turn<'_>, link: LinkId, slot: Slot, through: u64, age: u16) {
        // Who is pushed to has the messages from here.
        if age == Moved::LONG_AGO || !self.is_active(link) || !self.trees.is_lazy(link, slot) {
            return;
        }
        let is_avoided = self.trees.link(link).is_none_or(|trees| trees.is_avoided(turn.now));
        let Some(origin) = self.origins.get_mut(slot).filter(|origin| origin.key != self.own_key) else { return };
        let Some(parent) = origin.parent.filter(|parent| *parent != link && !is_avoided) else { return };
        let Some(incarnation) = origin.newest().map(|life| life.incarnation) else { return };
        let came = |sequence| self.cache.get(slot, incarnation, sequence).map(|cached| cached.came);
        let Some(comes) = came(through) else { return };
        let could = turn.now - Duration::from_millis(u64::from(age));
        origin.could_come_by(link, could.since(comes));
        if comes < could + QUICKER_BY {
            return origin.not_ahead(link);
        }
        let is_rare = came(through.saturating_sub(1)).is_none_or(|before| comes.since(before) >= STEADY);
        if origin.is_ahead(link, turn.now, is_rare) {
            let key = origin.key;
            origin.turn_to(link, comes.since(could), turn.now);
            self.trees.graft(link, slot);
            self.graft_only(turn, link, slot);
            self.tell_not_to_push(turn, parent, slot, key, through);
        }
    }

    fn tell_not_to_push(&mut self, turn: &mut Turn<'_>, link: LinkId, slot: Slot, key: NodePublicKey, sequence: u64) {
        if self.trees.prune(link, slot, sequence) {
            self.counters.gossip.prunes_sent += 1;
            self.send(turn, link, &Frame::Prune { origin: key }, Class::Gossip);
        }
    }

    /// The peer has this origin's messages from elsewhere.
    pub(in crate::engine) fn pruned(&mut self, turn: &mut Turn<'_>, link: LinkId, origin: NodePublicKey) {
        self.counters.gossip.prunes_received += 1;
        let Some(slot) = self.origins.find(&origin) else { return };
        self.trees.peer_pruned(link, slot);
        let depends_on_it = self.origins.get(slot).is_some_and(|origin| origin.parent == Some(link));
        if depends_on_it {
            // Both had pushed at once, and this one has nobody else to come from.
            self.graft_only(turn, link, slot);
        }
    }

    /// Asks a peer to push again, without asking for anything now.
    fn graft_only(&mut self, turn: &mut Turn<'_>, link: LinkId, slot: Slot) {
        let Some(origin) = self.origins.get(slot) else { return };
        let incarnation = origin.newest().map_or(0, |life| life.incarnation);
        let graft = Graft { origin: origin.key, incarnation, from: 1, through: 0, messages: 0, bytes: 0 };
        self.counters.gossip.grafts_sent += 1;
        self.send(turn, link, &Frame::Graft(graft), Class::Gossip);
    }

    /// A link carries gossip from now on: everything is pushed on it, until its trees are known.
    pub(in crate::engine) fn join_trees(&mut self, turn: &mut Turn<'_>, link: LinkId) {
        self.trees.add_link(link);
        self.send_proofs(turn, link);
    }

    /// A link carries gossip no more: what came by it is to come by whoever announced it last.
    pub(in crate::engine) fn leave_trees(&mut self, turn: &mut Turn<'_>, link: LinkId) {
        self.trees.remove_link(link);
        let interrupted = self.waits.lose_link(link);
        for origin in interrupted {
            self.waits.look_at(&origin, turn.now);
        }
        let orphans = self.origins.lose_link(link);
        let links = self.active_links().to_vec();
        if !links.is_empty() {
            self.be_alert(turn);
        }
        for slot in orphans.into_iter().take(MAX_ORPHAN_GRAFTS) {
            self.find_parent(turn, slot, &links);
        }
        self.await_grafts();
    }

    /// Grafts an origin on the first of those who announced it last, or else of those who were told not to push.
    fn find_parent(&mut self, turn: &mut Turn<'_>, slot: Slot, links: &[LinkId]) {
        let Some(origin) = self.origins.get(slot) else { return };
        let is_good = |link: &LinkId| {
            links.contains(link) && self.trees.link(*link).is_some_and(|trees| !trees.is_avoided(turn.now))
        };
        let next_best = origin.next_best.map(|(link, _)| link);
        let announcer = next_best.into_iter().chain(origin.announcers.into_iter().flatten()).find(is_good);
        let told = || links.iter().copied().find(|link| self.trees.is_pruned(*link, slot) && is_good(link));
        let Some(link) = announcer.or_else(told) else { return };
        let (key, newest) = (origin.key, origin.newest());
        let Some((incarnation, come)) = newest.map(|life| (life.incarnation, life.announceable())) else { return };
        if let Some(origin) = self.origins.get_mut(slot) {
            origin.parent = Some(link);
        }
        self.send_graft(turn, link, key, incarnation, (come.saturating_add(1), u64::MAX));
    }

    /// Figures of the trees, now.
    pub(in crate::engine) fn gossip_gauges(&self) -> GossipStatistics {
        let links = self.active_links();
        let lazy: u64 = links.iter().map(|link| self.trees.lazy_count(*link)).sum();
        let pairs = (self.origins.count() * links.len()) as u64;
        GossipStatistics {
            origins: self.origins.count() as u64,
            eager: pairs.saturating_sub(lazy),
            lazy,
            cached: self.cache.count() as u64,
            cached_bytes: self.cache.bytes() as u64,
            waiting: self.waits.count() as u64,
            proofs: self.proofs.count() as u64,
            ..self.counters.gossip
        }
    }
}

//! Links that come and go, and dialling.

use super::{Draining, Engine, Turn};
use crate::{
    CloseReason, DialFailure, Direction, DownReason, Event, LinkId, MemberState, Micros, Mutant, Output,
    addresses::{Group, Standing, may_dial},
    bans::Bans,
    bounds::{MAX_DIALS, SETTLED},
    frame::Contact,
    is_mutant,
    links::{Admission, Link, Links, Offer},
    membership::Sample,
    score::Outcome,
    sync::LinkSync,
    timers::Timer,
};
use peerwright_secure::PeerId;
use std::{collections::BTreeSet, net::SocketAddr};

/// What the address book needs to know of a peer.
pub(super) fn standing(bans: &Bans, links: &Links, peer: &PeerId) -> Standing {
    if bans.is_banned(peer) || links.pauses.holds(peer) {
        Standing::Banned
    } else if links.of_peer(peer).is_some() {
        Standing::Linked
    } else {
        Standing::Free
    }
}

impl Engine {
    pub(super) fn link_up(&mut self, turn: &mut Turn<'_>, link: LinkId, offer: &Offer) {
        if self.is_live(link) {
            return;
        }
        if is_mutant(&self.config, Mutant::UnbanByUpsert) {
            self.bans = Bans::default();
        }
        if let Some(address) = offer.address.filter(|_| offer.direction == Direction::Outbound) {
            self.probe_dial_ended(turn, &address, Some(&offer.peer));
        }
        let verdict = if offer.peer == self.own {
            if offer.incarnation != self.config.incarnation {
                turn.out.event(Event::DuplicateIdentity { origin: self.own_key, incarnation: offer.incarnation });
            }
            Admission::Refuse(CloseReason::Own)
        } else if self.limits.is_none() {
            Admission::Refuse(CloseReason::Starting)
        } else if self.draining != Draining::No {
            Admission::Refuse(CloseReason::Draining)
        } else if self.bans.is_banned(&offer.peer) || self.is_own_banned() {
            Admission::Refuse(CloseReason::Banned)
        } else if self.links.pauses.holds(&offer.peer) {
            Admission::Refuse(CloseReason::Paused)
        } else if self.members.retired.contains(&offer.peer) {
            Admission::Refuse(CloseReason::Retired)
        } else {
            self.links.admit(turn.now, offer, &self.config)
        };
        match verdict {
            Admission::Keep => self.keep(turn, link, offer),
            Admission::Replace(existing, reason) => {
                self.close(turn, existing, reason);
                self.keep(turn, link, offer);
            }
            Admission::Refuse(reason) => self.refuse(turn, link, offer, reason),
        }
        self.redial(turn);
    }

    fn keep(&mut self, turn: &mut Turn<'_>, link: LinkId, offer: &Offer) {
        self.links.insert(turn.now, link, offer);
        self.counters.links.established += 1;
        let outbound = offer.direction == Direction::Outbound;
        if let Some(address) = offer.address.filter(|_| outbound) {
            self.book.linked(turn.now, address, link, offer.peer);
        }
        turn.out.event(Event::PeerConnected { peer: offer.peer, link, outbound });
        self.outcome(offer.peer, Outcome::Connected);
        self.timers.set(Timer::Link(link), turn.now + self.config.detection.keepalive);
        self.sync.links.insert(link, LinkSync::new(turn.now, turn.now + self.config.connections.ready_timeout));
        self.members_link_up(turn, link, offer.peer, outbound);
        self.beat(turn, link);
        self.overlay_link_up(turn, link, offer.direction);
        self.directory_link_up(turn, link, &offer.peer);
        self.advertisements_link_up(turn, link, offer);
        self.pump(turn, link);
    }

    fn refuse(&mut self, turn: &mut Turn<'_>, link: LinkId, offer: &Offer, reason: CloseReason) {
        self.counters.links.closed += 1;
        if reason == CloseReason::Full {
            self.refer(turn, link, &offer.peer);
        }
        turn.out.push(Output::Close { link, reason });
        turn.out.event(Event::LinkClosed { peer: offer.peer, link, reason });
        if reason == CloseReason::Banned {
            self.counters.links.refused_banned += 1;
        }
        let Some(address) = offer.address.filter(|_| offer.direction == Direction::Outbound) else { return };
        match reason {
            CloseReason::Own => {
                self.book.own(turn.now, address);
                turn.out.event(Event::OwnAddress { address });
            }
            // Somebody else may come to live there: it is dialled again, more and more seldom.
            CloseReason::Full | CloseReason::Starting | CloseReason::Retired => {
                self.book.failed(turn.now, address, DialFailure::Unreachable, &mut self.random);
            }
            _ => self.book.reached(turn.now, address, offer.peer),
        }
    }

    /// Ends a link from this side.
    pub(super) fn close(&mut self, turn: &mut Turn<'_>, link: LinkId, reason: CloseReason) {
        let Some(ended) = self.links.remove(link) else { return };
        turn.out.push(Output::Close { link, reason });
        turn.out.event(Event::LinkClosed { peer: ended.peer, link, reason });
        self.counters.links.closed += 1;
        let is_silent = reason == CloseReason::Unreachable;
        self.counters.links.unreachable += u64::from(is_silent);
        self.outcome(ended.peer, if is_silent { Outcome::Silent } else { Outcome::Parted });
        self.link_ended(turn, link, &ended, false);
    }

    pub(super) fn link_down(&mut self, turn: &mut Turn<'_>, link: LinkId, reason: DownReason) {
        if is_mutant(&self.config, Mutant::MissedLinkDown) {
            return;
        }
        let Some(ended) = self.links.remove(link) else { return };
        turn.out.event(Event::LinkLost { peer: ended.peer, link, reason });
        self.counters.links.lost += 1;
        self.link_lost(ended.peer, reason);
        self.link_ended(turn, link, &ended, reason == DownReason::Duplicate);
        if reason == DownReason::Broken {
            self.lost(turn, ended.peer, turn.now.since(ended.since) >= SETTLED);
        }
    }

    /// Takes a link that is not in the table any more out of everything else.
    fn link_ended(&mut self, turn: &mut Turn<'_>, link: LinkId, ended: &Link, is_duplicate: bool) {
        let settled = is_duplicate || turn.now.since(ended.since) >= SETTLED;
        self.book.link_ended(turn.now, link, &ended.peer, settled, &mut self.random);
        for timer in [Timer::Link(link), Timer::Heartbeat(link), Timer::Answer(link)] {
            self.timers.cancel(timer);
        }
        self.overlay_link_ended(turn, link, ended.peer);
        self.directory_link_ended(turn, link, &ended.peer);
        self.advertisements_link_ended(link, &ended.peer);
        self.members_link_down(turn, link, &ended.peer);
        self.sync.links.remove(&link);
        self.fetches.link_ended(link);
        self.start_fetches(turn);
        self.pump_all(turn);
        self.redial(turn);
    }

    pub(super) fn dial_failed(&mut self, turn: &mut Turn<'_>, address: SocketAddr, reason: DialFailure) {
        self.probe_dial_ended(turn, &address, None);
        self.note_failed_dial(turn, address, reason);
        self.redial(turn);
    }

    fn note_failed_dial(&mut self, turn: &mut Turn<'_>, address: SocketAddr, reason: DialFailure) {
        if let Some(failures) = self.book.failed(turn.now, address, reason, &mut self.random) {
            self.counters.links.dial_failures += 1;
            if reason == DialFailure::Banned {
                self.counters.links.refused_banned += 1;
            } else if let Some(peer) = self.book.peer_at(&address) {
                self.outcome(peer, Outcome::ConnectFailed);
            }
            self.overlay.passive.unreachable(address);
            self.directory_dial_failed(turn, &address);
            turn.out.event(Event::DialFailed { address, reason, failures });
        }
    }

    /// Neighbours may lack, or addresses may be due: looked at once at the end of this turn.
    pub(super) fn redial(&mut self, _turn: &mut Turn<'_>) {
        self.is_search_due = true;
    }

    /// Looks for neighbours that lack: among the linked first, then among nodes at hand, then in the address book.
    pub(super) fn search(&mut self, turn: &mut Turn<'_>) {
        if !std::mem::take(&mut self.is_search_due) {
            return;
        }
        for address in self.book.overdue(turn.now, self.config.connections.dial_timeout) {
            self.note_failed_dial(turn, address, DialFailure::Timeout);
        }
        let may_dial = self.limits.is_some() && self.draining == Draining::No && !self.is_own_banned();
        if may_dial {
            self.ask_neighbours(turn);
            self.dial(turn);
        }
        self.note_first_dials();
        match self.next_search(turn.now, may_dial) {
            // What is due and has no room waits for a dial or a link to end, which comes back here.
            Some(at) if at <= turn.now => self.timers.set(Timer::Dial, turn.now + self.config.connections.dial_timeout),
            Some(at) => self.timers.set(Timer::Dial, at),
            None => self.timers.cancel(Timer::Dial),
        }
    }

    fn dial(&mut self, turn: &mut Turn<'_>) {
        if turn.now < self.overlay.search.not_before() {
            return;
        }
        if self.room_for_dials(turn.now) == 0 {
            return;
        }
        if self.overlay.lacking_outbound() > 0 && turn.now >= self.overlay.choose_from {
            self.choose(turn, false);
        }
        let room = self.room_for_dials(turn.now);
        self.draw_members(turn, room);
        let crowded = self.crowded();
        let room = self.dial_at_hand(turn, room, &crowded);
        let (bans, links) = (&self.bans, &self.links);
        let due = self.book.take_due(turn.now, room, &mut self.random, &crowded, |peer| standing(bans, links, peer));
        let room = room.saturating_sub(due.len());
        due.into_iter().for_each(|address| turn.out.push(Output::Dial { address }));
        self.dial_at_hand(turn, room, &BTreeSet::new());
    }

    /// How many may be dialled now to become neighbours.
    fn room_for_dials(&self, now: Micros) -> usize {
        let dialling = self.book.dialling();
        let linked = self.links.count(Direction::Outbound) + dialling;
        MAX_DIALS
            .saturating_sub(dialling)
            .min(self.config.connections.outbound.saturating_sub(linked))
            .min(self.overlay.wanted(self.book.hopeful(now)))
    }

    /// Dials nodes of the passive view that are in none of the `crowded` neighbourhoods. Gives the room that is left.
    fn dial_at_hand(&mut self, turn: &mut Turn<'_>, mut room: usize, crowded: &BTreeSet<Group>) -> usize {
        let (bans, links) = (&self.bans, &self.links);
        let standing = |peer: &PeerId| standing(bans, links, peer);
        while room > 0 {
            let suits = |group: &Group, contact: &Contact| {
                !crowded.contains(group)
                    && standing(&contact.peer) == Standing::Free
                    && self.book.is_due(turn.now, &contact.address, standing)
            };
            let Some(contact) = self.overlay.passive.take(&mut self.random, suits) else { break };
            if let Some(address) = self.book.begin_dial(turn.now, contact.address) {
                turn.out.push(Output::Dial { address });
                room -= 1;
            }
        }
        room
    }

    /// Fills the passive view with members drawn by lot, when it has too few to dial.
    fn draw_members(&mut self, turn: &Turn<'_>, wanted: usize) {
        let lacking = wanted.saturating_sub(self.overlay.passive.len());
        let linked = self.links.count(Direction::Outbound) + self.links.count(Direction::Inbound);
        // This node is a member, too.
        if lacking == 0 || self.members.table.present() <= linked + 1 {
            return;
        }
        let (bans, links, book, ranges) = (&self.bans, &self.links, &self.book, &self.config.addresses.own_ranges);
        let standing = |peer: &PeerId| standing(bans, links, peer);
        let suits = |member: &Sample| {
            let is_due = |at: SocketAddr| may_dial(&at, ranges).is_ok() && book.is_due(turn.now, &at, standing);
            member.state == MemberState::Alive
                && standing(&member.peer) == Standing::Free
                && member.address.is_some_and(is_due)
        };
        for member in self.members.random_members(&mut self.random, lacking, suits) {
            if let Some(address) = member.address {
                let contact = Contact { peer: member.peer, address };
                let (group, limit) = (self.book.group(&address), self.overlay.settings.passive);
                self.overlay.passive.add(contact, group, limit, &mut self.random);
            }
        }
    }

    /// The neighbourhoods that this node has dialled already: one owner's addresses are not to be all of its choice.
    fn crowded(&self) -> BTreeSet<Group> {
        let chosen = self.links.iter().filter(|(_, link)| link.direction == Direction::Outbound);
        chosen.filter_map(|(_, link)| Some(self.book.group(&link.address?))).collect()
    }

    /// When there may be something to look for again.
    fn next_search(&self, now: Micros, may_dial: bool) -> Option<Micros> {
        let overdue = self.book.next_overdue(self.config.connections.dial_timeout);
        if !may_dial || self.overlay.wanted(0) == 0 {
            return overdue;
        }
        let (bans, links) = (&self.bans, &self.links);
        let due = self.book.next_due(|peer| standing(bans, links, peer));
        let due = due.map(|due| due.max(self.overlay.search.not_before()));
        // There was no room for what is due by now: it waits for a dial that ends, or is slow.
        let later = [overdue, self.book.next_slow(now), self.book.next_forgiven(now), due.filter(|due| *due > now)];
        later.into_iter().flatten().min().or(due)
    }

    /// Whether this node has as many neighbours as it can find without waiting, or has tried whatever it was told of.
    fn note_first_dials(&mut self) {
        if self.ready.is_ready() {
            return;
        }
        let (bans, links) = (&self.bans, &self.links);
        let is_full = self.overlay.lacking() == 0 || (!self.overlay.search.is_smooth() && !self.overlay.is_urgent());
        self.has_dialled = is_full || self.book.all_attempted(|peer| standing(bans, links, peer));
    }
}

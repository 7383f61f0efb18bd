//! When each place is dialled, and what becomes of the dials.

use super::{AddressBook, Entry, Group, Standing, State};
use crate::{Address, DialFailure, LinkId, Micros, bounds::SLOW_DIAL, random::Random};
use peerwright_secure::PeerId;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

/// What an address shares its chances with.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Crowd {
    Bucket((bool, u64)),
    Group(Group),
}

impl AddressBook {
    /// Whether an address may be dialled now, known or not.
    pub(crate) fn is_due(&self, now: Micros, socket: &SocketAddr, standing: impl Fn(&PeerId) -> Standing) -> bool {
        self.entries.get(socket).is_none_or(|entry| entry.free_at(standing).is_some_and(|at| at <= now))
    }

    /// The address is dialled now on somebody's word; it counts as being dialled from here on. `None` when the book is
    /// full.
    pub(crate) fn begin_dial(&mut self, now: Micros, socket: SocketAddr) -> Option<Address> {
        if !self.entries.contains_key(&socket) && !self.has_room() {
            return None;
        }
        let entry = self.entries.entry(socket).or_insert_with(|| Entry::new(now, ""));
        entry.state = State::Dialling;
        self.dials.insert(socket, now);
        Some(entry.address(socket))
    }

    /// The addresses to dial now, at most `limit`; they count as being dialled from here on. When there are more, those
    /// outside the `crowded` groups come first.
    pub(crate) fn take_due(
        &mut self,
        now: Micros,
        limit: usize,
        random: &mut Random,
        crowded: &BTreeSet<Group>,
        standing: impl Fn(&PeerId) -> Standing,
    ) -> Vec<Address> {
        if limit == 0 {
            return Vec::new();
        }
        let mut due: Vec<(Micros, SocketAddr)> = self
            .entries
            .iter()
            .filter_map(|(socket, entry)| Some((entry.due_at(&standing)?, *socket)))
            .filter(|(at, _)| *at <= now)
            .collect();
        due.sort_unstable();
        if due.len() > limit {
            self.put_in_order(&mut due, random, crowded);
        }
        let mut taken_peers = BTreeSet::new();
        let mut taken = Vec::new();
        for (_, socket) in due {
            if taken.len() == limit {
                break;
            }
            let Some(entry) = self.entries.get_mut(&socket) else { continue };
            if entry.peer.is_some_and(|peer| !taken_peers.insert(peer)) {
                continue;
            }
            entry.state = State::Dialling;
            self.dials.insert(socket, now);
            taken.push(entry.address(socket));
        }
        taken
    }

    /// Anchors first, then outside the groups that this node dials already, then by lot, each bucket as likely as any
    /// other: who fills many places of one bucket gains nothing, and nodes that know the same addresses do not all come
    /// to the same few.
    fn put_in_order(&self, due: &mut Vec<(Micros, SocketAddr)>, random: &mut Random, crowded: &BTreeSet<Group>) {
        random.shuffle(due);
        let mut ranks: BTreeMap<Crowd, usize> = BTreeMap::new();
        let mut ordered = Vec::with_capacity(due.len());
        for (at, socket) in due.drain(..) {
            let group = self.group(&socket);
            let entry = self.entries.get(&socket);
            let place = entry.and_then(|entry| entry.place);
            let crowd = place.map_or(Crowd::Group(group), |place| Crowd::Bucket(place.bucket()));
            let rank = ranks.entry(crowd).or_default();
            let is_anchor = entry.is_some_and(|entry| entry.is_anchor);
            ordered.push(((!is_anchor, crowded.contains(&group), *rank), (at, socket)));
            *rank += 1;
        }
        ordered.sort_by_key(|(key, _)| *key);
        due.extend(ordered.into_iter().map(|(_, candidate)| candidate));
    }

    /// When `take_due` will next have something to give.
    pub(crate) fn next_due(&self, standing: impl Fn(&PeerId) -> Standing) -> Option<Micros> {
        self.entries.values().filter_map(|entry| entry.due_at(&standing)).min()
    }

    /// When an address that is not the book's to dial may next be dialled on somebody's word.
    pub(crate) fn next_forgiven(&self, now: Micros) -> Option<Micros> {
        let waiting = self.entries.values().filter(|entry| entry.is_only_remembered());
        waiting.map(|entry| entry.not_before).filter(|at| *at > now).min()
    }

    /// When `overdue` will next have something to give.
    pub(crate) fn next_overdue(&self, dial_timeout: Duration) -> Option<Micros> {
        self.dials.values().min().map(|since| *since + dial_timeout)
    }

    /// When the next dial will be a slow one.
    pub(crate) fn next_slow(&self, now: Micros) -> Option<Micros> {
        self.dials.values().map(|since| *since + SLOW_DIAL).filter(|slow| *slow > now).min()
    }

    /// Dials that nobody has answered for `dial_timeout`.
    pub(crate) fn overdue(&self, now: Micros, dial_timeout: Duration) -> Vec<SocketAddr> {
        let overdue = self.dials.iter().filter(|(_, since)| **since + dial_timeout <= now);
        overdue.map(|(socket, _)| *socket).collect()
    }

    /// Whether a dial to `socket` is on its way.
    pub(crate) fn is_dialling(&self, socket: &SocketAddr) -> bool {
        self.dials.contains_key(socket)
    }

    /// How many dials are on their way.
    pub(crate) fn dialling(&self) -> usize {
        self.dials.len()
    }

    /// Of those, how many may soon be answered.
    pub(crate) fn hopeful(&self, now: Micros) -> usize {
        self.dials.values().filter(|since| **since + SLOW_DIAL > now).count()
    }

    /// A dial came to nothing, or its link was refused for a reason that a later dial may not meet. Gives how often in a
    /// row; `None` for an address that is not being dialled.
    pub(crate) fn failed(
        &mut self,
        now: Micros,
        socket: SocketAddr,
        reason: DialFailure,
        random: &mut Random,
    ) -> Option<u32> {
        self.dials.remove(&socket)?;
        let entry = self.entries.get_mut(&socket)?;
        entry.attempted = true;
        entry.met_a_ban = reason == DialFailure::Banned;
        entry.state = State::Idle;
        entry.failures = entry.failures.saturating_add(1);
        entry.not_before = now + self.backoff.wait(entry.failures, random);
        let failures = entry.failures;
        self.give_way(socket);
        if failures >= self.attempts {
            self.unplace(&socket);
        }
        self.forget_unlisted(now);
        Some(failures)
    }

    /// The dial to `socket` became a link that is kept.
    pub(crate) fn linked(&mut self, now: Micros, socket: SocketAddr, link: LinkId, peer: PeerId) {
        self.dials.remove(&socket);
        self.confirm(socket);
        if let Some(entry) = self.entries.get_mut(&socket) {
            entry.attempted = true;
            entry.state = State::Linked(link);
            entry.peer = Some(peer);
            entry.confirmed = now;
        }
    }

    /// The dial to `socket` reached `peer`, but its link is not kept, for no fault of the address.
    pub(crate) fn reached(&mut self, now: Micros, socket: SocketAddr, peer: PeerId) {
        self.dials.remove(&socket);
        self.confirm(socket);
        if let Some(entry) = self.entries.get_mut(&socket) {
            entry.attempted = true;
            entry.state = State::Idle;
            entry.peer = Some(peer);
            entry.confirmed = now;
            entry.failures = 0;
            // If the link that was kept instead ends, the wait begins then.
            entry.not_before = now + self.backoff.first();
        }
        self.forget_unlisted(now);
    }

    /// The address is this node's own: it is not dialled again while it stays listed, nor for a long while on others' word.
    pub(crate) fn own(&mut self, now: Micros, socket: SocketAddr) {
        self.dials.remove(&socket);
        if let Some(entry) = self.entries.get_mut(&socket) {
            entry.attempted = true;
            entry.state = State::Idle;
            entry.own = true;
            entry.not_before = now + self.backoff.limit();
        }
        self.forget_unlisted(now);
    }

    /// A link to `peer` ended. Each address that leads to the peer is dialled again after a wait, the shortest one when
    /// the link had `settled`.
    pub(crate) fn link_ended(&mut self, now: Micros, link: LinkId, peer: &PeerId, settled: bool, random: &mut Random) {
        for entry in self.entries.values_mut() {
            let is_of_link = entry.state == State::Linked(link);
            if is_of_link {
                entry.state = State::Idle;
                entry.failures = if settled { 1 } else { entry.failures.saturating_add(1) };
            }
            if is_of_link || (entry.peer.as_ref() == Some(peer) && entry.state == State::Idle) {
                entry.not_before = now + self.backoff.wait(entry.failures.max(1), random);
            }
        }
        self.forget_unlisted(now);
    }

    /// A ban is over: its peer, if it named one, is dialled again, and so is every address where a ban was met, for who
    /// lives there is not always known. Of two nodes that hear of it together the one with the smaller id dials at once and
    /// the other after the shortest wait, so that they do not meet half-way; `is_first` says that this node is the smaller.
    pub(crate) fn unbanned(&mut self, now: Micros, peer: Option<&PeerId>, is_first: bool, random: &mut Random) {
        let is_of_peer = |entry: &Entry| peer.is_some() && entry.peer.as_ref() == peer;
        let concerned = |entry: &&mut Entry| entry.met_a_ban || is_of_peer(entry);
        for entry in self.entries.values_mut().filter(concerned) {
            entry.failures = 0;
            let waits = is_of_peer(entry) && !is_first;
            entry.not_before = if waits { now + self.backoff.wait(1, random) } else { now };
        }
    }

    /// Every address is dialled anew: at once, or after the shortest wait where `waits` says so of the peer last met.
    pub(crate) fn reset(&mut self, now: Micros, random: &mut Random, waits: impl Fn(&PeerId) -> bool) {
        for entry in self.entries.values_mut() {
            entry.failures = 0;
            let waits = entry.peer.as_ref().is_some_and(&waits);
            entry.not_before = if waits { now + self.backoff.wait(1, random) } else { now };
        }
    }

    /// Whether discovery has told something, and every place it told of was tried or needs no trial.
    pub(crate) fn all_attempted(&self, standing: impl Fn(&PeerId) -> Standing) -> bool {
        let is_settled = |entry: &Entry| {
            !entry.listed || entry.attempted || entry.peer.as_ref().map_or(Standing::Free, &standing) != Standing::Free
        };
        self.told && self.entries.values().all(is_settled)
    }
}

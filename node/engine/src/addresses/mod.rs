//! The address book: where peers may be, and when each place is dialled.
//!
//! ```text
//!             due, a dial is free            LinkUp
//!   idle ──────────────────────▶ dialling ───────────▶ linked
//!    ▲  ▲      DialFailed, no answer │                    │ LinkDown
//!    │  └─── wait 1, 2, 4 .. 60 s ◀──┘                    │
//!    └──────────── wait ◀─────────────────────────────────┘
//! ```
//!
//! Who redials: whoever lacks neighbours, so after a lost link usually both ends; when a ban is over the smaller peer id
//! at once and the other after the shortest wait. When both get through, the connection that the smaller peer id
//! dialled stays. An address is not dialled while its peer is banned, nor, for some minutes, while
//! the peer that was last reached there has a link by another way. Addresses that discovery no longer lists are
//! forgotten once no link to them lives, those that somebody named after some failures in a row.

mod backoff;
mod exchange;
mod safety;
mod settings;
#[cfg(test)]
mod tests;

pub(crate) use backoff::Backoff;
pub(crate) use exchange::Exchange;
pub(crate) use safety::may_dial;
pub use settings::{AddressSettings, AddressSettingsRefused};

use crate::{
    Address, AddressView, DialFailure, LinkId, Micros,
    bounds::{MAX_ADDRESSES, REVERIFY_ADDRESS},
    random::Random,
};
use peerwright_secure::PeerId;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

/// What the rest of the engine knows of peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has a link.
    Linked,
    /// It is banned.
    Banned,
    /// Neither.
    Free,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Dialling,
    Linked(LinkId),
}

#[derive(Debug)]
struct Entry {
    host: String,
    /// Whether this node's configuration leads there: then it is kept however often it fails.
    listed: bool,
    /// Whether somebody else has named it.
    learnt: bool,
    own: bool,
    /// Whether a dial to it has ever ended, well or badly.
    attempted: bool,
    /// Whether the last dial failed because somebody is banned.
    met_a_ban: bool,
    peer: Option<PeerId>,
    /// When `peer` was last seen to be there.
    confirmed: Micros,
    state: State,
    failures: u32,
    not_before: Micros,
}

impl Entry {
    fn new(now: Micros, host: &str) -> Self {
        Self {
            host: host.to_owned(),
            listed: false,
            learnt: false,
            own: false,
            attempted: false,
            met_a_ban: false,
            peer: None,
            confirmed: now,
            state: State::Idle,
            failures: 0,
            not_before: now,
        }
    }

    fn address(&self, socket: SocketAddr) -> Address {
        let host = if self.host.is_empty() { socket.ip().to_string() } else { self.host.clone() };
        Address { host, socket }
    }

    fn due_at(&self, standing: impl Fn(&PeerId) -> Standing) -> Option<Micros> {
        if !(self.listed || self.learnt) || self.own || self.state != State::Idle {
            return None;
        }
        match self.peer.as_ref().map_or(Standing::Free, standing) {
            Standing::Banned => None,
            Standing::Linked => Some(self.not_before.max(self.confirmed + REVERIFY_ADDRESS)),
            Standing::Free => Some(self.not_before),
        }
    }
}

/// All known addresses, by socket.
#[derive(Debug)]
pub(crate) struct AddressBook {
    entries: BTreeMap<SocketAddr, Entry>,
    /// The dials under way, and since when.
    dials: BTreeMap<SocketAddr, Micros>,
    backoff: Backoff,
    /// Failures in a row after which an address is forgotten that is not listed.
    attempts: u32,
    /// Whether discovery has ever told anything.
    told: bool,
}

impl AddressBook {
    pub(crate) fn new(backoff: Backoff, attempts: u32) -> Self {
        Self { entries: BTreeMap::new(), dials: BTreeMap::new(), backoff, attempts, told: false }
    }

    /// Takes the whole list of what discovery resolved.
    pub(crate) fn replace(&mut self, now: Micros, addresses: &[Address]) {
        self.told = true;
        let listed: BTreeMap<SocketAddr, &str> =
            addresses.iter().rev().map(|address| (address.socket, address.host.as_str())).collect();
        for (socket, entry) in &mut self.entries {
            entry.listed = listed.contains_key(socket);
        }
        self.forget_unlisted();
        for (socket, host) in listed {
            let has_room = self.entries.len() < MAX_ADDRESSES;
            match self.entries.get_mut(&socket) {
                Some(entry) => host.clone_into(&mut entry.host),
                None if has_room => {
                    self.entries.insert(socket, Entry { listed: true, ..Entry::new(now, host) });
                }
                None => break,
            }
        }
    }

    /// Takes an address that somebody named, unless the book is full. Says whether it is new.
    pub(crate) fn learn(&mut self, now: Micros, socket: SocketAddr) -> bool {
        let has_room = self.entries.len() < MAX_ADDRESSES;
        match self.entries.get_mut(&socket) {
            Some(entry) => {
                entry.learnt = true;
                false
            }
            None if has_room => {
                self.entries.insert(socket, Entry { learnt: true, ..Entry::new(now, "") });
                true
            }
            None => false,
        }
    }

    /// Whether an address may be dialled now, known or not.
    pub(crate) fn is_due(&self, now: Micros, socket: &SocketAddr, standing: impl Fn(&PeerId) -> Standing) -> bool {
        self.entries.get(socket).is_none_or(|entry| entry.due_at(standing).is_some_and(|at| at <= now))
    }

    /// The address is dialled now on somebody's word; it counts as being dialled from here on. `None` when the book is
    /// full.
    pub(crate) fn begin_dial(&mut self, now: Micros, socket: SocketAddr) -> Option<Address> {
        self.learn(now, socket);
        let entry = self.entries.get_mut(&socket)?;
        entry.state = State::Dialling;
        self.dials.insert(socket, now);
        Some(entry.address(socket))
    }

    /// The addresses to dial now, at most `limit`; they count as being dialled from here on.
    pub(crate) fn take_due(
        &mut self,
        now: Micros,
        limit: usize,
        random: &mut Random,
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
            // Nodes that know the same addresses would otherwise all come to the same few.
            random.shuffle(&mut due);
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

    /// When `take_due` will next have something to give.
    pub(crate) fn next_due(&self, standing: impl Fn(&PeerId) -> Standing) -> Option<Micros> {
        self.entries.values().filter_map(|entry| entry.due_at(&standing)).min()
    }

    /// When `overdue` will next have something to give.
    pub(crate) fn next_overdue(&self, dial_timeout: Duration) -> Option<Micros> {
        self.dials.values().min().map(|since| *since + dial_timeout)
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
        entry.learnt &= entry.failures < self.attempts;
        let failures = entry.failures;
        self.forget_unlisted();
        Some(failures)
    }

    /// Who was last reached at `socket`.
    pub(crate) fn peer_at(&self, socket: &SocketAddr) -> Option<PeerId> {
        self.entries.get(socket).and_then(|entry| entry.peer)
    }

    /// Whether the node was told of this peer by a name of its own: a listed one that leads to nobody else, unlike the
    /// name of a group of nodes.
    pub(crate) fn is_declared(&self, peer: &PeerId) -> bool {
        let listed = || self.entries.values().filter(|entry| entry.listed);
        let leads_to_it = |entry: &&Entry| entry.peer.as_ref() == Some(peer);
        listed()
            .filter(leads_to_it)
            .any(|entry| listed().filter(|other| other.host == entry.host).all(|other| leads_to_it(&other)))
    }

    /// The dial to `socket` became a link that is kept.
    pub(crate) fn linked(&mut self, now: Micros, socket: SocketAddr, link: LinkId, peer: PeerId) {
        self.dials.remove(&socket);
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
        if let Some(entry) = self.entries.get_mut(&socket) {
            entry.attempted = true;
            entry.state = State::Idle;
            entry.peer = Some(peer);
            entry.confirmed = now;
            entry.failures = 0;
            // If the link that was kept instead ends, the wait begins then.
            entry.not_before = now + self.backoff.first();
        }
        self.forget_unlisted();
    }

    /// A peer has dialled from the machine of this address and says that it listens there.
    pub(crate) fn met(&mut self, now: Micros, socket: SocketAddr, peer: PeerId) {
        if let Some(entry) = self.entries.get_mut(&socket).filter(|entry| entry.state == State::Idle) {
            entry.peer = Some(peer);
            entry.confirmed = now;
        }
    }

    /// The address is this node's own: it is not dialled again while it stays listed.
    pub(crate) fn own(&mut self, socket: SocketAddr) {
        self.dials.remove(&socket);
        if let Some(entry) = self.entries.get_mut(&socket) {
            entry.attempted = true;
            entry.state = State::Idle;
            entry.own = true;
        }
        self.forget_unlisted();
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
        self.forget_unlisted();
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

    /// Whether this node's configuration leads to the address.
    pub(crate) fn is_listed(&self, socket: &SocketAddr) -> bool {
        self.entries.get(socket).is_some_and(|entry| entry.listed)
    }

    /// Whether discovery has told something, and every place it told of was tried or needs no trial.
    pub(crate) fn all_attempted(&self, standing: impl Fn(&PeerId) -> Standing) -> bool {
        let is_settled = |entry: &Entry| {
            !entry.listed || entry.attempted || entry.peer.as_ref().map_or(Standing::Free, &standing) != Standing::Free
        };
        self.told && self.entries.values().all(is_settled)
    }

    /// The addresses, by socket.
    pub(crate) fn views(&self) -> Vec<AddressView> {
        let view = |(socket, entry): (&SocketAddr, &Entry)| AddressView {
            host: entry.address(*socket).host,
            socket: *socket,
            listed: entry.listed,
            own: entry.own,
            peer: entry.peer,
            failures: entry.failures,
        };
        self.entries.iter().map(view).collect()
    }

    /// Other nodes' addresses, and how many of them failed when last tried.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let others = self.entries.values().filter(|entry| !entry.own);
        let failing = others.clone().filter(|entry| entry.failures > 0 && !matches!(entry.state, State::Linked(_)));
        (others.count(), failing.count())
    }

    fn forget_unlisted(&mut self) {
        self.entries.retain(|_, entry| entry.listed || entry.learnt || entry.state != State::Idle);
    }
}

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
//! What others name goes into two tables that a flood cannot fill (`tables`), counted by neighbourhoods (`group`); what this
//! node's own configuration leads to, and a few good neighbours of its former life, stand beside them.
//!
//! Who redials: whoever lacks neighbours, so after a lost link usually both ends; when a ban is over the smaller peer id
//! at once and the other after the shortest wait. When both get through, the connection that the smaller peer id
//! dialled stays. An address is not dialled while its peer is banned, nor, for some minutes, while
//! the peer that was last reached there has a link by another way. Addresses that discovery no longer lists are
//! remembered, not dialled, while a link to them lives and until the wait after their failures is long over: who names them
//! again is not to begin with the shortest wait. So are, after some failures in a row, those that somebody named.

mod backoff;
mod dialling;
mod exchange;
#[cfg(test)]
mod flood_tests;
mod group;
mod safety;
mod settings;
mod tables;
#[cfg(test)]
mod tests;

pub(crate) use backoff::Backoff;
pub(crate) use exchange::Exchange;
pub(crate) use group::Group;
pub(crate) use safety::{may_dial, may_dial_nearby};
pub use settings::{AddressSettings, AddressSettingsRefused};
use tables::{Place, Promotion, Tables};

use crate::{
    Address, AddressView, LinkId, Micros,
    bounds::{MAX_ADDRESSES, MAX_LISTED, REVERIFY_ADDRESS},
    random::Random,
};
use peerwright_secure::{Cidr, PeerId};
use std::{collections::BTreeMap, net::SocketAddr};

/// What the rest of the engine knows of peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has a link.
    Linked,
    /// It is banned, or kept away for a while.
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
    /// Where it stands among the addresses that others named.
    place: Option<Place>,
    /// It was a good neighbour's in this node's former life.
    is_anchor: bool,
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
            place: None,
            is_anchor: false,
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

    fn is_learnt(&self) -> bool {
        self.place.is_some() || self.is_anchor
    }

    /// Whether it is the book's own to dial, and not only known because somebody's word led there.
    fn is_in_book(&self) -> bool {
        self.listed || self.is_learnt()
    }

    /// When the book dials it.
    fn due_at(&self, standing: impl Fn(&PeerId) -> Standing) -> Option<Micros> {
        self.is_in_book().then(|| self.free_at(standing)).flatten()
    }

    /// From when on it may be dialled, on whosever word.
    fn free_at(&self, standing: impl Fn(&PeerId) -> Standing) -> Option<Micros> {
        if self.own || self.state != State::Idle {
            return None;
        }
        match self.peer.as_ref().map_or(Standing::Free, standing) {
            Standing::Banned => None,
            Standing::Linked => Some(self.not_before.max(self.confirmed + REVERIFY_ADDRESS)),
            Standing::Free => Some(self.not_before),
        }
    }

    /// Whether nobody dials it or is linked to it: only its failures are of use.
    fn is_only_remembered(&self) -> bool {
        !self.is_in_book() && self.state == State::Idle
    }

    /// How long it is kept when it is only remembered.
    fn remembered_until(&self, backoff: &Backoff) -> Micros {
        if self.failures == 0 { self.not_before } else { self.not_before + backoff.limit() }
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
    own_ranges: Vec<Cidr>,
    tables: Tables,
    /// Whether discovery has ever told anything.
    told: bool,
}

impl AddressBook {
    pub(crate) fn new(backoff: Backoff, attempts: u32, own_ranges: Vec<Cidr>, random: &mut Random) -> Self {
        let (entries, dials, tables) = (BTreeMap::new(), BTreeMap::new(), Tables::new(random));
        Self { entries, dials, backoff, attempts, own_ranges, tables, told: false }
    }

    /// From the next failure on, addresses are dialled again by `backoff`; one that nobody configured is forgotten after
    /// `attempts` dials in a row that failed.
    pub(crate) fn tune(&mut self, backoff: Backoff, attempts: u32) {
        self.backoff = backoff;
        self.attempts = attempts;
    }

    /// Takes the whole list of what discovery resolved.
    pub(crate) fn replace(&mut self, now: Micros, addresses: &[Address]) {
        self.told = true;
        let listed: BTreeMap<SocketAddr, &str> =
            addresses.iter().rev().map(|address| (address.socket, address.host.as_str())).collect();
        for (socket, entry) in &mut self.entries {
            let is_listed = listed.contains_key(socket);
            if is_listed && entry.is_only_remembered() {
                *entry = Entry::new(now, "");
            }
            entry.listed = is_listed;
        }
        self.forget_unlisted(now);
        let mut listed_now = self.entries.values().filter(|entry| entry.listed).count();
        for (socket, host) in listed {
            let has_room = listed_now < MAX_LISTED;
            match self.entries.get_mut(&socket) {
                Some(entry) => host.clone_into(&mut entry.host),
                None if has_room => {
                    listed_now += 1;
                    self.entries.insert(socket, Entry { listed: true, ..Entry::new(now, host) });
                }
                None => break,
            }
        }
    }

    /// Takes an address that somebody in the group `source` named, unless its place is taken. Says whether it is new.
    pub(crate) fn learn(&mut self, now: Micros, socket: SocketAddr, source: &Group) -> bool {
        let has_room = self.has_room();
        if self.entries.get(&socket).map_or(!has_room, Entry::is_learnt) {
            return false;
        }
        let place = self.tables.new_place(&socket, &self.group(&socket), source);
        if let Some(occupant) = self.tables.occupant(place) {
            let gives_way =
                self.entries.get(&occupant).is_none_or(|entry| entry.failures > 0 && entry.state == State::Idle);
            if !gives_way {
                return false;
            }
            self.unplace(&occupant);
        }
        self.tables.put(place, socket);
        self.entries.entry(socket).or_insert_with(|| Entry::new(now, "")).place = Some(place);
        true
    }

    /// Takes an address that this node kept from its former life: it is dialled first.
    pub(crate) fn add_anchor(&mut self, now: Micros, socket: SocketAddr) {
        if self.has_room() {
            self.entries.entry(socket).or_insert_with(|| Entry::new(now, "")).is_anchor = true;
        }
    }

    /// The group of an address.
    pub(crate) fn group(&self, socket: &SocketAddr) -> Group {
        Group::of(socket.ip(), &self.own_ranges)
    }

    /// An address that is worth a trial, because nobody has tried it or another wants its place.
    pub(crate) fn to_test(
        &self,
        now: Micros,
        random: &mut Random,
        standing: impl Fn(&PeerId) -> Standing,
    ) -> Option<SocketAddr> {
        let is_due = |entry: &Entry| entry.due_at(&standing).is_some_and(|at| at <= now);
        self.tables.to_test(random, |socket| self.entries.get(socket).is_some_and(is_due))
    }

    /// An address of somebody without a link, by lot; one that is listed as likely as one that is not.
    pub(crate) fn draw(
        &self,
        now: Micros,
        random: &mut Random,
        standing: impl Fn(&PeerId) -> Standing,
    ) -> Option<SocketAddr> {
        let is_free = |entry: &Entry| entry.peer.as_ref().is_none_or(|peer| standing(peer) == Standing::Free);
        let is_due = |entry: &Entry| is_free(entry) && entry.due_at(&standing).is_some_and(|at| at <= now);
        let due = self.entries.iter().filter(|(_, entry)| is_due(entry));
        let (mut listed, mut named) = (Vec::new(), Vec::new());
        for (socket, entry) in due {
            if entry.listed { listed.push(*socket) } else { named.push(*socket) }
        }
        let chosen = if named.is_empty() || (!listed.is_empty() && random.below(2) == 0) { listed } else { named };
        chosen.get(random.index(chosen.len())).copied()
    }

    /// How many addresses were named and not tried, and how many led to a link.
    pub(crate) fn table_counts(&self) -> (usize, usize) {
        self.tables.counts()
    }

    /// Takes an address out of the tables.
    fn unplace(&mut self, socket: &SocketAddr) {
        if let Some(entry) = self.entries.get_mut(socket) {
            entry.is_anchor = false;
            if let Some(place) = entry.place.take() {
                self.tables.remove(place, socket);
            }
        }
    }

    /// A dial has led to a peer: the address belongs to the tried ones.
    fn confirm(&mut self, socket: SocketAddr) {
        self.tables.answered(&socket);
        let group = self.group(&socket);
        let Some(entry) = self.entries.get_mut(&socket) else { return };
        let Some(place) = entry.place.filter(|place| !place.is_tried()) else { return };
        if let Promotion::Done(place) = self.tables.promote(place, socket, &group) {
            entry.place = Some(place);
        }
    }

    /// Nobody answers at a tried address: who waits for its place gets it.
    fn give_way(&mut self, socket: SocketAddr) {
        let Some(newcomer) = self.tables.waiting_for(&socket) else { return };
        self.unplace(&socket);
        self.confirm(newcomer);
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

    /// A peer has dialled from the machine of this address and says that it listens there.
    pub(crate) fn met(&mut self, now: Micros, socket: SocketAddr, peer: PeerId) {
        if let Some(entry) = self.entries.get_mut(&socket).filter(|entry| entry.state == State::Idle) {
            entry.peer = Some(peer);
            entry.confirmed = now;
        }
    }

    /// Whether this node's configuration leads to the address.
    pub(crate) fn is_listed(&self, socket: &SocketAddr) -> bool {
        self.entries.get(socket).is_some_and(|entry| entry.listed)
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

    /// What is not in the book is forgotten once its wait is long over.
    fn forget_unlisted(&mut self, now: Micros) {
        let backoff = self.backoff;
        self.entries.retain(|_, entry| !entry.is_only_remembered() || entry.remembered_until(&backoff) > now);
    }

    /// Whether another address can be taken. What is only remembered gives way.
    fn has_room(&mut self) -> bool {
        if self.entries.len() >= MAX_ADDRESSES {
            self.entries.retain(|_, entry| !entry.is_only_remembered());
        }
        self.entries.len() < MAX_ADDRESSES
    }
}

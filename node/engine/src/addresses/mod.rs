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
//! Who redials: both ends of a lost link, and both ends when a ban is over; when both get through, the connection that
//! the smaller peer id dialled stays. An address is not dialled while its peer is banned, nor, for some minutes, while
//! the peer that was last reached there has a link by another way. Addresses that discovery no longer lists are
//! forgotten once no link to them lives.

mod backoff;
#[cfg(test)]
mod tests;

pub(crate) use backoff::Backoff;

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
    Dialling { since: Micros },
    Linked(LinkId),
}

#[derive(Debug)]
struct Entry {
    host: String,
    listed: bool,
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
    fn due_at(&self, standing: impl Fn(&PeerId) -> Standing) -> Option<Micros> {
        if !self.listed || self.own || self.state != State::Idle {
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
    backoff: Backoff,
    /// Whether discovery has ever told anything.
    told: bool,
}

impl AddressBook {
    pub(crate) fn new(backoff: Backoff) -> Self {
        Self { entries: BTreeMap::new(), backoff, told: false }
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
                    self.entries.insert(
                        socket,
                        Entry {
                            host: host.to_owned(),
                            listed: true,
                            own: false,
                            attempted: false,
                            met_a_ban: false,
                            peer: None,
                            confirmed: now,
                            state: State::Idle,
                            failures: 0,
                            not_before: now,
                        },
                    );
                }
                None => break,
            }
        }
    }

    /// The addresses to dial now, at most `limit`; they count as being dialled from here on.
    pub(crate) fn take_due(
        &mut self,
        now: Micros,
        limit: usize,
        standing: impl Fn(&PeerId) -> Standing,
    ) -> Vec<Address> {
        let mut due: Vec<(Micros, SocketAddr)> = self
            .entries
            .iter()
            .filter_map(|(socket, entry)| Some((entry.due_at(&standing)?, *socket)))
            .filter(|(at, _)| *at <= now)
            .collect();
        due.sort_unstable();
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
            entry.state = State::Dialling { since: now };
            taken.push(Address { host: entry.host.clone(), socket });
        }
        taken
    }

    /// When `take_due` or `take_overdue` will next have something to give.
    pub(crate) fn next_due(&self, dial_timeout: Duration, standing: impl Fn(&PeerId) -> Standing) -> Option<Micros> {
        let times = self.entries.values().filter_map(|entry| match entry.state {
            State::Dialling { since } => Some(since + dial_timeout),
            State::Idle | State::Linked(_) => entry.due_at(&standing),
        });
        times.min()
    }

    /// Dials that nobody has answered for `dial_timeout`.
    pub(crate) fn overdue(&self, now: Micros, dial_timeout: Duration) -> Vec<SocketAddr> {
        let is_overdue = |entry: &Entry| match entry.state {
            State::Dialling { since } => since + dial_timeout <= now,
            State::Idle | State::Linked(_) => false,
        };
        self.entries.iter().filter(|(_, entry)| is_overdue(entry)).map(|(socket, _)| *socket).collect()
    }

    /// How many dials are on their way.
    pub(crate) fn dialling(&self) -> usize {
        self.entries.values().filter(|entry| matches!(entry.state, State::Dialling { .. })).count()
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
        let entry = self.entries.get_mut(&socket)?;
        if !matches!(entry.state, State::Dialling { .. }) {
            return None;
        }
        entry.attempted = true;
        entry.met_a_ban = reason == DialFailure::Banned;
        entry.state = State::Idle;
        entry.failures = entry.failures.saturating_add(1);
        entry.not_before = now + self.backoff.wait(entry.failures, random);
        let failures = entry.failures;
        self.forget_unlisted();
        Some(failures)
    }

    /// Who was last reached at `socket`.
    pub(crate) fn peer_at(&self, socket: &SocketAddr) -> Option<PeerId> {
        self.entries.get(socket).and_then(|entry| entry.peer)
    }

    /// The dial to `socket` became a link that is kept.
    pub(crate) fn linked(&mut self, now: Micros, socket: SocketAddr, link: LinkId, peer: PeerId) {
        if let Some(entry) = self.entries.get_mut(&socket) {
            entry.attempted = true;
            entry.state = State::Linked(link);
            entry.peer = Some(peer);
            entry.confirmed = now;
        }
    }

    /// The dial to `socket` reached `peer`, but its link is not kept, for no fault of the address.
    pub(crate) fn reached(&mut self, now: Micros, socket: SocketAddr, peer: PeerId) {
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

    /// The address is this node's own: it is not dialled again while it stays listed.
    pub(crate) fn own(&mut self, socket: SocketAddr) {
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

    /// The peer's last ban is over: it is dialled at once, and so is every address where a ban was met, for who lives
    /// there is not always known.
    pub(crate) fn unbanned(&mut self, now: Micros, peer: &PeerId) {
        let concerned = |entry: &&mut Entry| entry.met_a_ban || entry.peer.as_ref() == Some(peer);
        for entry in self.entries.values_mut().filter(concerned) {
            entry.failures = 0;
            entry.not_before = now;
        }
    }

    /// Every address is dialled at once.
    pub(crate) fn reset(&mut self, now: Micros) {
        for entry in self.entries.values_mut() {
            entry.failures = 0;
            entry.not_before = now;
        }
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
            host: entry.host.clone(),
            socket: *socket,
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
        self.entries.retain(|_, entry| entry.listed || entry.state != State::Idle);
    }
}

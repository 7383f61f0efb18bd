//! Searches for the holders of registers, and answers to those of others.

use super::{Draining, Engine, Turn, peers::standing};
use crate::{
    Class, LinkId, MemberState,
    addresses::{Standing, may_dial},
    bounds::{
        BUCKET_CONTACTS, HOLDER_PATIENCE, HOLDERS_DIALLED, MAX_FOUND, MAX_HOLDERS_TOLD, MAX_SEARCHES,
        QUESTION_PATIENCE, SEARCH_FIRST, SEARCH_INTERVAL, SEARCH_LATER, TOLD_NODES,
    },
    directory::{Lookup, Place, Search, Step},
    frame::{Contact, Frame},
    timers::Timer,
};
use peerwright_ledger::RegisterId;
use peerwright_secure::PeerId;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
};

impl Engine {
    /// This node holds a register from now on: it looks for others that do, and says so to those who are asked.
    pub(super) fn search_from_now_on(&mut self, turn: &Turn<'_>, register: RegisterId) {
        self.directory.due.insert(register, turn.now + self.random.around(SEARCH_FIRST));
        self.await_directory();
    }

    /// Begins searches that are due, and gives up those who do not answer.
    pub(super) fn look_into_directory(&mut self, turn: &mut Turn<'_>) {
        let silent = |search: &Search| {
            search.asked.iter().filter(|(_, (_, until))| *until <= turn.now).map(|(peer, _)| *peer).collect::<Vec<_>>()
        };
        let silent: Vec<_> =
            self.directory.searches.iter().map(|(register, search)| (*register, silent(search))).collect();
        for (register, peers) in silent {
            for peer in peers {
                self.no_answer(turn, register, &peer);
            }
        }
        let due = self
            .directory
            .due
            .iter()
            .filter(|(register, at)| **at <= turn.now && !self.directory.searches.contains_key(*register));
        let due: Vec<RegisterId> = due.map(|(register, _)| *register).collect();
        for register in due {
            if let Some(untried) = self.directory.untried.remove(&register) {
                let is_wanted = self.may_search() && !self.directory.near.contains(&register);
                self.dial_holders(turn, register, untried, if is_wanted { HOLDERS_DIALLED } else { 0 });
            } else if self.directory.near.remove(&register) {
                // Who has a source searches to be found by others, and not at the same time as all that began with it.
                let wait = self.random.around(SEARCH_LATER);
                self.directory.due.insert(register, turn.now + wait);
            } else if self.may_search() && self.directory.searches.len() < MAX_SEARCHES {
                self.begin_search(turn, register);
            } else {
                self.directory.due.insert(register, turn.now + self.random.around(SEARCH_FIRST));
            }
        }
        self.await_directory();
    }

    fn may_search(&self) -> bool {
        self.limits.is_some() && self.draining == Draining::No && !self.is_own_banned()
    }

    fn await_directory(&mut self) {
        match self.directory.next() {
            Some(at) => self.timers.set(Timer::Directory, at),
            None => self.timers.cancel(Timer::Directory),
        }
    }

    fn begin_search(&mut self, turn: &mut Turn<'_>, register: RegisterId) {
        // Whom all are linked to, nobody needs to look for.
        if self.members.table.present() <= self.overlay.settings.active + 1 {
            self.directory.due.insert(register, turn.now + self.random.around(SEARCH_LATER));
            return;
        }
        self.directory.due.insert(register, turn.now + self.random.around(SEARCH_INTERVAL));
        self.fill_buckets();
        let place = Place::of_register(&register);
        let known = self.directory.buckets.nearest(&place, BUCKET_CONTACTS);
        let search = Search { lookup: Lookup::new(place, self.own, &known), asked: BTreeMap::new() };
        self.directory.searches.insert(register, search);
        self.counters.directory.searches += 1;
        self.go_on_searching(turn, register);
    }

    /// Takes members into buckets that have room.
    fn fill_buckets(&mut self) {
        let index = self.members.table.index().lock();
        let ranges = &self.config.addresses.own_ranges;
        for (peer, known) in self.members.table.iter(&index) {
            if let Some(address) = known.record.address.filter(|address| may_dial(address, ranges).is_ok())
                && known.state == MemberState::Alive
                && self.directory.buckets.has_room_for(&peer)
            {
                self.directory.buckets.add(Contact { peer, address });
            }
        }
    }

    fn go_on_searching(&mut self, turn: &mut Turn<'_>, register: RegisterId) {
        loop {
            let Some(search) = self.directory.searches.get_mut(&register) else { return };
            match search.lookup.step() {
                Step::Ask(contact) => {
                    let asked = self.ask_for_holders(turn, register, contact);
                    let Some(search) = self.directory.searches.get_mut(&register) else { return };
                    match asked {
                        Some(address) => {
                            search.asked.insert(contact.peer, (address, turn.now + QUESTION_PATIENCE));
                        }
                        None => search.lookup.failed(&contact.peer),
                    }
                }
                Step::Wait => break,
                Step::Done => self.end_search(turn, register),
            }
        }
        self.await_directory();
    }

    /// Asks a node on its link, or dials it to ask. Gives where it is; `None` when it cannot be reached now.
    fn ask_for_holders(&mut self, turn: &mut Turn<'_>, register: RegisterId, contact: Contact) -> Option<SocketAddr> {
        // Where a member says itself that it listens is believed before what others say.
        let signed = self.members.table.of_peer(&contact.peer).and_then(|known| known.record.address);
        let address = signed.unwrap_or(contact.address);
        if let Some(link) = self.links.of_peer(&contact.peer) {
            if self.is_nameless(link) {
                return Some(address);
            }
            let may_hear = self.may_hear(link, &register);
            if may_hear {
                self.question(turn, link, register);
            }
            return may_hear.then_some(address);
        }
        if self.book.is_dialling(&address) {
            return Some(address);
        }
        let standing = |peer: &PeerId| standing(&self.bans, &self.links, peer);
        let may_be_dialled = may_dial(&address, &self.config.addresses.own_ranges).is_ok()
            && standing(&contact.peer) == Standing::Free
            && self.book.is_due(turn.now, &address, standing);
        (may_be_dialled && self.dial_beyond(turn, address)).then_some(address)
    }

    fn question(&mut self, turn: &mut Turn<'_>, link: LinkId, register: RegisterId) {
        self.counters.directory.questions += 1;
        self.send(turn, link, &Frame::FindHolders { register }, Class::Control);
    }

    /// Who was dialled to be asked is asked, once it is known who that is and unless it is not to hear of the register.
    pub(super) fn directory_link_up(&mut self, turn: &mut Turn<'_>, link: LinkId, peer: &PeerId) {
        if self.is_nameless(link) {
            return;
        }
        let searches = self.directory.searches.iter();
        let waiting: Vec<_> =
            searches.filter(|(_, search)| search.asked.contains_key(peer)).map(|(register, _)| *register).collect();
        for register in waiting {
            if self.may_hear(link, &register) {
                self.question(turn, link, register);
            } else {
                self.no_answer(turn, register, peer);
            }
        }
    }

    /// A link has ended: its peer gives no more answers.
    pub(super) fn directory_link_ended(&mut self, turn: &mut Turn<'_>, link: LinkId, peer: &PeerId) {
        self.directory.link_ended(link);
        self.unanswered(turn, |asked, _| asked == peer);
    }

    /// Nobody answers at an address.
    pub(super) fn directory_dial_failed(&mut self, turn: &mut Turn<'_>, address: &SocketAddr) {
        self.directory.buckets.unreachable(address);
        self.unanswered(turn, |_, asked| asked == address);
    }

    fn unanswered(&mut self, turn: &mut Turn<'_>, is_it: impl Fn(&PeerId, &SocketAddr) -> bool) {
        let searches = self.directory.searches.iter();
        let unanswered = searches.flat_map(|(register, search)| {
            let peers = search.asked.iter().filter(|(peer, (address, _))| is_it(peer, address));
            peers.map(|(peer, _)| (*register, *peer))
        });
        for (register, peer) in unanswered.collect::<Vec<_>>() {
            self.no_answer(turn, register, &peer);
        }
    }

    fn no_answer(&mut self, turn: &mut Turn<'_>, register: RegisterId, peer: &PeerId) {
        if let Some(search) = self.directory.searches.get_mut(&register) {
            search.asked.remove(peer);
            search.lookup.failed(peer);
            self.counters.directory.unanswered += 1;
            self.go_on_searching(turn, register);
        }
    }

    /// A peer asks who holds a register: this node, if it does, those that it was told of, and who may know more.
    pub(super) fn holders_asked(&mut self, turn: &mut Turn<'_>, link: LinkId, register: RegisterId) {
        let Some(peer) = self.links.get(link).map(|link| link.peer) else { return };
        if !self.directory.may_ask(turn.now, link) {
            return self.dropped(turn, "directory_pause");
        }
        let is_for_it = |contact: &Contact| contact.peer != peer && !self.bans.is_banned(&contact.peer);
        let may_hear = self.may_hear(link, &register);
        let told = self.directory.holders.find(turn.now, &register).filter(|_| may_hear);
        let mut holders: Vec<Contact> = told.filter(is_for_it).collect();
        self.best_first(&mut holders);
        // What is advertised is public, whoever is to hold it.
        let is_held = may_hear && (self.holdings.is_subscribed(&register) || self.advertised.tells(&register));
        if let Some(address) = self.config.advertised.filter(|_| is_held) {
            holders.insert(0, Contact { peer: self.own, address });
        }
        holders.truncate(MAX_HOLDERS_TOLD);
        let nearer = self.directory.buckets.nearest(&Place::of_register(&register), BUCKET_CONTACTS);
        let nearer = nearer.into_iter().filter(is_for_it).collect();
        self.counters.directory.answered += 1;
        self.send(turn, link, &Frame::Holders { register, holders, nearer }, Class::Control);
    }

    fn best_first(&self, contacts: &mut [Contact]) {
        contacts.sort_by_key(|contact| Reverse(self.score_of(&contact.peer)));
    }

    /// A peer has answered.
    pub(super) fn holders_told(
        &mut self,
        turn: &mut Turn<'_>,
        link: LinkId,
        register: RegisterId,
        holders: &[Contact],
        nearer: &[Contact],
    ) {
        let Some(peer) = self.links.get(link).map(|link| link.peer) else { return };
        let search = self.directory.searches.get_mut(&register);
        let was_asked = search.is_some_and(|search| {
            let was_asked = search.asked.remove(&peer).is_some();
            search.lookup.answered(&peer, holders, nearer);
            was_asked
        });
        if !was_asked {
            return self.dropped(turn, "unrequested");
        }
        if let Some(address) = self.links.get(link).and_then(|link| link.listens_at) {
            self.directory.buckets.add(Contact { peer, address });
        }
        self.go_on_searching(turn, register);
    }

    /// The nearest have answered: they are told that this node holds the register, and some of the others are dialled.
    fn end_search(&mut self, turn: &mut Turn<'_>, register: RegisterId) {
        let Some(search) = self.directory.searches.remove(&register) else { return };
        for contact in search.lookup.nearest(TOLD_NODES) {
            let link = self.links.of_peer(&contact.peer);
            if let Some(link) = link.filter(|link| self.may_hear(*link, &register)) {
                self.send(turn, link, &Frame::Hold { registers: vec![register] }, Class::Control);
            }
        }
        let mut holders = search.lookup.holders();
        holders.retain(|(_, holder)| !self.bans.is_banned(&holder.peer));
        holders.sort_by_key(|(words, holder)| (Reverse(*words), Reverse(self.score_of(&holder.peer))));
        let holders: Vec<Contact> = holders.into_iter().take(MAX_FOUND).map(|(_, holder)| holder).collect();
        self.counters.directory.found += holders.len() as u64;
        let is_linked = |holder: &&Contact| self.links.of_peer(&holder.peer).is_some();
        let untried: VecDeque<Contact> = holders.iter().filter(|holder| !is_linked(holder)).copied().collect();
        // At least one: who has a link and is said to hold the register may not.
        let wanted = HOLDERS_DIALLED.saturating_sub(holders.len() - untried.len()).max(1);
        self.directory.found.insert(register, holders);
        self.dial_holders(turn, register, untried, wanted);
        self.await_directory();
    }

    /// Dials some of those who are said to hold a register; the others later, unless one does hold it.
    fn dial_holders(
        &mut self,
        turn: &mut Turn<'_>,
        register: RegisterId,
        mut untried: VecDeque<Contact>,
        wanted: usize,
    ) {
        let mut dialled = 0;
        while dialled < wanted
            && let Some(holder) = untried.pop_front()
        {
            let signed = self.members.table.of_peer(&holder.peer).and_then(|known| known.record.address);
            let address = signed.unwrap_or(holder.address);
            let standing = |peer: &PeerId| standing(&self.bans, &self.links, peer);
            let may_be_dialled = may_dial(&address, &self.config.addresses.own_ranges).is_ok()
                && standing(&holder.peer) == Standing::Free
                && self.book.is_due(turn.now, &address, standing);
            dialled += usize::from(may_be_dialled && self.dial_beyond(turn, address));
        }
        let next = if dialled == 0 { SEARCH_INTERVAL } else { HOLDER_PATIENCE };
        if dialled > 0 {
            self.directory.untried.insert(register, untried);
        }
        self.directory.due.insert(register, turn.now + self.random.around(next));
    }

    /// A peer says that it holds registers. It is known by its link, and listens where it said.
    pub(super) fn hold_told(&mut self, turn: &mut Turn<'_>, link: LinkId, registers: &[RegisterId]) {
        let Some((peer, address)) = self.links.get(link).and_then(|link| Some((link.peer, link.listens_at?))) else {
            return;
        };
        if !self.directory.may_ask(turn.now, link) {
            return self.dropped(turn, "directory_pause");
        }
        for register in registers {
            if !self.directory.holders.add(turn.now, *register, Contact { peer, address }) {
                self.dropped(turn, "holders_full");
            }
        }
    }

    /// Who holds a register, as the last search has it: the best first.
    #[must_use]
    pub fn holders_of(&self, register: &RegisterId) -> Vec<PeerId> {
        let found = self.directory.found.get(register).into_iter().flatten();
        found.map(|holder| holder.peer).collect()
    }
}

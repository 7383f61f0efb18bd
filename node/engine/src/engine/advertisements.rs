//! Saying what this node holds, and hearing what others do.

use super::{Draining, Engine, Turn};
use crate::{
    Advertisement, Class, Event, LinkId, Mutant, Output, Token, WithdrawalCause,
    advertisements::{Changes, Taken},
    bounds::{MAX_ADVERTISEMENT_ROWS, STORE_RETRY},
    frame::Frame,
    is_mutant,
    links::Offer,
    timers::Timer,
};
use bytes::Bytes;
use peerwright_ledger::RegisterId;
use peerwright_secure::PeerId;
use std::time::Duration;

impl Engine {
    /// What is advertised may have changed. With the first change this node begins to say anything at all.
    pub(super) fn holdings_changed(&mut self, turn: &mut Turn<'_>, at_once: bool) {
        if self.draining == Draining::Done {
            return;
        }
        if !self.advertised.has_begun() {
            self.owe_advertisements(turn);
        }
        let wait = if at_once { Duration::ZERO } else { self.config.advertisements.gather };
        self.advertised.due_by(turn.now + wait);
        self.read_advertisements(turn);
    }

    pub(super) fn advertisements_link_up(&mut self, turn: &mut Turn<'_>, link: LinkId, offer: &Offer) {
        for register in self.heard.link_up(offer.peer, offer.incarnation) {
            turn.out.event(Event::RegisterWithdrawn { peer: offer.peer, register, cause: WithdrawalCause::Restarted });
        }
        if self.advertised.has_begun() {
            self.advertised.owe(turn.now, link);
            self.read_advertisements(turn);
        }
    }

    pub(super) fn advertisements_link_ended(&mut self, link: LinkId, peer: &PeerId) {
        self.advertised.link_ended(link);
        self.heard.list_broke_off(peer);
    }

    /// It is time to tell something, or everything again.
    pub(super) fn advertisements_due(&mut self, turn: &mut Turn<'_>) {
        if self.advertised.is_time_again(turn.now) {
            self.owe_advertisements(turn);
        }
        self.read_advertisements(turn);
    }

    /// Every link is told everything, now and again after some time.
    fn owe_advertisements(&mut self, turn: &Turn<'_>) {
        let again = turn.now + self.random.around(self.config.advertisements.again);
        self.advertised.owe_all(turn.now, self.links.ids(), again);
    }

    /// Asks the store what is to be told, if something is.
    fn read_advertisements(&mut self, turn: &mut Turn<'_>) {
        if self.advertised.is_due(turn.now) {
            let token = self.next_token();
            self.advertised.begin_reading(token);
            turn.out.push(Output::ReadAdvertisements { token });
        }
        match self.advertised.next() {
            Some(at) => self.timers.set(Timer::Advertisements, at),
            None => self.timers.cancel(Timer::Advertisements),
        }
    }

    /// The store has told what this node holds, and the links are told at once.
    pub(super) fn advertisements_read(&mut self, turn: &mut Turn<'_>, token: Token, rows: Option<Vec<Advertisement>>) {
        if !self.advertised.has_read(token) {
            return;
        }
        match rows {
            Some(rows) => self.tell_advertisements(turn, rows),
            None => {
                self.store_failed(turn, "advertisements");
                self.advertised.due_by(turn.now + STORE_RETRY);
            }
        }
        self.read_advertisements(turn);
    }

    fn tell_advertisements(&mut self, turn: &mut Turn<'_>, rows: Vec<Advertisement>) {
        let changed = differences(&self.advertised.replace(turn.now, rows));
        let is_silent = self.advertised.is_silent(turn.now, self.config.advertisements.expiry);
        let mut all = None;
        for link in self.links.ids() {
            let frames = if self.advertised.take_owed(link) && !is_silent {
                &*all.get_or_insert_with(|| whole_list(&self.advertised.all()))
            } else {
                &changed
            };
            for frame in frames {
                self.counters.advertisements.frames_sent += 1;
                self.send_encoded(turn, link, frame.clone(), Class::Gossip);
            }
        }
    }

    /// This node ends: nobody is to look for what it held.
    pub(super) fn withdraw_advertisements(&mut self, turn: &mut Turn<'_>) {
        if std::mem::take(&mut self.advertised).len() > 0 {
            for link in self.links.ids() {
                for frame in whole_list(&[]) {
                    self.counters.advertisements.frames_sent += 1;
                    self.send_encoded(turn, link, frame, Class::Gossip);
                }
            }
        }
        self.timers.cancel(Timer::Advertisements);
    }

    /// A peer says what it holds.
    pub(super) fn advertised_by_peer(
        &mut self,
        turn: &mut Turn<'_>,
        link: LinkId,
        whole: bool,
        last: bool,
        rows: Vec<Advertisement>,
        gone: &[RegisterId],
    ) {
        let Some((peer, life)) = self.links.get(link).map(|link| (link.peer, link.incarnation)) else { return };
        self.counters.advertisements.frames_received += 1;
        for row in rows {
            let (register, dockets) = (row.register, row.dockets);
            match self.heard.take(turn.now, (peer, life), row, whole) {
                Taken::New | Taken::Changed => {
                    self.counters.advertisements.changed += 1;
                    turn.out.event(Event::RegisterAdvertised { peer, register, dockets });
                }
                Taken::Repeated => self.counters.advertisements.repeated += 1,
                Taken::Full => self.dropped(turn, "advertisements_full"),
            }
        }
        let mut withdrawn: Vec<RegisterId> =
            gone.iter().filter(|register| self.heard.withdraw(peer, **register)).copied().collect();
        if whole && last && !is_mutant(&self.config, Mutant::ListsOnlyAdd) {
            withdrawn.extend(self.heard.list_ended(peer));
        }
        self.counters.advertisements.withdrawn += withdrawn.len() as u64;
        for register in withdrawn {
            turn.out.event(Event::RegisterWithdrawn { peer, register, cause: WithdrawalCause::Told });
        }
    }

    /// What was not said again in time counts no longer.
    pub(super) fn sweep_advertisements(&mut self, turn: &mut Turn<'_>) {
        for (peer, register) in self.heard.sweep(turn.now, self.config.advertisements.expiry) {
            self.counters.advertisements.expired += 1;
            turn.out.event(Event::RegisterWithdrawn { peer, register, cause: WithdrawalCause::Expired });
        }
    }

    /// What a banned peer has said counts no longer.
    pub(super) fn forget_advertisements(&mut self, turn: &mut Turn<'_>, peer: PeerId) {
        for register in self.heard.forget(peer) {
            turn.out.event(Event::RegisterWithdrawn { peer, register, cause: WithdrawalCause::Banned });
        }
    }
}

/// All that is advertised; of nothing, that it is nothing.
fn whole_list(rows: &[Advertisement]) -> Vec<Bytes> {
    let pages = rows.len().div_ceil(MAX_ADVERTISEMENT_ROWS).max(1);
    let page = |page: usize| {
        let rows = rows.iter().skip(page * MAX_ADVERTISEMENT_ROWS).take(MAX_ADVERTISEMENT_ROWS).cloned().collect();
        Frame::Advertisements { whole: true, last: page + 1 == pages, rows, gone: Vec::new() }.encode()
    };
    (0..pages).map(page).collect()
}

/// What has changed; of nothing, no frame.
fn differences(changes: &Changes) -> Vec<Bytes> {
    let pages = changes.rows.len().div_ceil(MAX_ADVERTISEMENT_ROWS).max(usize::from(!changes.is_empty()));
    let page = |page: usize| {
        let rows = changes.rows.iter().skip(page * MAX_ADVERTISEMENT_ROWS).take(MAX_ADVERTISEMENT_ROWS);
        let gone = if page == 0 { changes.gone.clone() } else { Vec::new() };
        Frame::Advertisements { whole: false, last: false, rows: rows.cloned().collect(), gone }.encode()
    };
    (0..pages).map(page).collect()
}

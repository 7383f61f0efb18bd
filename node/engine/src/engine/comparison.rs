//! Comparing with neighbours what is known of members.

use super::{Engine, Turn};
use crate::{
    Class, LinkId, Micros,
    bounds::{MAX_FRAME_ITEMS, RECONCILE_PATIENCE},
    frame::Frame,
    membership::{Item, Session, Sums, halves, unequal},
    timers::Timer,
};

/// How often the time between comparisons doubles while they find nothing.
const MAX_DOUBLINGS: u32 = 3;
/// Who knows so many members and half as many as a neighbour more is no newcomer.
const NEWCOMER: u32 = 32;

impl Engine {
    /// It is time to compare with a neighbour, or a newcomer's comparison has ended or got stuck.
    pub(super) fn reconcile_due(&mut self, turn: &mut Turn<'_>) {
        self.members.session.take_if(|session| session.until <= turn.now);
        if self.members.wanted.give_up(turn.now) {
            self.compare_with_another(turn);
        }
        if self.members.session.is_none()
            && !self.members.is_flooded(turn.now)
            && let Some(link) = self.members.fresh.pop_first()
        {
            self.send_root(turn, link, false);
        }
        if self.members.next_comparison <= turn.now {
            self.members.served.clear();
            self.members.insists_until = turn.now + RECONCILE_PATIENCE;
            if let Some(link) = self.any_neighbour() {
                self.send_root(turn, link, false);
            }
            self.members.equal = self.members.equal.saturating_add(1);
            let interval = self.config.membership.reconcile_interval * (1 << self.members.equal.min(MAX_DOUBLINGS));
            self.members.next_comparison = turn.now + self.random.around(interval);
        }
        let session_ends = match self.members.session {
            Some(session) => session.until,
            None if self.members.fresh.is_empty() => self.members.next_comparison,
            None => turn.now + RECONCILE_PATIENCE,
        };
        let given_up = self.members.wanted.next_overdue().unwrap_or(session_ends);
        self.timers.set(Timer::Reconcile, self.members.next_comparison.min(session_ends).min(given_up));
    }

    /// A neighbour drawn by lot.
    fn any_neighbour(&mut self) -> Option<LinkId> {
        let lot = self.random.below(self.active_links().len() as u64);
        usize::try_from(lot).ok().and_then(|lot| self.active_links().get(lot).copied())
    }

    /// Compares with a neighbour, once what is under way has come.
    pub(super) fn compare_soon(&mut self, turn: &mut Turn<'_>, link: LinkId) {
        if self.members.is_flooded(turn.now) {
            self.members.fresh.insert(link);
            self.timers.set_no_later(Timer::Reconcile, turn.now + RECONCILE_PATIENCE);
        } else {
            self.send_root(turn, link, false);
        }
    }

    /// What one neighbour had offered has not come: others may have it.
    pub(super) fn compare_with_another(&mut self, turn: &mut Turn<'_>) {
        if let Some(link) = self.any_neighbour() {
            self.compare_soon(turn, link);
        }
    }

    /// Something of a newcomer's comparison came.
    pub(super) fn in_session(&mut self, now: Micros, link: LinkId) {
        if let Some(session) = self.members.session.as_mut().filter(|session| session.link == link) {
            session.until = now + RECONCILE_PATIENCE;
        }
    }

    /// Whether a comparison may go on in which nearly everything will come from the neighbour: with one at a time, so
    /// that a newcomer is not sent the whole table by each of its neighbours.
    fn may_catch_up(&mut self, now: Micros, link: LinkId) -> bool {
        if let Some(session) = self.members.session.filter(|session| session.until > now) {
            // A second comparison on the same link would bring all of it twice.
            if session.link != link {
                self.members.fresh.insert(link);
            }
            return false;
        }
        let until = now + RECONCILE_PATIENCE;
        self.members.session = Some(Session { link, until });
        self.timers.set_no_later(Timer::Reconcile, until);
        true
    }

    pub(super) fn send_root(&mut self, turn: &mut Turn<'_>, link: LinkId, answer: bool) {
        self.counters.members.comparisons += u64::from(!answer);
        let (sum, members) = self.members.table.root();
        self.send(turn, link, &Frame::TableRoot { answer, sum, members }, Class::Gossip);
    }

    pub(super) fn table_root(&mut self, turn: &mut Turn<'_>, link: LinkId, answer: bool, sum: u64, members: u32) {
        let (own_sum, own_members) = self.members.table.root();
        if sum == own_sum && members == own_members {
            if !answer {
                self.send_root(turn, link, true);
            }
            return;
        }
        self.members.equal = 0;
        if !answer && own_members > members {
            return self.send_root(turn, link, true);
        }
        if self.members.session.is_none() && self.members.is_flooded(turn.now) {
            return self.compare_soon(turn, link);
        }
        let is_newcomer = members / 2 > own_members.saturating_add(NEWCOMER);
        if !is_newcomer || self.may_catch_up(turn.now, link) {
            let sums = self.members.table.first_sums();
            self.send(turn, link, &Frame::TableSums { first: None, sums }, Class::Gossip);
        }
    }

    pub(super) fn table_sums(&mut self, turn: &mut Turn<'_>, link: LinkId, first: Option<u8>, sums: &Sums) {
        self.in_session(turn.now, link);
        let Some(first) = first else {
            for first in halves(unequal(sums, &self.members.table.first_sums())) {
                let sums = self.members.table.second_sums(first);
                self.send(turn, link, &Frame::TableSums { first: Some(first), sums }, Class::Gossip);
            }
            return;
        };
        let mask = unequal(sums, &self.members.table.second_sums(first));
        if mask != 0 {
            let (mask, items) = {
                let index = self.members.table.index().lock();
                self.members.table.items(&index, first, mask, MAX_FRAME_ITEMS)
            };
            self.send(turn, link, &Frame::TableItems { first, mask, items }, Class::Gossip);
        }
    }

    pub(super) fn table_items(&mut self, turn: &mut Turn<'_>, link: LinkId, first: u8, mask: u16, items: &[Item]) {
        self.in_session(turn.now, link);
        let found = {
            let index = self.members.table.index().lock();
            self.members.table.differences(&index, first, mask, items)
        };
        self.serve_records(turn, link, found.send);
        self.tell_gone(turn, link, &found.gone);
        for some in found.want.chunks(MAX_FRAME_ITEMS) {
            self.send(turn, link, &Frame::TableWant { ids: some.to_vec() }, Class::Gossip);
        }
    }

    pub(super) fn table_want(&mut self, turn: &mut Turn<'_>, link: LinkId, ids: &[u64]) {
        self.in_session(turn.now, link);
        let wanted = {
            let (index, table) = (self.members.table.index().lock(), &self.members.table);
            ids.iter().flat_map(|id| table.with_prefix(&index, *id)).collect()
        };
        self.serve_records(turn, link, wanted);
    }

    /// Sends records that a comparison or an offer found lacking, as many as a link is served within one interval.
    pub(super) fn serve_records(&mut self, turn: &mut Turn<'_>, link: LinkId, mut members: Vec<u32>) {
        let served = self.members.served.entry(link).or_default();
        members.truncate(self.config.membership.capacity.saturating_sub(*served));
        *served += members.len();
        self.send_records(turn, link, &members, Class::Bulk);
    }
}

//! Passing records on: whole where they are few, and where they are many by their fingerprints, to be asked for.

use super::{Engine, Turn};
use crate::{
    Class, LinkId,
    bounds::{MAX_FRAME_ITEMS, MAX_FRAME_STATEMENTS, SPREAD_RECORDS, SPREAD_WHOLE},
    frame::Frame,
    timers::Timer,
};
use bytes::Bytes;

impl Engine {
    /// Passes a record on, soon, to the links that are not among those of `has`.
    pub(super) fn spread_record(&mut self, turn: &mut Turn<'_>, number: u32, fingerprint: u64, has: u64, urgent: bool) {
        self.members.spread.record(&mut self.members.table, number, fingerprint, has, urgent);
        self.await_spread(turn, urgent);
        if !self.members.takes_offers && self.members.table.present() > SPREAD_WHOLE {
            self.members.takes_offers = true;
            for link in self.active_links().to_vec() {
                self.take_offers(turn, link);
            }
        }
    }

    pub(super) fn await_spread(&mut self, turn: &mut Turn<'_>, urgent: bool) {
        if urgent {
            self.timers.set_no_later(Timer::Spread, turn.now + self.config.membership.urgent_window);
        } else if !self.timers.is_set(Timer::Spread) {
            let at = turn.now + self.random.around(self.config.membership.spread_window);
            self.timers.set(Timer::Spread, at.max(self.members.spread.not_before));
        }
    }

    /// Passes on what has waited: to each link of the active view what it is not known to have. When that is much, it is
    /// offered; a peer that knows no offers has a part of it now and more with the next batch, and by then neighbours
    /// have brought some of it.
    pub(super) fn flush_spread(&mut self, turn: &mut Turn<'_>) {
        self.timers.cancel(Timer::Spread);
        if self.members.spread.is_empty() {
            return;
        }
        let links = self.active_links().to_vec();
        for (place, link) in links.iter().enumerate() {
            let accusations: Vec<Bytes> = self.members.spread.accusations_for(*link).cloned().collect();
            for some in accusations.chunks(MAX_FRAME_STATEMENTS) {
                let statements = some.iter().map(AsRef::as_ref).collect();
                self.send(turn, *link, &Frame::Accusations { statements }, Class::Control);
            }
            self.offer_records(turn, *link);
            let records = self.members.spread.records_for(turn.now, &links, place, SPREAD_RECORDS);
            self.send_records(turn, *link, &records, Class::Gossip);
            self.members.spread.sent(&self.members.table, &links, place, &records);
        }
        self.members.spread.settle(&mut self.members.table, &links);
        if self.members.spread.waiting() > 0 {
            if self.members.spread.not_before <= turn.now {
                self.members.spread.not_before = turn.now + self.random.around(self.config.membership.spread_window);
            }
            self.timers.set(Timer::Spread, self.members.spread.not_before);
        }
    }

    /// Tells a neighbour, where so many are known that many may wait, that it may offer records. An older one does not
    /// understand this, and offers none.
    pub(super) fn take_offers(&mut self, turn: &mut Turn<'_>, link: LinkId) {
        if !self.members.takes_offers {
            return;
        }
        self.send(turn, link, &Frame::RecordOffer { fingerprints: Vec::new() }, Class::Control);
    }

    /// Offers a neighbour what it lacks, if that is much.
    pub(super) fn offer_records(&mut self, turn: &mut Turn<'_>, link: LinkId) {
        let fingerprints = self.members.spread.offers_for(turn.now, link, MAX_FRAME_ITEMS);
        if !fingerprints.is_empty() {
            self.send(turn, link, &Frame::RecordOffer { fingerprints }, Class::Gossip);
        }
    }

    /// A neighbour has these records: asks for those that are neither known nor under way.
    pub(super) fn records_offered(&mut self, turn: &mut Turn<'_>, link: LinkId, fingerprints: &[u64]) {
        let members = &mut self.members;
        members.spread.takes_offers(link);
        let (mut known, mut gone, mut lacking) = (Vec::new(), Vec::new(), Vec::new());
        let has = members.spread.mask(Some(link));
        let index = members.table.index().clone();
        let index = index.lock();
        for fingerprint in fingerprints {
            match members.table.with_fingerprint(&index, *fingerprint) {
                Some((number, state)) if state.is_gone() => gone.push(number),
                Some((number, _)) => known.push(number),
                None if members.wanted.is_asked(*fingerprint, has) => {}
                None if members.verifying.is_under_way(*fingerprint) => {}
                None => lacking.push(*fingerprint),
            }
        }
        drop(index);
        members.spread.has(&members.table, &known, link);
        self.counters.members.offered_again += (fingerprints.len() - lacking.len()) as u64;
        self.tell_gone(turn, link, &gone);
        let room = self.members.wanted.room(turn.now, link);
        if lacking.len() > room {
            lacking.truncate(room);
            self.compare_soon(turn, link);
        }
        if !lacking.is_empty() {
            self.members.wanted.ask(turn.now, link, &lacking, has);
            if let Some(at) = self.members.wanted.next_overdue() {
                self.timers.set_no_later(Timer::Reconcile, at);
            }
            self.send(turn, link, &Frame::RecordWant { fingerprints: lacking }, Class::Gossip);
        }
    }

    /// A neighbour asks for records that it was offered. What has changed since is spread anyway.
    pub(super) fn records_wanted(&mut self, turn: &mut Turn<'_>, link: LinkId, fingerprints: &[u64]) {
        let wanted = {
            let (index, table) = (self.members.table.index().lock(), &self.members.table);
            let known = fingerprints.iter().filter_map(|fingerprint| table.with_fingerprint(&index, *fingerprint));
            known.filter(|(_, state)| !state.is_gone()).map(|(number, _)| number).collect()
        };
        self.serve_records(turn, link, wanted);
    }
}

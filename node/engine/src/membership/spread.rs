//! What is to be passed on, and which links have it already.

use super::table::Table;
use crate::LinkId;
use bytes::Bytes;
use std::collections::BTreeMap;

/// Links that can be told apart in one word. Further ones are sent everything.
const MARKED_LINKS: u8 = 64;

/// A member whose newest record is to be passed on.
#[derive(Debug, Clone, Copy)]
struct Pending {
    number: u32,
    /// One bit a link that is known to have it.
    has: u64,
}

/// What is to be passed on.
#[derive(Debug, Default)]
pub(crate) struct Spread {
    records: Vec<Pending>,
    accusations: Vec<(Bytes, u64)>,
    bits: BTreeMap<LinkId, u8>,
}

impl Spread {
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.accusations.is_empty()
    }

    pub(crate) fn link_up(&mut self, link: LinkId) {
        let free = (0..MARKED_LINKS).find(|bit| !self.bits.values().any(|taken| taken == bit));
        if let Some(bit) = free {
            self.bits.insert(link, bit);
        }
    }

    pub(crate) fn link_down(&mut self, link: LinkId) {
        let mask = !self.mask(Some(link));
        self.bits.remove(&link);
        for pending in &mut self.records {
            pending.has &= mask;
        }
        for (_, has) in &mut self.accusations {
            *has &= mask;
        }
    }

    /// A member's record is new here. `from` brought it.
    pub(crate) fn record(&mut self, table: &mut Table, number: u32, from: Option<LinkId>) {
        let has = self.mask(from);
        match table.pending(number).and_then(|place| self.records.get_mut(place)) {
            Some(pending) => pending.has = has,
            None => {
                table.set_pending(number, Some(self.records.len()));
                self.records.push(Pending { number, has });
            }
        }
    }

    /// A link has sent the record that this node knows of a member.
    pub(crate) fn has(&mut self, table: &Table, number: u32, link: LinkId) {
        if self.records.is_empty() {
            return;
        }
        let mask = self.mask(Some(link));
        if let Some(pending) = table.pending(number).and_then(|place| self.records.get_mut(place)) {
            pending.has |= mask;
        }
    }

    /// An accusation is new here. `from` brought it.
    pub(crate) fn accusation(&mut self, bytes: Bytes, from: Option<LinkId>) {
        let has = self.mask(from);
        self.accusations.push((bytes, has));
    }

    /// The members whose records a link lacks.
    pub(crate) fn records_for(&self, link: LinkId) -> impl Iterator<Item = u32> {
        let mask = self.mask(Some(link));
        self.records.iter().filter(move |pending| pending.has & mask == 0).map(|pending| pending.number)
    }

    /// The accusations that a link lacks.
    pub(crate) fn accusations_for(&self, link: LinkId) -> impl Iterator<Item = &Bytes> {
        let mask = self.mask(Some(link));
        self.accusations.iter().filter(move |(_, has)| has & mask == 0).map(|(bytes, _)| bytes)
    }

    /// Everything was sent.
    pub(crate) fn clear(&mut self, table: &mut Table) {
        for pending in self.records.drain(..) {
            table.set_pending(pending.number, None);
        }
        self.accusations.clear();
    }

    /// A member is forgotten: its number may soon mean another.
    pub(crate) fn forget(&mut self, table: &mut Table, number: u32) {
        if let Some(place) = table.pending(number) {
            table.set_pending(number, None);
            self.records.swap_remove(place);
            if let Some(moved) = self.records.get(place) {
                table.set_pending(moved.number, Some(place));
            }
        }
    }

    fn mask(&self, link: Option<LinkId>) -> u64 {
        link.and_then(|link| self.bits.get(&link)).map_or(0, |bit| 1 << bit)
    }
}

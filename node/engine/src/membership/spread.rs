//! What is to be passed on, and which links have it already.

use super::table::Table;
use crate::{LinkId, Micros, bounds::SPREAD_WHOLE};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Links that have a bit of their own.
const MARKED_LINKS: u8 = 63;
/// The bit of all others together: they are sent the same.
const OTHERS: u64 = 1 << MARKED_LINKS;

/// Room for so many records is kept while there are none: what a mass join needed is given back.
const KEPT_ROOM: usize = 64;

/// A member whose newest record is to be passed on.
#[derive(Debug, Clone, Copy)]
struct Pending {
    number: u32,
    fingerprint: u64,
    /// It does not wait behind others.
    is_urgent: bool,
    /// One bit a link that is known to have it.
    has: u64,
}

impl Pending {
    /// Whether the link with this bit lacks it, and may wait for it.
    const fn is_for_later(&self, bit: u64) -> bool {
        !self.is_urgent && self.has & bit == 0
    }
}

/// What is to be passed on.
#[derive(Debug, Default)]
pub(crate) struct Spread {
    records: Vec<Pending>,
    /// Some of them do not wait.
    is_urgent: bool,
    accusations: Vec<(Bytes, u64)>,
    bits: BTreeMap<LinkId, u8>,
    /// The bits of links whose peers know what an offer is.
    offering: u64,
    /// What is not urgent waits until then: when much is to be passed on, each link has its share of it a window.
    pub not_before: Micros,
}

impl Spread {
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.accusations.is_empty()
    }

    /// Records that wait to be passed on.
    pub(crate) fn waiting(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn link_up(&mut self, link: LinkId) {
        let free = (0..MARKED_LINKS).find(|bit| !self.bits.values().any(|taken| taken == bit));
        match free {
            Some(bit) => {
                self.bits.insert(link, bit);
            }
            // What the others without a bit have, this one has not.
            None => self.records.iter_mut().for_each(|pending| pending.has &= !OTHERS),
        }
    }

    /// Gives the bit that the link had of its own.
    pub(crate) fn link_down(&mut self, link: LinkId) -> u64 {
        let bit = self.mask(Some(link));
        self.bits.remove(&link);
        self.offering &= !bit;
        for pending in &mut self.records {
            pending.has &= !bit;
        }
        for (_, has) in &mut self.accusations {
            *has &= !bit;
        }
        bit
    }

    /// A member's record is new here. The links of `has` have it.
    pub(crate) fn record(&mut self, table: &mut Table, number: u32, fingerprint: u64, has: u64, is_urgent: bool) {
        self.is_urgent |= is_urgent;
        match table.pending(number).and_then(|place| self.records.get_mut(place)) {
            Some(pending) => {
                (pending.fingerprint, pending.has) = (fingerprint, has);
                pending.is_urgent |= is_urgent;
            }
            None => {
                table.set_pending(number, Some(self.records.len()));
                self.records.push(Pending { number, fingerprint, is_urgent, has });
            }
        }
    }

    /// A link has sent the records that this node knows of these members.
    pub(crate) fn has(&mut self, table: &Table, numbers: &[u32], link: LinkId) {
        if self.records.is_empty() {
            return;
        }
        let mask = self.mask(Some(link));
        for number in numbers {
            if let Some(pending) = table.pending(*number).and_then(|place| self.records.get_mut(place)) {
                pending.has |= mask;
            }
        }
    }

    /// An accusation is new here. `from` brought it.
    pub(crate) fn accusation(&mut self, bytes: Bytes, from: Option<LinkId>) {
        let has = self.mask(from);
        self.accusations.push((bytes, has));
    }

    /// The members whose records the `place`th of the links lacks, at most `limit`: what is urgent, and then, if its time
    /// has come, the rest. Each link with a bit of its own begins with another part, so that neighbours have something to
    /// give each other.
    pub(crate) fn records_for(&self, now: Micros, links: &[LinkId], place: usize, limit: usize) -> Vec<u32> {
        let Some(bit) = links.get(place).map(|link| self.bit(*link)) else { return Vec::new() };
        let is_later = now < self.not_before || self.is_offered(bit);
        let rest = if is_later { &[] } else { self.records.as_slice() };
        let begin = if bit == OTHERS { 0 } else { rest.len() * place / links.len() };
        let (before, behind) = rest.split_at_checked(begin).unwrap_or((rest, &[]));
        let urgent = if self.is_urgent { self.records.as_slice() } else { &[] };
        let urgent = urgent.iter().filter(|pending| pending.is_urgent);
        let others = behind.iter().chain(before).filter(|pending| !pending.is_urgent);
        urgent
            .chain(others)
            .filter(|pending| pending.has & bit == 0)
            .take(limit)
            .map(|pending| pending.number)
            .collect()
    }

    /// The peer of a link knows what an offer is.
    pub(crate) fn takes_offers(&mut self, link: LinkId) {
        self.offering |= self.mask(Some(link));
    }

    /// Whether a link lacks more than is sent whole, and its peer knows what an offer is.
    fn is_offered(&self, bit: u64) -> bool {
        self.offering & bit != 0
            && self.records.iter().filter(|pending| pending.is_for_later(bit)).nth(SPREAD_WHOLE).is_some()
    }

    /// What a link may be offered now: the fingerprints of at most `limit` records, which it is taken to have then.
    pub(crate) fn offers_for(&mut self, now: Micros, link: LinkId, limit: usize) -> Vec<u64> {
        let bit = self.bit(link);
        if now < self.not_before || !self.is_offered(bit) {
            return Vec::new();
        }
        let lacking = self.records.iter_mut().filter(|pending| pending.is_for_later(bit)).take(limit);
        let offered = lacking.map(|pending| {
            pending.has |= bit;
            pending.fingerprint
        });
        offered.collect()
    }

    /// These were sent to one of the links. Those without a bit of their own are noted with the last of them.
    pub(crate) fn sent(&mut self, table: &Table, links: &[LinkId], place: usize, numbers: &[u32]) {
        let Some((link, further)) = links.get(place..).and_then(<[LinkId]>::split_first) else { return };
        let bit = self.bit(*link);
        if bit == OTHERS && further.iter().any(|link| self.bit(*link) == OTHERS) {
            return;
        }
        for number in numbers {
            if let Some(pending) = table.pending(*number).and_then(|place| self.records.get_mut(place)) {
                pending.has |= bit;
            }
        }
    }

    /// A batch was sent: what all the links have now is done.
    pub(crate) fn settle(&mut self, table: &mut Table, links: &[LinkId]) {
        let all = links.iter().fold(0, |all, link| all | self.bit(*link));
        let (mut place, mut is_urgent) = (0, false);
        self.records.retain(|pending| {
            let is_left = pending.has & all != all;
            is_urgent |= is_left && pending.is_urgent;
            table.set_pending(pending.number, is_left.then_some(place));
            place += usize::from(is_left);
            is_left
        });
        self.is_urgent = is_urgent;
        self.accusations.clear();
        if self.records.is_empty() {
            self.records.shrink_to(KEPT_ROOM);
        }
    }

    /// The accusations that a link lacks.
    pub(crate) fn accusations_for(&self, link: LinkId) -> impl Iterator<Item = &Bytes> {
        let mask = self.mask(Some(link));
        self.accusations.iter().filter(move |(_, has)| has & mask == 0).map(|(bytes, _)| bytes)
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

    fn bit(&self, link: LinkId) -> u64 {
        self.bits.get(&link).map_or(OTHERS, |bit| 1 << bit)
    }

    /// The bit of a link, if it has one of its own.
    pub(crate) fn mask(&self, link: Option<LinkId>) -> u64 {
        link.and_then(|link| self.bits.get(&link)).map_or(0, |bit| 1 << bit)
    }
}

//! Finding what two nodes know differently: sixteen ranges, then sixteen of each that differs, then its members.
//!
//! ```text
//!   smaller table                     larger table
//!        │ ──── root ───────────────────▶ │        equal: nothing more
//!        │ ◀─── root ──────────────────── │
//!        │ ──── 16 sums ────────────────▶ │        by the first half of the id's first byte
//!        │ ◀─── 16 sums of each unequal ─ │        by the second half
//!        │ ──── items of the unequal ───▶ │        (id, fingerprint) of each member there
//!        │ ◀─── records it lacks, wants ─ │
//!        │ ──── what was wanted ────────▶ │
//! ```
//!
//! The side with fewer members lists them: a newcomer lists nothing and is sent everything. Each step stands alone and
//! is answered from what is known at that moment, so a step that is lost with its link costs nothing but time.

use super::{index::Index, table::Table};
use peerwright_secure::PeerId;

/// How many ranges each range is split into.
pub(crate) const HALF: u8 = 16;

/// Sums of sixteen ranges.
pub(crate) type Sums = [u64; HALF as usize];

/// A member in a list: the beginning of its id, and the fingerprint of its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Item {
    pub id: u64,
    pub fingerprint: u64,
}

/// What came of comparing a neighbour's list with what is known.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Differences {
    /// Members whose record the neighbour lacks, or has another of.
    pub send: Vec<u32>,
    /// Beginnings of ids of which the neighbour has a record that is not known.
    pub want: Vec<u64>,
    /// Members that the neighbour lists and that are gone.
    pub gone: Vec<u32>,
}

impl Table {
    /// The sum over all members, and their number.
    pub(crate) fn root(&self) -> (u64, u32) {
        (0..=u8::MAX)
            .map(|bucket| self.bucket(bucket))
            .fold((0, 0), |(sum, count): (u64, u32), (more, members)| (sum.wrapping_add(more), count + members))
    }

    /// The sums by the first half of the first byte of the id.
    pub(crate) fn first_sums(&self) -> Sums {
        std::array::from_fn(|half| {
            self.second_sums(u8::try_from(half).unwrap_or(0)).iter().fold(0, |sum: u64, more| sum.wrapping_add(*more))
        })
    }

    /// The sums by the second half, of those whose first half is `first`.
    pub(crate) fn second_sums(&self, first: u8) -> Sums {
        std::array::from_fn(|second| self.bucket(bucket(first, u8::try_from(second).unwrap_or(0))).0)
    }

    /// The members of the buckets named by `mask` among those of `first`, at most `limit`: whole buckets, and at least
    /// one. Gives the mask of those that were listed.
    pub(crate) fn items(&self, index: &Index, first: u8, mask: u16, limit: usize) -> (u16, Vec<Item>) {
        let (mut listed, mut items) = (0, Vec::new());
        for second in halves(mask) {
            let bucket = bucket(first, second);
            let members = self.bucket(bucket).1 as usize;
            if !items.is_empty() && items.len() + members > limit {
                break;
            }
            listed |= 1 << second;
            let of_bucket = self.of_bucket(index, bucket);
            items.extend(of_bucket.take(limit).map(|(peer, _, fingerprint)| Item { id: short(&peer), fingerprint }));
        }
        (listed, items)
    }

    /// Compares a neighbour's list of these buckets, ascending by id, with what is known.
    pub(crate) fn differences(&self, index: &Index, first: u8, mask: u16, items: &[Item]) -> Differences {
        let mut found = Differences::default();
        let mut rest = items.iter().peekable();
        for second in halves(mask) {
            for (peer, number) in index.of_bucket(bucket(first, second)) {
                let Some(known) = self.known(index, number) else { continue };
                let id = short(&peer);
                while let Some(item) = rest.next_if(|item| item.id < id) {
                    found.want.push(item.id);
                }
                let listed = rest.next_if(|item| item.id == id);
                let own = self.fingerprint(index, number);
                match (listed, known.state.is_gone()) {
                    (Some(item), false) if Some(item.fingerprint) != own => {
                        found.send.push(number);
                        found.want.push(id);
                    }
                    (None, false) => found.send.push(number),
                    (Some(_), true) => found.gone.push(number),
                    (Some(_), false) | (None, true) => {}
                }
            }
        }
        found.want.extend(rest.map(|item| item.id));
        found
    }

    /// The members that are not gone and whose ids begin so.
    pub(crate) fn with_prefix<'i>(&'i self, index: &'i Index, id: u64) -> impl Iterator<Item = u32> + 'i {
        let [first, ..] = id.to_be_bytes();
        self.of_bucket(index, first).filter(move |(peer, ..)| short(peer) == id).map(|(_, number, _)| number)
    }

    fn fingerprint(&self, index: &Index, number: u32) -> Option<u64> {
        self.record_row(index, number).map(|row| row.fingerprint)
    }
}

/// One bit for each sum that differs.
pub(crate) fn unequal(one: &Sums, other: &Sums) -> u16 {
    one.iter().zip(other).enumerate().fold(0, |mask, (half, (one, other))| mask | (u16::from(one != other) << half))
}

/// The halves whose bit is set.
pub(crate) fn halves(mask: u16) -> impl Iterator<Item = u8> {
    (0..HALF).filter(move |half| mask & (1 << half) != 0)
}

const fn bucket(first: u8, second: u8) -> u8 {
    (first << 4) | (second & 0xf)
}

fn short(peer: &PeerId) -> u64 {
    peer.as_bytes().first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

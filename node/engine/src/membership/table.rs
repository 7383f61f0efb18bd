//! The members that one node knows: eight bytes each, beside what the index keeps for all.
//!
//! ```text
//!              newer record                    verdict                    unrefuted
//!   (unknown) ─────────────▶ alive ◀──────────────────────▶ unreachable ───────────▶ dead ──▶ (forgotten)
//!                              │     newer record, a link                              ▲
//!                              └──────────── a record that says "leaving" ────▶ left ──┘ after a while
//! ```
//!
//! Dead and left members are *gone*: not shown, not counted, not offered to others, and remembered for a while only so
//! that a neighbour who has not heard of it yet does not bring them back.

use super::{
    index::{Index, MemberIndex, RecordRow},
    record::{Edition, MemberRecord, Status},
};
use peerwright_encoding::Reader;
use peerwright_secure::{NodePublicKey, PeerId};

/// Parts that the space of peer ids is compared in: by its first byte.
pub(crate) const BUCKETS: usize = 256;

/// What a node thinks of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberState {
    /// Nothing speaks against it.
    Alive,
    /// Others do not reach it; its links are closed and it is routed around.
    Unreachable,
    /// Unreachable for too long: its record is dropped.
    Dead,
    /// It said that it leaves.
    Left,
}

impl MemberState {
    /// Whether the record is no longer part of this node's view.
    #[must_use]
    pub const fn is_gone(self) -> bool {
        matches!(self, Self::Dead | Self::Left)
    }
}

/// What a record that came in is, compared with what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// It may be newer than what is known.
    Newer,
    /// The very record is known, of this member.
    Known(u32),
    /// A newer one is known, of this member.
    Older(u32),
    /// The member is gone, and this is not news of it.
    Gone(u32),
    /// Another record of the same edition is known, and stays: its encoding is the smaller, or it says that the member
    /// leaves.
    Conflict,
    /// A format that this version does not know.
    Unsupported,
    /// It is too short for what it claims to be.
    Malformed,
}

const VACANT: u32 = u32::MAX;

/// What is kept of a member besides the shared rows.
#[derive(Debug, Clone, Copy)]
struct Slot {
    record: u32,
    /// Its place among what is to be spread, plus one.
    pending: u16,
    state: MemberState,
}

const EMPTY: Slot = Slot { record: VACANT, pending: 0, state: MemberState::Dead };

/// What is known of one member.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub number: u32,
    pub state: MemberState,
    pub record: MemberRecord,
}

/// The members that one node knows.
#[derive(Debug)]
pub(crate) struct Table {
    index: MemberIndex,
    /// By member number.
    slots: Vec<Slot>,
    capacity: usize,
    occupied: usize,
    /// How many members are in which state, by [`place`].
    states: [usize; 4],
    /// For each bucket the sum of the fingerprints of its members that are not gone, and their number.
    buckets: Box<[(u64, u32); BUCKETS]>,
}

impl Table {
    pub(crate) fn new(index: MemberIndex, capacity: usize) -> Self {
        Self { index, slots: Vec::new(), capacity, occupied: 0, states: [0; 4], buckets: Box::new([(0, 0); BUCKETS]) }
    }

    /// Holds so many from now on. Those that are held already stay.
    pub(crate) fn tune(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    pub(crate) fn index(&self) -> &MemberIndex {
        &self.index
    }

    pub(crate) fn count(&self, state: MemberState) -> usize {
        self.states.get(place(state)).copied().unwrap_or(0)
    }

    /// How many members are not gone, this node among them.
    pub(crate) fn present(&self) -> usize {
        self.count(MemberState::Alive) + self.count(MemberState::Unreachable)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.occupied >= self.capacity
    }

    /// Compares a record with what is known of its member, if some table has one, before anything is spent on it.
    pub(crate) fn sight(&self, index: &Index, bytes: &[u8], member: Option<u32>) -> Sight {
        let mut reader = Reader::new(bytes);
        match reader.u8("record format") {
            Ok(super::record::RECORD_FORMAT) => {}
            Ok(_) => return Sight::Unsupported,
            Err(_) => return Sight::Malformed,
        }
        let (Ok(_), Ok(incarnation), Ok(version)) =
            (reader.array::<32>("key"), reader.u64("incarnation"), reader.u32("version"))
        else {
            return Sight::Malformed;
        };
        let edition = Edition { incarnation, version };
        let Some(number) = member else { return Sight::Newer };
        let Some(slot) = self.occupied_slot(number) else { return Sight::Newer };
        let Some(row) = index.record(slot.record) else { return Sight::Newer };
        let known = row.record.edition;
        if edition > known {
            Sight::Newer
        } else if slot.state == MemberState::Left && edition == known {
            // Who brings the word that a member leaves need not be told it: two who know it would tell each other for ever.
            if row.bytes == bytes { Sight::Known(number) } else { Sight::Conflict }
        } else if slot.state.is_gone() {
            Sight::Gone(number)
        } else if edition < known {
            Sight::Older(number)
        } else if row.bytes == bytes {
            Sight::Known(number)
        } else if bytes < row.bytes.as_ref() {
            Sight::Newer
        } else {
            Sight::Conflict
        }
    }

    /// Puts a record in the place of what is known of its member; [`Table::sight`] has said that it is newer. Gives the
    /// member's number and what was known.
    pub(crate) fn put(&mut self, record: MemberRecord, bytes: &[u8], fingerprint: u64) -> (u32, Option<Known>) {
        let index = self.index.clone();
        let mut index = index.lock();
        let before = index.number_of_key(&record.key).and_then(|number| self.known(&index, number));
        let number = match &before {
            Some(known) => known.number,
            None => {
                self.occupied += 1;
                index.hold_member(&record.key)
            }
        };
        let held = index.hold_record(number, record, bytes, fingerprint);
        if before.is_some() {
            self.leave_state(&index, number);
            if let Some(slot) = self.occupied_slot(number) {
                index.release_record(number, slot.record);
            }
        }
        self.grow(number);
        let state = if record.status == Status::Leaving { MemberState::Left } else { MemberState::Alive };
        if let Some(slot) = self.slots.get_mut(number as usize) {
            let pending = if before.is_some() { slot.pending } else { 0 };
            *slot = Slot { record: held, pending, state };
        }
        self.enter_state(&index, number);
        (number, before)
    }

    /// Changes what is thought of a member. Gives what was thought before, if that was another.
    pub(crate) fn set_state(&mut self, number: u32, state: MemberState) -> Option<MemberState> {
        let before = self.occupied_slot(number)?.state;
        if before == state {
            return None;
        }
        let index = self.index.clone();
        let index = index.lock();
        self.leave_state(&index, number);
        if let Some(slot) = self.slots.get_mut(number as usize) {
            slot.state = state;
        }
        self.enter_state(&index, number);
        Some(before)
    }

    /// Forgets a member altogether.
    pub(crate) fn forget(&mut self, number: u32) {
        let Some(slot) = self.occupied_slot(number) else { return };
        let index = self.index.clone();
        let mut index = index.lock();
        self.leave_state(&index, number);
        index.release_record(number, slot.record);
        index.release_member(number);
        self.occupied -= 1;
        if let Some(slot) = self.slots.get_mut(number as usize) {
            *slot = EMPTY;
        }
    }

    /// What is known of a member, gone or not.
    pub(crate) fn known(&self, index: &Index, number: u32) -> Option<Known> {
        let slot = self.occupied_slot(number)?;
        Some(Known { number, state: slot.state, record: index.record(slot.record)?.record })
    }

    /// What is known of the member with this id, gone or not.
    pub(crate) fn of_peer(&self, peer: &PeerId) -> Option<Known> {
        let index = self.index.lock();
        self.known(&index, index.number_of_peer(peer)?)
    }

    /// What is known of the member with this key, gone or not.
    pub(crate) fn of_key(&self, key: &NodePublicKey) -> Option<Known> {
        let index = self.index.lock();
        self.known(&index, index.number_of_key(key)?)
    }

    /// The signed record of a member as it is to be sent.
    pub(crate) fn bytes<'i>(&self, index: &'i Index, number: u32) -> Option<&'i [u8]> {
        Some(index.record(self.occupied_slot(number)?.record)?.bytes.as_ref())
    }

    /// The member of whom just the record with this fingerprint is known, and what is thought of it.
    pub(crate) fn with_fingerprint(&self, index: &Index, fingerprint: u64) -> Option<(u32, MemberState)> {
        let (record, row) = index.record_of_fingerprint(fingerprint)?;
        let slot = self.occupied_slot(row.member).filter(|slot| slot.record == record)?;
        Some((row.member, slot.state))
    }

    /// Whether something is known of a member, gone or not.
    pub(crate) fn knows(&self, number: u32) -> bool {
        self.occupied_slot(number).is_some()
    }

    pub(super) fn record_row<'i>(&self, index: &'i Index, number: u32) -> Option<&'i RecordRow> {
        index.record(self.occupied_slot(number)?.record)
    }

    /// The members of a bucket that are not gone, in the order of their ids, with the fingerprints of their records.
    pub(crate) fn of_bucket<'i>(
        &'i self,
        index: &'i Index,
        bucket: u8,
    ) -> impl Iterator<Item = (PeerId, u32, u64)> + 'i {
        index.of_bucket(bucket).filter_map(|(peer, number)| {
            let slot = self.occupied_slot(number).filter(|slot| !slot.state.is_gone())?;
            Some((peer, number, index.record(slot.record)?.fingerprint))
        })
    }

    /// The members that are not gone, in the order of their ids.
    pub(crate) fn iter<'i>(&'i self, index: &'i Index) -> impl Iterator<Item = (PeerId, Known)> + 'i {
        index.by_peer().filter_map(|(peer, number)| {
            let known = self.known(index, number).filter(|known| !known.state.is_gone())?;
            Some((peer, known))
        })
    }

    /// The sum of fingerprints and the number of members of a bucket.
    pub(crate) fn bucket(&self, bucket: u8) -> (u64, u32) {
        self.buckets.get(usize::from(bucket)).copied().unwrap_or_default()
    }

    pub(crate) fn pending(&self, number: u32) -> Option<usize> {
        usize::from(self.occupied_slot(number)?.pending).checked_sub(1)
    }

    pub(crate) fn set_pending(&mut self, number: u32, place: Option<usize>) {
        if let Some(slot) = self.slots.get_mut(number as usize) {
            slot.pending = place.and_then(|place| u16::try_from(place + 1).ok()).unwrap_or(0);
        }
    }

    fn occupied_slot(&self, number: u32) -> Option<Slot> {
        self.slots.get(number as usize).copied().filter(|slot| slot.record != VACANT)
    }

    fn grow(&mut self, number: u32) {
        /// Slots that are added at once: doubling would leave half of a large table empty.
        const STEP: usize = 256;
        let needed = number as usize + 1;
        if needed > self.slots.len() {
            let length = needed.next_multiple_of(STEP);
            self.slots.reserve_exact(length - self.slots.len());
            self.slots.resize(length, EMPTY);
        }
    }

    fn enter_state(&mut self, index: &Index, number: u32) {
        self.account(index, number, true);
    }

    fn leave_state(&mut self, index: &Index, number: u32) {
        self.account(index, number, false);
    }

    fn account(&mut self, index: &Index, number: u32, enters: bool) {
        let Some(slot) = self.occupied_slot(number) else { return };
        if let Some(count) = self.states.get_mut(place(slot.state)) {
            *count = if enters { *count + 1 } else { *count - 1 };
        }
        if slot.state.is_gone() {
            return;
        }
        let (Some(member), Some(row)) = (index.member(number), index.record(slot.record)) else { return };
        let [first, ..] = *member.peer.as_bytes();
        if let Some((sum, count)) = self.buckets.get_mut(usize::from(first)) {
            if enters {
                (*sum, *count) = (sum.wrapping_add(row.fingerprint), *count + 1);
            } else {
                (*sum, *count) = (sum.wrapping_sub(row.fingerprint), *count - 1);
            }
        }
    }

    /// Bytes that this table keeps for itself.
    #[cfg(test)]
    pub(crate) fn resident_bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.buckets) + self.slots.capacity() * size_of::<Slot>()
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        let index = self.index.clone();
        let mut index = index.lock();
        for (number, slot) in (0u32..).zip(&self.slots).filter(|(_, slot)| slot.record != VACANT) {
            index.release_record(number, slot.record);
            index.release_member(number);
        }
    }
}

fn place(state: MemberState) -> usize {
    match state {
        MemberState::Alive => 0,
        MemberState::Unreachable => 1,
        MemberState::Dead => 2,
        MemberState::Left => 3,
    }
}

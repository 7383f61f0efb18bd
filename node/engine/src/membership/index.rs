//! Who is meant by a number: keys, ids and signed records, kept once however many engines hold them.
//!
//! ```text
//!   key ──▶ member number ──▶ row: key, peer id          one a member, while any table holds it
//!                 │
//!   fingerprint ──▶ record number ──▶ row: the record and its bytes      one a record, while any table holds it
//! ```
//!
//! A node has an index of its own; engines that share a process may share one, and then a record costs each of them eight
//! bytes. Numbers are given in the order of arrival, so they never reach an output: whatever is listed is listed in the
//! order of peer ids.

use super::record::{MemberRecord, fingerprint};
use bytes::Bytes;
use peerwright_secure::{NodePublicKey, PeerId};
use std::{
    collections::BTreeMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// Looks things up and is never iterated, so its order reaches nothing. The hasher has no random state.
#[expect(clippy::disallowed_types, reason = "look-ups only, fixed hasher")]
type LookUp<K> = std::collections::HashMap<K, u32, BuildHasherDefault<Eight>>;

/// Keys and fingerprints are as good as drawn by lot: eight bytes of one are its hash. Who looks for keys that begin
/// alike finds as many as with any other hash that everybody knows, and the index holds no more than a table does.
#[derive(Debug, Default)]
struct Eight(u64);

impl Hasher for Eight {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    /// The length of a key, which is that of all.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Keys, ids and signed records of members; clones are the same index.
#[derive(Debug, Clone, Default)]
pub struct MemberIndex(Arc<Mutex<Index>>);

impl MemberIndex {
    /// An empty index.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One copy of a statement for all that keep it.
    pub(crate) fn share(&self, statement: &[u8]) -> Arc<[u8]> {
        self.lock().share(statement)
    }

    /// The index for a while: never across an output.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Index> {
        // Nothing in here can be left half done by a panic that the node survives.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A member that some table holds.
#[derive(Debug)]
pub(crate) struct MemberRow {
    pub key: NodePublicKey,
    pub peer: PeerId,
    holders: u32,
    /// Its record that was held last, by any table: most likely the next that another is to hold.
    latest: Option<u32>,
}

/// A record that some table holds.
#[derive(Debug)]
pub(crate) struct RecordRow {
    pub record: MemberRecord,
    /// Whom it is of: who holds the record holds the member, too.
    pub member: u32,
    pub fingerprint: u64,
    pub bytes: Bytes,
    holders: u32,
}

/// What the lock guards.
#[derive(Debug, Default)]
pub(crate) struct Index {
    members: Slab<MemberRow>,
    by_key: LookUp<NodePublicKey>,
    by_peer: BTreeMap<PeerId, u32>,
    records: Slab<RecordRow>,
    by_fingerprint: LookUp<u64>,
    shared: BTreeMap<u64, Weak<[u8]>>,
    /// Entries of `shared` when those that nobody keeps are looked for next.
    shared_limit: usize,
}

impl Index {
    pub(crate) fn number_of_key(&self, key: &NodePublicKey) -> Option<u32> {
        self.by_key.get(key).copied()
    }

    /// The member that a record is about.
    pub(crate) fn number_of_subject(&self, record: &[u8]) -> Option<u32> {
        let key = record.get(1..)?.first_chunk()?;
        self.number_of_key(&NodePublicKey::from_bytes(*key))
    }

    pub(crate) fn number_of_peer(&self, peer: &PeerId) -> Option<u32> {
        self.by_peer.get(peer).copied()
    }

    pub(crate) fn member(&self, number: u32) -> Option<&MemberRow> {
        self.members.get(number)
    }

    pub(crate) fn record(&self, number: u32) -> Option<&RecordRow> {
        self.records.get(number)
    }

    /// The record with this fingerprint, and its number.
    pub(crate) fn record_of_fingerprint(&self, fingerprint: u64) -> Option<(u32, &RecordRow)> {
        let number = *self.by_fingerprint.get(&fingerprint)?;
        self.records.get(number).map(|row| (number, row))
    }

    /// Members whose peer id begins with `bucket`, in the order of their ids.
    pub(crate) fn of_bucket(&self, bucket: u8) -> impl Iterator<Item = (PeerId, u32)> {
        let (mut first, mut last) = ([0; 32], [0xff; 32]);
        (first[0], last[0]) = (bucket, bucket);
        self.by_peer.range(PeerId::from_bytes(first)..=PeerId::from_bytes(last)).map(|(peer, number)| (*peer, *number))
    }

    /// All members in the order of their ids.
    pub(crate) fn by_peer(&self) -> impl Iterator<Item = (PeerId, u32)> {
        self.by_peer.iter().map(|(peer, number)| (*peer, *number))
    }

    /// One more table holds this member. Gives its number.
    pub(crate) fn hold_member(&mut self, key: &NodePublicKey) -> u32 {
        if let Some(number) = self.number_of_key(key) {
            if let Some(row) = self.members.get_mut(number) {
                row.holders += 1;
            }
            return number;
        }
        let peer = PeerId::of(key);
        let number = self.members.insert(MemberRow { key: *key, peer, holders: 1, latest: None });
        self.by_key.insert(*key, number);
        self.by_peer.insert(peer, number);
        number
    }

    /// One table less holds this member.
    pub(crate) fn release_member(&mut self, number: u32) {
        let Some(row) = self.members.get_mut(number) else { return };
        row.holders -= 1;
        if row.holders == 0
            && let Some(row) = self.members.remove(number)
        {
            self.by_key.remove(&row.key);
            self.by_peer.remove(&row.peer);
        }
    }

    /// The record of a member that consists of these bytes, if it is the one that some table held last.
    pub(crate) fn latest(&self, member: u32, bytes: &[u8]) -> Option<(u32, &RecordRow)> {
        let number = self.members.get(member)?.latest?;
        self.records.get(number).filter(|row| row.bytes == bytes).map(|row| (number, row))
    }

    /// One more table holds this record of a member. Gives its number.
    pub(crate) fn hold_record(&mut self, member: u32, record: MemberRecord, bytes: &[u8], fingerprint: u64) -> u32 {
        let latest = self.latest(member, bytes).map(|(number, _)| number);
        let known = latest.or_else(|| self.by_fingerprint.get(&fingerprint).copied());
        let held = known.and_then(|number| Some((number, self.records.get_mut(number)?)));
        let number = if let Some((number, row)) = held.filter(|(_, row)| row.bytes == bytes) {
            row.holders += 1;
            number
        } else {
            let bytes = Bytes::copy_from_slice(bytes);
            let number = self.records.insert(RecordRow { record, member, fingerprint, bytes, holders: 1 });
            if known.is_none() {
                self.by_fingerprint.insert(fingerprint, number);
            }
            number
        };
        if let Some(row) = self.members.get_mut(member) {
            row.latest = Some(number);
        }
        number
    }

    /// One table less holds this record of a member.
    pub(crate) fn release_record(&mut self, member: u32, number: u32) {
        let Some(row) = self.records.get_mut(number) else { return };
        row.holders -= 1;
        if row.holders > 0 {
            return;
        }
        if let Some(row) = self.records.remove(number)
            && self.by_fingerprint.get(&row.fingerprint) == Some(&number)
        {
            self.by_fingerprint.remove(&row.fingerprint);
        }
        if let Some(row) = self.members.get_mut(member).filter(|row| row.latest == Some(number)) {
            row.latest = None;
        }
    }

    fn share(&mut self, statement: &[u8]) -> Arc<[u8]> {
        let fingerprint = fingerprint(statement);
        let kept = self.shared.get(&fingerprint).and_then(Weak::upgrade);
        if let Some(kept) = kept.filter(|kept| **kept == *statement) {
            return kept;
        }
        if self.shared.len() >= self.shared_limit {
            self.shared.retain(|_, weak| weak.strong_count() > 0);
            self.shared_limit = self.shared.len() * 2 + 64;
        }
        let kept: Arc<[u8]> = Arc::from(statement);
        self.shared.insert(fingerprint, Arc::downgrade(&kept));
        kept
    }

    #[cfg(test)]
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.members.count(), self.records.count())
    }
}

/// Rows under numbers; a number is used again once its row is gone.
#[derive(Debug)]
struct Slab<T> {
    rows: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    fn get(&self, number: u32) -> Option<&T> {
        self.rows.get(number as usize)?.as_ref()
    }

    fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.rows.get_mut(number as usize)?.as_mut()
    }

    fn insert(&mut self, row: T) -> u32 {
        if let Some(number) = self.free.pop()
            && let Some(place) = self.rows.get_mut(number as usize)
        {
            *place = Some(row);
            return number;
        }
        self.rows.push(Some(row));
        // Tables are bounded, so there are never so many rows that their number does not fit.
        u32::try_from(self.rows.len() - 1).unwrap_or(u32::MAX)
    }

    fn remove(&mut self, number: u32) -> Option<T> {
        let row = self.rows.get_mut(number as usize)?.take()?;
        self.free.push(number);
        Some(row)
    }

    #[cfg(test)]
    fn count(&self) -> usize {
        self.rows.iter().flatten().count()
    }
}

#[cfg(test)]
mod tests {
    use super::MemberIndex;
    use crate::{
        Role,
        membership::record::{Edition, MemberRecord, Status, fingerprint},
    };
    use peerwright_secure::NodeKey;

    #[test]
    fn what_nobody_holds_is_forgotten_and_its_number_is_used_again() {
        let index = MemberIndex::new();
        let key = NodeKey::from_seed([1; 32]);
        let record = MemberRecord {
            key: key.public(),
            edition: Edition { incarnation: 1, version: 1 },
            role: Role::Peer,
            status: Status::Alive,
            address: None,
        };
        let bytes = record.sign(&key);
        let mut locked = index.lock();
        let (member, number) =
            (locked.hold_member(&key.public()), locked.hold_record(0, record, &bytes, fingerprint(&bytes)));
        assert_eq!(locked.hold_member(&key.public()), member);
        assert_eq!(locked.hold_record(member, record, &bytes, fingerprint(&bytes)), number);
        assert_eq!(locked.latest(member, &bytes).map(|(latest, _)| latest), Some(number));
        assert_eq!(locked.counts(), (1, 1));
        locked.release_member(member);
        locked.release_record(member, number);
        assert_eq!(locked.number_of_peer(&key.peer_id()), Some(member));
        locked.release_record(member, number);
        assert!(locked.latest(member, &bytes).is_none());
        locked.release_member(member);
        assert_eq!(locked.counts(), (0, 0));
        assert_eq!(locked.number_of_key(&key.public()), None);
        assert_eq!(locked.hold_member(&NodeKey::from_seed([2; 32]).public()), member);
    }
}

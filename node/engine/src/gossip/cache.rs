//! The bodies of recent messages, for those who were announced one and lack it, and to see whether two messages have one
//! name.

use super::Slot;
use crate::{
    Micros,
    bounds::{CACHE_BYTES, CACHE_BYTES_PER_ORIGIN, CACHE_TIME},
};
use bytes::Bytes;
use peerwright_ledger::{
    Message, MessageId,
    message::{Predecessor, PredecessorName, predecessor_name},
};
use std::collections::{BTreeMap, VecDeque};

/// A message's place among those of its origin: incarnation and sequence.
type Place = (u64, u64);

/// A recent message.
#[derive(Debug, Clone)]
pub(crate) struct Cached {
    place: Place,
    pub at: Micros,
    /// When the first copy of it came; it has verified since.
    pub came: Micros,
    /// How often a receiver may pass it on.
    pub hops: u8,
    pub id: MessageId,
    /// What it names as the message before it.
    pub previous: MessageId,
    /// Shared with the frame that it came in.
    pub bytes: Bytes,
}

impl Cached {
    /// What the message says to one that follows it.
    pub(crate) fn as_predecessor(&self) -> Option<Predecessor> {
        Predecessor::read(&self.bytes, self.id)
    }

    fn name(&self) -> PredecessorName {
        predecessor_name(&self.id)
    }
}

/// The recent messages of one origin.
#[derive(Debug, Default)]
struct OfOrigin {
    /// By place, ascending: the next comes last, nearly always.
    messages: VecDeque<Cached>,
    bytes: usize,
}

impl OfOrigin {
    /// Where a message is, or where it would be.
    fn find(&self, place: Place) -> Result<usize, usize> {
        if self.messages.back().is_none_or(|last| last.place < place) {
            return Err(self.messages.len());
        }
        self.messages.binary_search_by_key(&place, |cached| cached.place)
    }

    fn get(&self, place: Place) -> Option<&Cached> {
        self.messages.get(self.find(place).ok()?)
    }

    fn remove(&mut self, index: usize) -> Option<Cached> {
        let removed = self.messages.remove(index)?;
        self.bytes = self.bytes.saturating_sub(removed.bytes.len());
        if self.messages.is_empty() {
            *self = Self::default();
        }
        Some(removed)
    }
}

/// All recent messages.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    /// By slot.
    origins: Vec<OfOrigin>,
    /// Names in the order in which they came; those that were dropped early are skipped.
    order: VecDeque<(Micros, Slot, Place)>,
    /// By what stands for each in the message that follows it.
    named: BTreeMap<PredecessorName, (Slot, Place)>,
    count: usize,
    bytes: usize,
}

impl Cache {
    /// Keeps a verified message that came now. An origin's oldest go when it has more than its share, the oldest of all
    /// when there is no room or their time is over.
    pub(crate) fn insert(&mut self, now: Micros, came: Micros, slot: Slot, message: &Message, hops: u8) {
        let index = usize::from(slot.0);
        if self.origins.len() <= index {
            self.origins.resize_with(index + 1, OfOrigin::default);
        }
        let Some(origin) = self.origins.get_mut(index) else { return };
        let body = message.body();
        let place = (body.incarnation, body.sequence);
        let Err(index) = origin.find(place) else { return };
        let bytes = message.encoded().clone();
        origin.bytes += bytes.len();
        self.bytes += bytes.len();
        self.count += 1;
        self.order.push_back((now, slot, place));
        self.named.insert(predecessor_name(&message.id()), (slot, place));
        origin
            .messages
            .insert(index, Cached { place, at: now, came, hops, id: message.id(), previous: body.previous, bytes });
        while self.origins.get(usize::from(slot.0)).is_some_and(|origin| origin.bytes > CACHE_BYTES_PER_ORIGIN) {
            self.remove_at(slot, 0);
        }
        self.drop_old(now);
    }

    /// Drops what is too old or too much. The order's list holds no more than twice the names that are kept.
    pub(crate) fn drop_old(&mut self, now: Micros) {
        while let Some((at, slot, place)) = self.order.front().copied() {
            let is_gone = !self.has(at, slot, place);
            if !is_gone && now.since(at) <= CACHE_TIME && self.bytes <= CACHE_BYTES {
                break;
            }
            self.order.pop_front();
            if !is_gone {
                self.remove(slot, place);
            }
        }
        if self.order.len() > 2 * self.count + 64 {
            let mut order = std::mem::take(&mut self.order);
            order.retain(|(at, slot, place)| self.has(*at, *slot, *place));
            self.order = order;
        }
    }

    /// Whether the message is kept that came then.
    fn has(&self, at: Micros, slot: Slot, place: Place) -> bool {
        self.of(slot).and_then(|origin| origin.get(place)).is_some_and(|cached| cached.at == at)
    }

    fn of(&self, slot: Slot) -> Option<&OfOrigin> {
        self.origins.get(usize::from(slot.0))
    }

    fn remove(&mut self, slot: Slot, place: Place) {
        if let Some(index) = self.of(slot).and_then(|origin| origin.find(place).ok()) {
            self.remove_at(slot, index);
        }
    }

    fn remove_at(&mut self, slot: Slot, index: usize) {
        let removed = self.origins.get_mut(usize::from(slot.0)).and_then(|origin| origin.remove(index));
        if let Some(removed) = removed {
            self.bytes = self.bytes.saturating_sub(removed.bytes.len());
            self.count -= 1;
            self.named.remove(&removed.name());
        }
    }

    /// Forgets all of an origin.
    pub(crate) fn forget(&mut self, slot: Slot) {
        let Some(origin) = self.origins.get_mut(usize::from(slot.0)).map(std::mem::take) else { return };
        self.bytes = self.bytes.saturating_sub(origin.bytes);
        self.count -= origin.messages.len();
        for cached in &origin.messages {
            self.named.remove(&cached.name());
        }
    }

    pub(crate) fn get(&self, slot: Slot, incarnation: u64, sequence: u64) -> Option<&Cached> {
        self.of(slot)?.get((incarnation, sequence))
    }

    /// The origin, life and sequence of the message that is called so in the one that follows it.
    pub(crate) fn named(&self, name: &PredecessorName) -> Option<(Slot, u64, u64)> {
        let (slot, (incarnation, sequence)) = *self.named.get(name)?;
        Some((slot, incarnation, sequence))
    }

    /// What is kept of a life from one sequence to another, in order.
    pub(crate) fn range(
        &self,
        slot: Slot,
        incarnation: u64,
        from: u64,
        through: u64,
    ) -> impl Iterator<Item = (u64, &Cached)> {
        let (first, last) = ((incarnation, from), (incarnation, through.max(from)));
        let messages = self.of(slot).map(|origin| {
            let begin = origin.messages.partition_point(|cached| cached.place < first);
            let behind = origin.messages.partition_point(|cached| cached.place <= last);
            origin.messages.range(begin..behind)
        });
        messages.into_iter().flatten().map(|cached| (cached.place.1, cached))
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::{Cache, Slot};
    use crate::{
        Micros,
        bounds::{CACHE_BYTES, CACHE_BYTES_PER_ORIGIN, CACHE_TIME},
        gossip::tests::{message, sized},
    };
    use peerwright_ledger::{Message, MessageBody};
    use peerwright_secure::NodeKey;
    use proptest::prelude::*;
    use std::{collections::BTreeMap, time::Duration};

    const MILLISECOND: Duration = Duration::from_millis(1);

    fn signed(body: MessageBody) -> Message {
        body.sign(&NodeKey::from_seed([1; 32])).unwrap()
    }

    fn sequences(cache: &Cache, slot: Slot) -> Vec<u64> {
        cache.range(slot, 1, 1, u64::MAX).map(|(sequence, _)| sequence).collect()
    }

    #[test]
    fn a_body_is_kept_for_a_minute() {
        let mut cache = Cache::default();
        cache.insert(Micros(0), Micros(0), Slot(0), &signed(message(1, 1, 1)), 3);
        cache.insert(Micros(0) + MILLISECOND, Micros(0) + MILLISECOND, Slot(0), &signed(message(1, 2, 1)), 3);
        cache.drop_old(Micros(0) + CACHE_TIME);
        assert_eq!(sequences(&cache, Slot(0)), [1, 2]);
        cache.drop_old(Micros(0) + CACHE_TIME + MILLISECOND);
        assert_eq!(sequences(&cache, Slot(0)), [2]);
        cache.drop_old(Micros(0) + CACHE_TIME * 2);
        assert_eq!((cache.count(), cache.bytes(), cache.order.len()), (0, 0, 0));
    }

    #[test]
    fn an_origin_has_a_mebibyte_and_costs_others_nothing_beyond_it() {
        let mut cache = Cache::default();
        cache.insert(Micros(0), Micros(0), Slot(9), &signed(message(1, 1, 1)), 3);
        let count = u64::try_from(CACHE_BYTES_PER_ORIGIN / 30_000 + 10).unwrap();
        for sequence in 1..=count {
            cache.insert(Micros(1), Micros(1), Slot(0), &signed(sized(sequence, 30_000)), 3);
        }
        let kept = sequences(&cache, Slot(0));
        assert_eq!(kept.last(), Some(&count));
        assert!(kept.len() >= CACHE_BYTES_PER_ORIGIN / 31_000 && cache.bytes() <= CACHE_BYTES_PER_ORIGIN + 1_000);
        assert_eq!(sequences(&cache, Slot(9)), [1]);
        assert!(cache.order.len() <= 2 * cache.count() + 64);
    }

    #[test]
    fn all_have_64_mebibytes_and_the_oldest_go_first() {
        let mut cache = Cache::default();
        let body = signed(sized(1, 32_000));
        let fits = CACHE_BYTES / body.encoded().len();
        for number in 0..=fits {
            cache.insert(Micros(number as u64), Micros(number as u64), Slot(u16::try_from(number).unwrap()), &body, 3);
        }
        assert!(cache.bytes() <= CACHE_BYTES);
        assert_eq!((cache.count(), cache.get(Slot(0), 1, 1).is_some()), (fits, false));
        assert!(cache.get(Slot(1), 1, 1).is_some());
    }

    #[test]
    fn a_forgotten_origin_leaves_nothing() {
        let mut cache = Cache::default();
        for (slot, sequence) in [(0, 1), (0, 2), (1, 1)] {
            cache.insert(Micros(0), Micros(0), Slot(slot), &signed(message(1, sequence, 1)), 3);
        }
        cache.forget(Slot(0));
        assert_eq!((sequences(&cache, Slot(0)), sequences(&cache, Slot(1))), (vec![], vec![1]));
        let left = cache.get(Slot(1), 1, 1).map_or(0, |cached| cached.bytes.len());
        assert_eq!((cache.count(), cache.bytes()), (1, left));
    }

    proptest! {
        #[test]
        fn the_cache_is_the_map_that_a_tree_would_be(
            steps in prop::collection::vec((0..8u8, 0..3u16, 1..3u64, 1..9u64), 0..80),
        ) {
            let (mut cache, mut model) = (Cache::default(), BTreeMap::<(Slot, u64, u64), usize>::new());
            for (number, (step, slot, incarnation, sequence)) in steps.into_iter().enumerate() {
                let (now, slot) = (Micros(number as u64), Slot(slot));
                if step == 0 {
                    cache.forget(slot);
                    model.retain(|(other, ..), _| *other != slot);
                } else {
                    let body = signed(message(incarnation, sequence, 1));
                    cache.insert(now, now, slot, &body, 3);
                    model.entry((slot, incarnation, sequence)).or_insert(body.encoded().len());
                }
                prop_assert_eq!((cache.count(), cache.bytes()), (model.len(), model.values().sum::<usize>()));
                let kept: Vec<u64> = cache.range(slot, incarnation, 2, 6).map(|(sequence, _)| sequence).collect();
                let range = (slot, incarnation, 2)..=(slot, incarnation, 6);
                prop_assert_eq!(kept, model.range(range).map(|((.., sequence), _)| *sequence).collect::<Vec<_>>());
                let name = (slot, incarnation, sequence);
                prop_assert_eq!(cache.get(slot, incarnation, sequence).is_some(), model.contains_key(&name));
            }
        }
    }
}

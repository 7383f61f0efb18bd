//! The bodies of recent messages, for those who were announced one and lack it, and to see whether two messages have one
//! name.

use super::Slot;
use crate::{
    Micros,
    bounds::{CACHE_BYTES, CACHE_BYTES_PER_ORIGIN, CACHE_TIME},
};
use bytes::Bytes;
use peerwright_ledger::{Message, MessageId};
use std::collections::{BTreeMap, VecDeque};

/// A message's name in this process.
pub(crate) type CacheKey = (Slot, u64, u64);

/// A recent message.
#[derive(Debug, Clone)]
pub(crate) struct Cached {
    pub at: Micros,
    /// How often a receiver may pass it on.
    pub hops: u8,
    pub id: MessageId,
    /// What it names as the message before it.
    pub previous: MessageId,
    /// Shared with the frame that it came in.
    pub bytes: Bytes,
}

/// All recent messages.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    messages: BTreeMap<CacheKey, Cached>,
    /// Names in the order in which they came; those that were dropped early are skipped.
    order: VecDeque<(Micros, CacheKey)>,
    bytes: usize,
    bytes_of: BTreeMap<Slot, usize>,
}

impl Cache {
    /// Keeps a verified message that came now. An origin's oldest go when it has more than its share, the oldest of all
    /// when there is no room or their time is over.
    pub(crate) fn insert(&mut self, now: Micros, slot: Slot, message: &Message, hops: u8) {
        let body = message.body();
        let key = (slot, body.incarnation, body.sequence);
        let bytes = message.encoded().clone();
        let length = bytes.len();
        let cached = Cached { at: now, hops, id: message.id(), previous: body.previous, bytes };
        if self.messages.contains_key(&key) {
            return;
        }
        self.messages.insert(key, cached);
        self.order.push_back((now, key));
        self.bytes += length;
        *self.bytes_of.entry(slot).or_default() += length;
        while self.bytes_of.get(&slot).is_some_and(|bytes| *bytes > CACHE_BYTES_PER_ORIGIN) {
            let Some(oldest) = self.of_origin(slot).next().map(|(key, _)| *key) else { break };
            self.remove(&oldest);
        }
        self.drop_old(now);
    }

    /// Drops what is too old or too much. The order's list holds no more than twice the names that are kept.
    pub(crate) fn drop_old(&mut self, now: Micros) {
        while let Some((at, key)) = self.order.front().copied() {
            let is_gone = self.messages.get(&key).is_none_or(|cached| cached.at != at);
            if !is_gone && now.since(at) <= CACHE_TIME && self.bytes <= CACHE_BYTES {
                break;
            }
            self.order.pop_front();
            if !is_gone {
                self.remove(&key);
            }
        }
        if self.order.len() > 2 * self.messages.len() + 64 {
            let messages = &self.messages;
            self.order.retain(|(at, key)| messages.get(key).is_some_and(|cached| cached.at == *at));
        }
    }

    fn remove(&mut self, key: &CacheKey) {
        let Some(cached) = self.messages.remove(key) else { return };
        self.bytes = self.bytes.saturating_sub(cached.bytes.len());
        if let Some(bytes) = self.bytes_of.get_mut(&key.0) {
            *bytes = bytes.saturating_sub(cached.bytes.len());
            if *bytes == 0 {
                self.bytes_of.remove(&key.0);
            }
        }
    }

    fn of_origin(&self, slot: Slot) -> impl Iterator<Item = (&CacheKey, &Cached)> {
        self.messages.range((slot, 0, 0)..=(slot, u64::MAX, u64::MAX))
    }

    /// Forgets all of an origin.
    pub(crate) fn forget(&mut self, slot: Slot) {
        let keys: Vec<CacheKey> = self.of_origin(slot).map(|(key, _)| *key).collect();
        for key in keys {
            self.remove(&key);
        }
    }

    pub(crate) fn get(&self, slot: Slot, incarnation: u64, sequence: u64) -> Option<&Cached> {
        self.messages.get(&(slot, incarnation, sequence))
    }

    /// What is kept of a life from one sequence to another, in order.
    pub(crate) fn range(
        &self,
        slot: Slot,
        incarnation: u64,
        from: u64,
        through: u64,
    ) -> impl Iterator<Item = (u64, &Cached)> {
        let keys = (slot, incarnation, from)..=(slot, incarnation, through.max(from));
        self.messages.range(keys).map(|((_, _, sequence), cached)| (*sequence, cached))
    }

    pub(crate) fn count(&self) -> usize {
        self.messages.len()
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
    use std::time::Duration;

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
        cache.insert(Micros(0), Slot(0), &signed(message(1, 1, 1)), 3);
        cache.insert(Micros(0) + MILLISECOND, Slot(0), &signed(message(1, 2, 1)), 3);
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
        cache.insert(Micros(0), Slot(9), &signed(message(1, 1, 1)), 3);
        let count = u64::try_from(CACHE_BYTES_PER_ORIGIN / 30_000 + 10).unwrap();
        for sequence in 1..=count {
            cache.insert(Micros(1), Slot(0), &signed(sized(sequence, 30_000)), 3);
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
            cache.insert(Micros(number as u64), Slot(u16::try_from(number).unwrap()), &body, 3);
        }
        assert!(cache.bytes() <= CACHE_BYTES);
        assert_eq!((cache.count(), cache.get(Slot(0), 1, 1).is_some()), (fits, false));
        assert!(cache.get(Slot(1), 1, 1).is_some());
    }

    #[test]
    fn a_forgotten_origin_leaves_nothing() {
        let mut cache = Cache::default();
        for (slot, sequence) in [(0, 1), (0, 2), (1, 1)] {
            cache.insert(Micros(0), Slot(slot), &signed(message(1, sequence, 1)), 3);
        }
        cache.forget(Slot(0));
        assert_eq!((sequences(&cache, Slot(0)), sequences(&cache, Slot(1))), (vec![], vec![1]));
        assert_eq!(cache.bytes_of.len(), 1);
    }
}

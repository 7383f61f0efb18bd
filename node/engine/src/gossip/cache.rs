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

    /// The lowest sequence kept of a life.
    pub(crate) fn floor(&self, slot: Slot, incarnation: u64) -> Option<u64> {
        self.range(slot, incarnation, 0, u64::MAX).next().map(|(sequence, _)| sequence)
    }

    pub(crate) fn count(&self) -> usize {
        self.messages.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

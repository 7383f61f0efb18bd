//! What one link advertised and this node lacks.

use super::Incoming;
use crate::{
    MessageRange,
    bounds::{MAX_PULL_MESSAGES, MAX_PULL_RANGES, MAX_WANTED_RANGES, MAX_WANTED_STREAMS},
    holdings::Stream,
    ranges::Ranges,
};
use peerwright_ledger::RegisterId;
use std::collections::BTreeMap;

/// Ranges wanted, by stream.
#[derive(Debug, Default)]
pub(crate) struct Wants {
    streams: BTreeMap<Stream, Ranges>,
}

impl Wants {
    /// Wants more; ranges above the bound are left to a later digest.
    pub(crate) fn add(&mut self, stream: Stream, ranges: &Ranges) {
        if ranges.is_empty() || (self.is_full() && !self.streams.contains_key(&stream)) {
            return;
        }
        let wanted = self.streams.entry(stream).or_default();
        for (from, to) in ranges.as_slice() {
            wanted.insert_range(*from, *to);
        }
        wanted.truncate(MAX_WANTED_RANGES);
    }

    /// Whether the next page should wait.
    pub(crate) fn is_full(&self) -> bool {
        self.streams.len() >= MAX_WANTED_STREAMS
    }

    pub(crate) fn remove(&mut self, stream: &Stream, register_sequence: u64) {
        if let Some(ranges) = self.streams.get_mut(stream) {
            ranges.remove(register_sequence);
            if ranges.is_empty() {
                self.streams.remove(stream);
            }
        }
    }

    pub(crate) fn remove_stream(&mut self, stream: &Stream) {
        self.streams.remove(stream);
    }

    /// Wants nothing more of registers that `keep` does not name.
    pub(crate) fn retain(&mut self, keep: impl Fn(&RegisterId) -> bool) {
        self.streams.retain(|stream, _| keep(&stream.register));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// How many messages are wanted.
    pub(crate) fn count(&self) -> u64 {
        self.streams.values().fold(0, |sum: u64, ranges| sum.saturating_add(ranges.count()))
    }

    pub(crate) fn wants(&self, stream: &Stream) -> bool {
        self.streams.contains_key(stream)
    }

    pub(crate) fn wants_register(&self, register: &RegisterId) -> bool {
        self.streams.keys().any(|stream| stream.register == *register)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Stream, &Ranges)> {
        self.streams.iter()
    }

    /// What to pull next: the first wanted ranges that are neither asked of another link nor on their way.
    pub(crate) fn choose(&self, elsewhere: &BTreeMap<Stream, Ranges>, incoming: &Incoming) -> Vec<MessageRange> {
        let (mut chosen, mut messages) = (Vec::new(), MAX_PULL_MESSAGES);
        for (stream, wanted) in &self.streams {
            let mut ranges = wanted.clone();
            if let Some(asked) = elsewhere.get(stream) {
                ranges.subtract(asked);
            }
            incoming.subtract_from(stream, &mut ranges);
            for (from, to) in ranges.as_slice() {
                if chosen.len() >= MAX_PULL_RANGES || messages == 0 {
                    return chosen;
                }
                let to = (*to).min(from.saturating_add(messages - 1));
                messages -= to - from + 1;
                chosen.push(stream.range(*from, to));
            }
        }
        chosen
    }
}

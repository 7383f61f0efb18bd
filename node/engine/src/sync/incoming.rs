//! Messages that are here but not held yet: with the verifier, waiting for their body, or on their way to the store.
//! They are not pulled meanwhile. Bounded by the places that they wait in.

use crate::{LinkId, holdings::Stream, ranges::Ranges};
use std::collections::BTreeMap;

/// The messages, and for which link's pull they count.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    messages: BTreeMap<(Stream, u64), Entry>,
    pulled: BTreeMap<LinkId, usize>,
}

#[derive(Debug, Default)]
struct Entry {
    /// How many bodies claim this place; more than one only while all but one are forged, or their origin has signed
    /// several.
    claims: u32,
    /// One of them has verified, and goes to the store.
    is_taken: bool,
    pulled_from: Vec<LinkId>,
}

impl Incoming {
    /// A message is here.
    pub(crate) fn begin(&mut self, stream: Stream, register_sequence: u64) {
        self.messages.entry((stream, register_sequence)).or_default().claims += 1;
    }

    /// The message came, or came again, by a pull from `link`.
    pub(crate) fn pulled(&mut self, stream: Stream, register_sequence: u64, link: LinkId) {
        if let Some(entry) = self.messages.get_mut(&(stream, register_sequence))
            && !entry.pulled_from.contains(&link)
        {
            entry.pulled_from.push(link);
            *self.pulled.entry(link).or_default() += 1;
        }
    }

    /// A body has verified. Says whether it is the first for its place: no other one is stored beside it.
    pub(crate) fn take_place(&mut self, stream: Stream, register_sequence: u64) -> bool {
        let entry = self.messages.get_mut(&(stream, register_sequence));
        entry.is_none_or(|entry| !std::mem::replace(&mut entry.is_taken, true))
    }

    /// The message is held, or given up.
    pub(crate) fn end(&mut self, stream: Stream, register_sequence: u64) -> Vec<LinkId> {
        let Some(entry) = self.messages.get_mut(&(stream, register_sequence)) else { return Vec::new() };
        entry.claims = entry.claims.saturating_sub(1);
        if entry.claims > 0 {
            return Vec::new();
        }
        let links = std::mem::take(&mut entry.pulled_from);
        self.messages.remove(&(stream, register_sequence));
        for link in &links {
            if let Some(count) = self.pulled.get_mut(link) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.pulled.remove(link);
                }
            }
        }
        links
    }

    pub(crate) fn contains(&self, stream: &Stream, register_sequence: u64) -> bool {
        self.messages.contains_key(&(*stream, register_sequence))
    }

    /// Messages pulled from `link` that are not held yet.
    pub(crate) fn of_link(&self, link: LinkId) -> usize {
        self.pulled.get(&link).copied().unwrap_or(0)
    }

    /// Removes what is on its way from `ranges` of `stream`.
    pub(crate) fn subtract_from(&self, stream: &Stream, ranges: &mut Ranges) {
        let Some((first, last)) = ranges.as_slice().first().zip(ranges.as_slice().last()).map(|(a, b)| (a.0, b.1))
        else {
            return;
        };
        for (_, number) in self.messages.range((*stream, first)..=(*stream, last)).map(|(key, _)| key) {
            ranges.remove(*number);
        }
    }
}

//! How a node gets what it lacks: by comparing what is held, and pulling the difference.
//!
//! ```text
//!   A                                      B
//!   │ Digest: a hash a register            │   at link-up, every heartbeat, after catching up, on new subscriptions
//!   ├─────────────────────────────────────▶│   equal: nothing to do
//!   │            HeldRequest: those unequal│
//!   │◀─────────────────────────────────────┤   page by page, only as fast as B can remember what it lacks
//!   │ HeldPage: streams and ranges         │
//!   ├─────────────────────────────────────▶│   what B lacks is wanted from this link
//!   │                          Pull: ranges│
//!   │◀─────────────────────────────────────┤   one under way a link, shared among the links that have it
//!   │ Pulled, Pulled, .. PullEnd           │
//!   ├─────────────────────────────────────▶│   verified and stored as any message
//! ```
//!
//! What came by sync is not passed on as gossip: a node that catches up on a million messages would flood neighbours
//! that hold them all. Instead it offers its digest to its other links once it has caught up; those that lack something
//! pull it, and offer theirs. Two linked nodes always end with equal digests, so all nodes that links connect do; but for
//! who came after messages were let go of, which it is not told of.
//!
//! A hole that gossip leaves in a stream is wanted, after a moment, from the link that brought what follows it.

mod exchange;
mod gaps;
mod incoming;
#[cfg(test)]
mod tests;
mod wants;

pub(crate) use exchange::{LinkSync, Overdue, PullAnswer};
pub(crate) use gaps::Gaps;
pub(crate) use incoming::Incoming;
pub(crate) use wants::Wants;

use crate::{LinkId, MessageRange, Micros, holdings::Stream, ranges::Ranges};
use std::collections::BTreeMap;

/// The sync of every link.
#[derive(Debug, Default)]
pub(crate) struct Sync {
    pub links: BTreeMap<LinkId, LinkSync>,
    pub incoming: Incoming,
    pub gaps: Gaps,
    /// Since when something is held that came by sync and that the links were not told of.
    pub offer_since: Option<Micros>,
}

impl Sync {
    /// A message is held now: nobody needs to be asked for it. Gives the links that nothing is wanted of any more.
    pub(crate) fn arrived(&mut self, stream: &Stream, register_sequence: u64) -> Vec<LinkId> {
        let wanting = self.links.iter_mut().filter(|(_, sync)| !sync.wants.is_empty());
        let satisfied = wanting.filter_map(|(link, sync)| {
            sync.wants.remove(stream, register_sequence);
            sync.wants.is_empty().then_some(*link)
        });
        satisfied.collect()
    }

    /// What links other than `link` are being asked for.
    fn asked_elsewhere(&self, link: LinkId) -> BTreeMap<Stream, Ranges> {
        let mut asked: BTreeMap<Stream, Ranges> = BTreeMap::new();
        let others = self.links.iter().filter(|(other, _)| **other != link);
        for range in others.flat_map(|(_, sync)| sync.pulling()) {
            asked.entry(Stream::of_range(range)).or_default().insert_range(range.from, range.to);
        }
        asked
    }

    /// Begins the next pull of a link, if it may have one and wants something that is not on its way already.
    pub(crate) fn next_pull(
        &mut self,
        link: LinkId,
        now: Micros,
        deadline: Micros,
    ) -> Option<(u64, Vec<MessageRange>)> {
        if !self.links.get(&link)?.may_pull() {
            return None;
        }
        let elsewhere = self.asked_elsewhere(link);
        let sync = self.links.get_mut(&link)?;
        let ranges = sync.wants.choose(&elsewhere, &self.incoming);
        if ranges.is_empty() { None } else { Some((sync.begin_pull(ranges.clone(), now, deadline), ranges)) }
    }

    /// Messages wanted from any link, each counted once.
    pub(crate) fn missing(&self) -> u64 {
        let mut all: BTreeMap<Stream, Ranges> = BTreeMap::new();
        for (stream, ranges) in self.links.values().flat_map(|link| link.wants.iter()) {
            let union = all.entry(*stream).or_default();
            for (from, to) in ranges.as_slice() {
                union.insert_range(*from, *to);
            }
        }
        all.values().fold(0, |sum: u64, ranges| sum.saturating_add(ranges.count()))
    }
}

//! Holes that gossip left in streams: most close by themselves in a moment, the others are pulled. What was asked for in
//! vain is bygone, and left to the comparison of what peers hold.

use crate::{
    LinkId, Micros,
    bounds::{GAP_PATIENCE, GAP_RETRY, MAX_GAPS},
    holdings::Stream,
};
use std::collections::BTreeMap;

#[derive(Debug)]
struct Gap {
    at: Micros,
    link: LinkId,
    through: u64,
    /// It was pulled: left alone until `at`.
    asked: bool,
}

/// Streams with a hole.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    streams: BTreeMap<Stream, Gap>,
    /// Through which number the holes of a stream are bygone.
    bygone: BTreeMap<Stream, u64>,
}

impl Gaps {
    /// `link` brought the message `through` of a stream of which not everything below is held.
    pub(crate) fn note(&mut self, now: Micros, stream: Stream, link: LinkId, through: u64) {
        if let Some(gap) = self.streams.get_mut(&stream) {
            if !gap.asked {
                gap.through = gap.through.max(through);
                gap.link = link;
            }
        } else if self.streams.len() < MAX_GAPS {
            self.streams.insert(stream, Gap { at: now + GAP_PATIENCE, link, through, asked: false });
        }
    }

    /// The streams to look at now: the link that brought what follows the hole, and the number below which it is.
    pub(crate) fn take_due(&mut self, now: Micros) -> Vec<(Stream, LinkId, u64)> {
        let due: Vec<Stream> =
            self.streams.iter().filter(|(_, gap)| gap.at <= now).map(|(stream, _)| *stream).collect();
        let gaps = due.into_iter().filter_map(|stream| Some((stream, self.streams.remove(&stream)?)));
        gaps.filter(|(_, gap)| !gap.asked).map(|(stream, gap)| (stream, gap.link, gap.through)).collect()
    }

    /// The hole is being pulled: it is left alone for a while.
    pub(crate) fn asked(&mut self, now: Micros, stream: Stream, link: LinkId, through: u64) {
        if self.streams.len() < MAX_GAPS {
            self.streams.insert(stream, Gap { at: now + GAP_RETRY, link, through, asked: true });
        }
    }

    /// The holes of a stream through this number were asked for in vain.
    pub(crate) fn give_up(&mut self, stream: Stream, through: u64) {
        if self.bygone.len() < MAX_GAPS || self.bygone.contains_key(&stream) {
            let known = self.bygone.entry(stream).or_default();
            *known = through.max(*known);
        }
    }

    /// Through which number the holes of a stream are left alone; 0 when none is.
    pub(crate) fn bygone(&self, stream: &Stream) -> u64 {
        self.bygone.get(stream).copied().unwrap_or_default()
    }

    /// When to look next.
    pub(crate) fn next_due(&self) -> Option<Micros> {
        self.streams.values().map(|gap| gap.at).min()
    }
}

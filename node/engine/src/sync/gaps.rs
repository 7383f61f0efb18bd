//! Holes that gossip left in streams: most close by themselves in a moment, the others are pulled.

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

    /// When to look next.
    pub(crate) fn next_due(&self) -> Option<Micros> {
        self.streams.values().map(|gap| gap.at).min()
    }
}

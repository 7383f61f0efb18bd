//! Memory that most inputs need, read before it is needed.
//!
//! A driver of many engines finds little of each in the processor's caches when its turn comes, and an input then waits for
//! one piece of memory after the other. These pieces do not lead to each other, so that reading them takes as long as
//! reading one. The numbers mean nothing: they are there so that the reading is not left out.

use super::Engine;
use crate::LinkId;

impl Engine {
    /// Reads pieces of the engine itself.
    #[must_use]
    pub fn touch(&self) -> u64 {
        let flags = [
            self.armed.is_some(),
            self.limits.is_some(),
            self.is_search_due,
            self.detector.status_is_due,
            self.ready.is_ready(),
            self.appends.is_failing(),
            self.proofs.count() > 0,
            self.fetches.count() > 0,
        ];
        let counters = [
            self.counters.links.frames_received,
            self.counters.links.bytes_sent,
            self.counters.gossip.received,
            self.counters.gossip.announcements_received,
            self.counters.members.duplicates,
        ];
        let lengths = self.active_links().len() ^ self.waits.count() ^ self.candidates.count();
        let flags = flags.into_iter().map(u64::from).sum::<u64>();
        let counters = counters.into_iter().fold(0, |sum, counter| sum ^ counter);
        flags ^ counters ^ lengths as u64 ^ self.now.0 ^ self.last_token ^ u64::from(self.trees.sweep)
    }

    /// Reads what the engine keeps of a link, or of all neighbours, and what every input comes to in the end.
    #[must_use]
    pub fn touch_links(&self, link: Option<LinkId>) -> u64 {
        let touch = |link: LinkId| {
            let state =
                self.links.get(link).map_or(0, |link| link.last_heard.0 ^ link.received_bytes ^ link.last_used.0);
            state ^ u64::from(self.trees.link(link).is_some_and(|trees| trees.is_avoided(self.now)))
        };
        let links = match link {
            Some(link) => touch(link),
            None => self.active_links().iter().fold(0, |sum, link| sum ^ touch(*link)),
        };
        links ^ self.timers.touch()
    }
}

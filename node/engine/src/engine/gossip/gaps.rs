//! Holes in registers that gossip has left: sync pulls them from the store of a peer.

use crate::{
    bounds::{GAP_DEPTH, GAP_PATIENCE},
    engine::{Engine, Turn},
    gossip::Candidate,
    holdings::Stream,
    ranges::Ranges,
    timers::Timer,
};

impl Engine {
    /// A message of a stream of which not everything below is held may have overtaken others, or they are lost.
    pub(super) fn note_gap(&mut self, turn: &mut Turn<'_>, candidate: &Candidate) {
        let body = candidate.message.body();
        let (stream, number) = (Stream::of(body), body.register_sequence);
        let Some(link) = candidate.links.first().filter(|_| candidate.pulled_from.is_none()) else { return };
        let held = self.holdings.ranges(&stream).map(Ranges::as_slice).unwrap_or_default();
        let held_below = held.iter().rev().find(|(from, _)| *from < number);
        let first_missed = self.sync.gaps.bygone(&stream).saturating_add(1);
        let is_whole =
            number <= first_missed || held_below.is_some_and(|(from, to)| *from <= first_missed && *to >= number - 1);
        if self.holdings.is_loaded(&stream.register) && !is_whole {
            self.sync.gaps.note(turn.now, stream, *link, number);
            self.timers.set_no_later(Timer::Gaps, turn.now + GAP_PATIENCE);
        }
    }

    /// Pulls what has not come by itself.
    pub(in crate::engine) fn close_gaps(&mut self, turn: &mut Turn<'_>) {
        for (stream, link, through) in self.sync.gaps.take_due(turn.now) {
            let first = through.saturating_sub(GAP_DEPTH).max(1);
            let mut missing = Ranges::of(first, through.saturating_sub(1));
            if let Some(held) = self.holdings.ranges(&stream) {
                missing.subtract(held);
            }
            missing.remove_range(0, self.sync.gaps.bygone(&stream));
            self.sync.incoming.subtract_from(&stream, &mut missing);
            let source = if self.is_live(link) { Some(link) } else { self.links.ids().first().copied() };
            let Some(source) = source.filter(|_| self.holdings.is_loaded(&stream.register) && !missing.is_empty())
            else {
                continue;
            };
            self.sync.gaps.asked(turn.now, stream, source, through);
            if let Some(sync) = self.sync.links.get_mut(&source) {
                sync.hope_for(stream, &missing);
            }
            self.pump(turn, source);
        }
        match self.sync.gaps.next_due() {
            Some(at) => self.timers.set(Timer::Gaps, at),
            None => self.timers.cancel(Timer::Gaps),
        }
    }
}

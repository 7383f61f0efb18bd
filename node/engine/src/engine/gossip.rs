//! Messages that are spread.

use super::{Engine, Turn};
use crate::{
    Class, CloseReason, Event, LinkId, Micros, Output,
    appends::ReceivedMessage,
    bounds::{CLOCK_SKEW, GAP_DEPTH, GAP_PATIENCE, MAX_TIME_TO_LIVE},
    frame::Frame,
    gossip::{Candidate, Offered, Path, Place, Standing},
    holdings::Stream,
    ranges::Ranges,
    score::Outcome,
    timers::Timer,
};
use peerwright_ledger::{Entry, Message, MessageBody, TransactionId};

/// The transaction that a message announces.
pub(super) fn announced(body: &MessageBody) -> Option<(TransactionId, u32)> {
    body.entries.iter().find_map(|entry| match entry {
        Entry::Announced { id, size } => Some((*id, *size)),
        Entry::Inline(_) => None,
    })
}

impl Engine {
    /// A message came by gossip, and may be passed on `hops` times.
    pub(super) fn gossiped(&mut self, turn: &mut Turn<'_>, link: LinkId, hops: u8, message: &Message) {
        let body = message.body();
        let expires_at = Micros(body.expires_at_micros);
        if expires_at <= turn.wall {
            self.counters.gossip.expired += 1;
            return;
        }
        if expires_at > turn.wall + MAX_TIME_TO_LIVE + CLOCK_SKEW {
            return self.dropped(turn, "expires_too_late");
        }
        let (place, stream) = (Place::of(body), Stream::of(body));
        if self.is_own_life(body.origin, body.incarnation) {
            if body.sequence > self.outbox.sequence() {
                turn.out.event(Event::DuplicateIdentity { incarnation: body.incarnation });
            }
            self.counters.gossip.duplicates += 1;
            return;
        }
        let standing = self.seen.standing(&place);
        if standing == Standing::Stale {
            return self.dropped(turn, "stale_incarnation");
        }
        let is_known = standing == Standing::Seen
            || self.holdings.contains(&stream, body.register_sequence)
            || self.is_judged(&stream, body);
        if is_known {
            self.counters.gossip.duplicates += 1;
            self.outcome_of(link, Outcome::Duplicate);
            if let Some((id, _)) = announced(body) {
                self.fetches.add_holder(&id, link);
            }
            return;
        }
        self.offer(turn, link, message, Path::Gossip { hops });
    }

    /// Whether a message has verified and is on its way to the store.
    pub(super) fn is_judged(&self, stream: &Stream, body: &MessageBody) -> bool {
        self.sync.incoming.contains(stream, body.register_sequence) && !self.candidates.awaits(&Place::of(body))
    }

    /// Has a message verified, unless its bytes are being verified already.
    pub(super) fn offer(&mut self, turn: &mut Turn<'_>, link: LinkId, message: &Message, path: Path) {
        let token = self.next_token();
        let (stream, number) = (Stream::of(message.body()), message.body().register_sequence);
        match self.candidates.offer(turn.now, token, message, link, path) {
            Offered::Verify => {
                self.sync.incoming.begin(stream, number);
                turn.out.push(Output::Verify { token, link, message: message.clone() });
            }
            Offered::Joined => {
                if path != Path::Sync {
                    self.counters.gossip.duplicates += 1;
                }
            }
            Offered::Full => return self.dropped(turn, "verifying_full"),
        }
        if path == Path::Sync {
            self.sync.incoming.pulled(stream, number, link);
        }
    }

    pub(super) fn verified(&mut self, turn: &mut Turn<'_>, token: crate::Token, valid: bool) {
        let Some(candidate) = self.candidates.take(token) else { return };
        if valid { self.deliver(turn, candidate) } else { self.convict(turn, &candidate) }
    }

    /// Nobody passes on what does not verify: all links that brought these bytes are closed.
    fn convict(&mut self, turn: &mut Turn<'_>, candidate: &Candidate) {
        self.counters.gossip.invalid += 1;
        let body = candidate.message.body();
        self.no_longer_incoming(turn, body);
        for link in &candidate.links {
            if let Some(peer) = self.links.get(*link).map(|link| link.peer) {
                turn.out.event(Event::BadSignature { peer, origin: Some(body.origin) });
                self.outcome(peer, Outcome::InvalidMessage);
                self.close(turn, *link, CloseReason::BadSignature);
            }
        }
    }

    fn deliver(&mut self, turn: &mut Turn<'_>, mut candidate: Candidate) {
        let message = candidate.message.clone();
        let body = message.body();
        let stream = Stream::of(body);
        let is_new = match self.seen.insert(body) {
            Ok(is_new) => is_new,
            Err(untracked) => {
                self.dropped(turn, untracked.label());
                false
            }
        };
        self.counters.gossip.delivered += u64::from(is_new);
        if let Some(first) = candidate.links.first().filter(|_| is_new) {
            self.outcome_of(*first, Outcome::FirstDelivery { bytes: message.encoded().len() });
        }
        if !is_new || body.expires_at_micros <= turn.wall.0 {
            candidate.hops = None;
        }
        let is_stored =
            self.holdings.is_subscribed(&body.register) && !self.holdings.contains(&stream, body.register_sequence);
        let has_room = self.holdings.has_room_for(&stream, body.register_sequence);
        match (announced(body), has_room) {
            // A body that is not held here cannot be served to those who would ask for it.
            (Some(_), _) if !is_stored => self.no_longer_incoming(turn, body),
            (None, _) if !is_stored => {
                self.pass_on(turn, &candidate);
                self.no_longer_incoming(turn, body);
            }
            (_, Err(bound)) => {
                self.pass_on(turn, &candidate);
                self.dropped(turn, bound);
                self.no_longer_incoming(turn, body);
            }
            (Some((id, size)), Ok(())) => {
                self.note_gap(turn, &candidate);
                self.want_body(turn, id, size, candidate);
            }
            (None, Ok(())) => {
                self.note_gap(turn, &candidate);
                self.pass_on(turn, &candidate);
                self.queue(turn, &candidate);
            }
        }
    }

    /// Spreads a message of another to the links that did not bring it.
    pub(super) fn pass_on(&mut self, turn: &mut Turn<'_>, candidate: &Candidate) {
        if let Some(hops) = candidate.hops.and_then(|hops| hops.checked_sub(1)) {
            self.spread(turn, &candidate.message, hops, &candidate.links);
        }
    }

    /// Sends a message on every link but `except`; the receivers may pass it on `hops` times.
    pub(super) fn spread(&mut self, turn: &mut Turn<'_>, message: &Message, hops: u8, except: &[LinkId]) {
        let frame = Frame::Message { hops, message: message.encoded() }.encode();
        for link in self.active_links().to_vec() {
            if !except.contains(&link) {
                self.counters.gossip.sent += 1;
                self.send_encoded(turn, link, frame.clone(), Class::Gossip);
            }
        }
    }

    /// Queues a verified message for the store.
    pub(super) fn queue(&mut self, turn: &mut Turn<'_>, candidate: &Candidate) {
        let message = candidate.message.clone();
        let received = ReceivedMessage { message, pulled_from: candidate.pulled_from };
        if !self.appends.push_received(received) {
            self.dropped(turn, "append_full");
            self.no_longer_incoming(turn, candidate.message.body());
        }
    }

    /// A message of a stream of which not everything below is held may have overtaken others, or they are lost.
    fn note_gap(&mut self, turn: &mut Turn<'_>, candidate: &Candidate) {
        let body = candidate.message.body();
        let (stream, number) = (Stream::of(body), body.register_sequence);
        let Some(link) = candidate.links.first().filter(|_| candidate.pulled_from.is_none()) else { return };
        let held_below = self.holdings.ranges(&stream).and_then(|ranges| ranges.as_slice().first().copied());
        let is_whole = number == 1 || held_below.is_some_and(|(from, to)| from == 1 && to >= number - 1);
        if self.holdings.is_loaded(&stream.register) && !is_whole {
            self.sync.gaps.note(turn.now, stream, *link, number);
            self.timers.set_no_later(Timer::Gaps, turn.now + GAP_PATIENCE);
        }
    }

    /// Pulls what has not come by itself.
    pub(super) fn close_gaps(&mut self, turn: &mut Turn<'_>) {
        for (stream, link, through) in self.sync.gaps.take_due(turn.now) {
            let first = through.saturating_sub(GAP_DEPTH).max(1);
            let mut missing = Ranges::of(first, through.saturating_sub(1));
            if let Some(held) = self.holdings.ranges(&stream) {
                missing.subtract(held);
            }
            self.sync.incoming.subtract_from(&stream, &mut missing);
            let source = if self.is_live(link) { Some(link) } else { self.links.ids().first().copied() };
            let Some(source) = source.filter(|_| self.holdings.is_loaded(&stream.register) && !missing.is_empty())
            else {
                continue;
            };
            self.sync.gaps.asked(turn.now, stream, source, through);
            if let Some(sync) = self.sync.links.get_mut(&source) {
                sync.wants.add(stream, &missing);
            }
            self.pump(turn, source);
        }
        match self.sync.gaps.next_due() {
            Some(at) => self.timers.set(Timer::Gaps, at),
            None => self.timers.cancel(Timer::Gaps),
        }
    }
}

//! Messages that come, and what becomes of them.

mod equivocation;
mod gaps;
mod grafts;
mod packed;
mod spread;
mod trees;

use super::{Engine, Turn};
use crate::{
    CloseReason, Event, LinkId, Micros, Mutant, Output,
    appends::ReceivedMessage,
    bounds::{CACHE_TIME, CLOCK_SKEW, MAX_TIME_TO_LIVE, RECENT_HISTORY},
    gossip::{Candidate, Inserted, Offered, Path, Place, Slot, Source, Standing, Untracked},
    holdings::Stream,
    is_mutant,
    score::Outcome,
};
use bytes::Bytes;
use peerwright_ledger::{Entry, Message, MessageBody, MessageHeader, TransactionId};

/// The transaction that a message announces.
pub(super) fn announced(body: &MessageBody) -> Option<(TransactionId, u32)> {
    body.entries.iter().find_map(|entry| match entry {
        Entry::Announced { id, size } => Some((*id, *size)),
        Entry::Inline(_) => None,
    })
}

impl Engine {
    /// A message came by gossip in `frame`, and may be passed on `hops` times.
    pub(super) fn gossiped(&mut self, turn: &mut Turn<'_>, link: LinkId, hops: u8, frame: &Bytes, encoded: &[u8]) {
        self.counters.gossip.received += 1;
        let Some(header) = MessageHeader::peek(encoded) else {
            // Reading it whole says what is wrong with it.
            self.decode(turn, link, frame, encoded);
            return;
        };
        if self.is_spread(turn, &header) {
            self.heard(turn, link, hops, &header, (frame, encoded));
        }
    }

    /// Whether a message that begins so is spread at all.
    fn is_spread(&mut self, turn: &mut Turn<'_>, header: &MessageHeader) -> bool {
        let expires = Micros(header.expires_at_micros);
        if expires <= turn.wall {
            self.counters.gossip.expired += 1;
        } else if expires > turn.wall + MAX_TIME_TO_LIVE + CLOCK_SKEW {
            self.dropped(turn, "expires_too_late");
        } else if self.proofs.convicts(&header.origin) {
            self.dropped(turn, "equivocator");
        } else {
            return true;
        }
        false
    }

    /// A message that is spread came. What is known already costs no more than a look at its header.
    fn heard(
        &mut self,
        turn: &mut Turn<'_>,
        link: LinkId,
        hops: u8,
        header: &MessageHeader,
        (frame, encoded): (&Bytes, &[u8]),
    ) {
        match self.origins.standing(&Place::from(header)) {
            Standing::Seen(slot) if self.is_rival(slot, header, encoded) => {}
            Standing::Seen(slot) => return self.heard_again(turn, link, Some(slot), header, frame, encoded),
            Standing::Stale => return self.dropped(turn, "stale_incarnation"),
            Standing::Unseen => {
                if self.is_own_life(header.origin, header.incarnation) {
                    if header.sequence > self.outbox.sequence() {
                        let (origin, incarnation) = (header.origin, header.incarnation);
                        turn.out.event(Event::DuplicateIdentity { origin, incarnation });
                    }
                    self.counters.gossip.duplicates += 1;
                    return;
                }
                let stream =
                    Stream { register: header.register, origin: header.origin, incarnation: header.incarnation };
                let is_held = self.holdings.contains(&stream, header.register_sequence);
                if is_held || self.is_judged(&stream, header.register_sequence, &Place::from(header)) {
                    let slot = self.origins.find(&header.origin);
                    return self.heard_again(turn, link, slot, header, frame, encoded);
                }
            }
        }
        if let Some(message) = self.decode(turn, link, frame, encoded) {
            self.offer(turn, link, &message, Path::Gossip { hops });
        }
    }

    /// Whether another body is known under this name: this one may prove that its origin has signed both.
    fn is_rival(&self, slot: Slot, header: &MessageHeader, encoded: &[u8]) -> bool {
        let cached = self.cache.get(slot, header.incarnation, header.sequence);
        cached.is_some_and(|cached| cached.bytes != encoded)
    }

    /// A message came that is known.
    fn heard_again(
        &mut self,
        turn: &mut Turn<'_>,
        link: LinkId,
        slot: Option<Slot>,
        header: &MessageHeader,
        frame: &Bytes,
        encoded: &[u8],
    ) {
        self.counters.gossip.duplicates += 1;
        self.outcome_of(link, Outcome::Duplicate);
        if self.fetches.count() > 0
            && let Some(message) = self.decode(turn, link, frame, encoded)
            && let Some((id, _)) = announced(message.body())
        {
            self.fetches.add_holder(&id, link);
        }
        if let Some(slot) = slot {
            self.came_again(turn, link, slot, header.sequence);
        }
    }

    /// Whether a message has verified and is on its way to the store.
    pub(super) fn is_judged(&self, stream: &Stream, register_sequence: u64, place: &Place) -> bool {
        self.sync.incoming.contains(stream, register_sequence) && !self.candidates.awaits(place)
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
                    self.outcome_of(link, Outcome::Duplicate);
                }
            }
            Offered::Full => return self.dropped(turn, "verifying_full"),
        }
        if path == Path::Sync {
            self.sync.incoming.pulled(stream, number, link);
        }
    }

    pub(super) fn verified(&mut self, turn: &mut Turn<'_>, token: crate::Token, valid: bool) {
        if let Some(judged) = self.proofs.judge(token, valid) {
            return self.claim_judged(turn, judged);
        }
        let Some(candidate) = self.candidates.take(token) else { return };
        if valid { self.deliver(turn, candidate) } else { self.convict(turn, &candidate) }
    }

    /// Nobody passes on what does not verify: all links that brought these bytes are closed.
    fn convict(&mut self, turn: &mut Turn<'_>, candidate: &Candidate) {
        self.counters.gossip.invalid += 1;
        let body = candidate.message.body();
        self.no_longer_incoming(turn, body);
        if is_mutant(&self.config, Mutant::MarkBeforeVerify) {
            let _ = self.origins.insert(body, RECENT_HISTORY);
        }
        for link in &candidate.links {
            self.convict_link(turn, *link, Some(body.origin), candidate.message.encoded());
        }
    }

    /// Closes a link that brought what does not verify, with the bytes that show it.
    pub(in crate::engine) fn convict_link(
        &mut self,
        turn: &mut Turn<'_>,
        link: LinkId,
        origin: Option<peerwright_secure::NodePublicKey>,
        evidence: &[u8],
    ) {
        if let Some(peer) = self.links.get(link).map(|link| link.peer) {
            self.offence(peer, Outcome::InvalidMessage, evidence);
            turn.out.event(Event::BadSignature { peer, origin });
            self.close(turn, link, CloseReason::BadSignature);
        }
    }

    /// A message has verified.
    fn deliver(&mut self, turn: &mut Turn<'_>, mut candidate: Candidate) {
        let message = candidate.message.clone();
        let body = message.body();
        let stream = Stream::of(body);
        let is_stored = self.holdings.is_subscribed(&body.register)
            && !self.holdings.contains(&stream, body.register_sequence)
            && self.sync.incoming.take_place(stream, body.register_sequence);
        let is_new = self.remember(turn, &candidate, is_stored);
        self.counters.gossip.delivered += u64::from(is_new);
        if !is_new || body.expires_at_micros <= turn.wall.0 {
            candidate.hops = None;
        }
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
                self.give_up_incoming(turn, body);
            }
            (Some((id, size)), Ok(())) => {
                self.note_gap(turn, &candidate);
                self.withhold(body);
                self.want_body(turn, id, size, candidate);
            }
            (None, Ok(())) => {
                self.note_gap(turn, &candidate);
                self.pass_on(turn, &candidate);
                self.queue(turn, &candidate);
            }
        }
    }

    /// Remembers a verified message and what it says of its origin and of those who brought it; says whether it is new.
    fn remember(&mut self, turn: &mut Turn<'_>, candidate: &Candidate, is_stored: bool) -> bool {
        let body = candidate.message.body();
        // Who is still catching up gets history by sync.
        let history = if self.ready.is_ready() { RECENT_HISTORY } else { 0 };
        let inserted = if is_mutant(&self.config, Mutant::WindowSlide) {
            self.origins.insert(&MessageBody { floor: body.sequence, ..body.clone() }, history)
        } else {
            self.origins.insert(body, history)
        };
        match inserted {
            Ok(Inserted { slot, is_new, lives_twice }) => {
                if let Some(incarnation) = lives_twice {
                    turn.out.event(Event::DuplicateIdentity { origin: body.origin, incarnation });
                }
                if is_new {
                    self.take_in(turn, slot, candidate, is_stored);
                } else {
                    self.compare(turn, slot, &candidate.message);
                }
                is_new && !self.proofs.convicts(&body.origin)
            }
            Err(untracked) => {
                self.dropped(turn, untracked.label());
                if untracked == Untracked::Behind
                    && let Some(link) = candidate.links.first()
                {
                    let source = Source { link: *link, through: body.sequence, has_announced: false };
                    self.wait_for(turn, body.origin, body.incarnation, source);
                }
                false
            }
        }
    }

    /// A new message is kept for those who lack it, and shows which links are of use.
    fn take_in(&mut self, turn: &mut Turn<'_>, slot: Slot, candidate: &Candidate, is_stored: bool) {
        let body = candidate.message.body();
        let is_recent = Micros(body.created_at_micros) + CACHE_TIME > turn.wall;
        let is_given = announced(body).is_none() || is_stored;
        if (candidate.hops.is_some() || is_recent) && is_given {
            self.compare_neighbours(turn, slot, &candidate.message);
            let hops = candidate.hops.unwrap_or(0).saturating_sub(1);
            self.cache.insert(turn.now, candidate.since, slot, &candidate.message, hops);
        }
        if let Some(first) = candidate.links.first() {
            self.outcome_of(*first, Outcome::FirstDelivery { bytes: candidate.message.encoded().len() });
        }
        if candidate.hops.is_none() {
            return;
        }
        if let Some((first, others)) = candidate.links.split_first() {
            self.adopt(turn.now, slot, *first);
            for link in others {
                self.came_again(turn, *link, slot, body.sequence);
            }
            self.note_hole(turn, slot, body, *first);
        }
    }

    /// Queues a verified message for the store.
    pub(super) fn queue(&mut self, turn: &mut Turn<'_>, candidate: &Candidate) {
        let message = candidate.message.clone();
        let received = ReceivedMessage { message, pulled_from: candidate.pulled_from };
        let is_loaded = self.holdings.is_loaded(&candidate.message.body().register);
        if !self.appends.push_received(received, is_loaded) {
            self.dropped(turn, "append_full");
            if self.appends.is_failing() {
                self.give_up_incoming(turn, candidate.message.body());
            } else {
                self.no_longer_incoming(turn, candidate.message.body());
            }
        }
    }

    /// A message cannot be passed on before its body is here.
    fn withhold(&mut self, body: &MessageBody) {
        let origin = self.origins.by_key_mut(&body.origin);
        if let Some(life) = origin.and_then(|origin| origin.life_mut(body.incarnation)) {
            life.withhold(body.sequence);
        }
    }

    /// Forgets origins whose messages have expired, and what links know of them.
    pub(super) fn forget_origins(&mut self, turn: &mut Turn<'_>) {
        for slot in self.origins.sweep(turn.wall) {
            self.trees.forget(slot);
            self.cache.forget(slot);
        }
        self.trees.age();
        self.cache.drop_old(turn.now);
    }
}

//! Sending messages on: pushed where their origin's tree has a link, announced elsewhere.

use super::announced;
use crate::{
    Class, Event, LinkId, Micros,
    bounds::{ALERT, ANNOUNCE_BYTES, FLOOD_BELOW},
    engine::{Engine, Turn},
    frame::{DEFINITION_BYTES, Definition, Frame, Moved, ROW_BYTES},
    gossip::{Candidate, Slot},
    score::Outcome,
    timers::Timer,
};
use bytes::Bytes;
use peerwright_ledger::{EquivocationProof, Message, message::Predecessor};
use peerwright_secure::PeerId;

/// What an empty announcement takes.
const EMPTY_ANNOUNCEMENT: usize = 10;

fn packed(message: &Message, hops: u8, before: Option<&Predecessor>) -> Bytes {
    Frame::Packed { hops, packed: &message.pack(before) }.encode()
}

impl Engine {
    /// Spreads a verified message of another. One that may be passed on no further is announced.
    pub(in crate::engine) fn pass_on(&mut self, turn: &mut Turn<'_>, candidate: &Candidate) {
        let body = candidate.message.body();
        let Some(slot) = self.origins.find(&body.origin) else { return };
        if let Some(life) = self.origins.get_mut(slot).and_then(|origin| origin.life_mut(body.incarnation)) {
            life.release(body.sequence);
        }
        if let Some(hops) = candidate.hops {
            self.spread(turn, slot, &candidate.message, hops.checked_sub(1), &candidate.links);
        }
    }

    /// Spreads a message of this node, which is durable now.
    pub(in crate::engine) fn spread_own(&mut self, turn: &mut Turn<'_>, message: &Message) {
        let hops = self.config.gossip.hop_limit;
        let Ok(inserted) = self.origins.insert(message.body(), 0) else { return };
        self.cache.insert(turn.now, turn.now, inserted.slot, message, hops);
        let mut pushed = self.spread(turn, inserted.slot, message, Some(hops), &[]);
        // Whatever the tree says, no few neighbours are to be the only ones to know.
        let mut others: Vec<LinkId> =
            self.active_links().iter().copied().filter(|link| !pushed.contains(link)).collect();
        let mut frame = None;
        while pushed.len() < self.config.gossip.fanout && !others.is_empty() {
            let chosen = usize::try_from(self.random.below(others.len() as u64)).unwrap_or(0);
            let link = others.swap_remove(chosen);
            let frame: &mut Bytes = frame.get_or_insert_with(|| packed(message, hops, None));
            self.push(turn, link, frame.clone());
            pushed.push(link);
        }
    }

    /// Pushes a message on the links of its tree, and has it announced on the others. Gives those that it was pushed on.
    fn spread(
        &mut self,
        turn: &mut Turn<'_>,
        slot: Slot,
        message: &Message,
        hops: Option<u8>,
        except: &[LinkId],
    ) -> Vec<LinkId> {
        let links = self.active_links().to_vec();
        let is_flooding = links.len() < FLOOD_BELOW;
        let body = message.body();
        let place = (body.incarnation, body.sequence);
        let last = self.origins.get_mut(slot).map(|origin| std::mem::replace(&mut origin.last_spread, place));
        let before = last.filter(|(incarnation, last)| (*incarnation, last.saturating_add(1)) == place);
        let before = before.and_then(|(incarnation, last)| self.cache.get(slot, incarnation, last)?.as_predecessor());
        // Whoever does not hold the register keeps none whose body it has not.
        let is_kept = announced(body).is_none();
        let (mut pushed, mut following, mut alone) = (Vec::new(), None, None);
        for link in links {
            let has_brought_it = except.contains(&link);
            let has_it = match hops {
                _ if has_brought_it => true,
                Some(hops) if is_flooding || !self.trees.is_lazy(link, slot) => {
                    let before = before.as_ref().filter(|_| self.trees.is_followed(link, slot));
                    let frame: &mut Option<Bytes> = if before.is_some() { &mut following } else { &mut alone };
                    let frame = frame.get_or_insert_with(|| packed(message, hops, before)).clone();
                    self.push(turn, link, frame);
                    pushed.push(link);
                    true
                }
                _ => {
                    self.announce_later(turn, link, slot);
                    false
                }
            };
            self.trees.note_spread(link, slot, has_it && is_kept);
        }
        pushed
    }

    pub(super) fn push(&mut self, turn: &mut Turn<'_>, link: LinkId, frame: Bytes) {
        self.counters.gossip.sent += 1;
        self.send_encoded(turn, link, frame, Class::Gossip);
    }

    fn announce_later(&mut self, turn: &mut Turn<'_>, link: LinkId, slot: Slot) {
        self.trees.announce(link, slot);
        self.timers.set_no_later(Timer::Announce, turn.now + self.announce_interval(turn.now));
    }

    fn announce_interval(&self, now: Micros) -> std::time::Duration {
        let is_alert = self.alert_until > now;
        if is_alert { self.config.gossip.announce_alert } else { self.config.gossip.announce_calm }
    }

    /// A neighbour was lost: trees are broken, and everybody near hears quickly where messages are.
    pub(super) fn be_alert(&mut self, turn: &mut Turn<'_>) {
        self.alert_until = turn.now + ALERT;
        if self.trees.has_pending() {
            self.timers.set_no_later(Timer::Announce, turn.now + self.config.gossip.announce_alert);
        }
    }

    /// Whether trees were broken a moment ago.
    pub(super) fn is_alert(&self, now: Micros) -> bool {
        self.alert_until > now
    }

    /// Tells each link how far this node has come with the origins that moved.
    pub(in crate::engine) fn announce(&mut self, turn: &mut Turn<'_>) {
        let mut is_left = false;
        for link in self.active_links().to_vec() {
            is_left |= self.announce_on(turn, link);
        }
        if is_left {
            self.timers.set_no_later(Timer::Announce, turn.now + self.announce_interval(turn.now));
        }
    }

    /// Says whether something is left for the next batch.
    fn announce_on(&mut self, turn: &mut Turn<'_>, link: LinkId) -> bool {
        let sweep = self.trees.sweep;
        let Some(trees) = self.trees.link_mut(link).filter(|trees| trees.has_pending()) else { return false };
        let pending = trees.take_pending(ANNOUNCE_BYTES / ROW_BYTES);
        let (mut definitions, mut rows, mut bytes) =
            (Vec::new(), Vec::with_capacity(pending.len()), EMPTY_ANNOUNCEMENT);
        let mut pending = pending.into_iter();
        for slot in pending.by_ref() {
            let Some(origin) = self.origins.get(slot) else { continue };
            let Some(life) = origin.newest().filter(|life| life.announceable() > 0) else { continue };
            if trees.said.say(slot, origin.generation, sweep) {
                definitions.push(Definition { name: slot.0, origin: origin.key, incarnation: life.incarnation });
                bytes += DEFINITION_BYTES;
            }
            let through = life.announceable();
            let could = self.cache.get(slot, life.incarnation, through).map(|cached| turn.now.since(cached.at));
            let age = could.and_then(|age| u16::try_from(age.as_millis()).ok()).unwrap_or(Moved::LONG_AGO);
            rows.push(Moved { name: slot.0, through, age });
            bytes += ROW_BYTES;
            if bytes + DEFINITION_BYTES + ROW_BYTES > ANNOUNCE_BYTES {
                break;
            }
        }
        for slot in pending {
            trees.await_turn(slot);
        }
        let is_left = trees.has_pending();
        let said = rows.len() as u64;
        if said > 0 {
            let frame = Frame::Announce { definitions, rows }.encode();
            self.counters.gossip.announcements_sent += said;
            self.counters.gossip.announced_bytes_sent += frame.len() as u64;
            self.send_encoded(turn, link, frame, Class::Gossip);
        }
        is_left
    }

    /// Tells a new neighbour whose messages are spread no more.
    pub(in crate::engine) fn send_proofs(&mut self, turn: &mut Turn<'_>, link: LinkId) {
        let mut room = crate::bounds::PROOFS_ON_LINK_UP;
        let frames: Vec<Bytes> = self
            .proofs
            .all()
            .take_while(|proof| {
                let fits = proof.len() <= room;
                room = room.saturating_sub(proof.len());
                fits
            })
            .map(|proof| Frame::Equivocation { proof }.encode())
            .collect();
        for frame in frames {
            self.send_encoded(turn, link, frame, Class::Gossip);
        }
    }

    /// Keeps a proof that holds, acts on it, and sends it on.
    pub(super) fn keep_proof(&mut self, turn: &mut Turn<'_>, proof: &EquivocationProof, from: Option<LinkId>) {
        let (origin, encoded) = (proof.origin(), proof.encode());
        if self.proofs.convicts(&origin) {
            return;
        }
        if !self.proofs.keep(origin, encoded.clone()) {
            return self.dropped(turn, "proofs_full");
        }
        self.offence(PeerId::of(&origin), Outcome::MaliciousContent, &encoded);
        let [first, second] = proof.messages();
        turn.out.event(Event::Equivocation {
            origin,
            incarnation: first.body().incarnation,
            sequence: second.body().sequence,
            proof: encoded.clone(),
        });
        let frame = Frame::Equivocation { proof: &encoded }.encode();
        for link in self.active_links().to_vec() {
            if Some(link) != from {
                self.send_encoded(turn, link, frame.clone(), Class::Gossip);
            }
        }
    }
}

//! Asking for what was announced and does not come, and giving what others ask for.

use crate::{
    Class, LinkId, Mutant,
    bounds::{GRAFT_PATIENCE, MAX_GRAFT_BYTES, MAX_GRAFT_MESSAGES, UNKNOWN_ROUND_TRIP},
    engine::{Engine, Turn},
    frame::{Definition, Frame, Graft, Moved},
    gossip::{Asked, Meaning, Place, Slot, Source},
    is_mutant,
    score::Outcome,
    timers::Timer,
};
use bytes::Bytes;
use peerwright_ledger::MessageBody;
use peerwright_secure::NodePublicKey;
use std::time::Duration;

/// What is lacked of a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    Nothing,
    /// All of it is with the verifier.
    Pending,
    /// From here to there nothing has come.
    Hole(u64, u64),
}

impl Engine {
    /// A peer tells how far it has come with origins that it does not push.
    pub(in crate::engine) fn heard_announced(
        &mut self,
        turn: &mut Turn<'_>,
        link: LinkId,
        definitions: &[Definition],
        rows: &[Moved],
        frame: &Bytes,
    ) {
        self.counters.gossip.announcements_received += rows.len() as u64;
        self.counters.gossip.announced_bytes_received += frame.len() as u64;
        for definition in definitions {
            let meaning = self.meaning(definition.origin, definition.incarnation);
            let sweep = self.trees.sweep;
            if let Some(trees) = self.trees.link_mut(link) {
                trees.heard.define(definition.name, meaning, sweep);
            }
        }
        for row in rows {
            let sweep = self.trees.sweep;
            let Some(meaning) = self.trees.link_mut(link).and_then(|trees| trees.heard.hear(row.name, sweep)) else {
                continue;
            };
            match meaning {
                Meaning::Known { slot, generation } => self.known_announced(turn, link, slot, generation, row),
                Meaning::Unknown { origin, incarnation } => {
                    self.unknown_announced(turn, link, origin, incarnation, row);
                }
            }
        }
    }

    /// What a peer means by this life: the newest of a known origin, or one of which nothing has verified yet.
    fn meaning(&self, origin: NodePublicKey, incarnation: u64) -> Meaning {
        let known = self.origins.find(&origin).and_then(|slot| Some((slot, self.origins.get(slot)?)));
        match known {
            Some((slot, known)) if known.newest().is_some_and(|life| life.incarnation >= incarnation) => {
                let is_newest = known.newest().is_some_and(|life| life.incarnation == incarnation);
                // An older life has a generation that is not met again: what is announced of it is not waited for.
                Meaning::Known { slot, generation: known.generation.wrapping_sub(u8::from(!is_newest)) }
            }
            _ => Meaning::Unknown { origin, incarnation },
        }
    }

    fn known_announced(&mut self, turn: &mut Turn<'_>, link: LinkId, slot: Slot, generation: u8, row: &Moved) {
        let through = row.through;
        let Some(origin) = self.origins.get_mut(slot).filter(|origin| origin.generation == generation) else { return };
        origin.announced_by(link);
        let Some(life) = origin.newest().filter(|life| life.first_hole(through).is_some()) else {
            return self.compare_ways(turn, link, slot, through, row.age);
        };
        let (key, incarnation) = (origin.key, life.incarnation);
        self.wait_for(turn, key, incarnation, Source { link, through, has_announced: true });
    }

    fn unknown_announced(
        &mut self,
        turn: &mut Turn<'_>,
        link: LinkId,
        origin: NodePublicKey,
        incarnation: u64,
        row: &Moved,
    ) {
        match self.meaning(origin, incarnation) {
            Meaning::Unknown { .. } => {
                let source = Source { link, through: row.through, has_announced: true };
                self.wait_for(turn, origin, incarnation, source);
            }
            Meaning::Known { slot, generation } => {
                let sweep = self.trees.sweep;
                if let Some(trees) = self.trees.link_mut(link) {
                    trees.heard.define(row.name, Meaning::Known { slot, generation }, sweep);
                }
                self.known_announced(turn, link, slot, generation, row);
            }
        }
    }

    /// A message has overtaken others of its origin, or they are lost.
    pub(super) fn note_hole(&mut self, turn: &mut Turn<'_>, slot: Slot, body: &MessageBody, link: LinkId) {
        let life = self.origins.get(slot).and_then(|origin| origin.life(body.incarnation));
        if life.is_some_and(|life| life.first_hole(body.sequence).is_some()) {
            let source = Source { link, through: body.sequence, has_announced: false };
            self.wait_for(turn, body.origin, body.incarnation, source);
        }
    }

    /// Gives what `link` has a moment to come by itself. Who has often not given what it announced is not believed.
    pub(super) fn wait_for(&mut self, turn: &mut Turn<'_>, origin: NodePublicKey, incarnation: u64, source: Source) {
        let is_avoided = self.trees.link(source.link).is_none_or(|trees| trees.is_avoided(turn.now));
        if is_avoided || self.proofs.convicts(&origin) || self.is_own_life(origin, incarnation) {
            return;
        }
        self.waits.note(origin, incarnation, source, turn.now + self.patience(source.link));
        self.await_grafts();
    }

    /// How long something may take to come by itself.
    fn patience(&self, link: LinkId) -> Duration {
        let round_trip = self.links.get(link).and_then(|link| link.round_trip).unwrap_or(UNKNOWN_ROUND_TRIP);
        GRAFT_PATIENCE.max(round_trip * 2)
    }

    pub(super) fn await_grafts(&mut self) {
        match self.waits.next_at() {
            Some(at) => self.timers.set(Timer::Graft, at),
            None => self.timers.cancel(Timer::Graft),
        }
    }

    /// Asks for what has not come by itself, and asks others for what was not given.
    pub(in crate::engine) fn look_at_waits(&mut self, turn: &mut Turn<'_>) {
        while let Some(origin) = self.waits.next_due(turn.now) {
            self.proceed(turn, origin);
        }
        self.await_grafts();
    }

    fn lack(&self, origin: &NodePublicKey, incarnation: u64, through: u64) -> Lack {
        let known = self.origins.find(origin).and_then(|slot| self.origins.get(slot));
        let hole = match known.and_then(|origin| origin.life(incarnation)) {
            Some(life) => life.first_hole(through),
            None => Some((through, through)),
        };
        let Some((from, to)) = hole else { return Lack::Nothing };
        let mut next = from;
        while next <= to && self.candidates.awaits(&Place { origin: *origin, incarnation, sequence: next }) {
            next = next.saturating_add(1);
        }
        if next > to { Lack::Pending } else { Lack::Hole(next, to) }
    }

    /// Asks the next who may have what is lacked of an origin, or ends the wait.
    fn proceed(&mut self, turn: &mut Turn<'_>, origin: NodePublicKey) {
        while let Some(wait) = self.waits.get(&origin) {
            let Some(candidate) = wait.first() else { break };
            let (incarnation, asked) = (wait.incarnation, wait.asked);
            let again = turn.now + self.patience(candidate.link);
            match self.lack(&origin, incarnation, candidate.through) {
                Lack::Nothing => self.leave_candidate(&origin, asked.is_some()),
                Lack::Pending => return self.waits.look_at(&origin, again),
                Lack::Hole(from, to) if asked.is_some() && is_mutant(&self.config, Mutant::GraftToALiar) => {
                    self.waits.look_at(&origin, again);
                    return self.send_graft(turn, candidate.link, origin, incarnation, (from, to));
                }
                Lack::Hole(from, _) if asked.is_some_and(|asked| from <= asked.from) => {
                    self.not_given(turn, candidate.link);
                    self.leave_candidate(&origin, false);
                }
                Lack::Hole(from, to) => {
                    let is_avoided = self.trees.link(candidate.link).is_none_or(|trees| trees.is_avoided(turn.now));
                    if is_avoided {
                        self.leave_candidate(&origin, false);
                        continue;
                    }
                    if let Some(wait) = self.waits.get_mut(&origin) {
                        wait.asked = Some(Asked { link: candidate.link, from, since: turn.now });
                    }
                    // The answer takes a round trip more than what comes by itself.
                    self.waits.look_at(&origin, again + self.patience(candidate.link));
                    self.counters.gossip.pulls += 1;
                    return self.send_graft(turn, candidate.link, origin, incarnation, (from, to));
                }
            }
        }
        if let Some(wait) = self.waits.end(&origin)
            && let Some(floor) = wait.floor
            && let Some(known) = self.origins.by_key_mut(&origin)
            && let Some(life) = known.life_mut(wait.incarnation)
        {
            life.leave_to_sync(floor);
        }
    }

    fn leave_candidate(&mut self, origin: &NodePublicKey, has_given: bool) {
        let Some(wait) = self.waits.get_mut(origin) else { return };
        if let Some(link) = wait.first().map(|first| first.link).filter(|_| has_given)
            && let Some(trees) = self.trees.link_mut(link)
        {
            trees.praise();
        }
        wait.leave_first();
    }

    fn not_given(&mut self, turn: &mut Turn<'_>, link: LinkId) {
        self.counters.gossip.pulls_failed += 1;
        self.outcome_of(link, Outcome::Unanswered);
        if let Some(trees) = self.trees.link_mut(link) {
            trees.strike(turn.now);
        }
    }

    /// Asks a peer to push an origin's messages again, and to give a range of recent ones.
    pub(super) fn send_graft(
        &mut self,
        turn: &mut Turn<'_>,
        link: LinkId,
        origin: NodePublicKey,
        incarnation: u64,
        (from, through): (u64, u64),
    ) {
        if let Some(slot) = self.origins.find(&origin) {
            self.trees.graft(link, slot);
            // The parent that was silent has likely only been slow: it needs no copy. Unless trees are broken.
            let parent = self.origins.get(slot).and_then(|origin| origin.parent);
            if let Some(parent) = parent.filter(|parent| *parent != link && !self.is_alert(turn.now)) {
                self.trees.peer_pruned(parent, slot);
            }
        }
        let (messages, bytes) = (MAX_GRAFT_MESSAGES, MAX_GRAFT_BYTES);
        self.counters.gossip.grafts_sent += 1;
        let graft = Graft { origin, incarnation, from, through, messages, bytes };
        self.send(turn, link, &Frame::Graft(graft), Class::Gossip);
    }

    /// A peer wants to be pushed to again, and to be given recent messages.
    pub(in crate::engine) fn grafted(&mut self, turn: &mut Turn<'_>, link: LinkId, graft: &Graft) {
        self.counters.gossip.grafts_received += 1;
        let slot = self.origins.find(&graft.origin).filter(|_| !self.proofs.convicts(&graft.origin));
        if let Some(slot) = slot {
            self.trees.peer_grafted(link, slot);
        }
        if graft.from > graft.through {
            return;
        }
        let floor = slot.map_or(u64::MAX, |slot| self.give(turn, link, slot, graft));
        self.counters.gossip.gone += u64::from(floor > graft.from);
        let Graft { origin, incarnation, .. } = *graft;
        self.send(turn, link, &Frame::GraftEnd { origin, incarnation, floor }, Class::Gossip);
    }

    /// Gives recent messages in order, within the peer's credits. Says below what nothing of what was asked for is kept.
    fn give(&mut self, turn: &mut Turn<'_>, link: LinkId, slot: Slot, graft: &Graft) -> u64 {
        let Some(credit) = self.trees.link_mut(link).map(|trees| trees.credit(turn.now)) else { return u64::MAX };
        if credit == 0 {
            // It costs score and is no offence: who has been cut off for long may want much.
            self.outcome_of(link, Outcome::LimitExceeded);
        }
        let Some(life) = self.origins.get(slot).and_then(|origin| origin.life(graft.incarnation)) else {
            return u64::MAX;
        };
        let room = usize::try_from(graft.bytes.min(MAX_GRAFT_BYTES)).unwrap_or(0).min(credit);
        let (mut frames, mut bytes) = (Vec::new(), 0);
        for (sequence, cached) in self.cache.range(slot, graft.incarnation, graft.from, graft.through) {
            bytes += cached.bytes.len();
            if frames.len() >= usize::from(graft.messages.min(MAX_GRAFT_MESSAGES)) || bytes > room {
                break;
            }
            if !life.is_withheld(sequence) {
                frames.push(Frame::Message { hops: cached.hops, message: &cached.bytes }.encode());
            }
        }
        let kept = self.cache.range(slot, graft.incarnation, graft.from, u64::MAX);
        let floor =
            kept.map(|(sequence, _)| sequence).find(|sequence| !life.is_withheld(*sequence)).unwrap_or(u64::MAX);
        self.counters.gossip.given += frames.len() as u64;
        if let Some(trees) = self.trees.link_mut(link) {
            trees.serve(bytes);
        }
        for frame in frames {
            self.push(turn, link, frame);
        }
        floor
    }

    /// A peer has given all that it would: nothing below `floor`. Of a life that is not known it had announced what is new.
    pub(in crate::engine) fn graft_ended(
        &mut self,
        turn: &mut Turn<'_>,
        link: LinkId,
        origin: NodePublicKey,
        incarnation: u64,
        floor: u64,
    ) {
        let Some(wait) = self.waits.get_mut(&origin).filter(|wait| wait.incarnation == incarnation) else { return };
        let Some(asked) = wait.asked.filter(|asked| asked.link == link) else { return };
        let is_known = self.origins.by_key_mut(&origin).is_some_and(|origin| origin.life(incarnation).is_some());
        if floor > asked.from && is_known {
            wait.first_lacks_it(floor);
        }
        self.answered_in(link, turn.now.since(asked.since));
        self.proceed(turn, origin);
        self.await_grafts();
    }

    /// An answer is a measure of the round trip where nothing else has been.
    fn answered_in(&mut self, link: LinkId, took: Duration) {
        self.outcome_of(link, Outcome::Answered { bytes: 0, took });
        if let Some(link) = self.links.get_mut(link) {
            link.round_trip.get_or_insert(took);
        }
    }
}

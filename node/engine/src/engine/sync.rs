//! Catching up, and letting others catch up.

use super::{Engine, Turn};
use crate::{
    Class, Event, Held, LinkId, MessageRange, Output, Token,
    bounds::{MAX_DIGEST_ROWS, MAX_PULL_BYTES, MAX_PULL_MESSAGES, OFFER_DELAY, OFFER_LIMIT, PULL_LOW_WATER},
    frame::{Cursor, DigestRow, Frame},
    gossip::{Path, Place},
    holdings::Stream,
    ranges::Ranges,
    score::Outcome,
    sync::{Overdue, PullAnswer},
    timers::Timer,
};
use bytes::Bytes;
use peerwright_ledger::{Message, MessageBody, RegisterId};

impl Engine {
    /// Tells a peer in short what is held of the registers that it may hear of; as soon as that is known, and who it is.
    pub(super) fn send_digest(&mut self, turn: &mut Turn<'_>, link: LinkId, reply: bool) {
        let is_nameless = self.is_nameless(link);
        let Some(sync) = self.sync.links.get_mut(&link) else { return };
        if !self.holdings.all_loaded() || is_nameless {
            sync.owed_digest = Some(reply || sync.owed_digest == Some(true));
            return;
        }
        let reply = reply || sync.owed_digest.take() == Some(true);
        let registers: Vec<RegisterId> =
            self.holdings.registers().filter(|register| self.may_hear(link, register)).collect();
        let rows: Vec<DigestRow> = registers.iter().filter_map(|register| self.holdings.digest(register)).collect();
        // A digest without rows says that nothing is held: that is news, too.
        let pages = rows.len().div_ceil(MAX_DIGEST_ROWS).max(1);
        for page in 0..pages {
            let rows = rows.iter().skip(page * MAX_DIGEST_ROWS).take(MAX_DIGEST_ROWS).copied().collect();
            let last = page + 1 == pages;
            self.send(turn, link, &Frame::Digest { reply: reply && last, last, rows }, Class::Gossip);
        }
    }

    pub(super) fn digest(&mut self, turn: &mut Turn<'_>, link: LinkId, reply: bool, last: bool, rows: &[DigestRow]) {
        for row in rows {
            // To ask a stranger would tell it that the register is held here.
            if !self.holdings.is_subscribed(&row.register) || !self.may_hear(link, &row.register) {
                continue;
            }
            self.directory.near.insert(row.register);
            let own = self.holdings.digest(&row.register).map(|own| own.hash);
            let Some(sync) = self.sync.links.get_mut(&link) else { continue };
            sync.names(row.register);
            if own != Some(row.hash) && sync.is_news(row.register, own, row.hash) {
                sync.differs(row.register);
            }
        }
        if reply {
            self.send_digest(turn, link, false);
        }
        if let Some(sync) = self.sync.links.get_mut(&link).filter(|_| last) {
            sync.digest_ended();
        }
        self.pump(turn, link);
    }

    /// Tells one page of what is held exactly.
    pub(super) fn serve_page(
        &mut self,
        turn: &mut Turn<'_>,
        link: LinkId,
        registers: &[RegisterId],
        after: Option<&Cursor>,
    ) {
        let registers: Vec<RegisterId> =
            registers.iter().filter(|register| self.may_hear(link, register)).copied().collect();
        let (rows, more) = self.holdings.page(&registers, after);
        self.send(turn, link, &Frame::HeldPage { more, rows }, Class::Bulk);
    }

    /// Wants what a peer holds and this node lacks.
    pub(super) fn page(&mut self, turn: &mut Turn<'_>, link: LinkId, more: bool, rows: &[Held]) {
        let Some(sync) = self.sync.links.get_mut(&link) else { return };
        for row in rows {
            let stream = Stream { register: row.register, origin: row.origin, incarnation: row.incarnation };
            let is_own = row.origin == self.own_key && row.incarnation == self.config.incarnation;
            if is_own || !sync.asks_for(&row.register) || !self.holdings.is_loaded(&row.register) {
                continue;
            }
            let mut lacked = Ranges::from_unordered(&row.ranges);
            if let Some(held) = self.holdings.ranges(&stream) {
                lacked.subtract(held);
            }
            if !lacked.is_empty() {
                sync.lacks_some(row.register);
                sync.want(stream, &lacked);
            }
        }
        if !sync.page_came(more, rows.last().map(Cursor::behind)) {
            return self.dropped(turn, "unrequested");
        }
        for register in sync.take_level() {
            if let Some(own) = self.holdings.digest(&register) {
                sync.level_with(&register, own.hash);
            }
        }
        self.pump(turn, link);
    }

    /// Reads for a peer what it pulls.
    pub(super) fn serve_pull(&mut self, turn: &mut Turn<'_>, link: LinkId, request: u64, ranges: Vec<MessageRange>) {
        let is_serving = self.sync.links.get(&link).is_none_or(|sync| sync.serving.is_some());
        if is_serving {
            return self.dropped(turn, "pull_overlap");
        }
        let may_give =
            |range: &MessageRange| self.holdings.is_subscribed(&range.register) && self.may_hear(link, &range.register);
        let ranges: Vec<MessageRange> = ranges.into_iter().filter(may_give).collect();
        if ranges.is_empty() {
            return self.send(turn, link, &Frame::PullEnd { request }, Class::Bulk);
        }
        let token = self.next_token();
        if let Some(sync) = self.sync.links.get_mut(&link) {
            sync.serving = Some((token, request));
        }
        let max_messages = usize::try_from(MAX_PULL_MESSAGES).unwrap_or(usize::MAX);
        turn.out.push(Output::ReadMessages { token, ranges, max_messages, max_bytes: MAX_PULL_BYTES });
    }

    /// Sends a peer what was read for it.
    pub(super) fn read(&mut self, turn: &mut Turn<'_>, token: Token, messages: Option<Vec<Bytes>>) {
        if messages.is_none() {
            self.store_failed(turn, "read");
        }
        let serving = self.sync.links.iter_mut().find_map(|(link, sync)| {
            let (_, request) = sync.serving.take_if(|(serving, _)| *serving == token)?;
            Some((*link, request))
        });
        let Some((link, request)) = serving else { return };
        for message in messages.unwrap_or_default() {
            self.counters.sync.served += 1;
            self.send(turn, link, &Frame::Pulled { request, message: &message }, Class::Bulk);
        }
        self.send(turn, link, &Frame::PullEnd { request }, Class::Bulk);
    }

    /// A message came that was pulled.
    pub(super) fn pulled(&mut self, turn: &mut Turn<'_>, link: LinkId, request: u64, message: &Message) {
        let body = message.body();
        let deadline = turn.now + self.config.connections.answer_timeout;
        let Some(sync) = self.sync.links.get_mut(&link) else { return };
        if !sync.pulled(request, body, message.encoded().len(), deadline) {
            return self.dropped(turn, "unrequested");
        }
        self.await_answers(link);
        let (stream, number) = (Stream::of(body), body.register_sequence);
        if self.holdings.contains(&stream, number) || self.is_own_life(body.origin, body.incarnation) {
            return;
        }
        if self.is_judged(&stream, number, &Place::of(body)) {
            self.sync.incoming.pulled(stream, number, link);
            if let Some((id, _)) = super::gossip::announced(body) {
                self.fetches.add_holder(&id, link);
            }
            return;
        }
        self.offer(turn, link, message, Path::Sync);
    }

    pub(super) fn pull_ended(&mut self, turn: &mut Turn<'_>, link: LinkId, request: u64) {
        let Some(sync) = self.sync.links.get_mut(&link) else { return };
        match sync.pull_ended(request) {
            Some(PullAnswer { messages: 0, was_promised, in_vain, .. }) => {
                if was_promised {
                    self.counters.sync.pulls_failed += 1;
                    self.outcome_of(link, Outcome::Unanswered);
                }
                for (stream, through) in in_vain {
                    self.leave_alone(stream, through);
                }
            }
            Some(PullAnswer { bytes, since, .. }) => {
                self.outcome_of(link, Outcome::Answered { bytes, took: turn.now.since(since) });
            }
            None => return,
        }
        // What this link was asked for and did not give is free for others.
        self.pump_all(turn);
    }

    /// Holes of a stream were asked for in vain, and so is what comes before its first message here: the transactions are
    /// in dockets, or nobody has them. Peers that have some of it say so when they are asked what they hold.
    fn leave_alone(&mut self, stream: Stream, through: u64) {
        let first = self.holdings.ranges(&stream).and_then(|ranges| ranges.as_slice().first());
        let before = first.map_or(0, |(first, _)| first.saturating_sub(1));
        self.sync.gaps.give_up(stream, through.max(before));
    }

    /// A message is held now, or may come again: pulls that waited for it may go on.
    pub(super) fn no_longer_incoming(&mut self, turn: &mut Turn<'_>, body: &MessageBody) {
        for link in self.sync.incoming.end(Stream::of(body), body.register_sequence) {
            self.pump(turn, link);
        }
    }

    /// A message is not kept, for now: who gave it is not asked for it again before its next digest.
    pub(super) fn give_up_incoming(&mut self, turn: &mut Turn<'_>, body: &MessageBody) {
        let (stream, number) = (Stream::of(body), body.register_sequence);
        let links = self.sync.incoming.end(stream, number);
        for link in &links {
            if let Some(sync) = self.sync.links.get_mut(link) {
                sync.wants.remove(&stream, number);
            }
        }
        for link in links {
            self.pump(turn, link);
        }
    }

    pub(super) fn pump_all(&mut self, turn: &mut Turn<'_>) {
        for link in self.links.ids() {
            self.pump(turn, link);
        }
    }

    /// Asks a peer for the next thing that is lacked, and sees whether this link has caught up.
    pub(super) fn pump(&mut self, turn: &mut Turn<'_>, link: LinkId) {
        let deadline = turn.now + self.config.connections.answer_timeout;
        let Some(sync) = self.sync.links.get_mut(&link) else { return };
        if let Some((registers, after)) = sync.next_ask(deadline, |register| self.holdings.is_loaded(register)) {
            self.send(turn, link, &Frame::HeldRequest { registers, after }, Class::Gossip);
        }
        let on_their_way = self.sync.incoming.of_link(link);
        if on_their_way < PULL_LOW_WATER
            && !self.fetches.are_too_many()
            && let Some((request, ranges)) = self.sync.next_pull(link, turn.now, deadline)
        {
            self.counters.sync.pulls += 1;
            self.send(turn, link, &Frame::Pull { request, ranges }, Class::Gossip);
        }
        self.await_answers(link);
        let Some(sync) = self.sync.links.get_mut(&link) else { return };
        let is_level = sync.is_level(turn.now, on_their_way);
        let was_level = std::mem::replace(&mut sync.level, is_level);
        if was_level && !is_level {
            sync.behind_since = turn.now;
        }
        if is_level && !was_level {
            let first = !std::mem::replace(&mut sync.caught_up, true);
            let (messages, took) = (sync.stored, turn.now.since(sync.behind_since));
            if let Some(peer) = self.links.get(link).map(|link| link.peer) {
                turn.out.event(Event::CaughtUp { peer, messages, took, first });
            }
        }
    }

    /// Gives up what a peer has not answered in time.
    pub(super) fn answers_overdue(&mut self, turn: &mut Turn<'_>, link: LinkId) {
        let Some(sync) = self.sync.links.get_mut(&link) else { return };
        let overdue = sync.take_overdue(turn.now);
        for _ in &overdue {
            self.outcome_of(link, Outcome::Unanswered);
        }
        if overdue.contains(&Overdue::Pull) {
            self.counters.sync.pulls_failed += 1;
        }
        self.pump_all(turn);
    }

    fn await_answers(&mut self, link: LinkId) {
        match self.sync.links.get(&link).and_then(crate::sync::LinkSync::next_deadline) {
            Some(at) => self.timers.set(Timer::Answer(link), at),
            None => self.timers.cancel(Timer::Answer(link)),
        }
    }

    /// Something came by sync: the links are told once catching up has ended, or has taken long.
    pub(super) fn begin_offer(&mut self, turn: &mut Turn<'_>) {
        self.sync.offer_since.get_or_insert(turn.now);
        self.timers.set_no_later(Timer::Offer, turn.now + OFFER_DELAY);
    }

    pub(super) fn make_offer(&mut self, turn: &mut Turn<'_>) {
        let Some(since) = self.sync.offer_since else { return };
        let is_catching_up = self.sync.links.values().any(|link| !link.wants.is_empty());
        if is_catching_up && turn.now.since(since) < OFFER_LIMIT {
            self.timers.set(Timer::Offer, turn.now + OFFER_DELAY);
            return;
        }
        self.sync.offer_since = None;
        for link in self.links.ids() {
            self.send_digest(turn, link, false);
        }
    }
}

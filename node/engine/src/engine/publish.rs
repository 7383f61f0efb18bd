//! Transactions handed in here, and draining.

use super::{Draining, Engine, OwnBody, Turn};
use crate::{
    BodyRefused, CloseReason, Event, Output, SubmitRefusal, TIME_TO_LIVE_RANGE, Token,
    outbox::{Draft, Room},
    timers::Timer,
};
use bytes::Bytes;
use peerwright_ledger::{RegisterId, TransactionId, message::MAX_INLINE_BYTES};
use std::time::Duration;

impl Engine {
    pub(super) fn submit(
        &mut self,
        turn: &mut Turn<'_>,
        token: Token,
        register: RegisterId,
        id: TransactionId,
        transaction: Bytes,
    ) {
        let size = match self.admit(register, &transaction) {
            Ok(size) => size,
            Err(reason) => return self.refuse_submission(turn, token, reason),
        };
        if transaction.len() > MAX_INLINE_BYTES {
            let storing = self.next_token();
            self.own_bodies.insert(storing, OwnBody { submission: token, register, id, size });
            turn.out.push(Output::StoreBody { token: storing, register, id, bytes: transaction });
            return;
        }
        let (window, is_busy) = (self.config.gossip.batch_window, self.appends.is_under_way());
        for draft in self.outbox.batches.add(turn.now, window, is_busy, register, token, transaction) {
            self.publish(turn, draft);
        }
        self.await_batches();
    }

    /// Whether a transaction may be taken, and its size.
    fn admit(&mut self, register: RegisterId, transaction: &Bytes) -> Result<u32, SubmitRefusal> {
        if self.draining != Draining::No {
            return Err(SubmitRefusal::Draining);
        }
        if self.is_own_banned() {
            return Err(SubmitRefusal::Banned);
        }
        if !self.holdings.is_subscribed(&register) {
            return Err(SubmitRefusal::NotSubscribed);
        }
        let limit = self.limits.unwrap_or_default().transaction_bytes;
        let size = u32::try_from(transaction.len()).ok().filter(|size| *size <= limit);
        let size = size.ok_or(SubmitRefusal::TooLarge)?;
        if self.appends.is_failing() {
            return Err(SubmitRefusal::Store);
        }
        self.outbox.reserve(transaction.len())?;
        Ok(size)
    }

    fn refuse_submission(&mut self, turn: &mut Turn<'_>, token: Token, reason: SubmitRefusal) {
        self.counters.submit.refused += 1;
        turn.out.push(Output::Refused { token, reason });
    }

    /// Tells those who wait for a message, and gives its room back.
    pub(super) fn refuse_submissions(
        &mut self,
        turn: &mut Turn<'_>,
        tokens: &[Token],
        room: Room,
        reason: SubmitRefusal,
    ) {
        self.outbox.release(room);
        for token in tokens {
            self.refuse_submission(turn, *token, reason);
        }
    }

    /// The body of a transaction that was submitted here is with the store, or is not.
    pub(super) fn own_body_stored(&mut self, turn: &mut Turn<'_>, body: &OwnBody, result: Result<(), BodyRefused>) {
        let draft = Draft::announce(body.register, body.submission, body.id, body.size);
        match result {
            Ok(()) => self.publish(turn, draft),
            Err(_) => {
                self.store_failed(turn, "put_body");
                self.refuse_submissions(turn, &draft.tokens, draft.room, SubmitRefusal::Store);
            }
        }
    }

    /// Numbers and signs a draft, and queues it for the store.
    fn publish(&mut self, turn: &mut Turn<'_>, draft: Draft) {
        let (shortest, longest) = TIME_TO_LIVE_RANGE.into_inner();
        let time_to_live = self.limits.unwrap_or_default().time_to_live.clamp(shortest, longest);
        match self.outbox.sign(turn.now, turn.wall, time_to_live, draft) {
            Ok(message) => {
                self.counters.submit.messages += 1;
                self.appends.push_own(message);
            }
            Err((_, tokens, room)) => self.refuse_submissions(turn, &tokens, room, SubmitRefusal::TooLarge),
        }
    }

    /// Publishes the batches that have waited long enough. While an append is under way they would only wait behind it,
    /// and gather on.
    pub(super) fn close_due_batches(&mut self, turn: &mut Turn<'_>) {
        if !self.appends.is_under_way() {
            self.close_batches(turn, self.config.gossip.batch_window);
        }
    }

    fn close_batches(&mut self, turn: &mut Turn<'_>, window: Duration) {
        for draft in self.outbox.batches.take_due(turn.now, window) {
            self.publish(turn, draft);
        }
        self.await_batches();
    }

    fn await_batches(&mut self) {
        let due = self.outbox.batches.next_due(self.config.gossip.batch_window);
        match due.filter(|_| !self.appends.is_under_way()) {
            Some(at) => self.timers.set(Timer::Batch, at),
            None => self.timers.cancel(Timer::Batch),
        }
    }

    pub(super) fn drain(&mut self, turn: &mut Turn<'_>) {
        if self.draining == Draining::No {
            self.draining = Draining::Begun;
            self.close_batches(turn, Duration::ZERO);
            self.redial(turn);
        }
    }

    /// Closes the links once everything that was accepted is with them.
    pub(super) fn finish_draining(&mut self, turn: &mut Turn<'_>) {
        let is_flushed = self.outbox.batches.is_empty() && self.own_bodies.is_empty() && self.appends.is_idle();
        if self.draining != Draining::Begun || !is_flushed {
            return;
        }
        self.withdraw_advertisements(turn);
        self.say_goodbye(turn);
        self.draining = Draining::Done;
        for link in self.links.ids() {
            self.close(turn, link, CloseReason::Draining);
        }
        turn.out.event(Event::Drained);
    }
}

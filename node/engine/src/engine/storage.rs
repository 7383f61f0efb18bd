//! The store's answers.

use super::{Engine, Turn};
use crate::{
    Event, Held, LinkId, Output, SubmitRefusal, Token, appends::ReceivedMessage, bounds::STORE_RETRY, holdings::Stream,
    outbox::OwnMessage, timers::Timer,
};

impl Engine {
    /// Sends what waits to the store, unless it is busy with what went before.
    pub(super) fn start_append(&mut self, turn: &mut Turn<'_>) {
        let token = Token(self.last_token + 1);
        if let Some(messages) = self.appends.start(token) {
            self.last_token = token.0;
            turn.out.push(Output::Append { token, messages });
        }
    }

    pub(super) fn appended(&mut self, turn: &mut Turn<'_>, token: Token, stored: bool) {
        let Some(outcome) = self.appends.answered(token, stored) else { return };
        if !outcome.stored {
            self.store_failed(turn, "append");
            self.timers.set_no_later(Timer::Store, turn.now + STORE_RETRY);
        }
        for own in outcome.messages.own {
            if outcome.stored {
                self.own_stored(turn, own);
            } else {
                self.refuse_submissions(turn, &own.tokens, own.room, SubmitRefusal::Store);
            }
        }
        for received in outcome.messages.received {
            let mut satisfied = Vec::new();
            if outcome.stored {
                satisfied = self.received_stored(turn, &received);
            } else {
                self.dropped(turn, "append_failed");
            }
            self.no_longer_incoming(turn, received.message.body());
            for link in satisfied {
                self.pump(turn, link);
            }
        }
        self.close_due_batches(turn);
    }

    /// A message of this node is durable: it is accepted, and spread.
    fn own_stored(&mut self, turn: &mut Turn<'_>, own: OwnMessage) {
        self.counters.store.appended += 1;
        self.counters.submit.accepted += own.tokens.len() as u64;
        self.outbox.release(own.room);
        for token in own.tokens {
            turn.out.push(Output::Accepted { token });
        }
        let body = own.message.body();
        self.holdings.add(&Stream::of(body), body.register_sequence);
        self.spread_own(turn, &own.message);
    }

    /// A message of another is durable. Gives the links that nothing is wanted of any more.
    fn received_stored(&mut self, turn: &mut Turn<'_>, received: &ReceivedMessage) -> Vec<LinkId> {
        self.counters.store.appended += 1;
        let body = received.message.body();
        let (stream, number) = (Stream::of(body), body.register_sequence);
        self.holdings.add(&stream, number);
        if let Some(link) = received.pulled_from {
            self.counters.sync.pulled += 1;
            if let Some(sync) = self.sync.links.get_mut(&link) {
                sync.stored += 1;
            }
            self.begin_offer(turn);
        }
        self.sync.arrived(&stream, number)
    }

    /// What the store holds of registers that this node was subscribed to.
    pub(super) fn held(&mut self, turn: &mut Turn<'_>, token: Token, held: Option<Vec<Held>>) {
        let Some((_, registers)) = self.loading.take_if(|(loading, _)| *loading == token) else { return };
        let Some(held) = held else {
            self.store_failed(turn, "held");
            self.timers.set_no_later(Timer::Store, turn.now + STORE_RETRY);
            return;
        };
        self.holdings.load(&registers, &held);
        self.decide_waiting(turn);
        self.load(turn);
        if self.holdings.all_loaded() {
            // The links have not been told of these registers, and have not told what they hold of them.
            for link in self.links.ids() {
                self.send_digest(turn, link, true);
            }
        }
        self.pump_all(turn);
    }

    /// Of the messages that came before the store had told what it holds, those that it lacks go to it.
    pub(super) fn decide_waiting(&mut self, turn: &mut Turn<'_>) {
        for received in self.appends.take_undecided() {
            let body = received.message.body().clone();
            let is_held = self.holdings.contains(&Stream::of(&body), body.register_sequence);
            let is_wanted = self.holdings.is_subscribed(&body.register) && !is_held;
            let is_loaded = self.holdings.is_loaded(&body.register);
            if !is_wanted || !self.appends.push_received(received, is_loaded) {
                self.no_longer_incoming(turn, &body);
            }
        }
    }

    /// Tries again what the store failed to do.
    pub(super) fn retry_store(&mut self, turn: &mut Turn<'_>) {
        self.appends.resume();
        if self.loading.is_none() {
            self.load(turn);
        }
    }

    /// A verdict, if it never comes, must not keep its message from being asked for again.
    pub(super) fn forget_unjudged(&mut self, turn: &mut Turn<'_>) {
        for token in self.candidates.overdue(turn.now, crate::bounds::VERIFY_LIMIT) {
            if let Some(candidate) = self.candidates.take(token) {
                turn.out.event(Event::Dropped { what: "unjudged" });
                self.no_longer_incoming(turn, candidate.message.body());
            }
        }
    }
}

//! What the host's store and verifier answer, and when.

use super::{Context, Host};
use crate::{
    event::{Answer, What},
    invariants,
    pool::Number,
    random::micros,
};
use peerwright_engine::{BodyRefused, Input, Micros, Output, StoreFailed};
use peerwright_ledger::{Entry, Message, TransactionId};
use std::{sync::PoisonError, time::Duration};

impl Host {
    /// Takes a question of the engine.
    pub(super) fn ask(&mut self, context: &mut Context<'_>, question: Output) {
        let read = context.world.options.read;
        match question {
            Output::Verify { token, message, .. } => self.verify(context, token, &message),
            Output::VerifyStatements { token, statements, .. } => {
                let valid = context.world.hold(&statements);
                let delay = verdict_delay(context);
                self.reply(context, delay, Answer::StatementsVerified { token, valid });
            }
            Output::Append { token, messages } => {
                let stored = !self.store.fails;
                let delay = self.sync_time(context);
                if stored {
                    self.append(context, token, &messages, context.now + delay);
                }
                self.reply(context, delay, Answer::Appended { token, stored });
            }
            Output::StoreBody { token, id, bytes, .. } => {
                let is_body = TransactionId::from_bytes(peerwright_secure::sha256(&bytes)) == id;
                let result = match (self.store.fails, is_body) {
                    (true, _) => Err(BodyRefused::Store),
                    (false, false) => Err(BodyRefused::Invalid),
                    (false, true) => Ok(()),
                };
                if result.is_ok() {
                    self.store.put_body(token, id);
                    context.world.pool.write().unwrap_or_else(PoisonError::into_inner).put_body(id, bytes);
                }
                let delay = self.sync_time(context);
                self.reply(context, delay, Answer::BodyStored { token, result });
            }
            Output::ReadHeld { token, registers } => {
                let pool = context.world.pool.read().unwrap_or_else(PoisonError::into_inner);
                let messages = &self.store.volume.messages;
                let held = (!self.store.fails).then(|| pool.held(&registers, |number| messages.contains(number)));
                drop(pool);
                self.reply(context, read, Answer::Held { token, held });
            }
            Output::ReadAdvertisements { token } => {
                let rows = (!self.store.fails).then(|| self.advertised());
                self.reply(context, read, Answer::Advertised { token, rows });
            }
            Output::ReadMessages { token, ranges, max_messages, max_bytes } => {
                let pool = context.world.pool.read().unwrap_or_else(PoisonError::into_inner);
                let messages = &self.store.volume.messages;
                let read_messages = (!self.store.fails)
                    .then(|| pool.read(&ranges, max_messages, max_bytes, |number| messages.contains(number)));
                drop(pool);
                self.reply(context, read, Answer::Read { token, messages: read_messages });
            }
            Output::ReadChunk { token, id, offset, length, .. } => {
                let pool = context.world.pool.read().unwrap_or_else(PoisonError::into_inner);
                let body = pool.body(&id).filter(|_| self.store.volume.bodies.contains(&id) && !self.store.fails);
                let bytes = body.map(|body| {
                    let from = (offset as usize).min(body.len());
                    body.slice(from..(from + length as usize).min(body.len()))
                });
                drop(pool);
                self.reply(context, read, Answer::Chunk { token, bytes });
            }
            _ => {}
        }
    }

    fn sync_time(&mut self, context: &Context<'_>) -> Duration {
        let (from, to) = context.world.options.sync;
        self.random.between(from, to)
    }

    fn reply(&mut self, context: &mut Context<'_>, delay: Duration, answer: Answer) {
        if delay.is_zero() {
            context.answers.push_back(answer);
        } else {
            self.later(context, delay, What::Answer { life: self.life, answer });
        }
    }

    /// The verdict comes from the pool.
    fn verify(&mut self, context: &mut Context<'_>, token: peerwright_engine::Token, message: &Message) {
        let number = context.world.pool.read().unwrap_or_else(PoisonError::into_inner).number(message);
        let valid = number.is_some();
        self.judged.insert_all(number);
        self.is_taken_in = true;
        if context.world.options.verify_signatures {
            self.check(context, invariants::verified::verdicts_agree(valid, message));
        }
        if !valid && let Some(sender) = self.sender {
            self.check(context, invariants::verified::forwarded(sender, context.world.is_honest(sender)));
        }
        let delay = verdict_delay(context);
        self.reply(context, delay, Answer::Verified { token, valid });
    }

    fn append(
        &mut self,
        context: &mut Context<'_>,
        token: peerwright_engine::Token,
        messages: &[Message],
        durable: Micros,
    ) {
        let mut numbers = Vec::with_capacity(messages.len());
        for message in messages {
            let body = message.body();
            let is_own = body.origin == self.key.public() && body.incarnation == self.incarnation;
            let number =
                if is_own { self.publish_own(context, message, durable) } else { self.deliver(context, message) };
            numbers.extend(number);
            for entry in &body.entries {
                if let Entry::Announced { id, .. } = entry {
                    let held = self.store.has_body(id);
                    self.check(context, invariants::durable::body_first(held));
                }
            }
        }
        let pool = context.world.pool.read().unwrap_or_else(PoisonError::into_inner);
        let rivals = |number: &Number| pool.rivals(*number).find(|rival| self.store.has(*rival)).map(|_| *number);
        let rival = numbers.iter().find_map(rivals);
        drop(pool);
        self.check(context, invariants::names::one_body(rival));
        let again = self.store.append(token, numbers);
        self.check(context, invariants::once::appended_again(again));
    }

    /// A message of this node is about to be stored: from now on it is one that holds. It spreads once it is durable.
    fn publish_own(&mut self, context: &mut Context<'_>, message: &Message, durable: Micros) -> Option<Number> {
        let mut pool = context.world.pool.write().unwrap_or_else(PoisonError::into_inner);
        let (number, namesake) = pool.publish(message, durable);
        drop(pool);
        if context.world.is_sound(&self.key.public()) {
            self.check(context, invariants::sequences::one_body_a_name(namesake, message));
        }
        for entry in &message.body().entries {
            let id = match entry {
                Entry::Inline(bytes) => TransactionId::from_bytes(peerwright_secure::sha256(bytes)),
                Entry::Announced { id, .. } => *id,
            };
            self.carried.insert(id, number);
        }
        Some(number)
    }

    /// A message of another is about to be stored.
    fn deliver(&mut self, context: &mut Context<'_>, message: &Message) -> Option<Number> {
        let pool = context.world.pool.read().unwrap_or_else(PoisonError::into_inner);
        let number = pool.number(message);
        let published = number.map(|number| pool.entry(number).published);
        drop(pool);
        self.check(context, invariants::verified::stored(number.is_some(), message));
        if let Some(published) = published {
            let is_honest = |key| !context.world.hostile.iter().any(|hostile| hostile.key == key);
            if is_honest(message.body().origin) && is_honest(self.key.public()) {
                let latency = context.now.since(published);
                context.figures.deliveries += 1;
                context.figures.latencies.note(latency);
                self.check(context, invariants::prompt::in_time(context.world.options.prompt_within, latency));
            }
        }
        number
    }

    pub(super) fn answer(&mut self, context: &mut Context<'_>, answer: Answer) {
        match answer {
            Answer::Verified { token, valid } => self.input(context, Input::Verified { token, valid }),
            Answer::StatementsVerified { token, valid } => {
                self.input(context, Input::StatementsVerified { token, valid });
            }
            Answer::Appended { token, stored } => {
                if stored {
                    self.store.synced(token);
                    self.advertise(context, false);
                }
                let result = if stored { Ok(()) } else { Err(StoreFailed) };
                self.input(context, Input::Appended { token, result });
            }
            Answer::BodyStored { token, result } => {
                if result.is_ok() {
                    self.store.synced(token);
                }
                self.input(context, Input::BodyStored { token, result });
            }
            Answer::Held { token, held } => {
                self.input(context, Input::Held { token, result: held.ok_or(StoreFailed) });
            }
            Answer::Advertised { token, rows } => {
                self.input(context, Input::Advertisements { token, result: rows.ok_or(StoreFailed) });
            }
            Answer::Read { token, messages } => {
                let result = messages.ok_or(StoreFailed);
                self.input(context, Input::Read { token, result });
            }
            Answer::Chunk { token, bytes } => self.input(context, Input::Chunk { token, bytes }),
        }
    }
}

/// Verdicts come in batches: all that was asked before a multiple of the interval is answered then.
fn verdict_delay(context: &Context<'_>) -> Duration {
    let every = micros(context.world.options.verify_every);
    Duration::from_micros(context.now.0.checked_rem(every).map_or(0, |passed| every - passed))
}

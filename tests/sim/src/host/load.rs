//! Transactions handed in at this host, and what becomes of them.

use super::{Context, Host};
use crate::{event::What, invariants, random::micros, world::REGISTER};
use bytes::Bytes;
use peerwright_engine::{CloseReason, Event, Input, Token};
use peerwright_ledger::TransactionId;
use std::time::Duration;

/// Bytes of a large transaction, at least.
const LARGE: usize = 32 * 1024 + 1;

impl Host {
    /// Submits a transaction, and the next one later.
    pub(super) fn publish(&mut self, context: &mut Context<'_>) {
        let world = context.world;
        if !world.publishing {
            return;
        }
        let mean = micros(world.options.publish_every);
        let wait = Duration::from_micros(mean / 2 + self.random.below(mean + 1));
        self.later(context, wait, What::Publish);
        self.submit(context);
    }

    /// Submits one transaction.
    pub(super) fn submit(&mut self, context: &mut Context<'_>) {
        let world = context.world;
        if self.engine.is_none() {
            return;
        }
        self.last_token += 1;
        let large = u64::from(world.options.large_every);
        let is_large = self.last_token.checked_rem(large) == Some(0);
        let length = if is_large { LARGE + self.random.place(200_000) } else { world.options.transaction_bytes };
        let transaction = self.transaction(length.max(16));
        let id = TransactionId::from_bytes(peerwright_secure::sha256(&transaction));
        let token = Token(self.last_token);
        self.submitted.insert(token, id);
        context.figures.submitted += 1;
        self.input(context, Input::Submit { token, register: REGISTER, id, transaction });
    }

    /// Bytes that no other host and no other token gives.
    fn transaction(&self, length: usize) -> Bytes {
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&u64::from(self.id).to_be_bytes());
        bytes.extend_from_slice(&self.last_token.to_be_bytes());
        bytes.resize(length, b'.');
        bytes.into()
    }

    pub(super) fn acknowledge(&mut self, context: &mut Context<'_>, token: Token) {
        context.figures.accepted += 1;
        let id = self.submitted.remove(&token);
        self.check(context, invariants::answers::answered_once(id.is_some(), token));
        let number = id.and_then(|id| self.carried.remove(&id));
        let is_durable = number.is_some_and(|number| self.store.volume.messages.contains(number));
        self.check(context, invariants::durable::acknowledged(is_durable, token));
        if let Some(number) = number {
            self.acknowledged.push((number, context.now));
        }
    }

    pub(super) fn note(&mut self, context: &mut Context<'_>, event: &Event) {
        match event {
            Event::ReadinessChanged { readiness } => {
                self.check(context, invariants::readiness::stays(self.was_ready, *readiness));
                self.was_ready = readiness.is_ready();
            }
            Event::PeerBanned { ban } if !self.policy.bans.iter().any(|known| known.subject == ban.subject) => {
                context.figures.automatic_bans += 1;
                if let peerwright_secure::BanSubject::Peer(peer) = &ban.subject {
                    context.figures.honest_bans += u64::from(context.world.is_honest_peer(peer));
                }
            }
            Event::LinkClosed { reason: CloseReason::BadSignature | CloseReason::Malformed, .. } => {
                context.figures.accusations += 1;
            }
            Event::Dropped { .. } => self.is_taken_in = true,
            Event::MemberUnreachable { peer, .. } => {
                let is_absent = context.world.absent.get(peer).is_some_and(|until| context.now <= *until);
                context.figures.verdicts[usize::from(!is_absent)] += 1;
            }
            Event::MemberDead { .. } => context.figures.verdicts[2] += 1,
            Event::UnsupportedFrame { .. } => context.figures.unsupported_frames += 1,
            Event::Equivocation { origin, .. } => {
                let is_honest = context.world.is_sound(origin);
                self.check(context, invariants::verified::convicted(is_honest));
                self.convicted.insert(*origin);
            }
            Event::DuplicateIdentity { origin, .. } if context.world.doubled.contains(origin) => {
                context.figures.doubles_noticed += 1;
            }
            Event::BadSignature { peer, .. } => {
                let is_honest = context.world.is_honest_peer(peer);
                self.check(context, invariants::verified::convicted(is_honest));
            }
            _ => {}
        }
    }
}

//! What the snapshot and the moderator order.

use super::{Engine, Turn};
use crate::{
    BanRecord, CloseReason, Event, Micros, Output, Policy,
    bans::{BanChanges, BanSource},
    timers::Timer,
};
use peerwright_ledger::RegisterId;
use peerwright_secure::PeerId;
use std::collections::BTreeSet;

impl Engine {
    pub(super) fn policy(&mut self, turn: &mut Turn<'_>, policy: &Policy) {
        self.limits = Some(policy.limits);
        let changes = self.bans.replace(BanSource::Policy, &policy.bans, turn.wall.seconds());
        self.apply_bans(turn, &changes);
        self.retire(turn, &policy.retired);
        self.subscribe(turn, &policy.registers);
        self.redial(turn);
    }

    pub(super) fn local_bans(&mut self, turn: &mut Turn<'_>, bans: &[BanRecord]) {
        let changes = self.bans.replace(BanSource::Node, bans, turn.wall.seconds());
        self.apply_bans(turn, &changes);
        self.redial(turn);
    }

    /// Ends the bans whose time is over.
    pub(super) fn expire_bans(&mut self, turn: &mut Turn<'_>) {
        let unbanned = self.bans.expire(turn.wall.seconds());
        self.unban(turn, &unbanned, true);
        self.await_expiry();
        self.redial(turn);
    }

    pub(super) fn clock_set(&mut self, turn: &mut Turn<'_>, wall: Micros) {
        self.clock.set(turn.now, wall);
        turn.wall = wall;
        self.expire_bans(turn);
    }

    fn apply_bans(&mut self, turn: &mut Turn<'_>, changes: &BanChanges) {
        self.detector.status_is_due = true;
        for ban in &changes.banned {
            turn.out.event(Event::PeerBanned { ban: *ban });
            if let Some(link) = self.links.of_peer(&ban.peer) {
                self.close(turn, link, CloseReason::Banned);
            }
        }
        if self.bans.is_banned(&self.own) {
            for link in self.links.ids() {
                self.close(turn, link, CloseReason::Banned);
            }
        }
        self.unban(turn, &changes.unbanned, false);
        self.await_expiry();
    }

    fn unban(&mut self, turn: &mut Turn<'_>, peers: &[PeerId], expired: bool) {
        self.detector.status_is_due = true;
        for peer in peers {
            turn.out.event(Event::PeerUnbanned { peer: *peer, expired });
            let own = self.own;
            if *peer == own {
                self.book.reset(turn.now, &mut self.random, |other| own > *other);
            } else {
                self.book.unbanned(turn.now, peer, own < *peer, &mut self.random);
            }
        }
    }

    fn await_expiry(&mut self) {
        match self.bans.next_expiry() {
            Some(seconds) => {
                let at = self.clock.when(Micros(seconds.saturating_mul(1_000_000)));
                self.timers.set(Timer::BanExpiry, at);
            }
            None => self.timers.cancel(Timer::BanExpiry),
        }
    }

    fn subscribe(&mut self, turn: &mut Turn<'_>, registers: &[RegisterId]) {
        let wanted: BTreeSet<RegisterId> = registers.iter().copied().collect();
        let held: Vec<RegisterId> = self.holdings.registers().collect();
        for register in held.iter().filter(|register| !wanted.contains(register)) {
            self.holdings.unsubscribe(register);
            turn.out.event(Event::SubscriptionChanged { register: *register, subscribed: false });
        }
        for link in self.sync.links.values_mut() {
            link.retain(|register| wanted.contains(register));
        }
        for register in wanted {
            if self.holdings.subscribe(register) {
                turn.out.event(Event::SubscriptionChanged { register, subscribed: true });
            }
        }
        self.load(turn);
        self.pump_all(turn);
    }

    /// Asks the store about registers of which it has not told what it holds, one question at a time.
    pub(super) fn load(&mut self, turn: &mut Turn<'_>) {
        let registers = self.holdings.not_loaded();
        if self.loading.is_some() || registers.is_empty() {
            return;
        }
        let token = self.next_token();
        self.loading = Some((token, registers.clone()));
        turn.out.push(Output::ReadHeld { token, registers });
    }
}

//! What the snapshot and the moderator order.

use super::{Engine, Turn};
use crate::{
    BanRecord, CloseReason, Event, LinkId, Micros, Output, PeerCertificate, Policy,
    bans::{BanChanges, BanSource},
    timers::Timer,
};
use peerwright_ledger::RegisterId;
use peerwright_secure::BanSubject;
use std::collections::BTreeSet;

impl Engine {
    pub(super) fn policy(&mut self, turn: &mut Turn<'_>, policy: &Policy) {
        self.limits = Some(policy.limits);
        if let Some(tuning) = &policy.tuning {
            self.tune(turn, tuning);
        }
        self.protected.clone_from(&policy.protected);
        self.groups.clone_from(&policy.groups);
        self.private.clone_from(&policy.private);
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

    pub(super) fn apply_bans(&mut self, turn: &mut Turn<'_>, changes: &BanChanges) {
        self.detector.status_is_due = true;
        for ban in &changes.banned {
            turn.out.event(Event::PeerBanned { ban: ban.clone() });
            if let BanSubject::Peer(peer) = ban.subject {
                self.forget_advertisements(turn, peer);
            }
        }
        if !changes.banned.is_empty() {
            self.close_banned(turn);
        }
        self.unban(turn, &changes.unbanned, false);
        self.await_expiry();
    }

    /// Takes note of what a certificate says, and ends what a ban of it forbids.
    pub(super) fn certificate(&mut self, turn: &mut Turn<'_>, of: Option<LinkId>, certificate: PeerCertificate) {
        match of {
            None => {
                let was_banned = self.is_own_banned();
                self.own_certificate = Some(certificate);
                if was_banned && !self.is_own_banned() {
                    self.redial_all(turn);
                    self.redial(turn);
                }
            }
            Some(link) => match self.links.get_mut(link) {
                Some(link) => link.certificate = Some(Box::new(certificate)),
                None => return,
            },
        }
        self.close_banned(turn);
        if let Some(link) = of {
            self.link_named(turn, link);
        }
    }

    /// This node is banned no longer: it dials all it knows.
    fn redial_all(&mut self, turn: &mut Turn<'_>) {
        let own = self.own;
        self.book.reset(turn.now, &mut self.random, |other| own > *other);
    }

    /// Whether a ban names this node.
    pub(super) fn is_own_banned(&self) -> bool {
        self.bans.covers(&self.own, self.own_certificate.as_ref())
    }

    /// Ends the links that a ban names, or all when one names this node.
    fn close_banned(&mut self, turn: &mut Turn<'_>) {
        let own = self.is_own_banned();
        let links =
            self.links.iter().filter(|(_, link)| own || self.bans.covers(&link.peer, link.certificate.as_deref()));
        let banned: Vec<LinkId> = links.map(|(id, _)| id).collect();
        for link in banned {
            if let Some(peer) = self.links.get(link).map(|link| link.peer) {
                self.forget_advertisements(turn, peer);
            }
            self.close(turn, link, CloseReason::Banned);
        }
    }

    /// Who redials when a ban ends: both ends, at once. A peer that was banned by its id is dialled where it was last
    /// reached; who lives where a ban was met is not known, so all those places are dialled whatever kind of ban ended.
    fn unban(&mut self, turn: &mut Turn<'_>, subjects: &[BanSubject], expired: bool) {
        self.detector.status_is_due = true;
        for subject in subjects {
            turn.out.event(Event::PeerUnbanned { subject: subject.clone(), expired });
            let own = self.own_certificate.as_ref();
            let is_own = *subject == BanSubject::Peer(self.own)
                || own.is_some_and(|own| subject.names(&self.own, &own.spiffe, &own.fingerprint));
            match subject {
                _ if is_own => self.redial_all(turn),
                BanSubject::Peer(peer) => {
                    let is_first = self.own < *peer;
                    self.book.unbanned(turn.now, Some(peer), is_first, &mut self.random);
                }
                BanSubject::Spiffe(_) | BanSubject::Fingerprint(_) => {
                    self.book.unbanned(turn.now, None, true, &mut self.random);
                }
                BanSubject::Range(_) => {}
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
            self.directory.forget(register);
            turn.out.event(Event::SubscriptionChanged { register: *register, subscribed: false });
        }
        for link in self.sync.links.values_mut() {
            link.retain(|register| wanted.contains(register));
        }
        for register in wanted {
            if self.holdings.subscribe(register) {
                self.search_from_now_on(turn, register);
                turn.out.event(Event::SubscriptionChanged { register, subscribed: true });
            }
        }
        self.decide_waiting(turn);
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

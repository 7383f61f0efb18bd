//! What is done about peers that do what no peer should.

use super::{Engine, Turn, score::Reported};
use crate::{
    AutoBan, Event, EvidenceDigest, LinkId, Misbehaviour, Offence, Output, WithheldReason,
    bans::BanSource,
    misbehaviour::{Verdict, has_room},
    score::Outcome,
    timers::Timer,
};
use peerwright_secure::{PeerId, sha256};

impl Engine {
    /// Reports what the peer of a live link has done that no peer should, with the bytes that show it.
    pub(super) fn offence_of(&mut self, link: LinkId, outcome: Outcome, evidence: &[u8]) {
        if let Some(peer) = self.links.get(link).map(|link| link.peer) {
            self.offence(peer, outcome, evidence);
        }
    }

    /// Reports what a peer has done that no peer should, with the bytes that show it.
    pub(super) fn offence(&mut self, peer: PeerId, outcome: Outcome, evidence: &[u8]) {
        self.outcome(peer, outcome);
        if let Some(kind) = outcome.misbehaviour()
            && peer != self.own
        {
            let evidence = EvidenceDigest::from_bytes(sha256(evidence));
            // Now, while there is a link: what follows may end it.
            let group = self.group_of(&peer);
            self.told.offences.push(Reported { peer, group, kind, evidence });
        }
    }

    /// Judges what was reported since the last input.
    pub(super) fn judge_offences(&mut self, turn: &mut Turn<'_>) {
        for Reported { peer, group, kind, evidence } in std::mem::take(&mut self.told.offences) {
            self.judge_offence(turn, peer, group, Offence { at: turn.wall.seconds(), kind, evidence });
        }
    }

    fn judge_offence(&mut self, turn: &mut Turn<'_>, peer: PeerId, group: Option<String>, offence: Offence) {
        let Offence { at: now, kind, .. } = offence;
        self.counters.bans.offences += 1;
        self.links.pauses.begin(turn.now, peer);
        self.end_pauses(turn);
        if self.offenders.is_banned(&peer, now) {
            return;
        }
        let Some(Verdict { times, guilty }) = self.offenders.note(peer, offence) else {
            return self.withhold_ban(turn, peer, kind, WithheldReason::Full);
        };
        turn.out.event(Event::Misbehaved { peer, kind, times });
        if !guilty {
            return;
        }
        if let Some(reason) = self.protection(&peer, group.as_deref(), now) {
            return self.withhold_ban(turn, peer, kind, reason);
        }
        let ban = self.offenders.ban(peer, group, offence);
        self.counters.bans.automatic += 1;
        turn.out.event(Event::AutoBanned { ban: Box::new(ban) });
        self.apply_auto_bans(turn);
        self.keep_auto_bans(turn);
    }

    fn withhold_ban(&mut self, turn: &mut Turn<'_>, peer: PeerId, kind: Misbehaviour, reason: WithheldReason) {
        self.offenders.withhold(&peer);
        self.counters.bans.withheld += 1;
        turn.out.event(Event::BanWithheld { peer, kind, reason });
    }

    /// Why a peer is not to be banned by this node alone, whatever it did.
    fn protection(&self, peer: &PeerId, group: Option<&str>, now: u64) -> Option<WithheldReason> {
        if let Some(protection) = self.protected.get(peer) {
            return Some((*protection).into());
        }
        if self.book.is_declared(peer) {
            return Some(WithheldReason::Seed);
        }
        let size = group.and_then(|group| self.groups.get(group).copied());
        // Those who are of no known group are one group with all that are known, and this node is of it.
        let members = size.unwrap_or(self.scores.len() + 1);
        let banned = self.offenders.banned_of(group.filter(|_| size.is_some()), now);
        (!has_room(members, banned, self.offenders.group_percent())).then_some(WithheldReason::GroupShare)
    }

    /// The node group of a peer that is linked, by the name in its certificate: a node of this network lives where this
    /// one does, and is called by its group and its number.
    pub(super) fn group_of(&self, peer: &PeerId) -> Option<String> {
        let own = &self.own_certificate.as_ref()?.spiffe;
        let link = self.links.of_peer(peer).and_then(|link| self.links.get(link))?;
        let spiffe = &link.certificate.as_ref()?.spiffe;
        let is_at_home = spiffe.trust_domain() == own.trust_domain() && spiffe.namespace() == own.namespace();
        let (group, number) = spiffe.node().rsplit_once('-').filter(|_| is_at_home)?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        (is_number && self.groups.contains_key(group)).then(|| group.to_owned())
    }

    /// The bans of this node's former life.
    pub(super) fn recall_auto_bans(&mut self, turn: &mut Turn<'_>, bans: Vec<AutoBan>) {
        self.offenders.recall(bans, turn.wall.seconds());
        self.apply_auto_bans(turn);
    }

    /// A moderator lifts the ban that this node has made by itself.
    pub(super) fn lift_auto_ban(&mut self, turn: &mut Turn<'_>, peer: &PeerId) {
        self.links.pauses.lift(peer);
        if self.offenders.lift(peer, turn.wall.seconds()) {
            self.apply_auto_bans(turn);
            self.keep_auto_bans(turn);
        }
    }

    /// Lets those come back whose pauses are over.
    pub(super) fn end_pauses(&mut self, turn: &mut Turn<'_>) {
        self.links.pauses.end(turn.now);
        match self.links.pauses.next_end() {
            Some(at) => self.timers.set(Timer::Pause, at),
            None => self.timers.cancel(Timer::Pause),
        }
        self.redial(turn);
    }

    /// Forgets what is too old.
    pub(super) fn sweep_offenders(&mut self, turn: &mut Turn<'_>) {
        if self.offenders.forget(turn.wall.seconds()) {
            self.keep_auto_bans(turn);
        }
    }

    fn apply_auto_bans(&mut self, turn: &mut Turn<'_>) {
        let now = turn.wall.seconds();
        let changes = self.bans.replace(BanSource::Automatic, &self.offenders.records(now), now);
        self.apply_bans(turn, &changes);
        self.redial(turn);
    }

    fn keep_auto_bans(&self, turn: &mut Turn<'_>) {
        turn.out.push(Output::KeepAutoBans { bans: self.offenders.bans() });
    }

    /// The bans that this node has made by itself, in force or over, by peer, each peer's oldest first.
    #[must_use]
    pub fn auto_bans(&self) -> Vec<AutoBan> {
        self.offenders.bans()
    }
}

//! What is done about peers that do what no peer should.

use super::{Engine, Turn};
use crate::{
    AutoBan, Event, EvidenceDigest, LinkId, Misbehaviour, Offence, Output, WithheldReason,
    bans::BanSource,
    misbehaviour::{Verdict, has_room},
    score::Outcome,
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
            self.told.offences.push((peer, kind, EvidenceDigest::from_bytes(sha256(evidence))));
        }
    }

    /// Judges what was reported since the last input.
    pub(super) fn judge_offences(&mut self, turn: &mut Turn<'_>) {
        for (peer, kind, evidence) in std::mem::take(&mut self.told.offences) {
            self.judge_offence(turn, peer, Offence { at: turn.wall.seconds(), kind, evidence });
        }
    }

    fn judge_offence(&mut self, turn: &mut Turn<'_>, peer: PeerId, offence: Offence) {
        let Offence { at: now, kind, .. } = offence;
        self.counters.bans.offences += 1;
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
        if let Some(reason) = self.protection(&peer, now) {
            return self.withhold_ban(turn, peer, kind, reason);
        }
        let ban = self.offenders.ban(peer, offence);
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
    fn protection(&self, peer: &PeerId, now: u64) -> Option<WithheldReason> {
        if let Some(protection) = self.protected.get(peer) {
            return Some((*protection).into());
        }
        if self.book.is_declared(peer) {
            return Some(WithheldReason::Seed);
        }
        // Until the network says who is of which group, all that are known are one, and this node is of it.
        let members = self.scores.len() + 1;
        let has_room = has_room(members, self.offenders.banned(now), self.offenders.group_percent());
        (!has_room).then_some(WithheldReason::GroupShare)
    }

    /// The bans of this node's former life.
    pub(super) fn recall_auto_bans(&mut self, turn: &mut Turn<'_>, bans: Vec<AutoBan>) {
        self.offenders.recall(bans, turn.wall.seconds());
        self.apply_auto_bans(turn);
    }

    /// A moderator lifts the ban that this node has made by itself.
    pub(super) fn lift_auto_ban(&mut self, turn: &mut Turn<'_>, peer: &PeerId) {
        if self.offenders.lift(peer, turn.wall.seconds()) {
            self.apply_auto_bans(turn);
            self.keep_auto_bans(turn);
        }
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

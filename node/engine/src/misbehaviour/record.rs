//! What is remembered of one offender.

use super::{MisbehaviourSettings, Rule};
use crate::{
    AutoBan, EvidenceDigest, Misbehaviour, Offence,
    bounds::{BAN_HISTORY, INCIDENT_WINDOW, MAX_BANS_OF_A_PEER, MAX_OFFENCES},
};
use peerwright_secure::{PeerId, sha256};
use std::{collections::BTreeMap, collections::VecDeque, time::Duration};

/// One peer's offences of the last day and bans of the last week.
#[derive(Debug, Default)]
pub(super) struct Offender {
    offences: BTreeMap<Misbehaviour, VecDeque<Offence>>,
    bans: Vec<AutoBan>,
}

impl Offender {
    pub(super) fn of_bans(bans: Vec<AutoBan>) -> Self {
        Self { offences: BTreeMap::new(), bans }
    }

    /// Takes in an offence, and says how many of its kind count now.
    pub(super) fn note(&mut self, offence: Offence, rule: Rule) -> u32 {
        let of_kind = self.offences.entry(offence.kind).or_default();
        if of_kind.len() >= MAX_OFFENCES {
            of_kind.pop_front();
        }
        of_kind.push_back(offence);
        let counting = of_kind.iter().filter(|known| is_within(known.at, offence.at, rule.window)).count();
        u32::try_from(counting).unwrap_or(u32::MAX)
    }

    /// What was done so far is settled, by a ban or by one that was withheld.
    pub(super) fn settle(&mut self) {
        self.offences.clear();
    }

    /// Bans the peer for what it did.
    pub(super) fn ban(
        &mut self,
        peer: PeerId,
        group: Option<String>,
        offence: Offence,
        settings: &MisbehaviourSettings,
    ) -> AutoBan {
        let mut offences: Vec<Offence> = self.offences.values().flatten().copied().collect();
        offences.sort_unstable();
        let temporary = self.bans.iter().filter(|ban| ban.expires.is_some()).count();
        let duration = settings.rule(offence.kind).ban.filter(|_| temporary < usize::from(settings.max_temporary));
        let ban = AutoBan {
            peer,
            group,
            reason: offence.kind,
            evidence: digest(&offences),
            since: offence.at,
            expires: duration.map(|duration| offence.at.saturating_add(duration.as_secs())),
            count: self.bans.iter().map(|ban| ban.count).max().unwrap_or(0).saturating_add(1),
            lifted: None,
            offences,
        };
        if self.bans.len() >= MAX_BANS_OF_A_PEER {
            self.bans.remove(0);
        }
        self.bans.push(ban.clone());
        self.settle();
        ban
    }

    /// Lifts the ban in force, if there is one.
    pub(super) fn lift(&mut self, now: u64) -> bool {
        let Some(ban) = self.bans.iter_mut().find(|ban| ban.is_in_force(now)) else { return false };
        ban.lifted = Some(now);
        true
    }

    /// Forgets what is too old. Says whether a ban was forgotten.
    pub(super) fn forget(&mut self, now: u64) -> bool {
        for of_kind in self.offences.values_mut() {
            of_kind.retain(|offence| is_within(offence.at, now, INCIDENT_WINDOW));
        }
        self.offences.retain(|_, of_kind| !of_kind.is_empty());
        let before = self.bans.len();
        self.bans.retain(|ban| end(ban).is_none_or(|end| is_within(end, now, BAN_HISTORY)));
        self.bans.len() != before
    }

    pub(super) fn is_empty(&self) -> bool {
        self.offences.is_empty() && self.bans.is_empty()
    }

    pub(super) fn is_banned(&self, now: u64) -> bool {
        self.bans.iter().any(|ban| ban.is_in_force(now))
    }

    /// When it was last heard of, for who is to be forgotten first: who was never banned, then who was long ago.
    pub(super) fn worth(&self, now: u64) -> (bool, bool, u64) {
        let offence = self.offences.values().filter_map(VecDeque::back).map(|offence| offence.at).max();
        let ban = self.bans.iter().map(|ban| end(ban).unwrap_or(u64::MAX)).max();
        (self.is_banned(now), !self.bans.is_empty(), offence.max(ban).unwrap_or(0))
    }

    pub(super) fn bans(&self) -> &[AutoBan] {
        &self.bans
    }
}

/// When a ban was over. `None` for one that holds until it is lifted.
fn end(ban: &AutoBan) -> Option<u64> {
    match (ban.lifted, ban.expires) {
        (Some(lifted), Some(expires)) => Some(lifted.min(expires)),
        (lifted, expires) => lifted.or(expires),
    }
}

/// Whether something at `at` counts at `now`. A clock that was set back makes nothing older.
fn is_within(at: u64, now: u64, window: Duration) -> bool {
    now.saturating_sub(at) < window.as_secs()
}

fn digest(offences: &[Offence]) -> EvidenceDigest {
    let mut bytes = Vec::from(*b"peerwright offences 1\0");
    for offence in offences {
        bytes.extend_from_slice(&offence.at.to_be_bytes());
        bytes.extend_from_slice(offence.kind.label().as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(offence.evidence.as_bytes());
    }
    EvidenceDigest::from_bytes(sha256(&bytes))
}

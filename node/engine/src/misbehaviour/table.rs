//! All offenders.

use super::{MisbehaviourSettings, record::Offender};
use crate::{AutoBan, BanRecord, Offence, bounds::MAX_OFFENDERS};
use peerwright_secure::PeerId;
use std::collections::BTreeMap;

/// What came of an offence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// How many of its kind count now.
    pub times: u32,
    /// Whether that is more than is tolerated.
    pub guilty: bool,
}

/// Who has misbehaved.
#[derive(Debug)]
pub(crate) struct Offenders {
    settings: MisbehaviourSettings,
    peers: BTreeMap<PeerId, Offender>,
}

impl Offenders {
    pub(crate) fn new(settings: MisbehaviourSettings) -> Self {
        Self { settings, peers: BTreeMap::new() }
    }

    /// What is done from now on is judged differently.
    pub(crate) fn tune(&mut self, settings: MisbehaviourSettings) {
        self.settings = settings;
    }

    /// Takes in the bans of this node's former life.
    pub(crate) fn recall(&mut self, bans: Vec<AutoBan>, now: u64) {
        let mut by_peer: BTreeMap<PeerId, Vec<AutoBan>> = BTreeMap::new();
        for ban in bans {
            by_peer.entry(ban.peer).or_default().push(ban);
        }
        self.peers = by_peer.into_iter().map(|(peer, bans)| (peer, Offender::of_bans(bans))).collect();
        self.forget(now);
        while self.peers.len() > MAX_OFFENDERS && self.forget_least(now) {}
    }

    /// Takes in an offence. `None` when the table is full of peers that are banned now.
    pub(crate) fn note(&mut self, peer: PeerId, offence: Offence) -> Option<Verdict> {
        if !self.peers.contains_key(&peer) && self.peers.len() >= MAX_OFFENDERS && !self.forget_least(offence.at) {
            return None;
        }
        let rule = self.settings.rule(offence.kind);
        let times = self.peers.entry(peer).or_default().note(offence, rule);
        Some(Verdict { times, guilty: times > u32::from(rule.tolerated) })
    }

    /// Bans a peer for what it did.
    pub(crate) fn ban(&mut self, peer: PeerId, group: Option<String>, offence: Offence) -> AutoBan {
        self.peers.entry(peer).or_default().ban(peer, group, offence, &self.settings)
    }

    /// A peer has earned a ban and is not banned: it begins anew.
    pub(crate) fn withhold(&mut self, peer: &PeerId) {
        if let Some(offender) = self.peers.get_mut(peer) {
            offender.settle();
        }
    }

    /// Lifts the ban of a peer; it still counts. Says whether there was one.
    pub(crate) fn lift(&mut self, peer: &PeerId, now: u64) -> bool {
        self.peers.get_mut(peer).is_some_and(|offender| offender.lift(now))
    }

    /// Forgets what is too old. Says whether a ban was forgotten.
    pub(crate) fn forget(&mut self, now: u64) -> bool {
        let mut forgot = false;
        self.peers.retain(|_, offender| {
            forgot |= offender.forget(now);
            !offender.is_empty()
        });
        forgot
    }

    pub(crate) fn is_banned(&self, peer: &PeerId, now: u64) -> bool {
        self.peers.get(peer).is_some_and(|offender| offender.is_banned(now))
    }

    /// Peers that are banned now.
    pub(crate) fn banned(&self, now: u64) -> usize {
        self.peers.values().filter(|offender| offender.is_banned(now)).count()
    }

    /// Peers of a group that are banned now, and those that may be of it because nobody knows theirs; without a group
    /// all that are banned.
    pub(crate) fn banned_of(&self, group: Option<&str>, now: u64) -> usize {
        let Some(group) = group else { return self.banned(now) };
        let may_be_of_it = |ban: &AutoBan| ban.group.as_deref().is_none_or(|known| known == group);
        let in_force =
            |offender: &Offender| offender.bans().iter().any(|ban| ban.is_in_force(now) && may_be_of_it(ban));
        self.peers.values().filter(|offender| in_force(offender)).count()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    /// All bans that are remembered, by peer, each peer's oldest first.
    pub(crate) fn bans(&self) -> Vec<AutoBan> {
        self.peers.values().flat_map(Offender::bans).cloned().collect()
    }

    /// The bans in force.
    pub(crate) fn records(&self, now: u64) -> Vec<BanRecord> {
        let in_force = self.peers.values().flat_map(Offender::bans).filter(|ban| ban.is_in_force(now));
        in_force.map(|ban| BanRecord::of_peer(ban.peer, ban.expires)).collect()
    }

    pub(crate) fn group_percent(&self) -> u8 {
        self.settings.group_percent
    }

    /// Makes room; not at the cost of a ban in force.
    fn forget_least(&mut self, now: u64) -> bool {
        let least = self.peers.iter().min_by_key(|(_, offender)| offender.worth(now));
        let Some(peer) = least.filter(|(_, offender)| !offender.is_banned(now)).map(|(peer, _)| *peer) else {
            return false;
        };
        self.peers.remove(&peer).is_some()
    }
}

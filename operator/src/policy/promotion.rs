//! Which bans that nodes made by themselves become bans of the network. Pure.
//!
//! ```text
//! nodes' reports ─▶ enough witnesses? ─▶ room in the node group? ─▶ PeerBan, and a row in status.promotedBans
//!                       5, or more than       a quarter of it at
//!                       half of the others    most is banned
//! ```
//!
//! One node's word bans nobody: it may lie, or have the defect itself. A row stays until the ban's end, whether or not
//! its PeerBan is still there: a moderator who deletes the PeerBan has decided, and is not overruled.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::{ResourceExt, api::ObjectMeta};
use peerwright_crds::{
    MANAGED_BY, MANAGED_BY_LABEL, NetworkRef, PeerBan, PeerBanSpec, PeerNetwork, PromotedBan, Promotion,
};
use peerwright_secure::PeerId;

use crate::nodes::{AutoBanReport, NodeReport};

/// Nodes that must have made the same ban by themselves; more than half of the other nodes where those are fewer.
pub const WITNESSES: usize = 5;
/// And never fewer.
pub const FEWEST_WITNESSES: usize = 2;
/// The share of a node group that may be banned, whoever ordered it, for another ban to be promoted: percent.
pub const GROUP_PERCENT: usize = 25;
/// How long a promoted ban lasts at most, seconds: 30 days. A ban without end is for people to make.
pub const LONGEST_SECONDS: u64 = 30 * 86_400;
/// Rows that the status has room for.
pub const MAX_PROMOTED: usize = 256;

/// What is looked at.
pub struct Situation<'a> {
    /// The network, with its status until now.
    pub network: &'a PeerNetwork,
    /// Its PeerBans.
    pub bans: &'a [Arc<PeerBan>],
    /// What its nodes say.
    pub reports: &'a [NodeReport],
    /// Who its wanted nodes are, by pod.
    pub members: &'a BTreeMap<String, PeerId>,
    /// Those of them that the snapshot in force bans.
    pub banned: &'a BTreeSet<String>,
    /// Unix seconds.
    pub now: u64,
}

/// What is to be done.
#[derive(Debug, Default, PartialEq)]
pub struct Decision {
    /// The rows whose end has not come.
    pub kept: Vec<PromotedBan>,
    /// The rows whose end has come: their PeerBans are to go.
    pub ended: Vec<PromotedBan>,
    /// Bans that are to be made, each with the row that records it.
    pub made: Vec<(PeerBan, PromotedBan)>,
    /// When the next row ends, Unix seconds.
    pub next_end: Option<u64>,
}

/// Decides.
#[must_use]
pub fn decide(situation: &Situation<'_>) -> Decision {
    let before = situation.network.status.as_ref().map(|status| status.promoted_bans.clone()).unwrap_or_default();
    let (kept, ended) = before.into_iter().partition(|row: &PromotedBan| end_of(row) > situation.now);
    let mut decision = Decision { kept, ended, ..Decision::default() };
    if situation.network.spec.auto_bans.promote == Some(Promotion::Always) {
        decision.promote(situation);
    }
    let rows = decision.kept.iter().chain(decision.made.iter().map(|(_, row)| row));
    decision.next_end = rows.map(end_of).min();
    decision
}

impl Decision {
    fn promote(&mut self, situation: &Situation<'_>) {
        let known: BTreeSet<String> = self.kept.iter().map(|row| row.peer_id.clone()).collect();
        let mut banned = situation.banned.clone();
        for (peer, witnesses) in accusations(situation) {
            let pod = situation.members.iter().find(|(_, member)| **member == peer).map(|(pod, _)| pod);
            if known.contains(&peer.to_string()) || self.adopt(situation, &peer) {
                continue;
            }
            let is_banned = pod.is_some_and(|pod| banned.contains(pod));
            let is_full = self.kept.len() + self.made.len() >= MAX_PROMOTED;
            let needed = needed(voters(situation).filter(|report| report.peer_id != peer).count());
            if is_banned || is_full || witnesses.len() < needed {
                continue;
            }
            if let Some(pod) = pod {
                if !has_room(situation.network, pod, &banned) {
                    continue;
                }
                banned.insert(pod.clone());
            }
            if let Some(expires_at) = common_end(&witnesses, needed, situation.now) {
                self.made.extend(made(situation.network, peer, &witnesses, expires_at));
            }
        }
    }

    /// Takes note of a PeerBan of the peer that is there already: one of ours whose row was not written, or a person's,
    /// which needs none. Says whether there is one.
    fn adopt(&mut self, situation: &Situation<'_>, peer: &PeerId) -> bool {
        let named = Some(peer.to_string());
        let ends = |ban: &PeerBan| ban.spec.expires_at.as_ref().map(|end| end.0.as_second());
        let is_over = |end: i64| u64::try_from(end).is_ok_and(|end| end <= situation.now);
        let mut existing =
            situation.bans.iter().filter(|ban| ban.spec.peer_id == named && !ends(ban).is_some_and(is_over));
        let Some(ban) = existing.next() else { return false };
        let is_ours = ban.labels().get(MANAGED_BY_LABEL).is_some_and(|by| by == MANAGED_BY);
        if let (true, Some(expires_at)) = (is_ours, ends(ban)) {
            let row = PromotedBan { peer_id: peer.to_string(), peer_ban: ban.name_any(), expires_at };
            self.kept.push(row);
        }
        true
    }
}

fn end_of(row: &PromotedBan) -> u64 {
    u64::try_from(row.expires_at).unwrap_or_default()
}

/// The nodes whose word counts: wanted, connected and not banned.
fn voters<'a>(situation: &'a Situation<'_>) -> impl Iterator<Item = &'a NodeReport> {
    let is_member = |report: &NodeReport| situation.members.get(&report.pod) == Some(&report.peer_id);
    let counts =
        move |report: &&NodeReport| report.connected && is_member(report) && !situation.banned.contains(&report.pod);
    situation.reports.iter().filter(counts)
}

/// Who is banned by whom, in the order of the accused.
fn accusations<'a>(situation: &'a Situation<'_>) -> BTreeMap<PeerId, Vec<&'a AutoBanReport>> {
    let mut accusations: BTreeMap<PeerId, Vec<&AutoBanReport>> = BTreeMap::new();
    for report in voters(situation) {
        let is_in_force = |ban: &&AutoBanReport| ban.expires_at.is_none_or(|end| end > situation.now);
        for ban in report.auto_bans.iter().filter(is_in_force).filter(|ban| ban.peer_id != report.peer_id) {
            accusations.entry(ban.peer_id).or_default().push(ban);
        }
    }
    accusations
}

/// How many of `others` must have made the same ban.
fn needed(others: usize) -> usize {
    (others / 2 + 1).clamp(FEWEST_WITNESSES, WITNESSES)
}

/// Whether another node of the pod's group may be banned.
fn has_room(network: &PeerNetwork, pod: &str, banned: &BTreeSet<String>) -> bool {
    let group_of = |pod: &str| network.locate_node(pod).map(|(group, _)| group);
    let Some(group) = group_of(pod) else { return true };
    let replicas = usize::try_from(group.replicas).unwrap_or_default();
    let in_group = banned.iter().filter(|other| group_of(other).is_some_and(|other| other.name == group.name)).count();
    (in_group + 1) * 100 <= replicas * GROUP_PERCENT
}

/// Until when as many as are needed have banned the peer. Nothing when that is over.
fn common_end(witnesses: &[&AutoBanReport], needed: usize, now: u64) -> Option<u64> {
    let longest = now.saturating_add(LONGEST_SECONDS);
    let mut ends: Vec<u64> = witnesses.iter().map(|ban| ban.expires_at.unwrap_or(u64::MAX).min(longest)).collect();
    ends.sort_unstable_by(|one, other| other.cmp(one));
    ends.get(needed.checked_sub(1)?).copied().filter(|end| *end > now)
}

fn made(
    network: &PeerNetwork,
    peer: PeerId,
    witnesses: &[&AutoBanReport],
    expires_at: u64,
) -> Option<(PeerBan, PromotedBan)> {
    let seconds = i64::try_from(expires_at).ok()?;
    let network_name = network.name_any();
    // The end makes the name another one's than that of an earlier ban of the peer, which may still be there.
    let name = format!("auto-{network_name}-{}-{expires_at:x}", peer.to_string().get(..12)?);
    let first = witnesses.first()?;
    let reason = format!(
        "{} nodes have banned it by themselves, first for {}; evidence {}",
        witnesses.len(),
        first.reason,
        hex::encode(first.evidence)
    );
    let ban = PeerBan {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            namespace: network.namespace(),
            labels: Some(network.labels_of_children()),
            ..ObjectMeta::default()
        },
        spec: PeerBanSpec {
            network_ref: NetworkRef { name: network_name.clone() },
            peer_id: Some(peer.to_string()),
            reason: Some(reason),
            expires_at: Some(Time(Timestamp::from_second(seconds).ok()?)),
            ..PeerBanSpec::default()
        },
        status: None,
    };
    Some((ban, PromotedBan { peer_id: peer.to_string(), peer_ban: name, expires_at: seconds }))
}

#[cfg(test)]
#[path = "promotion_tests.rs"]
mod tests;

//! What became of `spec.bans`: whom each entry of a node was bound to, and whether all are in force.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use peerwright_crds::{BoundBan, NetworkBan};

use super::{Facts, name};
use crate::{
    conditions::{Truth, Verdict, kept},
    policy::{BanSource, BanVerdict},
};

/// Entries that a message names; more are counted.
const MOST_NAMED: usize = 8;

/// The entries that name a node, each with the peer that it first resolved to.
pub(super) fn bound(facts: &Facts<'_>, before: &[BoundBan]) -> Vec<BoundBan> {
    let bind = |ban: &NetworkBan| {
        let node = ban.node.as_ref()?;
        let known = before.iter().find(|bound| bound.name == ban.name && bound.node == *node);
        let found = || verdict(facts, ban)?.peer_id().map(|peer| peer.to_string());
        let peer_id = known.map(|bound| bound.peer_id.clone()).or_else(found)?;
        Some(BoundBan { name: ban.name.clone(), node: node.clone(), peer_id })
    };
    facts.network.spec.bans.iter().filter_map(bind).collect()
}

/// The condition that says whether every entry is in force; nothing without entries. One whose end has passed is as its
/// owner wanted it.
pub(super) fn accepted(facts: &Facts<'_>, before: &[Condition]) -> Option<Verdict> {
    const KIND: &str = "BansAccepted";
    let bans = &facts.network.spec.bans;
    if bans.is_empty() {
        return None;
    }
    let judged: Option<Vec<(&NetworkBan, &BanVerdict)>> =
        bans.iter().map(|ban| Some((ban, verdict(facts, ban)?))).collect();
    let Some(judged) = judged else {
        let unknown =
            || Verdict::new(KIND, Truth::Unknown, "Compiling", "the snapshot with these bans is not made yet");
        return Some(kept(before, KIND).unwrap_or_else(unknown));
    };
    let is_refused = |(_, verdict): &&(&NetworkBan, &BanVerdict)| {
        !matches!(verdict, BanVerdict::Accepted { .. } | BanVerdict::Expired { .. })
    };
    let refused: Vec<_> = judged.iter().filter(is_refused).collect();
    let Some((_, first)) = refused.first() else {
        return Some(Verdict::new(KIND, true, "Accepted", "every entry of spec.bans is part of the snapshot"));
    };
    let network = name(facts);
    let named = refused.iter().take(MOST_NAMED);
    let mut message: Vec<String> =
        named.map(|(ban, verdict)| format!("{}: {}", ban.name, verdict.message(&network))).collect();
    if let Some(more) = refused.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
        message.push(format!("and {more} more"));
    }
    Some(Verdict::new(KIND, false, first.reason(), message.join("; ")))
}

fn verdict<'a>(facts: &Facts<'a>, ban: &NetworkBan) -> Option<&'a BanVerdict> {
    let finding = facts.finding?.bans.get(&BanSource::Network(ban.name.clone()))?;
    // Another node may have been written under the name since.
    (finding.of == ban.node).then_some(&finding.verdict)
}

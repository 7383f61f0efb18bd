//! A network's status from what was found. Pure: while nothing changes, neither does the status.

mod bans;
mod conditions_of;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use peerwright_crds::{IdentityStatus, PeerNetwork, PeerNetworkStatus, PolicyStatus, PromotedBan};
use tokio::time::Instant;

use super::{children::Outcome, plan::Observed, validate::Invalid};
use crate::{
    conditions::settle,
    controllers::{findings::Finding, reach::Reach},
    policy::Published,
};

/// What a status is made from.
pub struct Facts<'a> {
    /// The network, with its status until now.
    pub network: &'a PeerNetwork,
    /// Image of its nodes.
    pub image: &'a str,
    /// What is wrong with its spec.
    pub invalid: Option<&'a Invalid>,
    /// Its StatefulSets and pods.
    pub nodes: &'a Observed,
    /// Bans that were made of what nodes said.
    pub promoted: &'a [PromotedBan],
    /// What waits and what failed.
    pub outcome: &'a Outcome,
    /// What the policy controller found; nothing before it looked.
    pub finding: Option<&'a Finding>,
    /// What the nodes said; nothing before anybody looked.
    pub reach: Option<&'a Reach>,
    /// Now, for waits.
    pub now: Instant,
    /// Now, for people and certificates.
    pub wall: Timestamp,
}

/// A status, and when it may be another without anybody's change.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessed {
    /// The whole status.
    pub status: PeerNetworkStatus,
    /// When to look again.
    pub look_again: Option<Instant>,
}

/// Assesses a network.
#[must_use]
pub fn assess(facts: &Facts<'_>) -> Assessed {
    let before = facts.network.status.clone().unwrap_or_default();
    let (verdicts, look_again) = conditions_of::verdicts(facts, &before.conditions);
    let generation = facts.network.metadata.generation;
    let desired = facts.network.desired_nodes();
    let status = PeerNetworkStatus {
        observed_generation: generation,
        conditions: settle(&before.conditions, verdicts, generation, facts.wall),
        nodes: Some(desired),
        ready_nodes: Some(i32::try_from(ready(facts).len()).unwrap_or(i32::MAX)),
        image: Some(facts.image.to_owned()),
        trust_domain: Some(facts.network.trust_domain()),
        // A recorded fingerprint is what tells a lost key from one that never was: it is never dropped.
        identity: match facts.finding.and_then(|finding| finding.fingerprint.clone()) {
            Some(fingerprint) => Some(IdentityStatus { ca_fingerprint: Some(fingerprint) }),
            None => before.identity,
        },
        policy: match facts.finding.and_then(|finding| finding.published.as_deref()) {
            Some(published) => Some(policy(published)),
            None => before.policy,
        },
        bans: bans::bound(facts, &before.bans),
        promoted_bans: facts.promoted.to_vec(),
        system_register: match facts.finding.and_then(|finding| finding.published.as_deref()) {
            Some(published) => published.snapshot.content.system.map(hex::encode),
            None => before.system_register,
        },
        api_service: Some(facts.network.api_service_name()),
    };
    Assessed { status, look_again }
}

fn policy(published: &Published) -> PolicyStatus {
    let number = |number: u64| i64::try_from(number).ok();
    let count = |count: usize| i32::try_from(count).ok();
    let content = &published.snapshot.content;
    PolicyStatus {
        epoch: number(published.snapshot.epoch),
        revision: number(published.snapshot.revision),
        digest: Some(hex::encode(published.content_digest)),
        bans: count(content.bans.len()),
        subscriptions: count(content.subscriptions.len()),
    }
}

/// The wanted nodes that are Ready and not banned.
fn ready(facts: &Facts<'_>) -> Vec<String> {
    wanted(facts).into_iter().filter(|name| state(facts, name) == NodeState::Ready).collect()
}

fn wanted(facts: &Facts<'_>) -> Vec<String> {
    facts.network.node_names()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NodeState {
    Ready,
    Banned,
    NotReady,
}

fn state(facts: &Facts<'_>, name: &str) -> NodeState {
    let node = facts.nodes.groups.iter().flat_map(|group| &group.nodes).find(|node| node.name == name);
    match node {
        Some(node) if node.banned => NodeState::Banned,
        Some(node) if node.ready && !node.deleting => NodeState::Ready,
        _ => NodeState::NotReady,
    }
}

/// Name of a network in messages.
fn name(facts: &Facts<'_>) -> String {
    facts.network.name_any()
}

#[cfg(test)]
mod tests;

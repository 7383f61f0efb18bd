//! Compiles a network's objects into the content of its snapshot. Pure: the same objects in any order give the same
//! content, byte for byte.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use peerwright_crds::{
    AccessRole, AnonymousRole, NodeGroup, NodeRole, PeerBan, PeerNetwork, PeerOperation, RegisterSubscription, Topology,
};
use peerwright_secure::{BanSubject, NodePublicKey, PeerId};
use peerwright_snapshot::{
    Api, Ban, Content, Group, MAX_ACCESS, MAX_BANS, MAX_BANS_BYTES, MAX_HUBS, MAX_SEALERS, MAX_TEXT_BYTES, MAX_TRUST,
    Role, ban_bytes,
};

use super::{
    BanSource, BanVerdict, Leaves, SubscriptionVerdict, TokenIssuer,
    bans::{Judged, judge},
    settings::settings,
    subscriptions::judge as judge_subscriptions,
    succession::{lost, succession},
    system::system,
};
use crate::{identity::MemberTable, nodes::NodeReport};

/// Everything that a snapshot is made of.
pub struct Inputs<'a> {
    /// The network.
    pub network: &'a PeerNetwork,
    /// Its subscriptions; those of other networks are passed over, and those being deleted that wait for nothing.
    pub subscriptions: &'a [Arc<RegisterSubscription>],
    /// Its bans; those of other networks and those being deleted are passed over.
    pub bans: &'a [Arc<PeerBan>],
    /// What is done once on it; that of other networks is passed over.
    pub operations: &'a [Arc<PeerOperation>],
    /// What its nodes say.
    pub reports: &'a [NodeReport],
    /// Who the nodes are.
    pub members: &'a MemberTable,
    /// The certificates that the nodes show.
    pub leaves: &'a Leaves,
    /// The network's trust anchors, DER, newest first.
    pub trust: &'a [Vec<u8>],
    /// The network's authority over registers; nothing while it is not to be had, and then the one in force stays.
    pub authority: Option<NodePublicKey>,
    /// Whose tokens the REST interface takes; none until the API server has told.
    pub tokens: Option<&'a TokenIssuer>,
    /// The snapshot that is in force; empty before the first. Its bans are never undone by
    /// [`BanVerdict::WouldIsolate`], and its sealers go on until all who follow them are known.
    pub in_force: &'a Content,
    /// Unix seconds.
    pub now: i64,
}

/// A content, and what became of each object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// For [`Publisher::publish`](super::Publisher::publish).
    pub content: Content,
    /// A verdict for each ban.
    pub bans: BTreeMap<BanSource, BanVerdict>,
    /// A verdict for each `RegisterSubscription`, by name.
    pub subscriptions: BTreeMap<String, SubscriptionVerdict>,
    /// Unix seconds at which the next ban ends: compile again then.
    pub next_expiry: Option<u64>,
}

/// Compiles the content of a network's snapshot.
#[must_use]
pub fn compile(inputs: &Inputs<'_>) -> Compiled {
    let network = inputs.network;
    let Judged { mut bans, verdicts } =
        judge(network, inputs.bans, inputs.members, inputs.leaves, &inputs.in_force.bans, inputs.now);
    let sealers = sealers(network, inputs.members).unwrap_or_else(|| inputs.in_force.sealers.clone());
    let sealing: BTreeSet<String> = inputs
        .members
        .members()
        .filter(|member| sealers.contains(&member.peer_id))
        .map(|member| member.pod.clone())
        .collect();
    let authority = inputs.authority.map(|key| *key.as_bytes()).or_else(|| inputs.in_force.settings.authority());
    let system = system(network, inputs.in_force, &sealers, inputs.reports);
    let registers = judge_subscriptions(network, inputs.subscriptions, &sealing, system);
    shut_out(&mut bans, lost(network, inputs.operations));
    let (generation, succession) = succession(network, inputs.operations, inputs.in_force, inputs.reports);
    let founders = &inputs.in_force.founders;
    let next_expiry = bans.values().filter_map(|ban| ban.expires_at).min();
    let content = Content {
        trust_domain: network.trust_domain(),
        bans,
        retired: inputs.members.retired().collect(),
        groups: groups(network),
        topology: match network.spec.topology.unwrap_or_default() {
            Topology::Mesh => peerwright_snapshot::Topology::Mesh,
            Topology::Hub => peerwright_snapshot::Topology::Hub,
        },
        hubs: hubs(network, inputs.members),
        // Whoever comes later is taken in by them, and begins no group of its own.
        founders: if founders.is_empty() { sealers.clone() } else { founders.clone() },
        sealers,
        generation,
        succession,
        subscriptions: registers.subscriptions,
        purges: registers.purges,
        system,
        settings: settings(network, authority),
        trust: inputs.trust.iter().take(MAX_TRUST).cloned().collect(),
        api: api(network, inputs.tokens),
    };
    Compiled { content, bans: verdicts, subscriptions: registers.verdicts, next_expiry }
}

/// Bans peers, as far as there is room.
fn shut_out(bans: &mut BTreeMap<BanSubject, Ban>, peers: BTreeSet<PeerId>) {
    let mut bytes: usize = bans.iter().map(|(subject, ban)| ban_bytes(subject, *ban)).sum();
    for subject in peers.into_iter().map(BanSubject::from) {
        bytes += ban_bytes(&subject, Ban::default());
        if bans.len() < MAX_BANS && bytes <= MAX_BANS_BYTES {
            bans.insert(subject, Ban::default());
        }
    }
}

fn groups(network: &PeerNetwork) -> BTreeMap<String, Group> {
    let group = |group: &NodeGroup| Group {
        role: node_role(group.role.unwrap_or_default()),
        nodes: u32::try_from(group.replicas).unwrap_or_default(),
    };
    network.spec.node_groups.iter().map(|of| (network.stateful_set_name(&of.name), group(of))).collect()
}

/// The hubs that are known, in the order of the groups and, in each, of the numbers: who comes first is preferred.
fn hubs(network: &PeerNetwork, members: &MemberTable) -> Vec<PeerId> {
    let known: BTreeMap<&str, PeerId> = members.members().map(|member| (member.pod.as_str(), member.peer_id)).collect();
    let groups = network.spec.node_groups.iter().filter(|group| group.role == Some(NodeRole::Hub));
    let nodes = groups.flat_map(|group| (0..group.replicas).map(|ordinal| network.node_name(&group.name, ordinal)));
    let mut named = BTreeSet::new();
    let hubs = nodes.filter_map(|node| known.get(node.as_str()).copied()).filter(|hub| named.insert(*hub));
    hubs.take(MAX_HUBS).collect()
}

/// Nodes that seal unless the network says how many: as few as survive a failure.
const DEFAULT_SEALERS: usize = 3;

/// The first nodes of the first groups that may seal; `None` until every one of them is known: a group that began with
/// fewer would commit what the others never heard of.
fn sealers(network: &PeerNetwork, members: &MemberTable) -> Option<BTreeSet<PeerId>> {
    let may_seal = |group: &&NodeGroup| matches!(group.role, None | Some(NodeRole::Peer | NodeRole::Hub));
    let nodes: Vec<String> = (network.spec.node_groups.iter().filter(may_seal))
        .flat_map(|group| (0..group.replicas).map(|ordinal| network.node_name(&group.name, ordinal)))
        .take(MAX_SEALERS)
        .collect();
    let by_default = if nodes.len() >= DEFAULT_SEALERS { DEFAULT_SEALERS } else { 1 };
    let count = network.spec.sealing.sealers.map_or(by_default, |count| usize::try_from(count).unwrap_or_default());
    nodes.get(..count)?.iter().map(|node| members.peer_id_of(node)).collect()
}

const fn node_role(role: NodeRole) -> peerwright_snapshot::NodeRole {
    match role {
        NodeRole::Peer => peerwright_snapshot::NodeRole::Peer,
        NodeRole::Hub => peerwright_snapshot::NodeRole::Hub,
        NodeRole::Router => peerwright_snapshot::NodeRole::Router,
        NodeRole::Edge => peerwright_snapshot::NodeRole::Edge,
    }
}

fn api(network: &PeerNetwork, tokens: Option<&TokenIssuer>) -> Api {
    let spec = &network.spec.api;
    // The schema counts characters, the snapshot bytes: no token issuer makes a subject that falls in between.
    let subjects = spec.access.iter().filter(|entry| entry.subject.len() <= MAX_TEXT_BYTES).take(MAX_ACCESS);
    Api {
        issuer: tokens.map(|tokens| tokens.issuer.clone()).unwrap_or_default(),
        jwks: tokens.map(|tokens| tokens.jwks.clone()).unwrap_or_default(),
        anonymous_role: match spec.anonymous_role {
            None | Some(AnonymousRole::None) => Role::None,
            Some(AnonymousRole::Reader) => Role::Reader,
        },
        access: subjects.map(|entry| (entry.subject.clone(), role(entry.role))).collect(),
    }
}

const fn role(role: AccessRole) -> Role {
    match role {
        AccessRole::Reader => Role::Reader,
        AccessRole::Writer => Role::Writer,
        AccessRole::Moderator => Role::Moderator,
        AccessRole::Admin => Role::Admin,
    }
}

#[cfg(test)]
#[path = "compile_tests.rs"]
mod tests;

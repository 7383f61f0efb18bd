//! What a snapshot says.

use crate::Settings;
use peerwright_secure::{BanSubject, PeerId};
use std::collections::{BTreeMap, BTreeSet};

/// What the operator wants of a network's nodes. Maps and sets, so that one content has one encoding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// Whose authority vouches for the members.
    pub trust_domain: String,
    /// Whom no node talks to. At most [`MAX_BANS`](crate::MAX_BANS), of together at most
    /// [`MAX_BANS_BYTES`](crate::MAX_BANS_BYTES).
    pub bans: BTreeMap<BanSubject, Ban>,
    /// Ids that stand for nobody any more: their nodes came back with another key. At most
    /// [`MAX_RETIRED`](crate::MAX_RETIRED).
    pub retired: BTreeSet<PeerId>,
    /// The network's node groups by the beginning of their nodes' names, as `demo-peer` of `demo-peer-2`. At most
    /// [`MAX_GROUPS`](crate::MAX_GROUPS).
    pub groups: BTreeMap<String, Group>,
    /// Whom nodes take dockets from.
    pub topology: Topology,
    /// Members that are hubs, the one that others prefer first; none twice. No node bans them by itself. At most
    /// [`MAX_HUBS`](crate::MAX_HUBS).
    pub hubs: Vec<PeerId>,
    /// Members that seal the registers' dockets together; none as long as not all of them are known. At most
    /// [`MAX_SEALERS`](crate::MAX_SEALERS).
    pub sealers: BTreeSet<PeerId>,
    /// The first sealers that the network ever had: they alone begin the group that seals. At most
    /// [`MAX_SEALERS`](crate::MAX_SEALERS).
    pub founders: BTreeSet<PeerId>,
    /// Which group the sealers are of: 0 the first, and each that one sealer has begun alone a higher one.
    pub generation: u64,
    /// One sealer is to begin another group alone.
    pub succession: Option<Succession>,
    /// Registers that the nodes replicate, by id. At most [`MAX_SUBSCRIPTIONS`](crate::MAX_SUBSCRIPTIONS), of together
    /// at most [`MAX_SUBSCRIPTIONS_BYTES`](crate::MAX_SUBSCRIPTIONS_BYTES).
    pub subscriptions: BTreeMap<[u8; 16], Subscription>,
    /// Registers whose data nodes that do not seal them delete. Never one that is subscribed. At most
    /// [`MAX_PURGES`](crate::MAX_PURGES).
    pub purges: BTreeSet<[u8; 16]>,
    /// The register of the network's blueprints: one of those that are subscribed, held whole by every node.
    pub system: Option<[u8; 16]>,
    /// What the network sets of its nodes. At most [`MAX_SETTINGS`](crate::MAX_SETTINGS).
    pub settings: Settings,
    /// Certificates (DER) that a member's leaf may chain to, newest first. At most [`MAX_TRUST`](crate::MAX_TRUST).
    pub trust: Vec<Vec<u8>>,
    /// Who may call the REST interface.
    pub api: Api,
}

impl Content {
    /// The group of the node called `node`, and the beginning of its nodes' names.
    #[must_use]
    pub fn group_of(&self, node: &str) -> Option<(&str, Group)> {
        let (name, number) = node.rsplit_once('-')?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let (name, group) = self.groups.get_key_value(name).filter(|_| is_number)?;
        Some((name, *group))
    }

    /// The hubs that `peer` takes dockets from, the one that it prefers first. `None` for who takes them from whoever has
    /// them: everybody in a mesh, the hubs themselves, and sealers.
    #[must_use]
    pub fn upstreams_of(&self, peer: &PeerId) -> Option<&[PeerId]> {
        let has_upstreams = self.topology == Topology::Hub && !self.hubs.contains(peer) && !self.sealers.contains(peer);
        has_upstreams.then_some(self.hubs.as_slice())
    }

    /// Registers that `node` (a pod's name) holds, whether it seals or not: those whose placement names its group, and on
    /// a hub that others take dockets from all of them.
    pub fn held_by(&self, node: &str) -> impl Iterator<Item = (&[u8; 16], ReplicaMode)> {
        let group = self.group_of(node);
        self.subscriptions
            .iter()
            .filter(move |(_, of)| self.is_held_by_group(of, group))
            .map(|(register, of)| (register, of.mode))
    }

    fn is_held_by_group(&self, subscription: &Subscription, group: Option<(&str, Group)>) -> bool {
        self.hands_on(group) || subscription.is_placed_on(group.map(|(name, _)| name))
    }

    /// Whether others take dockets of every register from the nodes of a group.
    fn hands_on(&self, group: Option<(&str, Group)>) -> bool {
        self.topology == Topology::Hub && group.is_some_and(|(_, group)| group.role == NodeRole::Hub)
    }

    /// Registers whose messages `node`, which has the id `peer`, hears and spreads: a sealer those of every register
    /// that is subscribed, any other node those of the registers that it [holds](Self::held_by).
    pub fn gossiped_by(&self, node: &str, peer: &PeerId) -> impl Iterator<Item = &[u8; 16]> {
        let (seals, group) = (self.sealers.contains(peer), self.group_of(node));
        let hears = move |of: &Subscription| seals || self.is_held_by_group(of, group);
        self.subscriptions.iter().filter(move |(_, of)| hears(of)).map(|(register, _)| register)
    }

    /// Whether `node`, which has the id `peer`, hears and spreads the messages of `register`.
    #[must_use]
    pub fn is_gossiped_by(&self, register: &[u8; 16], node: &str, peer: &PeerId) -> bool {
        let hears = |of| self.sealers.contains(peer) || self.is_held_by_group(of, self.group_of(node));
        self.subscriptions.get(register).is_some_and(hears)
    }

    /// The node groups that have to do with `register`: those that hold it and those that hand it on. `None` stands for
    /// every node of the network, of whatever group.
    #[must_use]
    pub fn groups_of(&self, register: &[u8; 16]) -> Option<BTreeSet<String>> {
        let placed = self.subscriptions.get(register).filter(|of| !of.groups.is_empty())?;
        let handing_on = self.groups.iter().filter(|(name, group)| self.hands_on(Some((name.as_str(), **group))));
        Some(placed.groups.iter().chain(handing_on.map(|(name, _)| name)).cloned().collect())
    }

    /// Whether `node`, which has the id `peer`, has to do with `register`: it seals, or it is to hold the register. To a
    /// register that nobody subscribes to no node of the network is a stranger.
    #[must_use]
    pub fn concerns(&self, register: &[u8; 16], node: &str, peer: &PeerId) -> bool {
        let is_hub = self.topology == Topology::Hub && self.hubs.contains(peer);
        let is_placed = |of: &Subscription| self.is_held_by_group(of, self.group_of(node));
        is_hub || self.sealers.contains(peer) || self.subscriptions.get(register).is_none_or(is_placed)
    }

    /// Registers that `peer` is to delete; none of a sealer.
    pub fn purged_by(&self, peer: &PeerId) -> impl Iterator<Item = &[u8; 16]> {
        let seals = self.sealers.contains(peer);
        self.purges.iter().filter(move |_| !seals)
    }
}

/// An order to go on without most of the sealers, who are lost for good. It concerns the one that it names, and the
/// registers' authorities, who sign for that one; all others stay of the group before until [`Content::generation`] says
/// otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Succession {
    /// The group that begins: higher than that of the group before.
    pub generation: u64,
    /// Who begins it.
    pub survivor: PeerId,
}

/// Whom nodes take dockets from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Topology {
    /// Sealers, and whoever else has them.
    #[default]
    Mesh,
    /// One hub at a time. The hubs take them from the sealers and from each other.
    Hub,
}

/// Nodes that are alike.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Group {
    /// What they are to the network.
    pub role: NodeRole,
    /// How many the network should have.
    pub nodes: u32,
}

/// What a node is to its network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NodeRole {
    /// One among equals.
    #[default]
    Peer,
    /// Takes many links, and hands dockets on where that is the topology.
    Hub,
    /// Takes many links, and leads strangers together.
    Router,
    /// Dials and is not dialled.
    Edge,
}

/// A ban of whomever its subject names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ban {
    /// The first second in which the ban is over, unix time; never when absent.
    pub expires_at: Option<u64>,
}

impl Ban {
    /// Whether the ban holds at `now_unix_seconds`.
    #[must_use]
    pub fn is_in_force(self, now_unix_seconds: u64) -> bool {
        self.expires_at.is_none_or(|end| now_unix_seconds < end)
    }
}

/// How nodes replicate a register.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subscription {
    /// How much of it they hold.
    pub mode: ReplicaMode,
    /// Node groups whose nodes hold it, by the beginning of their nodes' names; empty: all.
    pub groups: BTreeSet<String>,
}

impl Subscription {
    fn is_placed_on(&self, group: Option<&str>) -> bool {
        self.groups.is_empty() || group.is_some_and(|group| self.groups.contains(group))
    }
}

/// How much of a register a node holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReplicaMode {
    /// Everything from the first docket on.
    #[default]
    FullReplica,
    /// What is committed from the subscription on.
    ForwardOnly,
}

/// Who may call the REST interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Api {
    /// Issuer (`iss`) of the tokens that are accepted.
    pub issuer: String,
    /// The issuer's public keys: a JSON Web Key Set. At most [`MAX_JWKS_BYTES`](crate::MAX_JWKS_BYTES).
    pub jwks: Vec<u8>,
    /// What a caller without a token may do.
    pub anonymous_role: Role,
    /// What the tokens' subjects (`sub`) may do; others nothing. At most [`MAX_ACCESS`](crate::MAX_ACCESS).
    pub access: BTreeMap<String, Role>,
}

/// What a caller may do; each role may what the ones before it may.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Nothing.
    #[default]
    None,
    /// Read registers and the node's state.
    Reader,
    /// Hand in transactions.
    Writer,
    /// Ban peers on the node that is asked.
    Moderator,
    /// Everything.
    Admin,
}

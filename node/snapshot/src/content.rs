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
    /// Members that are hubs: no node bans them by itself. At most [`MAX_HUBS`](crate::MAX_HUBS).
    pub hubs: BTreeSet<PeerId>,
    /// Members that seal the registers' dockets together; none as long as not all of them are known. At most
    /// [`MAX_SEALERS`](crate::MAX_SEALERS).
    pub sealers: BTreeSet<PeerId>,
    /// The first sealers that the network ever had: they alone begin the group that seals. At most
    /// [`MAX_SEALERS`](crate::MAX_SEALERS).
    pub founders: BTreeSet<PeerId>,
    /// Registers that the nodes replicate. At most [`MAX_SUBSCRIPTIONS`](crate::MAX_SUBSCRIPTIONS).
    pub subscriptions: BTreeSet<Subscription>,
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
    /// Takes many links.
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

/// A register that the nodes replicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subscription {
    /// The register's id.
    pub register: [u8; 16],
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

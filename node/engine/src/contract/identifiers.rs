//! The nouns that the engine and its driver exchange.

use crate::{Audience, BanRecord, Protection, Tuning};
use peerwright_ledger::RegisterId;
use peerwright_secure::{NodePublicKey, PeerId};
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

/// One live connection. The driver chooses it and never gives one number to two links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// Joins an answer to what it answers. Tokens of [`Input::Submit`](crate::Input::Submit) are the driver's own; all
/// others are the engine's and are answered with the number that they came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// Where a node may listen, as discovery found it. The socket is what is dialled and compared; the host is how people
/// and certificates call it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The name that was resolved, or the address itself in text.
    pub host: String,
    /// What it resolved to.
    pub socket: SocketAddr,
}

/// Who says that a node listens somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressSource {
    /// This node's configuration, and what its names resolve to. Believed as they are.
    Seeds,
    /// Announcements on the local cable: private addresses are what they are about.
    Local,
    /// The last good links of this node's former life.
    Anchors,
}

/// What a node is to its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Role {
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

impl Role {
    /// The role in one word.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Hub => "hub",
            Self::Router => "router",
            Self::Edge => "edge",
        }
    }
}

/// What the snapshot orders. Each [`Input::Policy`](crate::Input::Policy) replaces the one before as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Who is banned.
    pub bans: Vec<BanRecord>,
    /// Ids that stand for nobody any more, because the operator gave their node a new identity. Their records are
    /// dropped and refused, and no link is kept with them.
    pub retired: Vec<PeerId>,
    /// Registers that this node holds in full.
    pub registers: Vec<RegisterId>,
    /// Those of them that it does not advertise, and who may hear of them all the same.
    pub private: BTreeMap<RegisterId, Audience>,
    /// The network's node groups, by the beginning of their nodes' names, and how many nodes each should have.
    pub groups: BTreeMap<String, usize>,
    /// Peers that no node bans by itself, and why.
    pub protected: BTreeMap<PeerId, Protection>,
    /// Limits of the network.
    pub limits: PolicyLimits,
    /// Settings of the network, each within its range; `None` leaves them as they are.
    pub tuning: Option<Box<Tuning>>,
}

/// Limits that a network may set for its nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyLimits {
    /// The longest encoded transaction that [`Input::Submit`](crate::Input::Submit) accepts here. Transactions of
    /// others are bound by the format's own limit, the same for all, so that a change of this one opens no holes.
    pub transaction_bytes: u32,
    /// How long a message of this node is spread by gossip. Later only sync passes it on.
    pub time_to_live: Duration,
    /// Time between two state heartbeats on a link.
    pub heartbeat: Duration,
}

impl Default for PolicyLimits {
    fn default() -> Self {
        Self {
            transaction_bytes: 10 * 1024 * 1024,
            time_to_live: Duration::from_secs(3_600),
            heartbeat: Duration::from_secs(30),
        }
    }
}

/// What is held of one origin's life in one register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The register.
    pub register: RegisterId,
    /// Who published the messages.
    pub origin: NodePublicKey,
    /// The life of the origin's process.
    pub incarnation: u64,
    /// Ranges of register sequences, both ends inclusive, ascending, apart from each other by at least one.
    pub ranges: Vec<(u64, u64)>,
}

/// A piece of one origin's life in one register, both ends inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessageRange {
    /// The register.
    pub register: RegisterId,
    /// Who published the messages.
    pub origin: NodePublicKey,
    /// The life of the origin's process.
    pub incarnation: u64,
    /// The first register sequence.
    pub from: u64,
    /// The last register sequence.
    pub to: u64,
}

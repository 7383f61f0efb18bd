//! What is set once, at start.

use crate::{
    AddressSettings, AdvertisementSettings, ConnectionSettings, DetectionSettings, GossipSettings, MemberIndex,
    MembershipSettings, MisbehaviourSettings, OverlaySettings, Role, ScoreSettings, SettingRefused,
};
use peerwright_secure::NodeKey;
use std::net::SocketAddr;

/// How one node's engine behaves. [`Config::new`] gives the defaults of production; tests shorten them.
#[derive(Debug, Clone)]
pub struct Config {
    /// Signs this node's messages; its peer id is this node.
    pub key: NodeKey,
    /// The life of this process: larger than of any before it, and durable before the engine starts.
    pub incarnation: u64,
    /// Where the engine's choices come from. Two engines with one seed and one history of inputs do the same.
    pub random_seed: u64,
    /// How many links there may be, and how long one waits for others.
    pub connections: ConnectionSettings,
    /// What this node is to its network.
    pub role: Role,
    /// Where others may dial this node, if anywhere, when that is known at the start;
    /// [`Input::Advertise`](crate::Input::Advertise) changes it.
    pub advertised: Option<SocketAddr>,
    /// Who is linked to whom.
    pub overlay: OverlaySettings,
    /// Which addresses are believed.
    pub addresses: AddressSettings,
    /// When this node says what it holds, and how long it believes others who do.
    pub advertisements: AdvertisementSettings,
    /// How messages are spread.
    pub gossip: GossipSettings,
    /// How peers are scored.
    pub score: ScoreSettings,
    /// Where members' records are kept; engines of one process may share it.
    pub member_index: MemberIndex,
    /// How membership is kept.
    pub membership: MembershipSettings,
    /// How quickly this node believes that another is gone.
    pub detection: DetectionSettings,
    /// When peers are banned without a person having said so.
    pub misbehaviour: MisbehaviourSettings,
    /// A known bug to have.
    #[cfg(feature = "mutants")]
    pub mutant: Option<crate::Mutant>,
}

impl Config {
    /// The defaults.
    #[must_use]
    pub fn new(key: NodeKey, incarnation: u64, random_seed: u64) -> Self {
        Self {
            key,
            incarnation,
            random_seed,
            connections: ConnectionSettings::default(),
            role: Role::Peer,
            advertised: None,
            overlay: OverlaySettings::default(),
            addresses: AddressSettings::default(),
            advertisements: AdvertisementSettings::default(),
            gossip: GossipSettings::default(),
            score: ScoreSettings::default(),
            member_index: MemberIndex::new(),
            membership: MembershipSettings::default(),
            detection: DetectionSettings::default(),
            misbehaviour: MisbehaviourSettings::default(),
            #[cfg(feature = "mutants")]
            mutant: None,
        }
    }

    /// How many links this node takes from peers, as its role has it.
    pub(crate) fn inbound_limit(&self) -> usize {
        match self.role {
            Role::Hub | Role::Router => self.connections.hub_inbound,
            Role::Peer | Role::Edge => self.connections.inbound,
        }
    }

    /// Whether every setting is within its range.
    pub fn check(&self) -> Result<(), SettingRefused> {
        self.connections.check()?;
        self.membership.check()?;
        self.detection.check()
    }
}

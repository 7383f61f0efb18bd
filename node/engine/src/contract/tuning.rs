//! What a network may set of its nodes while they run.

use crate::{
    AddressSettings, Config, ConnectionSettings, DetectionSettings, GossipSettings, MembershipSettings,
    MisbehaviourSettings, OverlaySettings, Role, ScoreSettings,
};

/// The settings of the engine's parts. A node begins with those of its [`Config`]; a
/// [`Policy`](crate::Policy) may bring others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuning {
    /// What this node is to its network.
    pub role: Role,
    /// How many links there may be, and how long one waits for others.
    pub connections: ConnectionSettings,
    /// Who is linked to whom.
    pub overlay: OverlaySettings,
    /// Which addresses are believed.
    pub addresses: AddressSettings,
    /// How messages are spread.
    pub gossip: GossipSettings,
    /// How peers are scored.
    pub score: ScoreSettings,
    /// How membership is kept.
    pub membership: MembershipSettings,
    /// How quickly this node believes that another is gone.
    pub detection: DetectionSettings,
    /// When peers are banned without a person having said so.
    pub misbehaviour: MisbehaviourSettings,
}

impl From<&Config> for Tuning {
    fn from(config: &Config) -> Self {
        Self {
            role: config.role,
            connections: config.connections,
            overlay: config.overlay,
            addresses: config.addresses.clone(),
            gossip: config.gossip,
            score: config.score,
            membership: config.membership,
            detection: config.detection,
            misbehaviour: config.misbehaviour,
        }
    }
}

impl Config {
    /// Takes the settings of a network.
    pub(crate) fn tune(&mut self, tuning: &Tuning) {
        let Tuning { role, connections, overlay, addresses, gossip, score, membership, detection, misbehaviour } =
            tuning;
        self.role = *role;
        self.connections = *connections;
        self.overlay = *overlay;
        self.addresses.clone_from(addresses);
        self.gossip = *gossip;
        self.score = *score;
        self.membership = *membership;
        self.detection = *detection;
        self.misbehaviour = *misbehaviour;
    }
}

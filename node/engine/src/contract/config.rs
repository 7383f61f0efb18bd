//! What is set once, at start.

use crate::{
    AddressSettings, DetectionSettings, GossipSettings, MemberIndex, MembershipSettings, MisbehaviourSettings,
    OverlaySettings, Role, ScoreSettings, SettingRefused,
};
use peerwright_secure::NodeKey;
use std::{net::SocketAddr, time::Duration};

/// How one node's engine behaves. [`Config::new`] gives the defaults of production; tests shorten them.
#[derive(Debug, Clone)]
pub struct Config {
    /// Signs this node's messages; its peer id is this node.
    pub key: NodeKey,
    /// The life of this process: larger than of any before it, and durable before the engine starts.
    pub incarnation: u64,
    /// Where the engine's choices come from. Two engines with one seed and one history of inputs do the same.
    pub random_seed: u64,
    /// Wait before an address is dialled again after its first failure; doubles with each further one.
    pub backoff_first: Duration,
    /// The longest such wait.
    pub backoff_limit: Duration,
    /// A dial that the driver has not answered for so long has failed.
    pub dial_timeout: Duration,
    /// A node that reached nobody for so long is ready, alone.
    pub ready_timeout: Duration,
    /// How long a batch of transactions waits for company.
    pub batch_window: Duration,
    /// A pull or chunk that a peer has not answered for so long is asked of another.
    pub answer_timeout: Duration,
    /// How many links this node opens to peers.
    pub outbound_links: usize,
    /// How many links this node takes from peers. One that takes the place of another link to the same peer is taken
    /// whatever the number, so it is the sum of both that is never exceeded.
    pub inbound_links: usize,
    /// How many links a hub or router takes from peers.
    pub hub_inbound_links: usize,
    /// What this node is to its network.
    pub role: Role,
    /// Where others may dial this node, if anywhere, when that is known at the start;
    /// [`Input::Advertise`](crate::Input::Advertise) changes it.
    pub advertised: Option<SocketAddr>,
    /// Who is linked to whom.
    pub overlay: OverlaySettings,
    /// Which addresses are believed.
    pub addresses: AddressSettings,
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
            backoff_first: Duration::from_secs(1),
            backoff_limit: Duration::from_secs(60),
            dial_timeout: Duration::from_secs(20),
            ready_timeout: Duration::from_secs(15),
            batch_window: Duration::from_millis(2),
            answer_timeout: Duration::from_secs(5),
            outbound_links: 30,
            inbound_links: 20,
            hub_inbound_links: 2_000,
            role: Role::Peer,
            advertised: None,
            overlay: OverlaySettings::default(),
            addresses: AddressSettings::default(),
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
            Role::Hub | Role::Router => self.hub_inbound_links,
            Role::Peer | Role::Edge => self.inbound_links,
        }
    }

    /// Whether every setting is within its range.
    pub fn check(&self) -> Result<(), SettingRefused> {
        self.membership.check()?;
        self.detection.check()
    }
}

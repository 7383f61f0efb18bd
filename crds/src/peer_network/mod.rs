//! `PeerNetwork`: a network of peer nodes, as its owner wants it and as the operator found it.

mod access;
mod auto_bans;
mod connections;
mod detection;
mod discovery;
mod gossip;
mod hub;
mod limits;
mod links;
mod membership;
mod nodes;
mod outbox;
mod overlay;
mod policy;
mod postgres;
mod replication;
mod scoring;
mod sealing;
mod status;
mod system;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

pub use access::{AccessEntry, AccessRole, AnonymousRole, ApiAccess};
pub use auto_bans::{AutoBans, InvalidMessageRule, MaliciousContentRule, Promotion, ProtocolViolationRule, SpamRule};
pub use connections::Connections;
pub use detection::{Detection, Heartbeat};
pub use discovery::Discovery;
pub use gossip::Gossip;
pub use hub::Hub;
pub use limits::{CallLimits, Limits, MemberLimits};
pub use links::Links;
pub use membership::Membership;
pub use nodes::{ImagePullPolicy, NodeGroup, NodeRole, ReclaimPolicy, Storage, Topology};
pub use outbox::Outbox;
pub use overlay::Overlay;
pub use policy::{NetworkBan, NetworkPolicyMode};
pub use postgres::{KeyRef, Postgres, PostgresTls, PostgresTlsMode};
pub use replication::Replication;
pub use scoring::Scoring;
pub use sealing::Sealing;
pub use status::{BoundBan, IdentityStatus, PeerNetworkStatus, PolicyStatus, PromotedBan};
pub use system::SystemRegisterPolicy;

/// `ban.node.startsWith(self.metadata.name + '-')`, in words whose cost does not rise with a name that the API server
/// takes to be unbounded.
const BAN_OF_OWN_NODE: &str = "!has(self.spec.bans) || self.spec.bans.all(ban, !has(ban.node) || \
    (ban.node.size() > self.metadata.name.size() \
    && ban.node.substring(0, self.metadata.name.size()) == self.metadata.name \
    && ban.node.charAt(self.metadata.name.size()) == '-'))";

/// Where nodes find what they have stored. A URL in a Secret may name another database unseen.
const SAME_DATABASE: &str = "!has(self.storage.postgres) || !has(oldSelf.storage.postgres) || \
    (!has(self.storage.postgres.database) || !has(oldSelf.storage.postgres.database) \
    || self.storage.postgres.database == oldSelf.storage.postgres.database) && \
    (has(self.storage.postgres.schemaPrefix) ? self.storage.postgres.schemaPrefix : 'peerwright') \
    == (has(oldSelf.storage.postgres.schemaPrefix) ? oldSelf.storage.postgres.schemaPrefix : 'peerwright')";

/// What a network should be.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "peerwright.dev",
    version = "v1alpha1",
    kind = "PeerNetwork",
    doc = "A peer-to-peer register network: groups of nodes that find each other, speak gRPC over mutual TLS and \
           replicate registers.",
    namespaced,
    status = "PeerNetworkStatus",
    derive = "PartialEq",
    shortname = "pnet",
    category = "peerwright",
    printcolumn(
        name = "Nodes",
        type_ = "integer",
        json_path = ".status.nodes",
        description = "Nodes that the network should have"
    ),
    printcolumn(
        name = "Ready Nodes",
        type_ = "integer",
        json_path = ".status.readyNodes",
        description = "Nodes that are Ready and not banned"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether every node is Ready, certified and on the current revision"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why the network is Ready or not",
        priority = 1
    ),
    printcolumn(
        name = "Revision",
        type_ = "integer",
        json_path = ".status.policy.revision",
        description = "Revision of the published snapshot",
        priority = 1
    ),
    printcolumn(
        name = "Trust Domain",
        type_ = "string",
        json_path = ".status.trustDomain",
        description = "Trust domain of the members' certificates",
        priority = 1
    ),
    printcolumn(
        name = "Bans Accepted",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"BansAccepted\")].status",
        description = "Whether every entry of spec.bans is in force",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.size() <= 24 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("a network's name is at most 24 characters: a lower-case letter, then lower-case letters, digits and dashes, not ending in a dash"),
    validation = Rule::new(BAN_OF_OWN_NODE)
        .message("spec.bans[].node names a node of this network: write <network>-<group>-<number>, as in demo-peer-2"),
)]
#[x_kube(
    validation = Rule::new("has(self.trustDomain) == has(oldSelf.trustDomain) && (!has(self.trustDomain) || self.trustDomain == oldSelf.trustDomain)")
        .message("trustDomain cannot be set, changed or removed after creation: every member's certificate carries it; write what it was, or create another network").field_path(".trustDomain"),
    validation = Rule::new("!has(oldSelf.systemRegister) || has(self.systemRegister) && self.systemRegister == oldSelf.systemRegister")
        .message("systemRegister cannot be changed or removed once it is set: the blueprints of the network are in it; write what it was").field_path(".systemRegister"),
    validation = Rule::new("!(has(self.systemRegister) && has(self.systemRegisterPolicy))")
        .message("write systemRegister or systemRegisterPolicy, not both: a register is named, or the network begins one").field_path(".systemRegisterPolicy"),
    validation = Rule::new("!has(oldSelf.systemRegisterPolicy) || has(self.systemRegisterPolicy)")
        .message("systemRegisterPolicy cannot be removed once it is set: the blueprints of the network are in its register; write Create").field_path(".systemRegisterPolicy"),
    validation = Rule::new("self.storage.size == oldSelf.storage.size")
        .message("storage.size cannot change after creation: the volumes of a StatefulSet keep their size; write the size that it was").field_path(".storage.size"),
    validation = Rule::new("has(self.storage.storageClassName) == has(oldSelf.storage.storageClassName) && (!has(self.storage.storageClassName) || self.storage.storageClassName == oldSelf.storage.storageClassName)")
        .message("storage.storageClassName cannot be set, changed or removed after creation: the volumes of a StatefulSet keep their class; write what it was").field_path(".storage.storageClassName"),
    validation = Rule::new("has(self.storage.postgres) == has(oldSelf.storage.postgres)")
        .message("storage.postgres cannot be added or removed after creation: every node would begin with an empty store; write what it was, or create another network").field_path(".storage.postgres"),
    validation = Rule::new(SAME_DATABASE)
        .message("storage.postgres.database and schemaPrefix cannot change after creation: every node would begin with an empty store; write what they were").field_path(".storage.postgres"),
    validation = Rule::new("!has(self.topology) || self.topology == 'Mesh' || self.nodeGroups.exists(group, has(group.role) && group.role == 'Hub')")
        .message("topology Hub needs a hub: give a group of nodeGroups the role Hub, or write Mesh").field_path(".topology"),
)]
#[serde(rename_all = "camelCase")]
pub struct PeerNetworkSpec {
    /// Trust domain of the members' certificates, spiffe://<trust domain>/node/<namespace>/<node>, and audience of API
    /// tokens. Cannot change. Absent: <name>.<namespace>.peerwright.internal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')")
        .message("write a trust domain as lower-case labels of letters, digits and dashes, separated by dots, as in demo.default.peerwright.internal"))]
    pub trust_domain: Option<String>,

    /// Image of the nodes. Absent: the image that the operator was installed with when it first saw the network; an
    /// upgrade of the operator does not change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,

    /// When a machine pulls the image. Absent: IfNotPresent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<ImagePullPolicy>,

    /// The nodes, in groups; each group is a StatefulSet <network>-<group>.
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub node_groups: Vec<NodeGroup>,

    /// Whom nodes take dockets from. Mesh: the sealers, and whoever else has them. Hub: one hub at a time, of the nodes
    /// of groups with the role Hub, which take them from the sealers and from each other; the first group's first node
    /// is preferred. Absent: Mesh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topology: Option<Topology>,

    /// Register of the network's blueprints, 32 lower-case hex digits: one that POST /api/registers has begun. Every node
    /// holds it whole, without a RegisterSubscription. Cannot be changed or removed once it is set. Absent: the network
    /// has no blueprints, unless systemRegisterPolicy says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-f]{32}$')").message("write a register id as 32 lower-case hex digits"))]
    pub system_register: Option<String>,

    /// Where the register of the network's blueprints comes from. Create: the sealers begin one, once, and
    /// status.systemRegister names it. Cannot be removed once it is set. Absent: it is the one that systemRegister names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_register_policy: Option<SystemRegisterPolicy>,

    /// Each node's volume: its keys and certificate, and its registers unless they are in a database.
    #[serde(default)]
    pub storage: Storage,

    /// Baseline of bans that the network's owner keeps with it; the PeerBans of the network add to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub bans: Vec<NetworkBan>,

    /// Bans that nodes make by themselves.
    #[serde(default, skip_serializing_if = "is_default")]
    pub auto_bans: AutoBans,

    /// Who may use the nodes' REST API on port 8443.
    #[serde(default, skip_serializing_if = "is_default")]
    pub api: ApiAccess,

    /// Heartbeats between nodes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub heartbeat: Heartbeat,

    /// How quickly a node believes that another is gone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub detection: Detection,

    /// Which links of a node gossip and membership spread on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub overlay: Overlay,

    /// How many links a node has, and how long it waits for others.
    #[serde(default, skip_serializing_if = "is_default")]
    pub connections: Connections,

    /// How links behave.
    #[serde(default, skip_serializing_if = "is_default")]
    pub links: Links,

    /// How nodes learn addresses.
    #[serde(default, skip_serializing_if = "is_default")]
    pub discovery: Discovery,

    /// How nodes know of each other.
    #[serde(default, skip_serializing_if = "is_default")]
    pub membership: Membership,

    /// How peers are scored.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scoring: Scoring,

    /// Bounds on what clients and peers may send.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,

    /// How transactions spread.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gossip: Gossip,

    /// How nodes take their dockets from hubs, where that is the topology.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hub: Hub,

    /// Who seals the registers' dockets, and how the group that does so behaves. When one of its numbers changes, the
    /// sealers begin the group anew, which costs an election.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sealing: Sealing,

    /// How nodes replicate the registers that they do not seal, and look after the dockets that they hold.
    #[serde(default, skip_serializing_if = "is_default")]
    pub replication: Replication,

    /// What a node accepts ahead of the sealers, and when it hands that to them itself.
    #[serde(default, skip_serializing_if = "is_default")]
    pub outbox: Outbox,

    /// Managed: the operator keeps a NetworkPolicy that lets in what nodes serve. Disabled: it keeps none. Absent:
    /// Managed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_policy: Option<NetworkPolicyMode>,
}

/// A group of settings that says nothing is left out of a manifest.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl PeerNetwork {
    /// The nodes that the network should have.
    pub fn desired_nodes(&self) -> i32 {
        self.spec.node_groups.iter().map(|group| group.replicas).sum()
    }

    /// Whether the sealers are to begin the register of the network's blueprints.
    pub fn begins_system_register(&self) -> bool {
        self.spec.system_register.is_none() && self.spec.system_register_policy == Some(SystemRegisterPolicy::Create)
    }

    /// The group called `name`.
    pub fn node_group(&self, name: &str) -> Option<&NodeGroup> {
        self.spec.node_groups.iter().find(|group| group.name == name)
    }
}

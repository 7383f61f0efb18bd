//! The custom resources of Peerwright, group `peerwright.dev/v1alpha1`, one kind a file.
//!
//! ```text
//! PeerNetwork (pnet)            a network: node groups, storage, access, the baseline list of bans
//!   ^ networkRef   ^ networkRef
//! RegisterSubscription (rsub)   the nodes of a network hold a register
//! PeerBan (pban)                one peer is shut out of a network
//! PeerOperation (pop)           work that is done once
//! ```
//!
//! The types here are what the operator reads and writes; [`definitions`] turns them into the manifests that a cluster
//! gets, with the rules that a schema cannot take back later: single fields carry bounds, rules across fields are CEL,
//! nothing is a float, unsigned or nullable, and a list item never has a default.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct, `pub` and all, into the body of a function")]
#![expect(clippy::duplicated_attributes, reason = "printer columns are alike in their parts")]

mod bundle;
mod manifests;
mod names;
mod peer_ban;
mod peer_network;
mod peer_operation;
mod reference;
mod register_subscription;
mod schema;
#[cfg(test)]
mod tests;

pub use bundle::{BUNDLE_VERSION, BUNDLE_VERSION_ANNOTATION, BundleOutdated, check_bundle};
pub use manifests::{chart_templates, definitions, manifests};
pub use names::{
    COMPONENT_LABEL, GROUP_LABEL, INSTANCE_LABEL, MANAGED_BY, MANAGED_BY_LABEL, NAME_LABEL, NETWORK_LABEL, NODE_APP,
};
pub use peer_ban::{PeerBan, PeerBanSpec, PeerBanStatus};
pub use peer_network::{
    AccessEntry, AccessRole, AnonymousRole, ApiAccess, AutoBans, BoundBan, CallLimits, Connections, Detection,
    Discovery, Gossip, Heartbeat, Hub, IdentityStatus, ImagePullPolicy, InvalidMessageRule, KeyRef, Limits, Links,
    MaliciousContentRule, MemberLimits, Membership, NetworkBan, NetworkPolicyMode, NodeGroup, NodeRole, Outbox,
    Overlay, PeerNetwork, PeerNetworkSpec, PeerNetworkStatus, PolicyStatus, Postgres, PostgresTls, PostgresTlsMode,
    PromotedBan, Promotion, ProtocolViolationRule, ReclaimPolicy, Replication, Scoring, Sealing, SpamRule, Storage,
    SystemRegisterPolicy, Topology,
};
pub use peer_operation::{
    AcceptDataLoss, ForceSealer, ForceSealerStatus, OperationPhase, PeerOperation, PeerOperationSpec,
    PeerOperationStatus, RegisterAtRisk,
};
pub use reference::pages;
pub use register_subscription::{
    DeletionPolicy, NetworkRef, Placement, REGISTERS_FINALIZER, RegisterSubscription, RegisterSubscriptionSpec,
    RegisterSubscriptionStatus, ReplicaMode,
};

/// API group of every kind.
pub const GROUP: &str = "peerwright.dev";
/// API version of every kind.
pub const VERSION: &str = "v1alpha1";

//! Which links of a node gossip and membership spread on.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Which links of a node gossip and membership spread on: those to its active peers.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("(has(self.minActivePeers) ? self.minActivePeers : 6) <= (has(self.activePeers) ? self.activePeers : 8)")
        .message("write a minActivePeers that is not above activePeers; absent they are 6 and 8"),
    validation = Rule::new("(has(self.minOutboundPeers) ? self.minOutboundPeers : 3) <= (has(self.activePeers) ? self.activePeers : 8)")
        .message("write a minOutboundPeers that is not above activePeers; absent they are 3 and 8"),
    validation = Rule::new("(has(self.searchingPeers) ? self.searchingPeers : 4) <= (has(self.activePeers) ? self.activePeers : 8)")
        .message("write a searchingPeers that is not above activePeers; absent they are 4 and 8"),
)]
#[serde(rename_all = "camelCase")]
pub struct Overlay {
    /// Active peers that a node looks for; it never has more, 3 to 64. Absent: the node's default, 8.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 3, max = 64))]
    pub active_peers: Option<i32>,

    /// Active peers below which a node asks with priority, and others make room; not above activePeers, 1 to 64.
    /// Absent: the node's default, 6.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub min_active_peers: Option<i32>,

    /// Active peers that a node chooses and dials itself at least, so that nobody can fill its view from outside; not
    /// above activePeers, 1 to 64. Absent: the node's default, 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub min_outbound_peers: Option<i32>,

    /// Dials and questions to further peers under way at once; not above activePeers, 1 to 64. Absent: the node's
    /// default, 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub searching_peers: Option<i32>,

    /// Addresses at hand for active peers that leave, 8 to 512. Absent: the node's default, 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 8, max = 512))]
    pub passive_peers: Option<i32>,

    /// Addresses sent in one shuffle, 1 to 16. Absent: the node's default, 8.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16))]
    pub shuffled_peers: Option<i32>,

    /// Seconds between two shuffles of a node, 1 to 86400. Absent: the node's default, 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub shuffle_seconds: Option<i32>,

    /// Seconds between two looks for a better active peer, of which a node's first six come sooner, 1 to 86400. Absent:
    /// the node's default, 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub improve_seconds: Option<i32>,

    /// Seconds between two trials of somebody unknown, which joins groups that have lost each other, 1 to 86400.
    /// Absent: the node's default, 600.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub mingle_seconds: Option<i32>,

    /// Points by which the score of a newcomer must be above that of the worst active peer, 0 to 100. Absent: the
    /// node's default, 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub swap_margin: Option<i32>,
}

//! Which bans go into the snapshot, and why the others do not. Pure and order-free: the oldest ban comes first, whatever
//! the order in which the API server lists them.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use peerwright_crds::{PeerBan, PeerNetwork};
use peerwright_secure::PeerId;
use peerwright_snapshot::{Ban, MAX_BANS};

use crate::identity::MemberTable;

/// Where a ban is written down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BanSource {
    /// `spec.bans[]` of the network, by name.
    Network(String),
    /// A `PeerBan` in the network's namespace, by name.
    PeerBan(String),
}

/// What became of a ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BanVerdict {
    /// It is in the snapshot.
    Accepted {
        /// Who is banned.
        peer_id: PeerId,
    },
    /// It would leave no majority of a node group unbanned.
    WouldIsolate {
        /// Who would be banned.
        peer_id: PeerId,
        /// The node group.
        group: String,
    },
    /// The snapshot is full and this is one of the newest.
    LimitReached {
        /// Who would be banned.
        peer_id: PeerId,
    },
    /// No node of that name ever joined.
    UnknownNode,
    /// Its end has passed.
    Expired {
        /// Who was banned, if it is known.
        peer_id: Option<PeerId>,
    },
}

impl BanVerdict {
    /// Reason of the condition `Accepted` that this verdict makes.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "Accepted",
            Self::WouldIsolate { .. } => "WouldIsolate",
            Self::LimitReached { .. } => "LimitReached",
            Self::UnknownNode => "UnknownNode",
            Self::Expired { .. } => "Expired",
        }
    }

    /// The peer that the ban is about, if it is known.
    #[must_use]
    pub const fn peer_id(&self) -> Option<PeerId> {
        match self {
            Self::Accepted { peer_id } | Self::WouldIsolate { peer_id, .. } | Self::LimitReached { peer_id } => {
                Some(*peer_id)
            }
            Self::Expired { peer_id } => *peer_id,
            Self::UnknownNode => None,
        }
    }
}

/// One ban as somebody wrote it, its node resolved.
struct Wanted {
    source: BanSource,
    peer_id: Option<PeerId>,
    expires_at: Option<u64>,
    /// Unix seconds; the network's own bans count as the oldest.
    created_at: i64,
}

/// The bans of the snapshot, and a verdict for each source.
pub(crate) struct Judged {
    pub(crate) bans: BTreeMap<PeerId, Ban>,
    pub(crate) verdicts: BTreeMap<BanSource, BanVerdict>,
}

/// Judges every ban of the network.
///
/// `in_force` are the bans of the snapshot before this one: who is banned already can isolate nobody further, so a
/// group that shrinks does not unban.
pub(crate) fn judge(
    network: &PeerNetwork,
    peer_bans: &[impl AsRef<PeerBan>],
    members: &MemberTable,
    in_force: &BTreeMap<PeerId, Ban>,
    now: i64,
) -> Judged {
    let mut wanted = from_network(network, members);
    wanted.extend(peer_bans.iter().filter_map(|ban| from_peer_ban(ban.as_ref(), network, members)));
    wanted.sort_by(|left, right| (left.created_at, &left.source).cmp(&(right.created_at, &right.source)));

    let groups = Groups::of(network, members);
    // Who stays banned is counted first: a younger ban of a peer that is banned already is no new burden.
    let is_over = |ban: &Wanted| ban.expires_at.is_some_and(|end| i64::try_from(end).is_ok_and(|end| end <= now));
    let staying: BTreeSet<PeerId> = (wanted.iter().filter(|ban| !is_over(ban)))
        .filter_map(|ban| ban.peer_id.filter(|peer| in_force.contains_key(peer)))
        .collect();
    let mut banned = staying.clone();
    let mut judged = Judged { bans: BTreeMap::new(), verdicts: BTreeMap::new() };
    for ban in wanted {
        let verdict = match ban.peer_id {
            peer_id if is_over(&ban) => BanVerdict::Expired { peer_id },
            None => BanVerdict::UnknownNode,
            Some(peer_id) => match groups.isolated_by(peer_id, &banned) {
                Some(group) => BanVerdict::WouldIsolate { peer_id, group },
                None if judged.bans.len() >= MAX_BANS && !judged.bans.contains_key(&peer_id) => {
                    BanVerdict::LimitReached { peer_id }
                }
                None => {
                    banned.insert(peer_id);
                    let longest = judged.bans.entry(peer_id).or_insert(Ban { expires_at: ban.expires_at });
                    longest.expires_at = longest.expires_at.zip(ban.expires_at).map(|(one, other)| one.max(other));
                    BanVerdict::Accepted { peer_id }
                }
            },
        };
        judged.verdicts.insert(ban.source, verdict);
    }
    judged
}

fn from_network(network: &PeerNetwork, members: &MemberTable) -> Vec<Wanted> {
    let bans = network.spec.bans.iter().map(|ban| Wanted {
        source: BanSource::Network(ban.name.clone()),
        peer_id: resolve(ban.peer_id.as_deref(), ban.node.as_deref(), None, members),
        expires_at: ban.expires_at.as_ref().map(unix_seconds),
        created_at: i64::MIN,
    });
    bans.collect()
}

/// `None` for a ban of another network, or one that is being deleted.
fn from_peer_ban(ban: &PeerBan, network: &PeerNetwork, members: &MemberTable) -> Option<Wanted> {
    let applies = ban.spec.network_ref.name == network.name_any()
        && ban.namespace() == network.namespace()
        && ban.metadata.deletion_timestamp.is_none();
    let recorded = ban.status.as_ref().and_then(|status| status.peer_id.as_deref());
    applies.then(|| Wanted {
        source: BanSource::PeerBan(ban.name_any()),
        peer_id: resolve(ban.spec.peer_id.as_deref(), ban.spec.node.as_deref(), recorded, members),
        expires_at: ban.spec.expires_at.as_ref().map(unix_seconds),
        created_at: ban.creation_timestamp().map_or(i64::MAX, |time| time.0.as_second()),
    })
}

/// A ban of a node stays with the peer id that it first resolved to, even when the node comes back with another key.
fn resolve(peer_id: Option<&str>, node: Option<&str>, recorded: Option<&str>, members: &MemberTable) -> Option<PeerId> {
    match (peer_id, node) {
        (Some(peer_id), _) => peer_id.parse().ok(),
        (None, Some(node)) => recorded.and_then(|peer_id| peer_id.parse().ok()).or_else(|| members.peer_id_of(node)),
        (None, None) => None,
    }
}

fn unix_seconds(time: &Time) -> u64 {
    u64::try_from(time.0.as_second()).unwrap_or_default()
}

/// Which peers are in which node group, and how many nodes each wants.
struct Groups {
    of_peer: BTreeMap<PeerId, String>,
    replicas: BTreeMap<String, usize>,
}

impl Groups {
    fn of(network: &PeerNetwork, members: &MemberTable) -> Self {
        let of_peer = members.members().filter_map(|member| {
            let (group, ordinal) = network.locate_node(&member.pod)?;
            (0..group.replicas).contains(&ordinal).then(|| (member.peer_id, group.name.clone()))
        });
        let replicas = network.spec.node_groups.iter();
        let replicas = replicas.map(|group| (group.name.clone(), usize::try_from(group.replicas).unwrap_or_default()));
        Self { of_peer: of_peer.collect(), replicas: replicas.collect() }
    }

    /// The group of which a ban of `peer` would leave no majority unbanned.
    fn isolated_by(&self, peer: PeerId, banned: &BTreeSet<PeerId>) -> Option<String> {
        if banned.contains(&peer) {
            return None;
        }
        let group = self.of_peer.get(&peer)?;
        let replicas = self.replicas.get(group).copied().unwrap_or_default();
        let already = banned.iter().filter(|other| self.of_peer.get(other) == Some(group)).count();
        let left = replicas.saturating_sub(already + 1);
        (left * 2 <= replicas).then(|| group.clone())
    }
}

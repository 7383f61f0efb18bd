//! Which bans go into the snapshot, and why the others do not. Pure and order-free: the oldest ban comes first, whatever
//! the order in which the API server lists them.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use peerwright_crds::{NodeGroup, PeerBan, PeerNetwork};
use peerwright_secure::{BanSubject, Fingerprint, PeerId, SpiffeId};
use peerwright_snapshot::{Ban, MAX_BANS, MAX_BANS_BYTES, Snapshot, ban_bytes};

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
        subject: BanSubject,
    },
    /// It would leave no majority of a node group unbanned.
    WouldIsolate {
        /// Who would be banned.
        subject: BanSubject,
        /// The node group.
        group: String,
    },
    /// The snapshot is full and this is one of the newest.
    LimitReached {
        /// Who would be banned.
        subject: BanSubject,
    },
    /// No node of that name ever joined.
    UnknownNode,
    /// What it names cannot be: the schema lets a few names through that no member can have.
    Malformed,
    /// Its end has passed.
    Expired {
        /// Who was banned, if it is known.
        subject: Option<BanSubject>,
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
            Self::Malformed => "Malformed",
            Self::Expired { .. } => "Expired",
        }
    }

    /// Whom the ban is about, if it is known.
    #[must_use]
    pub const fn subject(&self) -> Option<&BanSubject> {
        match self {
            Self::Accepted { subject } | Self::WouldIsolate { subject, .. } | Self::LimitReached { subject } => {
                Some(subject)
            }
            Self::Expired { subject } => subject.as_ref(),
            Self::UnknownNode | Self::Malformed => None,
        }
    }

    /// The peer that the ban is about, if it names one.
    #[must_use]
    pub const fn peer_id(&self) -> Option<PeerId> {
        match self.subject() {
            Some(BanSubject::Peer(peer_id)) => Some(*peer_id),
            _ => None,
        }
    }

    /// What it means, for people.
    #[must_use]
    pub fn message(&self, network: &str) -> String {
        match self {
            Self::Accepted { .. } => format!("the ban is part of the snapshot of {network}"),
            Self::WouldIsolate { group, .. } => {
                format!("the ban would leave no majority of the node group {group} unbanned")
            }
            Self::LimitReached { .. } => "the snapshot holds as many bans as it can: delete older ones".to_owned(),
            Self::UnknownNode => {
                format!("no node of this name ever joined {network}: write <network>-<group>-<number>, or a peerId")
            }
            Self::Malformed => "no member and no address can be what the ban names: look at it again".to_owned(),
            Self::Expired { .. } => "the ban's end has passed".to_owned(),
        }
    }
}

/// One ban as somebody wrote it, its node resolved.
struct Wanted {
    source: BanSource,
    subject: Result<BanSubject, BanVerdict>,
    expires_at: Option<u64>,
    /// Unix seconds; the network's own bans count as the oldest.
    created_at: i64,
}

/// The bans of the snapshot, and a verdict for each source.
pub(crate) struct Judged {
    pub(crate) bans: BTreeMap<BanSubject, Ban>,
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
    leaves: &Leaves,
    in_force: &BTreeMap<BanSubject, Ban>,
    now: i64,
) -> Judged {
    let mut wanted = from_network(network, members);
    wanted.extend(peer_bans.iter().filter_map(|ban| from_peer_ban(ban.as_ref(), network, members)));
    wanted.sort_by(|left, right| (left.created_at, &left.source).cmp(&(right.created_at, &right.source)));

    let groups = Groups::of(network, members, leaves);
    // Who stays banned is counted first: a younger ban of a node that is banned already is no new burden.
    let is_over = |ban: &Wanted| ban.expires_at.is_some_and(|end| i64::try_from(end).is_ok_and(|end| end <= now));
    let staying = wanted.iter().filter(|ban| !is_over(ban)).filter_map(|ban| ban.subject.as_ref().ok());
    let mut banned: BTreeSet<String> =
        staying.filter(|subject| in_force.contains_key(subject)).filter_map(|subject| groups.node(subject)).collect();
    let mut judged = Judged { bans: BTreeMap::new(), verdicts: BTreeMap::new() };
    let mut bytes = 0;
    for ban in wanted {
        let verdict = match ban.subject.clone() {
            subject if is_over(&ban) => BanVerdict::Expired { subject: subject.ok() },
            Err(verdict) => verdict,
            Ok(subject) => match groups.isolated_by(&subject, &banned) {
                Some(group) => BanVerdict::WouldIsolate { subject, group },
                None if !has_room(&judged.bans, &mut bytes, &subject) => BanVerdict::LimitReached { subject },
                None => {
                    banned.extend(groups.node(&subject));
                    let longest = judged.bans.entry(subject.clone()).or_insert(Ban { expires_at: ban.expires_at });
                    longest.expires_at = longest.expires_at.zip(ban.expires_at).map(|(one, other)| one.max(other));
                    BanVerdict::Accepted { subject }
                }
            },
        };
        judged.verdicts.insert(ban.source, verdict);
    }
    judged
}

/// Whether the snapshot can hold this subject too; `bytes` is what it holds so far.
fn has_room(bans: &BTreeMap<BanSubject, Ban>, bytes: &mut usize, subject: &BanSubject) -> bool {
    if bans.contains_key(subject) {
        return true;
    }
    // As if every ban had an end: which of several sources decides is not known yet.
    let with = *bytes + ban_bytes(subject, Ban { expires_at: Some(u64::MAX) });
    let has_room = bans.len() < MAX_BANS && with <= MAX_BANS_BYTES;
    if has_room {
        *bytes = with;
    }
    has_room
}

fn from_network(network: &PeerNetwork, members: &MemberTable) -> Vec<Wanted> {
    let bound = network.status.as_ref().map(|status| status.bans.as_slice()).unwrap_or_default();
    let bans = network.spec.bans.iter().map(|ban| {
        let bound = bound.iter().find(|bound| bound.name == ban.name && ban.node.as_ref() == Some(&bound.node));
        let written = Written {
            node: ban.node.as_deref(),
            peer_id: ban.peer_id.as_deref(),
            spiffe_id: ban.spiffe_id.as_deref(),
            fingerprint: ban.fingerprint.as_deref(),
            cidr: ban.cidr.as_deref(),
            recorded: bound.map(|bound| bound.peer_id.as_str()),
        };
        Wanted {
            source: BanSource::Network(ban.name.clone()),
            subject: written.resolve(members),
            expires_at: ban.expires_at.as_ref().map(unix_seconds),
            created_at: i64::MIN,
        }
    });
    bans.collect()
}

/// `None` for a ban of another network, or one that is being deleted.
fn from_peer_ban(ban: &PeerBan, network: &PeerNetwork, members: &MemberTable) -> Option<Wanted> {
    let applies = ban.spec.network_ref.name == network.name_any()
        && ban.namespace() == network.namespace()
        && ban.metadata.deletion_timestamp.is_none();
    let written = Written {
        node: ban.spec.node.as_deref(),
        peer_id: ban.spec.peer_id.as_deref(),
        spiffe_id: ban.spec.spiffe_id.as_deref(),
        fingerprint: ban.spec.fingerprint.as_deref(),
        cidr: ban.spec.cidr.as_deref(),
        recorded: ban.status.as_ref().and_then(|status| status.peer_id.as_deref()),
    };
    applies.then(|| Wanted {
        source: BanSource::PeerBan(ban.name_any()),
        subject: written.resolve(members),
        expires_at: ban.spec.expires_at.as_ref().map(unix_seconds),
        created_at: ban.creation_timestamp().map_or(i64::MAX, |time| time.0.as_second()),
    })
}

/// What somebody wrote of whom to ban, and what was recorded of it.
struct Written<'a> {
    node: Option<&'a str>,
    peer_id: Option<&'a str>,
    spiffe_id: Option<&'a str>,
    fingerprint: Option<&'a str>,
    cidr: Option<&'a str>,
    /// The peer id that the node first resolved to.
    recorded: Option<&'a str>,
}

impl Written<'_> {
    /// A ban of a node stays with the peer id that it first resolved to, even when the node comes back with another key.
    fn resolve(&self, members: &MemberTable) -> Result<BanSubject, BanVerdict> {
        if let Some(node) = self.node {
            let recorded = self.recorded.and_then(|peer_id| peer_id.parse().ok());
            let peer_id = recorded.or_else(|| members.peer_id_of(node));
            return peer_id.map(BanSubject::Peer).ok_or(BanVerdict::UnknownNode);
        }
        let written = [
            ("peerId", self.peer_id),
            ("spiffeId", self.spiffe_id),
            ("fingerprint", self.fingerprint),
            ("cidr", self.cidr),
        ];
        let (kind, value) =
            written.iter().find_map(|(kind, value)| Some((kind, (*value)?))).ok_or(BanVerdict::Malformed)?;
        BanSubject::new(kind, value).map_err(|_| BanVerdict::Malformed)
    }
}

/// Whether a snapshot bans the node of this name, by its name, its peer id or the certificate that it shows.
#[must_use]
pub fn bans_node(
    snapshot: &Snapshot,
    namespace: &str,
    node: &str,
    peer_id: Option<PeerId>,
    leaf: Option<Fingerprint>,
    now: u64,
) -> bool {
    let name = SpiffeId::new(&snapshot.content.trust_domain, namespace, node);
    let subjects =
        [peer_id.map(BanSubject::Peer), name.ok().map(BanSubject::Spiffe), leaf.map(BanSubject::Fingerprint)];
    subjects.iter().flatten().any(|subject| snapshot.is_banned(subject, now))
}

fn unix_seconds(time: &Time) -> u64 {
    u64::try_from(time.0.as_second()).unwrap_or_default()
}

/// The certificates that nodes are known to show, and the pod of each.
pub type Leaves = BTreeMap<Fingerprint, String>;

/// Which of the wanted nodes a ban is about, and how many nodes each group wants.
struct Groups<'a> {
    network: &'a PeerNetwork,
    trust_domain: String,
    of_peer: BTreeMap<PeerId, String>,
    leaves: &'a Leaves,
}

impl<'a> Groups<'a> {
    fn of(network: &'a PeerNetwork, members: &MemberTable, leaves: &'a Leaves) -> Self {
        let of_peer = members.members().map(|member| (member.peer_id, member.pod.clone())).collect();
        Self { network, trust_domain: network.trust_domain(), of_peer, leaves }
    }

    /// The wanted node that a ban of `subject` is about. A range is about none: members are exempt.
    fn node(&self, subject: &BanSubject) -> Option<String> {
        let node = match subject {
            BanSubject::Peer(peer) => self.of_peer.get(peer)?.as_str(),
            BanSubject::Fingerprint(leaf) => self.leaves.get(leaf)?.as_str(),
            BanSubject::Spiffe(name) => {
                let is_here = name.trust_domain() == self.trust_domain
                    && Some(name.namespace()) == self.network.metadata.namespace.as_deref();
                is_here.then_some(name.node())?
            }
            BanSubject::Range(_) => return None,
        };
        self.group_of(node).map(|_| node.to_owned())
    }

    fn group_of(&self, node: &str) -> Option<&NodeGroup> {
        let (group, ordinal) = self.network.locate_node(node)?;
        (0..group.replicas).contains(&ordinal).then_some(group)
    }

    /// The group of which a ban of `subject` would leave no majority unbanned; `banned` are the nodes that are banned.
    fn isolated_by(&self, subject: &BanSubject, banned: &BTreeSet<String>) -> Option<String> {
        let node = self.node(subject).filter(|node| !banned.contains(node))?;
        let group = self.group_of(&node)?;
        let is_of_group = |other: &&String| self.group_of(other).is_some_and(|other| other.name == group.name);
        let replicas = usize::try_from(group.replicas).unwrap_or_default();
        let left = replicas.saturating_sub(banned.iter().filter(is_of_group).count() + 1);
        (left * 2 <= replicas).then(|| group.name.clone())
    }
}

//! What an engine shows of itself.

use crate::{AdvertisementStatistics, LinkId, MemberState, Micros, Rating, Role, RoundTrips, ServiceStatus};
use peerwright_ledger::RegisterId;
use peerwright_secure::{NodePublicKey, PeerId};
use std::{net::SocketAddr, time::Duration};

/// Whether a node may serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// It still lacks what its reachable peers advertised when their links came up.
    Waiting {
        /// How many messages are known to be missing; zero while it is not known yet.
        missing: u64,
    },
    /// It may serve. Stays so.
    Ready {
        /// It became so because nobody was reachable, and has caught up with nobody since.
        alone: bool,
    },
}

impl Readiness {
    /// Whether a node may serve.
    #[must_use]
    pub fn is_ready(self) -> bool {
        matches!(self, Self::Ready { .. })
    }
}

/// Who dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// This node.
    Outbound,
    /// The peer.
    Inbound,
}

/// A peer with a live link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerView {
    /// The peer.
    pub peer: PeerId,
    /// The link.
    pub link: LinkId,
    /// The life of its process.
    pub incarnation: u64,
    /// Who dialled.
    pub direction: Direction,
    /// The address dialled, or where the connection came from.
    pub address: Option<SocketAddr>,
    /// Since when the link is up.
    pub since: Micros,
    /// When something was last heard.
    pub last_heard: Micros,
    /// The latest measured round trip.
    pub round_trip: Option<Duration>,
    /// Whether the peer says that it is ready; `None` before it said anything.
    pub ready: Option<bool>,
    /// How many registers the peer says it holds.
    pub registers: u32,
    /// How many messages the peer says it holds in them.
    pub messages: u64,
    /// How many messages this node still wants from it.
    pub missing: u64,
    /// Bytes of frames sent on the link.
    pub sent_bytes: u64,
    /// Bytes of frames received on the link.
    pub received_bytes: u64,
    /// Whether the peer is a neighbour: gossip and membership spread on the link.
    pub active: bool,
    /// Where the peer listens, if it is known.
    pub listens_at: Option<SocketAddr>,
}

/// An address that this node dials or may dial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressView {
    /// The name that was resolved.
    pub host: String,
    /// The address.
    pub socket: SocketAddr,
    /// Whether this node's configuration leads there.
    pub listed: bool,
    /// Whether it is this node's own.
    pub own: bool,
    /// Who was last reached there.
    pub peer: Option<PeerId>,
    /// Failures in a row.
    pub failures: u32,
}

/// What this node thinks of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoreView {
    /// The peer.
    pub peer: PeerId,
    /// 0 to 100.
    pub score: u8,
    /// What that is called.
    pub rating: Rating,
    /// Links, dials and answers, 0 to 100.
    pub reliability: u8,
    /// Latency and throughput, 0 to 100.
    pub performance: u8,
    /// Messages and limits, 0 to 100.
    pub behaviour: u8,
    /// The shortest of the last hundred round trips.
    pub shortest_round_trip: Option<Duration>,
    /// Their mean.
    pub mean_round_trip: Option<Duration>,
    /// The longest of them.
    pub longest_round_trip: Option<Duration>,
    /// Of the last hundred requests, how many it answered, percent.
    pub answered_percent: Option<u8>,
    /// Outcomes that were as they should be.
    pub successes: u32,
    /// Outcomes that were not, since they were last reset.
    pub failures: u32,
    /// Bytes of messages that it was the first to bring.
    pub delivered_bytes: u64,
    /// When something was last heard of it.
    pub last_seen: Micros,
}

/// A register that this node holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisterView {
    /// The register.
    pub register: RegisterId,
    /// How many messages are held.
    pub messages: u64,
    /// Whether all that reachable peers advertised is held, as far as this node knows.
    pub synced: bool,
}

/// A member that this node knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberView {
    /// The member.
    pub peer: PeerId,
    /// Its key, whose hash its id is.
    pub key: NodePublicKey,
    /// Whether it is this node.
    pub own: bool,
    /// The life of its process.
    pub incarnation: u64,
    /// Which of its statements about itself in this life is known.
    pub version: u32,
    /// What it does for others.
    pub role: Role,
    /// Where it takes links.
    pub address: Option<SocketAddr>,
    /// Whether it is reached.
    pub state: MemberState,
    /// Whether its certificate was checked here, at the handshake of a link.
    pub certified: bool,
    /// Whether it counts as a healthy peer.
    pub healthy: bool,
}

/// Figures since start unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Links and dialling.
    pub links: LinkStatistics,
    /// Transactions handed in here.
    pub submit: SubmitStatistics,
    /// Messages spread by gossip.
    pub gossip: GossipStatistics,
    /// Catching up.
    pub sync: SyncStatistics,
    /// The store, as the engine sees it.
    pub store: StoreStatistics,
    /// Members and whether they are alive.
    pub members: MemberStatistics,
    /// Bans that this node makes by itself.
    pub bans: BanStatistics,
    /// Who holds which registers.
    pub directory: DirectoryStatistics,
    /// What nodes say they hold.
    pub advertisements: AdvertisementStatistics,
}

/// Who holds which registers, as nodes tell each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DirectoryStatistics {
    /// Nodes in k-buckets, now.
    pub contacts: u64,
    /// Holders that this node keeps for others, now.
    pub kept: u64,
    /// Searches begun.
    pub searches: u64,
    /// Nodes asked.
    pub questions: u64,
    /// Of those, the ones that gave no answer.
    pub unanswered: u64,
    /// Holders found.
    pub found: u64,
    /// Questions of others that were answered.
    pub answered: u64,
}

/// Bans that this node makes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BanStatistics {
    /// Of them, in force now.
    pub in_force: u64,
    /// Offences that were reported.
    pub offences: u64,
    /// Bans made.
    pub automatic: u64,
    /// Bans that were earned and not made.
    pub withheld: u64,
}

/// Links and dialling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkStatistics {
    /// Links to peers that this node dialled, now.
    pub outbound: u64,
    /// Links from peers that dialled this node, now.
    pub inbound: u64,
    /// Links of neighbours, now.
    pub active: u64,
    /// Of those, links that this node dialled, now.
    pub active_outbound: u64,
    /// Nodes at hand for when neighbours leave, now.
    pub passive: u64,
    /// Links on which nothing was heard for more than two keepalives, now.
    pub silent: u64,
    /// Known addresses other than this node's own, now.
    pub addresses: u64,
    /// Dials on their way, now.
    pub dialling: u64,
    /// Addresses whose last dial failed, now.
    pub failing_addresses: u64,
    /// Mean round trip over the links that have one, microseconds, now.
    pub round_trip_micros: u64,
    /// Bans in force, now.
    pub bans: u64,
    /// Links that came up and were kept.
    pub established: u64,
    /// Links closed or refused by this node.
    pub closed: u64,
    /// Links lost without this node's doing.
    pub lost: u64,
    /// Links and dials refused because of a ban.
    pub refused_banned: u64,
    /// Dials that came to nothing.
    pub dial_failures: u64,
    /// Links closed because nothing was heard.
    pub unreachable: u64,
    /// Links closed because nobody used them.
    pub idle: u64,
    /// Times that this node asked a peer to be a neighbour.
    pub neighbours_asked: u64,
    /// Times that a peer refused.
    pub neighbours_refused: u64,
    /// Times that a link became a neighbour's.
    pub neighbours_joined: u64,
    /// Times that a link was a neighbour's no longer.
    pub neighbours_left: u64,
    /// Untried addresses that were dialled to see who is there.
    pub feelers: u64,
    /// Addresses that peers named and that nobody here has tried, now.
    pub addresses_new: u64,
    /// Addresses that peers named and that have led to a link, now.
    pub addresses_tried: u64,
    /// Questions for addresses that were sent.
    pub addresses_asked: u64,
    /// Addresses taken from answers and introductions.
    pub addresses_learnt: u64,
    /// Addresses named by peers that are never dialled on a peer's word, in the order of
    /// [`DialRefusal::ALL`](crate::DialRefusal::ALL).
    pub addresses_refused: [u64; crate::DialRefusal::ALL.len()],
    /// Addresses named by peers that had named too many.
    pub addresses_excess: u64,
    /// Frames sent.
    pub frames_sent: u64,
    /// Bytes of frames sent.
    pub bytes_sent: u64,
    /// Frames received.
    pub frames_received: u64,
    /// Bytes of frames received.
    pub bytes_received: u64,
    /// Frames of a kind that this version does not know.
    pub frames_unsupported: u64,
    /// Frames of a known kind that could not be read.
    pub frames_malformed: u64,
    /// Round trips of keepalives.
    pub round_trips: RoundTrips,
}

impl LinkStatistics {
    /// Addresses named by peers that were not taken for one reason.
    #[must_use]
    pub fn addresses_refused(&self, refusal: crate::DialRefusal) -> u64 {
        let counts = crate::DialRefusal::ALL.iter().zip(self.addresses_refused);
        counts.filter(|(reason, _)| **reason == refusal).map(|(_, count)| count).sum()
    }

    pub(crate) fn refused_to_dial(&mut self, refusal: crate::DialRefusal) {
        let counts = crate::DialRefusal::ALL.iter().zip(&mut self.addresses_refused);
        counts.filter(|(reason, _)| **reason == refusal).for_each(|(_, count)| *count += 1);
    }
}

/// Transactions handed in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SubmitStatistics {
    /// Transactions that wait to become durable, now.
    pub queued: u64,
    /// Their bytes, now.
    pub queued_bytes: u64,
    /// Transactions accepted.
    pub accepted: u64,
    /// Transactions refused.
    pub refused: u64,
    /// Messages that carried the accepted ones.
    pub messages: u64,
}

/// Messages spread by gossip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GossipStatistics {
    /// Origins whose messages are told apart, now.
    pub origins: u64,
    /// Messages that wait for the verifier, now.
    pub verifying: u64,
    /// Message frames received.
    pub received: u64,
    /// Of those, messages seen or held before: redundant copies.
    pub duplicates: u64,
    /// Of those, messages past their time to live.
    pub expired: u64,
    /// Messages, requests and answers dropped because a bound was reached or nobody had asked.
    pub dropped: u64,
    /// Of those, messages that verified for the first time.
    pub delivered: u64,
    /// Message frames sent, own and passed on.
    pub sent: u64,
    /// Messages that did not verify.
    pub invalid: u64,
    /// Pairs of an origin and a neighbour's link on which its messages are pushed, now.
    pub eager: u64,
    /// Such pairs on which its messages are announced, now.
    pub lazy: u64,
    /// Bodies of recent messages that are kept, now.
    pub cached: u64,
    /// Their bytes, now.
    pub cached_bytes: u64,
    /// Origins whose messages were announced and have not come, now.
    pub waiting: u64,
    /// Proofs of equivocation that are kept, now.
    pub proofs: u64,
    /// Requests to push no more that were sent.
    pub prunes_sent: u64,
    /// Requests to push no more that came.
    pub prunes_received: u64,
    /// Requests to push again that were sent.
    pub grafts_sent: u64,
    /// Requests to push again that came.
    pub grafts_received: u64,
    /// Rows of announcements sent.
    pub announcements_sent: u64,
    /// Bytes of the frames with them.
    pub announced_bytes_sent: u64,
    /// Rows of announcements that came.
    pub announcements_received: u64,
    /// Bytes of the frames with them.
    pub announced_bytes_received: u64,
    /// Requests for recent messages that were sent.
    pub pulls: u64,
    /// Of those, the ones that were not answered in time or not with what had been announced.
    pub pulls_failed: u64,
    /// Recent messages that were given to those who asked.
    pub given: u64,
    /// Requests for recent messages that are not kept any more.
    pub gone: u64,
    /// Proofs of equivocation that did not hold.
    pub proofs_refused: u64,
}

/// Catching up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SyncStatistics {
    /// Messages known to be missing, now.
    pub missing: u64,
    /// Pulls sent.
    pub pulls: u64,
    /// Pulls that were not answered in time, or gave nothing of what was advertised.
    pub pulls_failed: u64,
    /// Messages stored that came by sync.
    pub pulled: u64,
    /// Messages sent to peers that pulled them.
    pub served: u64,
    /// Bodies being fetched, now.
    pub fetching_bodies: u64,
    /// Bodies fetched and stored.
    pub bodies: u64,
    /// Bodies given up.
    pub bodies_failed: u64,
}

/// The store, as the engine sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreStatistics {
    /// Messages that wait to become durable, now.
    pub queued: u64,
    /// Messages made durable.
    pub appended: u64,
    /// Operations that failed.
    pub failures: u64,
}

/// Members and whether they are alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemberStatistics {
    /// Other members that nothing speaks against, now.
    pub alive: u64,
    /// Members that are unreachable, now.
    pub unreachable: u64,
    /// Members that are dead and still remembered, now.
    pub dead: u64,
    /// Members that have left and are still remembered, now.
    pub left: u64,
    /// Members whose certificate was checked here, now.
    pub certified: u64,
    /// Healthy peers, now.
    pub healthy: u64,
    /// Whether they are enough, now.
    pub status: ServiceStatus,
    /// Records taken in, each edition once.
    pub accepted: u64,
    /// Records received that were known, or older than what was known.
    pub duplicates: u64,
    /// Records offered by their fingerprints that were known, or under way.
    pub offered_again: u64,
    /// Records refused because there is no room for another member.
    pub refused_full: u64,
    /// Records refused because their member is gone or retired.
    pub refused_gone: u64,
    /// Two different records of one edition.
    pub conflicts: u64,
    /// Frames of statements of which one did not verify; their links are closed.
    pub invalid: u64,
    /// Statements in a format that this version does not know.
    pub unsupported: u64,
    /// Comparisons with a neighbour that this node began.
    pub comparisons: u64,
    /// Times that a peer was suspected by this node.
    pub suspicions: u64,
    /// Probes asked of others.
    pub probes: u64,
    /// Accusations made by this node.
    pub accused: u64,
    /// Accusations heard of others, each accuser once.
    pub accusations: u64,
    /// Accusations of this node that it answered.
    pub refutations: u64,
    /// Accusations by this node that their subject answered in the same life.
    pub false_alarms: u64,
    /// Members that became unreachable.
    pub became_unreachable: u64,
    /// Members that died.
    pub died: u64,
    /// Times that this process was paused.
    pub pauses: u64,
}

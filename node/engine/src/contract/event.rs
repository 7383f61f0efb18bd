//! What happened, for logs, metrics and people.

use crate::{
    AutoBan, BanRecord, CloseReason, DepartureReason, DialFailure, DownReason, HeartbeatFault, LinkId, Misbehaviour,
    Rating, Readiness, ServiceStatus, WithdrawalCause, WithheldReason,
    breaker::BreakerChange,
    session::{Carrier, Step},
};
use bytes::Bytes;
use peerwright_ledger::RegisterId;
use peerwright_secure::{BanSubject, NodePublicKey, PeerId};
use std::{net::SocketAddr, time::Duration};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A link to a peer is in use.
    PeerConnected {
        /// The peer.
        peer: PeerId,
        /// The link.
        link: LinkId,
        /// Whether this node dialled.
        outbound: bool,
    },
    /// This node closed or refused a link.
    LinkClosed {
        /// The peer.
        peer: PeerId,
        /// The link.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
    /// A link ended without this node's doing.
    LinkLost {
        /// The peer.
        peer: PeerId,
        /// The link.
        link: LinkId,
        /// Why.
        reason: DownReason,
    },
    /// A dial came to nothing.
    DialFailed {
        /// Where.
        address: SocketAddr,
        /// Why.
        reason: DialFailure,
        /// How often in a row.
        failures: u32,
    },
    /// A breaker before a peer, or before one of the carriers to it, changed its state. Told by the driver.
    BreakerChanged {
        /// Where the peer is dialled.
        address: SocketAddr,
        /// Who was last reached there.
        peer: Option<PeerId>,
        /// The carrier; `None` is the peer as a whole.
        carrier: Option<Carrier>,
        /// The change, with its reason.
        change: BreakerChange,
    },
    /// A link goes on by another carrier. Told by the driver.
    CarrierChanged {
        /// The peer.
        peer: PeerId,
        /// From which to which, and why.
        step: Step,
    },
    /// A link is a neighbour's from now on: gossip and membership spread on it.
    NeighbourJoined {
        /// The peer.
        peer: PeerId,
        /// The link.
        link: LinkId,
    },
    /// A link is a neighbour's no longer.
    NeighbourLeft {
        /// The peer.
        peer: PeerId,
        /// The link.
        link: LinkId,
        /// Why.
        reason: DepartureReason,
    },
    /// An address turned out to be this node's own.
    OwnAddress {
        /// The address.
        address: SocketAddr,
    },
    /// Somebody is banned from now on.
    PeerBanned {
        /// The ban.
        ban: BanRecord,
    },
    /// No ban names the subject any more.
    PeerUnbanned {
        /// Who was banned.
        subject: BanSubject,
        /// Whether the last ban ended by its own expiry rather than by a change of policy.
        expired: bool,
    },
    /// A peer is known that was not known before, or not any more.
    PeerDiscovered {
        /// The peer.
        peer: PeerId,
    },
    /// What this node thinks of a peer has changed by more than a point.
    ScoreChanged {
        /// The peer.
        peer: PeerId,
        /// What it is now, 0 to 100.
        score: u8,
        /// What that is called.
        rating: Rating,
        /// The outcome that moved it last, or `time`.
        cause: &'static str,
    },
    /// A peer has done what no peer should.
    Misbehaved {
        /// The peer.
        peer: PeerId,
        /// What.
        kind: Misbehaviour,
        /// How often within the time in which it counts.
        times: u32,
    },
    /// This node bans a peer by itself. `PeerBanned` follows unless the peer was banned already.
    AutoBanned {
        /// The ban, to be told upwards.
        ban: Box<AutoBan>,
    },
    /// A peer has earned a ban and is not banned.
    BanWithheld {
        /// The peer.
        peer: PeerId,
        /// What it has done.
        kind: Misbehaviour,
        /// Why it is not banned.
        reason: WithheldReason,
    },
    /// Two processes with one key are alive: this node's, or another's that gossip has heard of.
    DuplicateIdentity {
        /// Whose key it is.
        origin: NodePublicKey,
        /// The newer incarnation, or the one that is not ours.
        incarnation: u64,
    },
    /// A peer passed on a message, or served a body, that does not verify; its link is closed.
    BadSignature {
        /// The peer that passed it on.
        peer: PeerId,
        /// Whose message it claimed to be, when it was a message.
        origin: Option<NodePublicKey>,
    },
    /// An origin has signed two histories; its messages are spread no more.
    Equivocation {
        /// The origin.
        origin: NodePublicKey,
        /// Its life.
        incarnation: u64,
        /// The message, or the second of two that do not follow each other.
        sequence: u64,
        /// An encoded [`EquivocationProof`](peerwright_ledger::EquivocationProof).
        proof: Bytes,
    },
    /// A peer sent a frame of a known kind that cannot be read; its link is closed.
    MalformedFrame {
        /// The peer.
        peer: PeerId,
    },
    /// A peer sent a kind of frame that this version does not know. No violation.
    UnsupportedFrame {
        /// The peer.
        peer: PeerId,
        /// The frame's version byte.
        version: u8,
        /// The frame's kind byte.
        kind: u8,
    },
    /// Something was dropped because its place is full or it came too late. Sync heals it where it matters.
    Dropped {
        /// The name of the bound or rule, a metric label.
        what: &'static str,
    },
    /// A peer lacked nothing that it had advertised, or a pull gave all of it: this link has caught up.
    CaughtUp {
        /// The peer.
        peer: PeerId,
        /// How many messages came by sync on this link so far.
        messages: u64,
        /// Since something was lacked, or since the link came up.
        took: Duration,
        /// Whether it is the first time on this link: everything was compared.
        first: bool,
    },
    /// A state heartbeat was sent.
    HeartbeatSent {
        /// To whom.
        peer: PeerId,
        /// Which one on this link, from 1.
        sequence: u64,
    },
    /// A heartbeat, a keepalive or the answer to one was not taken.
    HeartbeatRejected {
        /// Who sent it.
        peer: PeerId,
        /// Why.
        reason: HeartbeatFault,
    },
    /// A member became known, or came back after it was dead or had left.
    MemberJoined {
        /// The member.
        peer: PeerId,
    },
    /// A member said something new of itself: it has restarted, or its address or role changed.
    MemberUpdated {
        /// The member.
        peer: PeerId,
        /// The life of its process.
        incarnation: u64,
    },
    /// Others do not reach a member, and it has not answered: it is routed around.
    MemberUnreachable {
        /// The member.
        peer: PeerId,
        /// How many accused it, of at most three that are heard.
        accusers: usize,
    },
    /// A member that was unreachable has answered.
    MemberReachable {
        /// The member.
        peer: PeerId,
    },
    /// A member was unreachable for so long that its record is dropped.
    MemberDead {
        /// The member.
        peer: PeerId,
    },
    /// A member said that it leaves.
    MemberLeft {
        /// The member.
        peer: PeerId,
    },
    /// The operator gave a node a new identity, and its old one stands for nobody any more.
    MemberRetired {
        /// The old identity.
        peer: PeerId,
    },
    /// This node was accused of being unreachable, and answered.
    Refuted {
        /// The version of its record from now on.
        version: u32,
    },
    /// There are enough healthy peers, or there are not.
    ServiceStatusChanged {
        /// What it is now.
        status: ServiceStatus,
    },
    /// The store failed to do what it was asked.
    StoreFailed {
        /// What it was asked: a metric label.
        operation: &'static str,
    },
    /// This node now holds, or no longer holds, a register.
    SubscriptionChanged {
        /// The register.
        register: RegisterId,
        /// Whether it is held from now on.
        subscribed: bool,
    },
    /// A peer says that it holds a register, and did not say the same of it before.
    RegisterAdvertised {
        /// The peer.
        peer: PeerId,
        /// The register.
        register: RegisterId,
        /// One more than the number of the highest docket that it holds.
        dockets: u64,
    },
    /// A peer says no longer that it holds a register.
    RegisterWithdrawn {
        /// The peer.
        peer: PeerId,
        /// The register.
        register: RegisterId,
        /// Why.
        cause: WithdrawalCause,
    },
    /// Readiness changed.
    ReadinessChanged {
        /// What it is now.
        readiness: Readiness,
    },
    /// Draining is done: everything accepted is with the links, and they are closed.
    Drained,
}

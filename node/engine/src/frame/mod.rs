//! What two engines say to each other over a link.
//!
//! ```text
//! version u8 = 1 | kind u8 | fields, canonical encoding
//!
//!  1 Keepalive     2 Echo                        a link is alive, and how far away its peer is
//!  3 State                                       the state heartbeat
//!  4 Digest        5 HeldRequest   6 HeldPage    what is held: in short, asked for, in full
//!  7 Message                                     gossip
//!  8 Pull          9 Pulled       10 PullEnd     sync, one pull under way a link
//! 11 ChunkRequest 12 Chunk        13 ChunkGone   bodies above 32 KiB
//! 14 Announce     15 Prune        16 Graft       17 GraftEnd   which links carry which origin's messages
//! 18 Equivocation                                an origin has signed two histories
//! 19 Packed      20 PredecessorUnknown          gossip to who has the message before, and who has not
//! 24 Records     25 Accusations                 what members say of themselves and of others
//! 26 TableRoot   27 TableSums    28 TableItems   29 TableWant   comparing what is known of members
//! 30 Probe       31 Probed                      whether somebody else reaches a member
//! 32 RecordOffer 33 RecordWant                  records by their fingerprints, where there are many
//! 40 Neighbour    41 Answer       42 Demote      who is in whose active view
//! 43 Shuffle      44 ShuffleReply                nodes at hand, mixed with a neighbour's
//! 48 Introduction 49 AddressRequest 50 AddressAnswer   where nodes listen
//! 56 FindHolders  57 Holders      58 Hold        who holds a register
//! 59 Advertisements                             what the sender holds for everybody to know
//! ```
//!
//! Until the first release a kind may change its fields; from then on a change is another kind, or version.
//!
//! A version or kind that is not known is `unsupported` and no violation: a newer peer may speak of things that this
//! one does not know. A known kind that cannot be read is a violation. Nothing is allocated before its length has been
//! compared with a bound and with what is left of the frame.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use crate::{
    Advertisement, Held, MessageRange,
    detector::ProbeAnswer,
    membership::{Item, Sums},
};
use peerwright_encoding::DecodeError;
use peerwright_ledger::{
    MAX_PROOF_BYTES, RegisterId, TransactionId,
    message::{MAX_MESSAGE_BYTES, PredecessorName},
};
use peerwright_secure::{NodePublicKey, PeerId};
use std::net::SocketAddr;
use thiserror::Error;

/// The longest frame that an engine sends or reads.
pub const MAX_FRAME_BYTES: usize = 66 * 1024;

const _: () = assert!(MAX_MESSAGE_BYTES + 64 <= MAX_FRAME_BYTES && MAX_PROOF_BYTES + 64 <= MAX_FRAME_BYTES);

pub(crate) const VERSION: u8 = 1;

/// What a definition takes in an announcement.
pub(crate) const DEFINITION_BYTES: usize = 42;
/// What a row takes in an announcement at most.
pub(crate) const ROW_BYTES: usize = 16;

pub(crate) mod kind {
    pub(crate) const KEEPALIVE: u8 = 1;
    pub(crate) const ECHO: u8 = 2;
    pub(crate) const STATE: u8 = 3;
    pub(crate) const DIGEST: u8 = 4;
    pub(crate) const HELD_REQUEST: u8 = 5;
    pub(crate) const HELD_PAGE: u8 = 6;
    pub(crate) const MESSAGE: u8 = 7;
    pub(crate) const PULL: u8 = 8;
    pub(crate) const PULLED: u8 = 9;
    pub(crate) const PULL_END: u8 = 10;
    pub(crate) const CHUNK_REQUEST: u8 = 11;
    pub(crate) const CHUNK: u8 = 12;
    pub(crate) const CHUNK_GONE: u8 = 13;
    pub(crate) const ANNOUNCE: u8 = 14;
    pub(crate) const PRUNE: u8 = 15;
    pub(crate) const GRAFT: u8 = 16;
    pub(crate) const GRAFT_END: u8 = 17;
    pub(crate) const EQUIVOCATION: u8 = 18;
    pub(crate) const PACKED: u8 = 19;
    pub(crate) const PREDECESSOR_UNKNOWN: u8 = 20;
    pub(crate) const NEIGHBOUR: u8 = 40;
    pub(crate) const NEIGHBOUR_ANSWER: u8 = 41;
    pub(crate) const DEMOTE: u8 = 42;
    pub(crate) const SHUFFLE: u8 = 43;
    pub(crate) const SHUFFLE_REPLY: u8 = 44;
    pub(crate) const INTRODUCTION: u8 = 48;
    pub(crate) const ADDRESS_REQUEST: u8 = 49;
    pub(crate) const ADDRESS_ANSWER: u8 = 50;
    pub(crate) const FIND_HOLDERS: u8 = 56;
    pub(crate) const HOLDERS: u8 = 57;
    pub(crate) const HOLD: u8 = 58;
    pub(crate) const ADVERTISEMENTS: u8 = 59;
    pub(crate) const RECORDS: u8 = 24;
    pub(crate) const ACCUSATIONS: u8 = 25;
    pub(crate) const TABLE_ROOT: u8 = 26;
    pub(crate) const TABLE_SUMS: u8 = 27;
    pub(crate) const TABLE_ITEMS: u8 = 28;
    pub(crate) const TABLE_WANT: u8 = 29;
    pub(crate) const PROBE: u8 = 30;
    pub(crate) const PROBED: u8 = 31;
    pub(crate) const RECORD_OFFER: u8 = 32;
    pub(crate) const RECORD_WANT: u8 = 33;
}

/// One frame; long fields stay in the bytes that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// Something to hear on an idle link. Answered by `Echo` with the same number.
    Keepalive {
        /// The sender's own time.
        sent: u64,
    },
    Echo {
        sent: u64,
    },
    /// What the sender is like.
    State {
        ready: bool,
        registers: u32,
        messages: u64,
    },
    /// What the sender holds, a row a register. Registers that no frame up to `last` names, it does not hold.
    Digest {
        /// The sender wants the receiver's digest.
        reply: bool,
        last: bool,
        rows: Vec<DigestRow>,
    },
    /// Asks what exactly is held of these registers, behind a place.
    HeldRequest {
        registers: Vec<RegisterId>,
        after: Option<Cursor>,
    },
    HeldPage {
        /// There is more behind the last row.
        more: bool,
        rows: Vec<Held>,
    },
    /// A message on its way.
    Message {
        /// How often it may be passed on.
        hops: u8,
        message: &'a [u8],
    },
    /// The same, without what the receiver has or can work out.
    Packed {
        hops: u8,
        packed: &'a [u8],
    },
    /// The sender has not the message that a packed one follows: the receiver is to send that one whole.
    PredecessorUnknown {
        predecessor: PredecessorName,
    },
    /// Asks for messages.
    Pull {
        request: u64,
        ranges: Vec<MessageRange>,
    },
    Pulled {
        request: u64,
        message: &'a [u8],
    },
    /// Nothing more comes for this pull.
    PullEnd {
        request: u64,
    },
    /// Asks for a piece of a body.
    ChunkRequest {
        register: RegisterId,
        id: TransactionId,
        offset: u32,
        length: u32,
    },
    Chunk {
        id: TransactionId,
        offset: u32,
        bytes: &'a [u8],
    },
    /// The body that a piece was asked of is not held, or too much was asked for.
    ChunkGone {
        id: TransactionId,
    },
    /// How far the sender has come with origins that it does not push to the receiver.
    Announce {
        /// Names that are used from here on, and what they mean.
        definitions: Vec<Definition>,
        rows: Vec<Moved>,
    },
    /// The receiver is not to push this origin's messages any more.
    Prune {
        origin: NodePublicKey,
    },
    /// The receiver is to push this origin's messages again, and to give what it has of recent ones.
    Graft(Graft),
    /// The answer to a Graft is complete.
    GraftEnd {
        origin: NodePublicKey,
        incarnation: u64,
        /// Below this sequence the sender keeps nothing of what was asked for.
        floor: u64,
    },
    /// A proof that an origin has signed two histories.
    Equivocation {
        proof: &'a [u8],
    },
    /// Asks the peer to be a neighbour.
    Neighbour {
        /// The sender lacks neighbours: the receiver is to make room.
        priority: bool,
    },
    NeighbourAnswer {
        accepted: bool,
    },
    /// The link is a neighbour's no longer.
    Demote,
    /// Some of the nodes that the sender has at hand; some of the receiver's are wanted.
    Shuffle {
        contacts: Vec<Contact>,
    },
    ShuffleReply {
        contacts: Vec<Contact>,
    },
    /// Where the sender, who dialled, listens itself.
    Introduction {
        address: SocketAddr,
    },
    /// Asks for addresses of nodes.
    AddressRequest,
    AddressAnswer {
        contacts: Vec<Contact>,
    },
    /// Asks who holds a register, and who may know.
    FindHolders {
        register: RegisterId,
    },
    Holders {
        register: RegisterId,
        holders: Vec<Contact>,
        /// Nodes near the register.
        nearer: Vec<Contact>,
    },
    /// The sender holds these registers.
    Hold {
        registers: Vec<RegisterId>,
    },
    /// What the sender holds, for everybody to know.
    Advertisements {
        /// Part of the list of all that it advertises; otherwise what has changed of it.
        whole: bool,
        /// The end of that list: what it did not name is advertised no longer.
        last: bool,
        rows: Vec<Advertisement>,
        /// What is advertised no longer.
        gone: Vec<RegisterId>,
    },
    /// Signed records of members.
    Records {
        statements: Vec<&'a [u8]>,
    },
    /// Signed accusations.
    Accusations {
        statements: Vec<&'a [u8]>,
    },
    /// The sum over all members that the sender knows, and their number.
    TableRoot {
        /// It answers a root: no further root is wanted.
        answer: bool,
        sum: u64,
        members: u32,
    },
    /// Sums of sixteen ranges: of all members, or of those whose ids begin with a half byte.
    TableSums {
        first: Option<u8>,
        sums: Sums,
    },
    /// The members of some of the sixteen ranges below a half byte, ascending.
    TableItems {
        first: u8,
        mask: u16,
        items: Vec<Item>,
    },
    /// Asks for the records of members whose ids begin so.
    TableWant {
        ids: Vec<u64>,
    },
    /// Fingerprints of records that the sender has and that are new there. None: the sender knows what an offer is.
    RecordOffer {
        fingerprints: Vec<u64>,
    },
    /// Asks for records that were offered.
    RecordWant {
        fingerprints: Vec<u64>,
    },
    /// Asks whether the receiver reaches a member.
    Probe {
        number: u64,
        subject: PeerId,
    },
    Probed {
        number: u64,
        answer: ProbeAnswer,
    },
}

impl Frame<'_> {
    /// Whether the sender needs the link for more than to know that it is there: what keeps a link that is no
    /// neighbour's from being closed as idle.
    pub(crate) fn is_use(&self) -> bool {
        matches!(
            self,
            Self::HeldRequest { .. }
                | Self::HeldPage { .. }
                | Self::Message { .. }
                | Self::Packed { .. }
                | Self::Pull { .. }
                | Self::Pulled { .. }
                | Self::ChunkRequest { .. }
                | Self::Chunk { .. }
        )
    }
}

/// A node, and where it listens, as somebody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Contact {
    pub peer: PeerId,
    pub address: SocketAddr,
}

/// A short name for one life of an origin, on one link in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Definition {
    pub name: u16,
    pub origin: NodePublicKey,
    pub incarnation: u64,
}

/// An origin whose messages have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moved {
    pub name: u16,
    /// The sequence up to which the sender can give everything.
    pub through: u64,
    /// Milliseconds since the sender could have pushed that message; [`Moved::LONG_AGO`] if it does not say.
    pub age: u16,
}

impl Moved {
    pub(crate) const LONG_AGO: u16 = u16::MAX;
}

/// What is asked of a peer that has announced it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Graft {
    pub origin: NodePublicKey,
    pub incarnation: u64,
    pub from: u64,
    /// Below `from` when nothing is to be given now. Such a Graft is not answered.
    pub through: u64,
    /// How many messages the sender can take.
    pub messages: u16,
    /// How many bytes of messages the sender can take.
    pub bytes: u32,
}

/// What is held of one register, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DigestRow {
    pub register: RegisterId,
    /// How many messages.
    pub messages: u64,
    /// The first half of a SHA-256 over all that [`Held`] says of the register.
    pub hash: [u8; 16],
}

/// A place in the order of what is held: behind this message of this origin's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub register: RegisterId,
    pub origin: NodePublicKey,
    pub incarnation: u64,
    pub register_sequence: u64,
}

/// Why bytes are not taken as a frame.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum FrameRefused {
    /// A version or kind that this node does not know.
    #[error("frame of unknown version {version} or kind {kind}")]
    Unsupported { version: u8, kind: u8 },
    /// A known kind that cannot be read.
    #[error("the frame cannot be read: {0}")]
    Malformed(#[from] DecodeError),
}

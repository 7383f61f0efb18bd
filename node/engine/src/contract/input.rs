//! What the driver tells the engine.

use crate::{
    Address, AddressSource, Advertisement, AutoBan, BanRecord, DialFailure, DownReason, Held, LinkId, Micros,
    PeerCertificate, Policy, Token,
};
use bytes::Bytes;
use peerwright_ledger::{RegisterId, TransactionId};
use peerwright_secure::PeerId;
use std::net::SocketAddr;
use thiserror::Error;

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Input<'a> {
    /// Where nodes may listen, by this node's own means. Of seeds this is the whole list, each time: those missing are
    /// forgotten unless a link to them lives. Other sources add to what is known.
    Addresses {
        /// Who says so.
        source: AddressSource,
        /// The addresses.
        addresses: &'a [Address],
    },
    /// A connection whose peer is certified and has answered Hello.
    LinkUp {
        /// The link's name from now on.
        link: LinkId,
        /// Who is at the other end.
        peer: PeerId,
        /// The life of the peer's process, from its Hello.
        incarnation: u64,
        /// Whether this node dialled.
        outbound: bool,
        /// The address that was dialled, or the one that the connection came from.
        address: Option<SocketAddr>,
    },
    /// What the certificate of a link says, right after its `LinkUp`; of `None`, what this node's own says. Without it
    /// only bans by peer id are matched.
    Certificate {
        /// The link.
        of: Option<LinkId>,
        /// What it says.
        certificate: PeerCertificate,
    },
    /// A link ended, whoever ended it. Ignored for links that the engine has closed itself.
    LinkDown {
        /// The link.
        link: LinkId,
        /// Why.
        reason: DownReason,
    },
    /// A dial came to nothing.
    DialFailed {
        /// The address as dialled.
        address: SocketAddr,
        /// Why.
        reason: DialFailure,
    },
    /// One frame, in order, once.
    Frame {
        /// The link that it came on.
        link: LinkId,
        /// The frame as the other engine gave it to its driver.
        bytes: &'a Bytes,
    },
    /// A newer snapshot is in force.
    Policy(Policy),
    /// Bans made on this node alone, the whole list. They add to the policy's and never lift one of them.
    LocalBans(Vec<BanRecord>),
    /// The bans that this node has made by itself in its former life, as [`Output::KeepAutoBans`] gave them last. Given once,
    /// before the first link is up.
    ///
    /// [`Output::KeepAutoBans`]: crate::Output::KeepAutoBans
    AutoBans(Vec<AutoBan>),
    /// A moderator lifts a ban that this node has made by itself.
    LiftAutoBan {
        /// The banned peer.
        peer: PeerId,
    },
    /// A peer gave this node what does not verify, beside its link: dockets that it served.
    Misbehaved {
        /// The peer.
        peer: PeerId,
        /// The bytes that show it.
        evidence: Bytes,
    },
    /// Forget the failures of a peer: it is dialled at once.
    ResetFailures {
        /// The peer.
        peer: PeerId,
    },
    /// A transaction to publish; the driver has checked it with the ledger. Answered once, by
    /// [`Output::Accepted`](crate::Output::Accepted) or [`Output::Refused`](crate::Output::Refused).
    Submit {
        /// The driver's own number for it.
        token: Token,
        /// The register that it is for.
        register: RegisterId,
        /// Its id.
        id: TransactionId,
        /// Its encoding.
        transaction: Bytes,
    },
    /// Answers [`Output::Verify`](crate::Output::Verify).
    Verified {
        /// Of the question.
        token: Token,
        /// Whether the message and all in it hold.
        valid: bool,
    },
    /// Answers [`Output::VerifyStatements`](crate::Output::VerifyStatements).
    StatementsVerified {
        /// Of the question.
        token: Token,
        /// Whether all of them hold.
        valid: bool,
    },
    /// Where this node takes links from now on; `None`: nowhere that it knows of.
    Advertise {
        /// An address that other members can dial.
        address: Option<SocketAddr>,
    },
    /// What this node advertises may have changed: which registers, or what it holds of them. Before the first one it
    /// says nothing.
    HoldingsChanged {
        /// Somebody waits for it to be told; otherwise it is told with what else changes soon.
        at_once: bool,
    },
    /// Answers [`Output::ReadAdvertisements`](crate::Output::ReadAdvertisements).
    Advertisements {
        /// Of the question.
        token: Token,
        /// One row a register.
        result: Result<Vec<Advertisement>, StoreFailed>,
    },
    /// Answers [`Output::Append`](crate::Output::Append).
    Appended {
        /// Of the question.
        token: Token,
        /// All are durable, or none is known to be.
        result: Result<(), StoreFailed>,
    },
    /// Answers [`Output::ReadHeld`](crate::Output::ReadHeld).
    Held {
        /// Of the question.
        token: Token,
        /// All that is held of the registers asked for.
        result: Result<Vec<Held>, StoreFailed>,
    },
    /// Of what is held, the store has let go of these messages: their transactions are in dockets. They go on to count
    /// as held, and no peer is told of them any more.
    Gone(Vec<Held>),
    /// Answers [`Output::ReadMessages`](crate::Output::ReadMessages).
    Read {
        /// Of the question.
        token: Token,
        /// Encoded messages in the order of the ranges asked for; fewer when some are not held, or gone, or the budget
        /// ended.
        result: Result<Vec<Bytes>, StoreFailed>,
    },
    /// Answers [`Output::StoreBody`](crate::Output::StoreBody).
    BodyStored {
        /// Of the question.
        token: Token,
        /// It is durable, or why not.
        result: Result<(), BodyRefused>,
    },
    /// Answers [`Output::ReadChunk`](crate::Output::ReadChunk).
    Chunk {
        /// Of the question.
        token: Token,
        /// The bytes, `None` when the body is not held or could not be read.
        bytes: Option<Bytes>,
    },
    /// What the wall clock says now. `now` never goes back; expiry of bans and the time stamps of messages follow this
    /// instead. Worth sending about once a minute; without it the wall clock is taken to be `now`.
    Clock {
        /// Unix microseconds.
        wall: Micros,
    },
    /// Finish: no new transactions, everything accepted handed to the links, then close them.
    Drain,
    /// The armed timer has run out.
    Timer,
}

/// The store could not do it; it says why itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the store failed")]
pub struct StoreFailed;

/// Why a body was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BodyRefused {
    /// It is not the transaction that it was announced as.
    #[error("the body is not the announced transaction")]
    Invalid,
    /// The store failed.
    #[error("the store failed")]
    Store,
}

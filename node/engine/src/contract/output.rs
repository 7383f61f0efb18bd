//! What the engine tells the driver to do.

use crate::{Address, AutoBan, CloseReason, Event, LinkId, MessageRange, Micros, Statement, SubmitRefusal, Token};
use bytes::Bytes;
use peerwright_ledger::{Message, RegisterId, TransactionId};
use std::net::SocketAddr;

/// One thing to do. The driver does them in order.
#[expect(clippy::large_enum_variant, reason = "a message to verify moves once, in a list that is used again")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Open a connection. Answered by `LinkUp` with this address or by `DialFailed`.
    Dial {
        /// Where.
        address: Address,
    },
    /// Send what was given for the link, say Goodbye with the reason's label, close. No answer is needed: the engine
    /// has forgotten the link.
    Close {
        /// The link.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
    /// Send one frame on a link. A link that cannot take it (its bounded queue is full) is to be ended with
    /// [`DownReason::Overload`](crate::DownReason::Overload): sync heals what was lost.
    Send {
        /// The link.
        link: LinkId,
        /// The encoded frame.
        bytes: Bytes,
        /// How urgent it is.
        class: Class,
    },
    /// Give [`Input::Timer`](crate::Input::Timer) at this time. Replaces the timer armed before.
    ArmTimer {
        /// When.
        at: Micros,
    },
    /// Check the origin's signature of a message and every transaction inside (its canonical form, its author's
    /// signature, its register). The verdict must depend on the bytes alone, not on a clock or on settings: a peer that
    /// passed on a message that does not verify is disconnected. Answered by `Verified`.
    Verify {
        /// To answer with.
        token: Token,
        /// The link that brought it first: messages of one link belong into one batch, so that a batch with a forgery in it
        /// delays nobody else's.
        link: LinkId,
        /// The message.
        message: Message,
    },
    /// Check that members have signed what they are said to: [`Statement::holds`] for each. The verdict must depend on the
    /// bytes alone. One that does not hold makes the whole of it invalid, and the link that brought it is closed.
    /// Answered by `StatementsVerified`.
    VerifyStatements {
        /// To answer with.
        token: Token,
        /// The link that brought them.
        link: LinkId,
        /// Up to four hundred.
        statements: Vec<Statement>,
    },
    /// Make messages durable, all or none, in this order. One that is held already is a success and changes nothing.
    /// Answered by `Appended`.
    Append {
        /// To answer with.
        token: Token,
        /// The messages.
        messages: Vec<Message>,
    },
    /// Tell what is held of registers. Answered by `Held`.
    ReadHeld {
        /// To answer with.
        token: Token,
        /// Which.
        registers: Vec<RegisterId>,
    },
    /// Tell what this node may say to everybody that it holds, as the store has it now. Answered by `Advertisements`.
    ReadAdvertisements {
        /// To answer with.
        token: Token,
    },
    /// Read messages in the order of the ranges until a budget ends; the first message is given even when it alone is
    /// above the budget. Answered by `Read`.
    ReadMessages {
        /// To answer with.
        token: Token,
        /// What to read.
        ranges: Vec<MessageRange>,
        /// At most so many messages.
        max_messages: usize,
        /// At most so many bytes.
        max_bytes: usize,
    },
    /// Check that a body is the transaction `id` of `register` and that its author's signature holds, and make it
    /// durable. Answered by `BodyStored`.
    StoreBody {
        /// To answer with.
        token: Token,
        /// The register.
        register: RegisterId,
        /// The transaction.
        id: TransactionId,
        /// Its encoding.
        bytes: Bytes,
    },
    /// Read a piece of a body. Answered by `Chunk`.
    ReadChunk {
        /// To answer with.
        token: Token,
        /// The register.
        register: RegisterId,
        /// The transaction.
        id: TransactionId,
        /// Where the piece begins.
        offset: u32,
        /// How long it is.
        length: u32,
    },
    /// Make the bans that this node has made by itself durable, in place of those before, and refuse handshakes of the peers
    /// whose bans are in force. Needs no answer: a ban that is lost with the process was in force until then.
    KeepAutoBans {
        /// All that are remembered, in force or over.
        bans: Vec<AutoBan>,
    },
    /// Keep these addresses for the next life of this node, in place of those before: they are given back at its start as
    /// [`AddressSource::Anchors`](crate::AddressSource::Anchors). No answer is needed.
    Anchors {
        /// The addresses.
        addresses: Vec<SocketAddr>,
    },
    /// A submitted transaction is durable here and is being spread.
    Accepted {
        /// Of the submission.
        token: Token,
    },
    /// A submitted transaction was not taken.
    Refused {
        /// Of the submission.
        token: Token,
        /// Why.
        reason: SubmitRefusal,
    },
    /// Something worth a log line or a metric happened.
    Event(Event),
}

/// How urgent a frame is. The driver keeps frames of one class in order; across classes it may send the more urgent
/// first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Keepalive and state: small, first.
    Control,
    /// New messages and small requests.
    Gossip,
    /// Catching up and large bodies: last.
    Bulk,
}

/// Collects outputs. The driver empties it after each `handle` and uses it again.
#[derive(Debug, Default)]
pub struct Outputs {
    list: Vec<Output>,
}

impl Outputs {
    /// An empty collection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes out everything, in order.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Output> {
        self.list.drain(..)
    }

    /// What is inside, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Output] {
        &self.list
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn push(&mut self, output: Output) {
        self.list.push(output);
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.push(Output::Event(event));
    }
}

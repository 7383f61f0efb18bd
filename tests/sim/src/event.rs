//! What happens to a host.

use bytes::Bytes;
use peerwright_engine::{Advertisement, BodyRefused, CloseReason, DownReason, Held, Micros, Token};
use peerwright_secure::PeerId;
use std::cmp::Ordering;

/// A host's place in the simulation.
pub(crate) type HostId = u32;

/// A host's own name for one end of a connection; never used twice.
pub(crate) type EndId = u32;

/// Something that happens at a time to a host, caused by a host.
#[derive(Debug)]
pub(crate) struct Event {
    pub at: Micros,
    pub from: HostId,
    /// The causing host's own count.
    pub number: u32,
    pub to: HostId,
    pub what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    /// The process starts, or starts again.
    Start,
    /// The engine's timer may be due.
    Timer,
    /// The answer to a question of the engine, unless its process has ended since.
    Answer { life: u32, answer: Answer },
    /// The next transaction is to be submitted.
    Publish,
    /// One transaction is to be submitted.
    PublishOnce,
    /// An adversary sends again.
    Attack,
    /// A newer version says what older ones do not know.
    Novelty,
    /// The process goes on after a pause.
    Resume,
    /// Nothing was heard of a dial.
    DialTimeout { end: EndId },
    /// Somebody dials; `end` is the dialler's.
    Connect { end: EndId, peer: PeerId, incarnation: u64 },
    /// A dial was answered: `end` is the dialler's, `far` the other's.
    Connected { end: EndId, far: EndId, peer: PeerId, incarnation: u64 },
    /// A dial was refused.
    Refused { end: EndId, banned: bool },
    /// A frame on the connection `end`; `far` is the sender's.
    Frame { end: EndId, far: EndId, bytes: Bytes },
    /// The connection was closed with a word, or reset without one.
    Closed { end: EndId, reason: DownReason },
}

/// What a store or verifier says, as far as it is known when the question is taken.
#[derive(Debug)]
pub(crate) enum Answer {
    Verified { token: Token, valid: bool },
    StatementsVerified { token: Token, valid: bool },
    Appended { token: Token, stored: bool },
    BodyStored { token: Token, result: Result<(), BodyRefused> },
    Held { token: Token, held: Option<Vec<Held>> },
    Advertised { token: Token, rows: Option<Vec<Advertisement>> },
    Read { token: Token, messages: Option<Vec<Bytes>> },
    Chunk { token: Token, bytes: Option<Bytes> },
}

/// What the far end of a closed connection hears.
pub(crate) fn heard(reason: CloseReason) -> DownReason {
    match reason {
        CloseReason::Duplicate => DownReason::Duplicate,
        CloseReason::Banned => DownReason::Banned,
        _ => DownReason::Goodbye,
    }
}

impl Event {
    /// The order of what happens to one host.
    pub(crate) fn key(&self) -> (Micros, HostId, u32) {
        (self.at, self.from, self.number)
    }
}

/// Reversed, so that the greatest of a heap is what happens next.
impl Ord for Event {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Event {}

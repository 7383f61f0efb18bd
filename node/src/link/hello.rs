//! The first message each way on every carrier.

use peerwright_engine::session::{SessionBroken, Versions, negotiate};
use peerwright_proto::v1::{Hello, LinkMessage, link_message::Kind};
use thiserror::Error;

/// The version of the wire that this program speaks.
pub const WIRE_VERSION: u32 = 1;
/// That and the oldest that it still understands: the version before, from the second one on.
const VERSIONS: Versions = Versions { oldest: 1, newest: WIRE_VERSION };
/// The optional features of this program: none yet.
const FEATURES: u64 = 0;

/// Names one link session; the dialling side chooses it.
pub(super) type SessionId = [u8; 16];

/// Why a Hello, or a call of a session, was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HelloRefused {
    /// The first message was something else, or none came.
    #[error("the first message was not Hello")]
    Missing,
    /// No version that both sides speak.
    #[error("no wire version in common: this node speaks {} to {}", VERSIONS.oldest, VERSIONS.newest)]
    Version,
    /// A session id of another length or life, or not the one that was asked for.
    #[error("the session id is not the one of this link")]
    Session,
    /// The session is over, was never there, or is another peer's.
    #[error("no such session")]
    Unknown,
    /// A later carrier of the session is in use.
    #[error("another carrier has taken the place of this one")]
    Superseded,
    /// What the other side claims to have was never sent.
    #[error(transparent)]
    Broken(#[from] SessionBroken),
    /// There are as many sessions as this node keeps.
    #[error("too many sessions")]
    Full,
    /// This node is ending.
    #[error("this node is draining")]
    Draining,
}

impl HelloRefused {
    /// The reason in one word, on the wire and as a metric label.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "hello_missing",
            Self::Version => "version",
            Self::Session => "session",
            Self::Unknown => "session_unknown",
            Self::Superseded => "superseded",
            Self::Broken(broken) => broken.code(),
            Self::Full => "full",
            Self::Draining => "draining",
        }
    }
}

/// What a Hello says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Greeting {
    pub(super) session: SessionId,
    /// The life of the sender's process.
    pub(super) incarnation: u64,
    /// Which carrier of the session this is, from 1.
    pub(super) carrier: u64,
    /// Up to where the sender has the other side's frames.
    pub(super) received: u64,
}

pub(super) fn message(greeting: &Greeting) -> LinkMessage {
    let hello = Hello {
        version_min: VERSIONS.oldest,
        version_max: VERSIONS.newest,
        features: FEATURES,
        session: greeting.session.to_vec().into(),
        incarnation: greeting.incarnation,
        carrier: greeting.carrier,
        received: greeting.received,
    };
    LinkMessage { kind: Some(Kind::Hello(hello)) }
}

/// Reads the other side's Hello. `asked` is what this node asked for, when it dialled.
pub(super) fn read(message: Option<LinkMessage>, asked: Option<&Greeting>) -> Result<Greeting, HelloRefused> {
    let Some(LinkMessage { kind: Some(Kind::Hello(hello)) }) = message else { return Err(HelloRefused::Missing) };
    let theirs = Versions { oldest: hello.version_min, newest: hello.version_max };
    negotiate(VERSIONS, theirs).ok_or(HelloRefused::Version)?;
    let session = SessionId::try_from(hello.session.as_ref()).map_err(|_| HelloRefused::Session)?;
    let (carrier, received) = (hello.carrier, hello.received);
    if carrier == 0 || asked.is_some_and(|asked| asked.session != session || asked.carrier != carrier) {
        return Err(HelloRefused::Session);
    }
    Ok(Greeting { session, incarnation: hello.incarnation, carrier, received })
}

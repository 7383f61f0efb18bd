//! The first message each way.

use peerwright_proto::v1::{Hello, LinkMessage, link_message::Kind};
use thiserror::Error;

/// The version of the wire that this program speaks, and the oldest that it still understands.
pub const WIRE_VERSION: u32 = 1;
const OLDEST_WIRE_VERSION: u32 = 1;

/// Names one link session; the dialling side chooses it.
pub(super) type SessionId = [u8; 16];

/// Why a Hello was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HelloRefused {
    /// The first message was something else, or none came.
    #[error("the first message was not Hello")]
    Missing,
    /// No version that both sides speak.
    #[error("no wire version in common: this node speaks {OLDEST_WIRE_VERSION} to {WIRE_VERSION}")]
    Version,
    /// A session id of another length, or not the one that was asked for.
    #[error("the session id is not the one of this link")]
    Session,
}

impl HelloRefused {
    /// The reason in one word, on the wire and as a metric label.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "hello_missing",
            Self::Version => "version",
            Self::Session => "session",
        }
    }
}

pub(super) fn message(session: &SessionId, incarnation: u64) -> LinkMessage {
    let hello = Hello {
        version_min: OLDEST_WIRE_VERSION,
        version_max: WIRE_VERSION,
        features: 0,
        session: session.to_vec().into(),
        incarnation,
    };
    LinkMessage { kind: Some(Kind::Hello(hello)) }
}

/// Reads the other side's Hello. `asked` is the session that this node asked for, when it dialled.
pub(super) fn read(message: Option<LinkMessage>, asked: Option<&SessionId>) -> Result<(SessionId, u64), HelloRefused> {
    let Some(LinkMessage { kind: Some(Kind::Hello(hello)) }) = message else { return Err(HelloRefused::Missing) };
    if hello.version_min > WIRE_VERSION || hello.version_max < OLDEST_WIRE_VERSION {
        return Err(HelloRefused::Version);
    }
    let session = SessionId::try_from(hello.session.as_ref()).map_err(|_| HelloRefused::Session)?;
    if asked.is_some_and(|asked| *asked != session) {
        return Err(HelloRefused::Session);
    }
    Ok((session, hello.incarnation))
}

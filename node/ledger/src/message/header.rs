//! The fields in front of a message's entries, read without reading the rest.

use super::{MessageBody, format::FORMAT};
use crate::RegisterId;
use peerwright_encoding::{DecodeError, Reader};
use peerwright_secure::NodePublicKey;

/// What tells messages apart before anything is believed, allocated or hashed: most messages that a node hears it has
/// heard before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageHeader {
    /// The node that claims to have published the message.
    pub origin: NodePublicKey,
    /// The start of that node.
    pub incarnation: u64,
    /// The message's number within the incarnation.
    pub sequence: u64,
    /// The register of all entries.
    pub register: RegisterId,
    /// The message's number within the incarnation and register.
    pub register_sequence: u64,
    /// When the origin sealed it, unix microseconds.
    pub created_at_micros: u64,
    /// When gossip stops spreading it, unix microseconds.
    pub expires_at_micros: u64,
}

impl From<&MessageBody> for MessageHeader {
    fn from(body: &MessageBody) -> Self {
        Self {
            origin: body.origin,
            incarnation: body.incarnation,
            sequence: body.sequence,
            register: body.register,
            register_sequence: body.register_sequence,
            created_at_micros: body.created_at_micros,
            expires_at_micros: body.expires_at_micros,
        }
    }
}

impl MessageHeader {
    /// Reads the front of `encoded`; `None` when it is not the front of a message. What follows may still be nonsense.
    #[must_use]
    pub fn peek(encoded: &[u8]) -> Option<Self> {
        Self::read(&mut Reader::new(encoded)).ok()
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8("message format")? {
            FORMAT => {}
            value => return Err(DecodeError::Unknown { what: "message format", value: value.into() }),
        }
        let origin = NodePublicKey::from_bytes(reader.array("origin")?);
        let incarnation = reader.u64("incarnation")?;
        let sequence = reader.u64("sequence")?;
        reader.u64("floor")?;
        reader.raw(32, "previous message")?;
        let register = RegisterId::from_bytes(reader.array("register")?);
        let register_sequence = reader.u64("register sequence")?;
        let created_at_micros = reader.u64("creation time")?;
        let expires_at_micros = reader.u64("expiry")?;
        Ok(Self { origin, incarnation, sequence, register, register_sequence, created_at_micros, expires_at_micros })
    }
}

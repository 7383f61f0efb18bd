//! Proof that one origin has signed two histories.
//!
//! ```text
//! u8 format = 1 | first message, as bytes | second message, as bytes
//!
//! rivals   one incarnation and sequence, two messages: the one with the smaller id comes first
//! breach   the second is the first's successor and names another message as its previous
//! ```
//!
//! An honest origin numbers and signs each message once and names the one before it, so either pair shows that its key
//! is used twice or against the rules. Whoever holds the proof can check it alone.

use crate::{Message, MessageRefused, message::MAX_MESSAGE_BYTES};
use bytes::Bytes;
use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_secure::NodePublicKey;
use thiserror::Error;

/// The longest proof.
pub const MAX_PROOF_BYTES: usize = 2 * MAX_MESSAGE_BYTES + 9;

const FORMAT: u8 = 1;

/// How two messages contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contradiction {
    /// Two messages with one name.
    Rivals,
    /// A message that does not follow the one before it.
    Breach,
}

/// Why bytes are no proof.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProofRefused {
    /// Not the canonical encoding of a proof.
    #[error("the proof cannot be read: {0}")]
    Malformed(#[from] DecodeError),
    /// One of the messages cannot be read, or its origin did not sign it.
    #[error("a message of the proof is refused: {0}")]
    Message(#[from] MessageRefused),
    /// An honest origin may have signed both messages.
    #[error("the messages do not contradict each other")]
    NoContradiction,
}

/// Two messages of one origin's life that it cannot both have signed honestly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EquivocationProof {
    first: Message,
    second: Message,
}

impl EquivocationProof {
    /// The proof that two messages make, in whatever order they are given. Their signatures are not checked here.
    pub fn of(one: Message, other: Message) -> Result<Self, ProofRefused> {
        let is_ordered = (one.body().sequence, one.id()) <= (other.body().sequence, other.id());
        let (first, second) = if is_ordered { (one, other) } else { (other, one) };
        match contradiction(&first, &second) {
            Some(_) => Ok(Self { first, second }),
            None => Err(ProofRefused::NoContradiction),
        }
    }

    /// Reads a proof. Nothing in it is believed until [`EquivocationProof::verify`].
    pub fn decode(encoded: &Bytes) -> Result<Self, ProofRefused> {
        let mut reader = Reader::new(encoded);
        match reader.u8("proof format")? {
            FORMAT => {}
            value => return Err(DecodeError::Unknown { what: "proof format", value: value.into() }.into()),
        }
        let one = encoded.slice_ref(reader.bytes(MAX_MESSAGE_BYTES, "first message")?);
        let other = encoded.slice_ref(reader.bytes(MAX_MESSAGE_BYTES, "second message")?);
        reader.finish()?;
        let (one, other) = (Message::decode(one)?, Message::decode(other)?);
        let is_ordered = (one.body().sequence, one.id()) <= (other.body().sequence, other.id());
        if !is_ordered {
            return Err(DecodeError::Invalid("the messages of a proof are not in order").into());
        }
        Self::of(one, other)
    }

    /// The proof's canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::with_capacity(self.first.encoded().len() + self.second.encoded().len() + 9);
        writer.u8(FORMAT).bytes(self.first.encoded()).bytes(self.second.encoded());
        writer.finish().into()
    }

    /// Checks that the origin signed both messages.
    pub fn verify(&self) -> Result<(), ProofRefused> {
        self.first.verify()?;
        Ok(self.second.verify()?)
    }

    /// Whose key has signed both.
    #[must_use]
    pub const fn origin(&self) -> NodePublicKey {
        self.first.body().origin
    }

    /// How the messages contradict each other.
    #[must_use]
    pub fn contradiction(&self) -> Contradiction {
        contradiction(&self.first, &self.second).unwrap_or(Contradiction::Rivals)
    }

    /// Both messages, in order.
    #[must_use]
    pub const fn messages(&self) -> [&Message; 2] {
        [&self.first, &self.second]
    }
}

fn contradiction(first: &Message, second: &Message) -> Option<Contradiction> {
    let (one, other) = (first.body(), second.body());
    if (one.origin, one.incarnation) != (other.origin, other.incarnation) {
        return None;
    }
    if one.sequence == other.sequence {
        return (first.id() != second.id()).then_some(Contradiction::Rivals);
    }
    let follows = one.sequence.checked_add(1) == Some(other.sequence);
    (follows && other.previous != first.id()).then_some(Contradiction::Breach)
}

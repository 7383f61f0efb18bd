//! Gossip messages: transactions on their way from the node that accepted them to every node that keeps the register.
//!
//! ```text
//! origin + incarnation   one start of one node; its messages are numbered and each names the one before
//!   sequence             1, 2, 3, ...  over all registers: what a peer lacks of an origin is a range of numbers
//!   register_sequence    1, 2, 3, ...  in the message's register alone: what a subscriber lacks is one, too
//!   floor                the lowest sequence that the origin still stands for: a newcomer begins there
//! ```
//!
//! Two different messages of one origin with the same incarnation and sequence, both signed, prove that its key is used
//! twice.

mod format;
mod header;
mod packed;

pub use format::{MAX_ANNOUNCED_BYTES, MAX_ENTRIES, MAX_GATHERED_BYTES, MAX_INLINE_BYTES, MAX_MESSAGE_BYTES};
pub use header::MessageHeader;
pub use packed::{Opened, Packed, Predecessor, PredecessorName, predecessor_name};

use crate::{Refusal, RegisterId, Transaction, TransactionId};
use bytes::Bytes;
use peerwright_encoding::DecodeError;
use peerwright_secure::{Context, NodeKey, NodePublicKey, Signature, SignatureBatch, SignatureRefused};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// What a message's origin signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageBody {
    /// The node that accepted the transactions.
    pub origin: NodePublicKey,
    /// The start of that node.
    pub incarnation: u64,
    /// The message's number within the incarnation, from 1.
    pub sequence: u64,
    /// The lowest sequence of this incarnation that the origin still stands for; at most `sequence`.
    pub floor: u64,
    /// SHA-256 of the origin's previous message of this incarnation; zeroes in the first.
    pub previous: [u8; 32],
    /// The register of all entries.
    pub register: RegisterId,
    /// The message's number within the incarnation and register, from 1.
    pub register_sequence: u64,
    /// When the origin sealed the message, unix microseconds.
    pub created_at_micros: u64,
    /// When gossip stops spreading it, unix microseconds.
    pub expires_at_micros: u64,
    /// The transactions: 1 to [`MAX_ENTRIES`] inline, or one announced.
    pub entries: Vec<Entry>,
}

/// One transaction of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The transaction's bytes. All of a message have at most [`MAX_GATHERED_BYTES`]; one alone [`MAX_INLINE_BYTES`].
    Inline(Bytes),
    /// A transaction of more than [`MAX_INLINE_BYTES`], which is pulled in chunks from whoever holds it. Rides alone.
    Announced {
        /// The transaction.
        id: TransactionId,
        /// Its length in bytes.
        size: u32,
    },
}

/// A message's name: the SHA-256 of its bytes, signature included.
pub type MessageId = [u8; 32];

/// Why a message is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MessageRefused {
    /// Not the canonical encoding of a message within the limits.
    #[error("the message cannot be read: {0}")]
    Malformed(#[from] DecodeError),
    /// Signed by another key than the origin's.
    #[error("the key that signs is not the message's origin")]
    OriginMismatch,
    /// The origin did not sign the message.
    #[error("the origin's signature does not hold: {0}")]
    Signature(#[from] SignatureRefused),
}

impl MessageRefused {
    /// The refusal on the wire and as a metric label.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::OriginMismatch => "origin_mismatch",
            Self::Signature(refused) => refused.code(),
        }
    }
}

impl MessageBody {
    /// Signs the message with its origin's key. Refuses what every reader would refuse.
    pub fn sign(self, key: &NodeKey) -> Result<Message, MessageRefused> {
        if self.origin != key.public() {
            return Err(MessageRefused::OriginMismatch);
        }
        let mut encoded = format::encode(&self);
        let digest = Sha256::digest(&encoded);
        encoded.extend_from_slice(key.sign(Context::Message, &digest).as_bytes());
        Message::decode(encoded)
    }
}

/// A message with its signature, and the bytes that it was read from: cheap to clone, forwarded as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    body: MessageBody,
    signature: Signature,
    signed_digest: [u8; 32],
    id: MessageId,
    encoded: Bytes,
}

impl Message {
    /// Reads a message; its entries stay in `encoded`, shared. Nothing in it is believed until
    /// [`Message::verify`].
    pub fn decode(encoded: impl Into<Bytes>) -> Result<Self, MessageRefused> {
        let encoded = encoded.into();
        let (body, signature) = format::parse(&encoded)?;
        let mut hash = Sha256::new_with_prefix(format::signed_part(&encoded));
        let signed_digest = hash.clone().finalize().into();
        hash.update(signature.as_bytes());
        Ok(Self { body, signature, signed_digest, id: hash.finalize().into(), encoded })
    }

    /// Checks that the origin signed the message: one Ed25519 verification over a digest that is at hand. The
    /// transactions in it have authors of their own, see [`Message::transactions`].
    pub fn verify(&self) -> Result<(), MessageRefused> {
        Ok(self.body.origin.verify(Context::Message, &self.signed_digest, &self.signature)?)
    }

    /// Adds the signature that [`Message::verify`] checks to others that are checked with it.
    pub fn add_signature(&self, batch: &mut SignatureBatch) {
        batch.add(&self.body.origin, Context::Message, &self.signed_digest, &self.signature);
    }

    /// What the origin signed.
    #[must_use]
    pub const fn body(&self) -> &MessageBody {
        &self.body
    }

    /// The message's name: SHA-256 of [`Message::encoded`], which the origin's next message repeats.
    #[must_use]
    pub const fn id(&self) -> MessageId {
        self.id
    }

    /// The canonical bytes: what is stored and travels.
    #[must_use]
    pub const fn encoded(&self) -> &Bytes {
        &self.encoded
    }

    /// Reads the inline transactions, in order; refuses those of another register. Their signatures are not checked.
    pub fn transactions(&self) -> impl Iterator<Item = Result<Transaction, Refusal>> {
        let inline = self.body.entries.iter().filter_map(|entry| match entry {
            Entry::Inline(bytes) => Some(bytes.clone()),
            Entry::Announced { .. } => None,
        });
        inline.map(|bytes| self.accept(Transaction::decode(bytes)?))
    }

    /// Reads the transaction that this message announced from `encoded`, which was pulled from somebody.
    pub fn announced(&self, encoded: impl Into<Bytes>) -> Result<Transaction, Refusal> {
        let transaction = self.accept(Transaction::decode(encoded)?)?;
        let found =
            u32::try_from(transaction.encoded().len()).map(|size| Entry::Announced { id: transaction.id(), size });
        let is_announced = found.is_ok_and(|found| self.body.entries.contains(&found));
        if is_announced { Ok(transaction) } else { Err(Refusal::OtherTransaction(transaction.id())) }
    }

    fn accept(&self, transaction: Transaction) -> Result<Transaction, Refusal> {
        let register = transaction.body().register;
        if register == self.body.register { Ok(transaction) } else { Err(Refusal::OtherRegister(register)) }
    }
}

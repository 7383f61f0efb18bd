//! A signed entry of a register.

mod admission;
mod body;
mod format;
pub(crate) mod packed;
mod view;

pub use admission::{DEFAULT_LIFETIME_MICROS, Limits};
pub use body::{Kind, Metadata, Payload, TransactionBody};
pub use format::{MAX_LIST_ITEMS, MAX_NAME_BYTES, MAX_PAYLOADS, MAX_TRACKING_VALUE_BYTES, MAX_TRANSACTION_BYTES};
pub use view::TransactionView;

use crate::{Refusal, TransactionId};
use bytes::Bytes;
use peerwright_secure::{Context, NodeKey, Signature, SignatureBatch, sha256};

/// A transaction with its signature, and the bytes that it was read from: cheap to clone.
///
/// A transaction that was decoded is canonical, within the limits of the format, and its payloads match their hashes.
/// That its author signed it, [`Transaction::verify_signature`] says; that it may be taken now, [`Transaction::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    body: TransactionBody,
    id: TransactionId,
    signature: Signature,
    encoded: Bytes,
}

impl TransactionBody {
    /// Signs the transaction with its author's key. Refuses what every reader would refuse: a list, text or whole over
    /// the format's limits.
    pub fn sign(self, key: &NodeKey) -> Result<Transaction, Refusal> {
        if self.author != key.public() {
            return Err(Refusal::AuthorMismatch);
        }
        let mut encoded = format::encode(&self);
        let id = TransactionId::from_bytes(sha256(&encoded));
        let signature = key.sign(Context::Transaction, id.as_bytes());
        encoded.extend_from_slice(signature.as_bytes());
        let encoded = Bytes::from(encoded);
        let (body, _) = format::parse(&encoded)?;
        Ok(Transaction { body, id, signature, encoded })
    }
}

impl Transaction {
    /// Reads a transaction. Its data stays in `encoded`, shared.
    pub fn decode(encoded: impl Into<Bytes>) -> Result<Self, Refusal> {
        let encoded = encoded.into();
        let (body, signature) = format::parse(&encoded)?;
        if let Some(mismatch) = body.payloads.iter().position(|payload| !payload.matches_its_hash()) {
            return Err(Refusal::PayloadHashMismatch(mismatch));
        }
        let id = TransactionId::from_bytes(sha256(format::signed_part(&encoded)));
        Ok(Self { body, id, signature, encoded })
    }

    /// What the author signed.
    #[must_use]
    pub const fn body(&self) -> &TransactionBody {
        &self.body
    }

    /// The transaction's name: SHA-256 of everything in it but the signature.
    #[must_use]
    pub const fn id(&self) -> TransactionId {
        self.id
    }

    /// The author's signature of the id.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The canonical bytes: what is stored and travels.
    #[must_use]
    pub const fn encoded(&self) -> &Bytes {
        &self.encoded
    }

    /// Adds the signature that [`Transaction::verify_signature`] checks to others that are checked with it.
    pub fn add_signature(&self, batch: &mut SignatureBatch) {
        batch.add(&self.body.author, Context::Transaction, self.id.as_bytes(), &self.signature);
    }

    /// Checks that the author signed the transaction: all that is asked of one that others accepted before.
    pub fn verify_signature(&self) -> Result<(), Refusal> {
        Ok(self.body.author.verify(Context::Transaction, self.id.as_bytes(), &self.signature)?)
    }
}

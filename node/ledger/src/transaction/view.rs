//! The fields of a transaction that a docket is checked by, read in place.

use super::Kind;
use super::format::{FORMAT, MAX_LIST_ITEMS, MAX_NAME_BYTES, SIGNATURE_BYTES, read_kind};
use crate::merkle::LeafHash;
use crate::{RegisterId, TransactionId};
use peerwright_encoding::{DecodeError, Reader};
use peerwright_secure::{NodePublicKey, sha256};

/// The front of an encoded transaction and its signature. Nothing is copied, so thousands are looked at in the time that
/// hashing them takes. What lies between is not read: it may still be nonsense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionView<'a> {
    /// The register that it is for.
    pub register: RegisterId,
    /// Whose signature it claims to bear.
    pub author: NodePublicKey,
    /// When it was made, unix microseconds.
    pub created_at_micros: u64,
    /// When it ceases to be acceptable to a register that does not hold it yet, unix microseconds.
    pub valid_until_micros: u64,
    /// What it is for.
    pub kind: Kind,
    signed: &'a [u8],
    signature: &'a [u8; SIGNATURE_BYTES],
}

impl<'a> TransactionView<'a> {
    /// Looks at a transaction.
    pub fn read(encoded: &'a [u8]) -> Result<Self, DecodeError> {
        let (signed, signature) =
            encoded.split_last_chunk::<SIGNATURE_BYTES>().ok_or(DecodeError::Truncated("signature"))?;
        let mut reader = Reader::new(signed);
        match reader.u8("transaction format")? {
            FORMAT => {}
            value => return Err(DecodeError::Unknown { what: "transaction format", value: value.into() }),
        }
        let register = RegisterId::from_bytes(reader.array("register")?);
        reader.option("previous transaction", |reader| reader.array::<32>("previous transaction"))?;
        let author = NodePublicKey::from_bytes(reader.array("author")?);
        reader.option("subject", |reader| reader.bytes(MAX_NAME_BYTES, "subject"))?;
        reader.list(MAX_LIST_ITEMS, "recipients", |reader| reader.bytes(MAX_NAME_BYTES, "recipients").map(drop))?;
        Ok(Self {
            register,
            author,
            created_at_micros: reader.u64("creation time")?,
            valid_until_micros: reader.u64("end of validity")?,
            kind: read_kind(&mut reader)?,
            signed,
            signature,
        })
    }

    /// The transaction's name, of its bytes as they are.
    #[must_use]
    pub fn id(&self) -> TransactionId {
        TransactionId::from_bytes(sha256(self.signed))
    }

    /// The leaf that stands for it in its docket's tree: id and signature, so the root commits to each of its bytes.
    #[must_use]
    pub fn leaf(&self, id: &TransactionId) -> LeafHash {
        LeafHash::of_signed(id.as_bytes(), self.signature)
    }
}

//! The transactions of a docket, one behind the other.

use crate::MAX_TRANSACTION_BYTES;
use bytes::Bytes;
use peerwright_encoding::{DecodeError, Reader, Writer};

/// Most transactions in a docket.
pub const MAX_DOCKET_TRANSACTIONS: u32 = 10_000;
/// The longest body: it has room for the longest transaction, and a message of 16 MiB for a docket with this body.
pub const MAX_DOCKET_BYTES: u32 = 15 * 1024 * 1024;
/// What a body adds to each transaction, and once to all: a length, a count.
pub(crate) const LENGTH_BYTES: usize = 4;

/// A docket's transactions as they are stored and travel: a count, then the length and the bytes of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocketBody {
    encoded: Bytes,
    count: u32,
}

impl DocketBody {
    /// The body of these encoded transactions, in this order. Refuses what every reader would refuse.
    pub fn gather<'a>(transactions: impl IntoIterator<Item = &'a [u8]> + Clone) -> Result<Self, DecodeError> {
        let (mut count, mut bytes) = (0u32, LENGTH_BYTES);
        for transaction in transactions.clone() {
            count = count.saturating_add(1);
            bytes = bytes.saturating_add(LENGTH_BYTES + transaction.len());
        }
        check(count, bytes)?;
        let mut writer = Writer::with_capacity(bytes);
        writer.u32(count);
        for transaction in transactions {
            writer.bytes(transaction);
        }
        Self::decode(writer.finish())
    }

    /// Reads a body: that count and lengths fill it exactly. The transactions are not looked at.
    pub fn decode(encoded: impl Into<Bytes>) -> Result<Self, DecodeError> {
        let encoded = encoded.into();
        let mut reader = Reader::new(&encoded);
        let count = reader.u32("transaction count")?;
        check(count, encoded.len())?;
        for _ in 0..count {
            reader.bytes(usize::try_from(MAX_TRANSACTION_BYTES).unwrap_or(usize::MAX), "transaction")?;
        }
        reader.finish()?;
        Ok(Self { encoded, count })
    }

    /// How many transactions it has.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// The canonical bytes.
    #[must_use]
    pub const fn encoded(&self) -> &Bytes {
        &self.encoded
    }

    /// The encoded transactions, in order and in place; [`Bytes::slice_ref`] of [`DocketBody::encoded`] shares one.
    pub fn transactions(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let mut reader = Reader::new(&self.encoded);
        let is_counted = reader.u32("transaction count").is_ok();
        std::iter::from_fn(move || reader.bytes(usize::MAX, "transaction").ok().filter(|_| is_counted))
    }
}

fn check(count: u32, bytes: usize) -> Result<(), DecodeError> {
    if count > MAX_DOCKET_TRANSACTIONS {
        let limit = MAX_DOCKET_TRANSACTIONS.into();
        return Err(DecodeError::TooLong { what: "docket", length: count.into(), limit });
    }
    if u32::try_from(bytes).map_or(true, |bytes| bytes > MAX_DOCKET_BYTES) {
        let limit = MAX_DOCKET_BYTES.into();
        return Err(DecodeError::TooLong { what: "docket body", length: bytes as u64, limit });
    }
    Ok(())
}

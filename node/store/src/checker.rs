//! What was read of dockets is compared with its checksums: whatever the disk has changed is never given on.

use crate::{
    StoreError, StoredDocket, StoredHeader,
    checksum::Checked,
    codec::{from_ordered, key},
};
use bytes::Bytes;
use peerwright_ledger::{DocketHash, RegisterId, TransactionId};
use peerwright_secure::sha256;

/// Number, hash, header, checksum of the certificate, certificate.
pub(crate) type HeaderRow = (i64, Vec<u8>, Vec<u8>, Option<i64>, Option<Vec<u8>>);
/// The same, then checksum of the body, body.
pub(crate) type DocketRow = (i64, Vec<u8>, Vec<u8>, Option<i64>, Option<Vec<u8>>, Option<i64>, Option<Vec<u8>>);
/// Number, checksum of the ids, ids.
pub(crate) type IdsRow = (i64, Option<i64>, Option<Vec<u8>>);

/// Dockets that one call reads at most, however small they are.
pub(crate) const MAX_DOCKETS: usize = 4096;

/// Checks one docket after the other; the first that is not as it was stored, or is missing, ends the answer.
pub(crate) struct Checker {
    register: RegisterId,
    next: Option<u64>,
}

impl Checker {
    /// `next` is the number that must come first, if one must.
    pub(crate) const fn new(register: RegisterId, next: Option<u64>) -> Self {
        Self { register, next }
    }

    /// This number must come next.
    pub(crate) const fn begin(&mut self, next: u64) {
        self.next = Some(next);
    }

    /// `Err` with the number that is corrupt.
    pub(crate) fn header(&mut self, row: HeaderRow) -> Result<StoredHeader, u64> {
        let (number, hash, header, certificate_checksum, certificate) = row;
        let number = from_ordered(number);
        if let Some(expected) = self.next.filter(|expected| *expected != number) {
            return Err(expected);
        }
        self.next = number.checked_add(1);
        let hash = key(hash).map_err(|_| number)?;
        let of = Checked::Certificate(self.register, number);
        let certified = certificate.as_ref().map(|bytes| of.checksum(bytes)) == certificate_checksum;
        if sha256(&header) != hash || !certified {
            return Err(number);
        }
        let hash = DocketHash::from_bytes(hash);
        Ok(StoredHeader { number, hash, header: header.into(), certificate: certificate.map(Bytes::from) })
    }

    pub(crate) fn docket(&mut self, row: DocketRow) -> Result<StoredDocket, u64> {
        let (number, hash, header, certificate_checksum, certificate, checksum, body) = row;
        let header = self.header((number, hash, header, certificate_checksum, certificate))?;
        let of = Checked::Body(self.register, header.number);
        match body {
            Some(body) if checksum == Some(of.checksum(&body)) => Ok(StoredDocket { header, body: body.into() }),
            _ => Err(header.number),
        }
    }

    /// Whether to go on.
    pub(crate) fn take<T>(&self, checked: Result<T, u64>, taken: &mut Vec<T>) -> Result<bool, StoreError> {
        match checked {
            Ok(value) => {
                taken.push(value);
                Ok(true)
            }
            Err(number) if taken.is_empty() => Err(StoreError::CorruptDocket { register: self.register, number }),
            Err(_) => Ok(false),
        }
    }
}

/// Transaction ids that are as they were stored.
pub(crate) fn checked_ids(
    register: RegisterId,
    number: u64,
    checksum: Option<i64>,
    ids: Option<Vec<u8>>,
) -> Result<Vec<TransactionId>, StoreError> {
    let ids = ids.filter(|ids| checksum == Some(Checked::Ids(register, number).checksum(ids)));
    let ids = ids.ok_or(StoreError::CorruptDocket { register, number })?;
    Ok(ids.as_chunks().0.iter().map(|id| TransactionId::from_bytes(*id)).collect())
}

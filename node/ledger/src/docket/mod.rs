//! Dockets: the sealed, numbered, linked batches that a register is made of.
//!
//! ```text
//! header 0 <--previous-- header 1 <--previous-- header 2        SHA-256 of a header = the docket's hash
//!    |                      |                      |
//!    | transactions root    | over id and signature of each transaction in the body
//!    | history root         | over the hashes of all dockets before
//!    v                      v
//!  body 0: genesis        body 1                            certificate: signatures of the hash by most sealers
//! ```
//!
//! Everything is checked without anybody's word: a body against its header by [`verify_body`], in parallel and out of order,
//! and headers against those before them by [`Chain`](crate::Chain).

mod body;
mod certificate;
mod header;
mod proof;
mod refusal;
mod sealers;
mod verification;

pub use body::{DocketBody, MAX_DOCKET_BYTES, MAX_DOCKET_TRANSACTIONS};
pub use certificate::{CertificateRefused, CommitCertificate, MAX_CERTIFICATE_BYTES};
pub use header::{DocketHeader, HEADER_BYTES};
pub use refusal::DocketRefused;
pub use sealers::{MAX_SEALERS, SealerSet};
pub use verification::{SEALED_HORIZON_MICROS, Verify, verify_body};

pub(crate) use body::LENGTH_BYTES;
pub(crate) use verification::check_admissible;

use bytes::Bytes;
use peerwright_encoding::{DecodeError, Reader, Writer};

/// A docket as it is stored and replicated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Docket {
    /// What is hashed.
    pub header: DocketHeader,
    /// Who signed the hash.
    pub certificate: CommitCertificate,
    /// The transactions.
    pub body: DocketBody,
}

impl Docket {
    /// The canonical bytes: header, certificate and body, each behind its length.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        Self::assemble(&self.header.encode(), &self.certificate.encode(), self.body.encoded())
    }

    /// The canonical bytes of a docket whose encoded parts these are.
    #[must_use]
    pub fn assemble(header: &[u8], certificate: &[u8], body: &[u8]) -> Bytes {
        let mut writer = Writer::with_capacity(header.len() + certificate.len() + body.len() + 12);
        writer.bytes(header).bytes(certificate).bytes(body);
        writer.finish().into()
    }

    /// Reads a docket; its body stays in `encoded`, shared. Nothing in it is believed until a
    /// [`Chain`](crate::Chain) takes it.
    pub fn decode(encoded: impl Into<Bytes>) -> Result<Self, DecodeError> {
        let encoded = encoded.into();
        let mut reader = Reader::new(&encoded);
        let header = DocketHeader::decode(reader.bytes(HEADER_BYTES, "docket header")?)?;
        let certificate = CommitCertificate::decode(reader.bytes(MAX_CERTIFICATE_BYTES, "commit certificate")?)?;
        let length = reader.u32("body length")?;
        if length != header.body_bytes {
            return Err(DecodeError::Invalid("a docket's body has another length than its header says"));
        }
        let body = reader.raw(reader.remaining(), "docket body")?;
        if u32::try_from(body.len()) != Ok(length) {
            return Err(DecodeError::Invalid("a docket's body has another length than is written before it"));
        }
        let body = DocketBody::decode(encoded.slice_ref(body))?;
        Ok(Self { header, certificate, body })
    }
}

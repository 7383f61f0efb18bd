//! The signatures that make a docket final.

use super::sealers::{MAX_SEALERS, SealerSet};
use crate::DocketHash;
use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_secure::{Context, NodeKey, NodePublicKey, Signature, SignatureBatch, SignatureRefused};
use std::collections::BTreeMap;
use thiserror::Error;

/// The longest certificate.
pub const MAX_CERTIFICATE_BYTES: usize = 6 + MAX_SEALERS * (32 + 64);

const FORMAT: u8 = 1;
const SEALERS: u8 = 0;
const AUTHORITY: u8 = 1;

/// Who signed a docket's hash. Followers take no docket without one, so no single sealer can show two histories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitCertificate {
    /// A strict majority of the sealers.
    Sealers(BTreeMap<NodePublicKey, Signature>),
    /// The register's authority alone: replaces sealers of whom too many are gone, and nothing else.
    Authority(Signature),
}

/// Why a certificate does not make a docket final.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CertificateRefused {
    /// Too few have signed.
    #[error("{signed} sealers have signed, a majority is {majority}")]
    Minority {
        /// How many have.
        signed: usize,
        /// How many must.
        majority: usize,
    },
    /// Somebody signed who is no sealer.
    #[error("{0:?} has signed and is no sealer of the docket")]
    Foreign(NodePublicKey),
    /// A signature does not hold.
    #[error("the signature of {key:?} does not hold: {refused}")]
    Signature {
        /// Whose it should be.
        key: NodePublicKey,
        /// Why it does not.
        refused: SignatureRefused,
    },
    /// The authority signed a docket that is not the sealers' change.
    #[error("the authority signs changes of the sealers and nothing else")]
    NotForAuthority,
}

impl CertificateRefused {
    /// The refusal on the wire and as a metric label.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Minority { .. } => "certificate_minority",
            Self::Foreign(_) => "certificate_foreign",
            Self::Signature { .. } => "certificate_signature",
            Self::NotForAuthority => "certificate_authority",
        }
    }
}

impl DocketHash {
    /// A sealer's signature of the docket.
    #[must_use]
    pub fn sign(&self, sealer: &NodeKey) -> Signature {
        sealer.sign(Context::Docket, self.as_bytes())
    }

    /// Whether `sealer` signed the docket.
    pub fn verify(&self, sealer: &NodePublicKey, signature: &Signature) -> Result<(), CertificateRefused> {
        self.check(sealer, Context::Docket, signature)
    }

    /// The certificate of a docket that replaces sealers, by the register's authority.
    #[must_use]
    pub fn certify(&self, authority: &NodeKey) -> CommitCertificate {
        CommitCertificate::Authority(authority.sign(Context::DocketAuthority, self.as_bytes()))
    }

    fn check(&self, key: &NodePublicKey, context: Context, signature: &Signature) -> Result<(), CertificateRefused> {
        let verdict = key.verify(context, self.as_bytes(), signature);
        verdict.map_err(|refused| CertificateRefused::Signature { key: *key, refused })
    }
}

impl CommitCertificate {
    /// Whether a strict majority of `sealers`, or else `authority`, signed the docket, and nobody foreign did.
    pub fn verify(
        &self,
        docket: &DocketHash,
        sealers: &SealerSet,
        authority: &NodePublicKey,
    ) -> Result<(), CertificateRefused> {
        let signatures = match self {
            Self::Authority(signature) => return docket.check(authority, Context::DocketAuthority, signature),
            Self::Sealers(signatures) => signatures,
        };
        if let Some(foreign) = signatures.keys().find(|key| !sealers.contains(key)) {
            return Err(CertificateRefused::Foreign(*foreign));
        }
        if signatures.len() < sealers.majority() {
            return Err(CertificateRefused::Minority { signed: signatures.len(), majority: sealers.majority() });
        }
        let mut batch = SignatureBatch::new();
        for (key, signature) in signatures {
            batch.add(key, Context::Docket, docket.as_bytes(), signature);
        }
        if batch.holds() {
            return Ok(());
        }
        // A batch does not say which of its signatures fails.
        signatures.iter().try_for_each(|(key, signature)| docket.verify(key, signature))
    }

    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(MAX_CERTIFICATE_BYTES / 4);
        writer.u8(FORMAT);
        match self {
            Self::Sealers(signatures) => {
                let signatures: Vec<_> = signatures.iter().collect();
                writer.u8(SEALERS).list(&signatures, |writer, (key, signature)| {
                    writer.raw(key.as_bytes()).raw(signature.as_bytes());
                });
            }
            Self::Authority(signature) => {
                writer.u8(AUTHORITY).raw(signature.as_bytes());
            }
        }
        writer.finish()
    }

    /// Reads a certificate, of which nothing is believed until it is verified.
    pub fn decode(encoded: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(encoded);
        match reader.u8("certificate format")? {
            FORMAT => {}
            value => return Err(DecodeError::Unknown { what: "certificate format", value: value.into() }),
        }
        let certificate = match reader.u8("certificate")? {
            SEALERS => Self::Sealers(read_signatures(&mut reader)?),
            AUTHORITY => Self::Authority(Signature::from_bytes(reader.array("authority's signature")?)),
            value => return Err(DecodeError::Unknown { what: "certificate", value: value.into() }),
        };
        reader.finish()?;
        Ok(certificate)
    }
}

fn read_signatures(reader: &mut Reader<'_>) -> Result<BTreeMap<NodePublicKey, Signature>, DecodeError> {
    let signatures = reader.list(MAX_SEALERS, "signatures", |reader| {
        let key = NodePublicKey::from_bytes(reader.array("sealer")?);
        Ok((key, Signature::from_bytes(reader.array("sealer's signature")?)))
    })?;
    if !signatures.is_sorted_by(|(earlier, _), (later, _)| earlier < later) {
        return Err(DecodeError::Invalid("the signatures of a certificate are not in ascending order"));
    }
    Ok(signatures.into_iter().collect())
}

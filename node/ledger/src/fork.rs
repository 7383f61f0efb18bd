//! Proof that a register has two histories.
//!
//! ```text
//! u8 format = 1 | header, certificate | header, certificate        both of one register and number; the smaller hash first
//! ```
//!
//! A certificate is most sealers' word that a docket is final, so two for one place show that some of them have
//! given it twice. Whoever knows who the sealers were can check the proof alone.

use crate::docket::{
    CertificateRefused, CommitCertificate, DocketHeader, HEADER_BYTES, MAX_CERTIFICATE_BYTES, SealerSet,
};
use crate::{DocketHash, RegisterId};
use bytes::Bytes;
use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_secure::NodePublicKey;
use thiserror::Error;

/// The longest proof.
pub const MAX_FORK_PROOF_BYTES: usize = 1 + 2 * (8 + HEADER_BYTES + MAX_CERTIFICATE_BYTES);

const FORMAT: u8 = 1;

/// Why bytes are no proof of a fork.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ForkProofRefused {
    /// Not the canonical encoding of a proof.
    #[error("the proof cannot be read: {0}")]
    Malformed(#[from] DecodeError),
    /// One docket, or two that may both be of one history.
    #[error("the dockets are not two of one register with one number")]
    NoFork,
    /// Signed by sealers that the verifier does not know.
    #[error("version {0} of the sealers is not known here")]
    UnknownSealers(u32),
    /// One of the dockets is not final.
    #[error("a docket of the proof is not certified: {0}")]
    Certificate(#[from] CertificateRefused),
}

/// Two final dockets with one register and number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkProof {
    first: CertifiedHeader,
    second: CertifiedHeader,
}

/// A docket without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertifiedHeader {
    /// What is hashed.
    pub header: DocketHeader,
    /// Who signed the hash.
    pub certificate: CommitCertificate,
}

impl ForkProof {
    /// The proof that two dockets make, in whatever order they are given. Their certificates are not checked here.
    pub fn of(one: CertifiedHeader, other: CertifiedHeader) -> Result<Self, ForkProofRefused> {
        let place = |docket: &CertifiedHeader| (docket.header.register, docket.header.number);
        if place(&one) != place(&other) {
            return Err(ForkProofRefused::NoFork);
        }
        match one.header.hash().cmp(&other.header.hash()) {
            std::cmp::Ordering::Less => Ok(Self { first: one, second: other }),
            std::cmp::Ordering::Equal => Err(ForkProofRefused::NoFork),
            std::cmp::Ordering::Greater => Ok(Self { first: other, second: one }),
        }
    }

    /// Checks that both dockets are final, given who the sealers were: one set, or two where the dockets are for two.
    pub fn verify(&self, sealers: &[SealerSet], authority: &NodePublicKey) -> Result<(), ForkProofRefused> {
        [&self.first, &self.second].into_iter().try_for_each(|docket| {
            let CertifiedHeader { header, certificate } = docket;
            let version = header.sealers_version;
            let set = sealers.iter().find(|set| set.version() == version);
            let set = set.ok_or(ForkProofRefused::UnknownSealers(version))?;
            if matches!(certificate, CommitCertificate::Authority(_)) && !header.control {
                return Err(CertificateRefused::NotForAuthority.into());
            }
            Ok(certificate.verify(&header.hash(), set, authority)?)
        })
    }

    /// The register that has two histories.
    #[must_use]
    pub const fn register(&self) -> RegisterId {
        self.first.header.register
    }

    /// Where they part, or later.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.first.header.number
    }

    /// Both dockets' names, the smaller first.
    #[must_use]
    pub fn hashes(&self) -> [DocketHash; 2] {
        [self.first.header.hash(), self.second.header.hash()]
    }

    /// The sealers that have signed both: never none where one set of sealers signed.
    #[must_use]
    pub fn culprits(&self) -> Vec<NodePublicKey> {
        match (&self.first.certificate, &self.second.certificate) {
            (CommitCertificate::Sealers(first), CommitCertificate::Sealers(second)) => {
                first.keys().filter(|key| second.contains_key(key)).copied().collect()
            }
            _ => Vec::new(),
        }
    }

    /// The proof's canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        writer.u8(FORMAT);
        for CertifiedHeader { header, certificate } in [&self.first, &self.second] {
            writer.bytes(&header.encode()).bytes(&certificate.encode());
        }
        writer.finish().into()
    }

    /// Reads a proof. Nothing in it is believed until [`ForkProof::verify`].
    pub fn decode(encoded: &[u8]) -> Result<Self, ForkProofRefused> {
        let mut reader = Reader::new(encoded);
        match reader.u8("fork proof format")? {
            FORMAT => {}
            value => return Err(DecodeError::Unknown { what: "fork proof format", value: value.into() }.into()),
        }
        let (first, second) = (read_docket(&mut reader)?, read_docket(&mut reader)?);
        reader.finish()?;
        if first.header.hash() > second.header.hash() {
            return Err(DecodeError::Invalid("the dockets of a fork proof are not in order").into());
        }
        Self::of(first, second)
    }
}

fn read_docket(reader: &mut Reader<'_>) -> Result<CertifiedHeader, DecodeError> {
    let header = DocketHeader::decode(reader.bytes(HEADER_BYTES, "docket header")?)?;
    let certificate = CommitCertificate::decode(reader.bytes(MAX_CERTIFICATE_BYTES, "commit certificate")?)?;
    Ok(CertifiedHeader { header, certificate })
}

//! What is hashed and signed of a docket.

use crate::{DocketHash, MerkleRoot, RegisterId};
use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_secure::{NodePublicKey, sha256};

/// How long an encoded header is.
pub const HEADER_BYTES: usize = 182;

const FORMAT: u8 = 1;

/// A docket without its transactions. It commits to them, to all dockets before it, and to who may have signed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocketHeader {
    /// The register.
    pub register: RegisterId,
    /// The docket's place in the register, from 0 without a gap.
    pub number: u64,
    /// The docket before; none exactly in docket 0.
    pub previous: Option<DocketHash>,
    /// The root over the hashes of all dockets before this one: whoever trusts a header can be shown any docket before.
    pub history_root: MerkleRoot,
    /// The newest control docket before this one, 0 when there is none: whoever trusts a header finds all that governs the
    /// register by going back from one to the other.
    pub last_control: u64,
    /// The root over the transactions.
    pub transactions_root: MerkleRoot,
    /// How many transactions it has.
    pub transaction_count: u32,
    /// How long the encoded body is.
    pub body_bytes: u32,
    /// When it was sealed, unix microseconds; never earlier than the docket before.
    pub sealed_at_micros: u64,
    /// Who proposed it.
    pub sealer: NodePublicKey,
    /// The version of the sealers' set whose majority signs it.
    pub sealers_version: u32,
    /// Whether it governs the register: then its one transaction holds a control record.
    pub control: bool,
}

impl DocketHeader {
    /// The docket's name.
    #[must_use]
    pub fn hash(&self) -> DocketHash {
        DocketHash::from_bytes(sha256(&self.encode()))
    }

    /// The canonical bytes: [`HEADER_BYTES`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(HEADER_BYTES);
        writer
            .u8(FORMAT)
            .raw(self.register.as_bytes())
            .u64(self.number)
            .raw(&self.previous.map_or([0; 32], |previous| *previous.as_bytes()))
            .raw(self.history_root.as_bytes())
            .u64(self.last_control)
            .raw(self.transactions_root.as_bytes())
            .u32(self.transaction_count)
            .u32(self.body_bytes)
            .u64(self.sealed_at_micros)
            .raw(self.sealer.as_bytes())
            .u32(self.sealers_version)
            .bool(self.control);
        writer.finish()
    }

    /// Reads a header. That it continues a register, [`Chain`](crate::Chain) says.
    pub fn decode(encoded: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(encoded);
        match reader.u8("docket format")? {
            FORMAT => {}
            value => return Err(DecodeError::Unknown { what: "docket format", value: value.into() }),
        }
        let header = Self {
            register: RegisterId::from_bytes(reader.array("register")?),
            number: reader.u64("docket number")?,
            // No docket is known whose hash is zero.
            previous: Some(reader.array("previous docket")?)
                .filter(|hash| *hash != [0; 32])
                .map(DocketHash::from_bytes),
            history_root: MerkleRoot::from_bytes(reader.array("history root")?),
            last_control: reader.u64("last control docket")?,
            transactions_root: MerkleRoot::from_bytes(reader.array("transactions root")?),
            transaction_count: reader.u32("transaction count")?,
            body_bytes: reader.u32("body length")?,
            sealed_at_micros: reader.u64("time of sealing")?,
            sealer: NodePublicKey::from_bytes(reader.array("sealer")?),
            sealers_version: reader.u32("sealers' version")?,
            control: reader.bool("control")?,
        };
        reader.finish()?;
        Ok(header)
    }
}

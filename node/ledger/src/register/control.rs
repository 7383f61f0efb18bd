//! What a control transaction says.

use super::genesis::GenesisRecord;
use super::refusal::ControlRefused;
use super::vote::GovernanceChange;
use crate::{
    DEFAULT_LIFETIME_MICROS, Kind, Metadata, Payload, Refusal, RegisterId, SealerSet, Transaction, TransactionBody,
};
use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_secure::NodeKey;

/// The type of the one payload of a control transaction.
pub const CONTROL_CONTENT_TYPE: &str = "application/vnd.peerwright.control";

const FORMAT: u8 = 1;
/// The longest genesis record, with room to spare.
const MAX_GENESIS_BYTES: usize = 64 * 1024;

/// What governs a register from the next docket on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlRecord {
    /// The register begins.
    Genesis(Box<GenesisRecord>),
    /// Others seal it.
    SealerChange(SealerSet),
    /// Policy or roster change.
    Governance(Box<GovernanceChange>),
}

impl ControlRecord {
    /// The transaction that carries the record, signed by who hands it in at `now_micros`.
    pub fn sign(&self, register: RegisterId, now_micros: u64, author: &NodeKey) -> Result<Transaction, Refusal> {
        let mut payload = Payload::new(self.encode());
        payload.content_type = CONTROL_CONTENT_TYPE.into();
        let body = TransactionBody {
            register,
            previous: None,
            author: author.public(),
            subject: None,
            recipients: [].into(),
            created_at_micros: now_micros,
            valid_until_micros: now_micros.saturating_add(DEFAULT_LIFETIME_MICROS),
            kind: Kind::Control,
            metadata: Metadata::default(),
            payloads: vec![payload],
        };
        body.sign(author)
    }

    /// Reads the record that a transaction carries.
    pub fn of(transaction: &Transaction) -> Result<Self, ControlRefused> {
        match transaction.body().payloads.as_slice() {
            [payload] if payload.content_type == CONTROL_CONTENT_TYPE => Self::decode(payload.data()),
            _ => Err(ControlRefused::NotAControlRecord),
        }
    }

    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(FORMAT);
        match self {
            Self::Genesis(record) => {
                writer.u8(0).bytes(&record.encode());
            }
            Self::SealerChange(sealers) => sealers.write(writer.u8(1)),
            Self::Governance(change) => change.write(writer.u8(2)),
        }
        writer.finish()
    }

    /// Reads a record. Whether it may govern a register, [`Governance`](super::Governance) says.
    pub fn decode(encoded: &[u8]) -> Result<Self, ControlRefused> {
        let mut reader = Reader::new(encoded);
        match reader.u8("control format")? {
            FORMAT => {}
            value => return Err(DecodeError::Unknown { what: "control format", value: value.into() }.into()),
        }
        let record = match reader.u8("control record")? {
            0 => {
                let record = GenesisRecord::decode(reader.bytes(MAX_GENESIS_BYTES, "genesis record")?)?;
                Self::Genesis(Box::new(record))
            }
            1 => Self::SealerChange(SealerSet::read(&mut reader)?),
            2 => Self::Governance(Box::new(GovernanceChange::read(&mut reader)?)),
            value => return Err(DecodeError::Unknown { what: "control record", value: value.into() }.into()),
        };
        reader.finish()?;
        Ok(record)
    }
}

//! A chain's bytes, to go on after a restart.

use super::{Chain, Head};
use crate::DocketHash;
use crate::merkle::Frontier;
use crate::register::{ControlRefused, GenesisHash, Governance};
use bytes::Bytes;
use peerwright_encoding::{DecodeError, Reader, Writer};

const FORMAT: u8 = 1;

impl Chain {
    /// The checkpoint: what [`Chain::decode`] reads. It is this node's own word to itself and travels nowhere.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::with_capacity(1024);
        writer
            .u8(FORMAT)
            .raw(self.genesis.as_bytes())
            .u64(self.head.number)
            .raw(self.head.hash.as_bytes())
            .u64(self.head.sealed_at_micros)
            .u64(self.last_control);
        self.governance.write(&mut writer);
        self.history.write(&mut writer);
        writer.finish().into()
    }

    /// Reads a checkpoint.
    pub fn decode(encoded: &[u8]) -> Result<Self, ControlRefused> {
        let mut reader = Reader::new(encoded);
        match reader.u8("checkpoint format")? {
            FORMAT => {}
            value => return Err(DecodeError::Unknown { what: "checkpoint format", value: value.into() }.into()),
        }
        let genesis = GenesisHash::from_bytes(reader.array("genesis")?);
        let head = Head {
            number: reader.u64("head's number")?,
            hash: DocketHash::from_bytes(reader.array("head")?),
            sealed_at_micros: reader.u64("head's time")?,
        };
        let last_control = reader.u64("last control docket")?;
        let governance = Governance::read(&mut reader)?;
        let history = Frontier::read(&mut reader)?;
        reader.finish()?;
        if head.number.checked_add(1) != Some(history.size()) || last_control > head.number {
            return Err(DecodeError::Invalid("the numbers of a checkpoint do not agree").into());
        }
        Ok(Self { genesis, head, last_control, governance, history })
    }
}

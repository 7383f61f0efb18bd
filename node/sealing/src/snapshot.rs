//! What one sealer sends another that lags: not the dockets, but their names. The other fetches what it lacks.

use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_ledger::{DocketHash, RegisterId};

/// Most registers that one group seals. Full: no further register is created.
pub const MAX_REGISTERS: usize = 65_536;

/// The newest certified docket of a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) register: RegisterId,
    pub(crate) number: u64,
    pub(crate) hash: DocketHash,
}

/// The heads of all registers, in the order of their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Heads(pub(crate) Vec<Head>);

impl Heads {
    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.list(&self.0, |writer, head| {
            writer.raw(head.register.as_bytes()).u64(head.number).raw(head.hash.as_bytes());
        });
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let heads = reader.list(MAX_REGISTERS, "heads", |reader| {
            Ok(Head {
                register: RegisterId::from_bytes(reader.array("register")?),
                number: reader.u64("docket number")?,
                hash: DocketHash::from_bytes(reader.array("docket hash")?),
            })
        })?;
        if !heads.is_sorted_by(|earlier, later| earlier.register < later.register) {
            return Err(DecodeError::Invalid("the registers of a snapshot are not in ascending order"));
        }
        Ok(Self(heads))
    }
}

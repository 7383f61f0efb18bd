//! Who seals a register.

use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_secure::NodePublicKey;
use std::collections::BTreeSet;

/// Most sealers of a register.
pub const MAX_SEALERS: usize = 25;

/// The nodes of which a strict majority signs each docket, until a control docket names others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealerSet {
    version: u32,
    sealers: BTreeSet<NodePublicKey>,
}

impl SealerSet {
    /// A set of 1 to [`MAX_SEALERS`]. The first of a register has version 1, each further one the next.
    pub fn new(version: u32, sealers: BTreeSet<NodePublicKey>) -> Result<Self, DecodeError> {
        match sealers.len() {
            0 => Err(DecodeError::Invalid("a set of sealers is empty")),
            1..=MAX_SEALERS => Ok(Self { version, sealers }),
            length => {
                Err(DecodeError::TooLong { what: "set of sealers", length: length as u64, limit: MAX_SEALERS as u64 })
            }
        }
    }

    /// The set's number in the register.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The sealers, in the order of their keys.
    #[must_use]
    pub const fn sealers(&self) -> &BTreeSet<NodePublicKey> {
        &self.sealers
    }

    /// Whether `key` is of the set.
    #[must_use]
    pub fn contains(&self, key: &NodePublicKey) -> bool {
        self.sealers.contains(key)
    }

    /// How many signatures make a certificate: more than half.
    #[must_use]
    pub fn majority(&self) -> usize {
        self.sealers.len() / 2 + 1
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.u32(self.version);
        let sealers: Vec<_> = self.sealers.iter().collect();
        writer.list(&sealers, |writer, sealer| {
            writer.raw(sealer.as_bytes());
        });
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let version = reader.u32("sealers' version")?;
        let sealers =
            reader.list(MAX_SEALERS, "sealers", |reader| reader.array("sealer").map(NodePublicKey::from_bytes))?;
        if !sealers.is_sorted_by(|earlier, later| earlier < later) {
            return Err(DecodeError::Invalid("the sealers are not in ascending order"));
        }
        Self::new(version, sealers.into_iter().collect())
    }
}

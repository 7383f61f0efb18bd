//! What an entry of the group's log says: a docket that its leader has formed and nobody has signed yet.

use bytes::Bytes;
use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_ledger::{
    DocketBody, DocketHeader,
    docket::{HEADER_BYTES, MAX_DOCKET_BYTES},
};
use std::fmt;

/// A docket without its certificate. Its header names the docket before, so an entry that was made for another state of
/// its register fits nowhere and changes nothing, on every sealer alike: no entry can be applied twice, and none needs to
/// be applied in step with what is stored.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) header: DocketHeader,
    pub(crate) body: DocketBody,
}

impl Command {
    /// How long it is where it is stored and sent, but for a few bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.body.encoded().len()
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.bytes(&self.header.encode()).bytes(self.body.encoded());
    }

    /// The body stays in `encoded`, which is what `reader` reads.
    pub(crate) fn read(reader: &mut Reader<'_>, encoded: &Bytes) -> Result<Self, DecodeError> {
        let header = DocketHeader::decode(reader.bytes(HEADER_BYTES, "docket header")?)?;
        let limit = usize::try_from(MAX_DOCKET_BYTES).unwrap_or(usize::MAX);
        let body = DocketBody::decode(encoded.slice_ref(reader.bytes(limit, "docket body")?))?;
        Ok(Self { header, body })
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "docket {} of {}", self.header.number, self.header.register)
    }
}

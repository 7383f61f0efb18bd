//! What is kept of the log beside the dockets: up to where it is settled, and who was a member then.

use crate::{
    raft::{LogId, StoredMembership},
    wire::{decode_log_id, decode_membership, encode_log_id, encode_membership},
};
use bytes::Bytes;
use peerwright_encoding::{DecodeError, Reader, Writer};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) id: LogId,
    pub(crate) membership: StoredMembership,
}

/// More than the longest membership takes.
const MAX_PART_BYTES: usize = 64 * 1024;

impl Settled {
    pub(crate) fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        writer.bytes(&encode_log_id(&self.id)).bytes(&encode_membership(&self.membership));
        writer.finish().into()
    }

    pub(crate) fn decode(encoded: &Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(encoded);
        let id = encoded.slice_ref(reader.bytes(MAX_PART_BYTES, "log id")?);
        let membership = encoded.slice_ref(reader.bytes(MAX_PART_BYTES, "membership")?);
        reader.finish()?;
        Ok(Self { id: decode_log_id(&id)?, membership: decode_membership(&membership)? })
    }
}

//! Dockets made ready for their rows, before they wait for the writer: hashes and checksums cost its callers, not it.

use crate::{Extension, NewDocket, checksum::Checked};
use bytes::Bytes;
use peerwright_ledger::{DocketHash, RegisterId, TransactionId};

/// A docket with what its rows hold beside it.
#[derive(Debug)]
pub(crate) struct PreparedDocket {
    pub(crate) docket: NewDocket,
    pub(crate) hash: DocketHash,
    pub(crate) ids: Vec<u8>,
    pub(crate) ids_checksum: i64,
    pub(crate) body_checksum: i64,
    pub(crate) certificate_checksum: Option<i64>,
}

/// Dockets of one register.
#[derive(Debug)]
pub(crate) struct PreparedExtension {
    pub(crate) register: RegisterId,
    pub(crate) dockets: Vec<PreparedDocket>,
    pub(crate) checkpoint: Bytes,
    pub(crate) checkpoint_checksum: i64,
}

impl PreparedDocket {
    pub(crate) fn new(register: RegisterId, docket: NewDocket) -> Self {
        let ids = docket.transactions.iter().flat_map(TransactionId::as_bytes).copied().collect::<Vec<u8>>();
        let certificate = docket.certificate.as_ref();
        Self {
            hash: docket.hash(),
            ids_checksum: Checked::Ids(register, docket.number).checksum(&ids),
            body_checksum: Checked::Body(register, docket.number).checksum(&docket.body),
            certificate_checksum: certificate
                .map(|bytes| Checked::Certificate(register, docket.number).checksum(bytes)),
            ids,
            docket,
        }
    }

    /// How much it takes in the queue of the writer.
    pub(crate) fn size(&self) -> usize {
        let certificate = self.docket.certificate.as_ref().map_or(0, Bytes::len);
        self.docket.header.len() + self.docket.body.len() + certificate + self.ids.len()
    }

    pub(crate) fn transactions(&self) -> u64 {
        self.docket.transactions.len() as u64
    }

    pub(crate) fn body_bytes(&self) -> u64 {
        self.docket.body.len() as u64
    }
}

impl PreparedExtension {
    fn new(extension: Extension) -> Self {
        let Extension { register, dockets, checkpoint } = extension;
        Self {
            register,
            dockets: dockets.into_iter().map(|docket| PreparedDocket::new(register, docket)).collect(),
            checkpoint_checksum: Checked::Checkpoint(register).checksum(&checkpoint),
            checkpoint,
        }
    }

    fn size(&self) -> usize {
        self.checkpoint.len() + self.dockets.iter().map(PreparedDocket::size).sum::<usize>()
    }
}

/// Dockets made ready, and how much they take in the queue of the writer.
pub(crate) fn prepare(extensions: Vec<Extension>) -> (Vec<PreparedExtension>, usize) {
    let extensions: Vec<_> = extensions.into_iter().map(PreparedExtension::new).collect();
    let bytes = extensions.iter().map(PreparedExtension::size).sum();
    (extensions, bytes)
}

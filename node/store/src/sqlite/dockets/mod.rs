//! Dockets, the index by transaction, and the sealing log, in the same file and the same groups as everything else.

mod apply;
mod chain;
mod find;
mod index;
mod log;
mod operation;
mod prepared;
mod queries;
mod run;
mod upkeep;

pub(super) use operation::DocketOperation;
pub(super) use upkeep::Upkeep;

use super::{
    Sqlite,
    queue::{Operation, Slot},
};
use crate::{
    Applied, DocketCertificate, DocketStore, DocketTransactions, Extension, HeldDockets, LogEntry, LogState, NewDocket,
    Pending, SealingStore, Seen, StoredDocket, StoredHeader, TransactionPlace,
};
use bytes::Bytes;
use find::Found;
use peerwright_ledger::{RegisterId, TransactionId};
use prepared::{PreparedDocket, PreparedExtension};

impl Sqlite {
    fn write_dockets<T: Send + 'static>(
        &self,
        bytes: usize,
        operation: impl FnOnce(Slot<T>) -> DocketOperation,
    ) -> Pending<'_, T> {
        self.write(bytes, |slot| Operation::Dockets(operation(slot)))
    }
}

/// Dockets made ready, and how many bytes they are.
fn prepare(extensions: Vec<Extension>) -> (Vec<PreparedExtension>, usize) {
    let extensions: Vec<_> = extensions.into_iter().map(PreparedExtension::new).collect();
    let bytes = extensions.iter().map(PreparedExtension::size).sum();
    (extensions, bytes)
}

impl DocketStore for Sqlite {
    fn extend(&self, extensions: Vec<Extension>) -> Pending<'_, ()> {
        let (extensions, bytes) = prepare(extensions);
        self.write_dockets(bytes, |slot| DocketOperation::Extend { extensions, slot })
    }

    fn certify(&self, certificates: Vec<DocketCertificate>) -> Pending<'_, ()> {
        let bytes = certificates.iter().map(|certificate| certificate.certificate.len()).sum();
        self.write_dockets(bytes, |slot| DocketOperation::Certify { certificates, slot })
    }

    fn replace_docket(&self, register: RegisterId, docket: NewDocket) -> Pending<'_, ()> {
        let docket = PreparedDocket::new(register, docket);
        let bytes = docket.size();
        let docket = Some(Box::new(docket));
        self.write_dockets(bytes, |slot| DocketOperation::Replace { register, docket, slot })
    }

    fn trim(&self, register: RegisterId, below: u64) -> Pending<'_, ()> {
        self.write_dockets(0, |slot| DocketOperation::Trim { register, below, slot })
    }

    fn purge_dockets(&self, register: RegisterId) -> Pending<'_, u64> {
        self.write_dockets(0, |slot| DocketOperation::Purge { register, slot })
    }

    fn index(&self, register: RegisterId) -> Pending<'_, Option<u64>> {
        self.write_dockets(0, |slot| DocketOperation::Index { register, slot })
    }

    fn drop_index(&self, register: RegisterId) -> Pending<'_, ()> {
        self.write_dockets(0, |slot| DocketOperation::DropIndex { register, slot })
    }

    fn held_dockets(&self, register: RegisterId) -> Pending<'_, Option<HeldDockets>> {
        Box::pin(queries::held(&self.readers, register))
    }

    fn registers(&self) -> Pending<'_, Vec<HeldDockets>> {
        Box::pin(queries::registers(&self.readers))
    }

    fn checkpoint(&self, register: RegisterId) -> Pending<'_, Option<Bytes>> {
        Box::pin(queries::checkpoint(&self.readers, register))
    }

    fn headers(&self, register: RegisterId, from: u64, seen: Seen, max: usize) -> Pending<'_, Vec<StoredHeader>> {
        Box::pin(queries::headers(&self.readers, register, from, seen, max))
    }

    fn dockets(
        &self,
        register: RegisterId,
        from: u64,
        seen: Seen,
        max_dockets: usize,
        max_bytes: usize,
    ) -> Pending<'_, Vec<StoredDocket>> {
        Box::pin(queries::dockets(&self.readers, register, from, seen, max_dockets, max_bytes))
    }

    fn docket(&self, register: RegisterId, number: u64, seen: Seen) -> Pending<'_, Option<StoredDocket>> {
        Box::pin(async move { Ok(queries::dockets(&self.readers, register, number, seen, 1, 0).await?.pop()) })
    }

    fn transaction_ids(&self, register: RegisterId, from: u64, max_ids: usize) -> Pending<'_, Vec<DocketTransactions>> {
        Box::pin(queries::transaction_ids(&self.readers, register, from, max_ids))
    }

    fn find(&self, register: RegisterId, id: TransactionId, seen: Seen) -> Pending<'_, Option<TransactionPlace>> {
        Box::pin(async move {
            loop {
                match find::find(&self.readers, register, id, seen).await? {
                    Found::Answer(place) => return Ok(place),
                    // Without an index the ids of all dockets are read.
                    Found::IndexCorrupt => {
                        tracing::warn!(%register, "the disk has changed the index by transaction; it is made again");
                        self.drop_index(register).await?;
                    }
                }
            }
        })
    }
}

impl SealingStore for Sqlite {
    fn log_state(&self) -> Pending<'_, LogState> {
        Box::pin(log::state(&self.readers))
    }

    fn append_log(&self, entries: Vec<LogEntry>) -> Pending<'_, ()> {
        let bytes = entries.iter().map(|entry| entry.bytes.len()).sum();
        self.write_dockets(bytes, |slot| DocketOperation::AppendLog { entries, slot })
    }

    fn read_log(&self, from: u64, to: u64, max_bytes: usize) -> Pending<'_, Vec<LogEntry>> {
        Box::pin(log::read(&self.readers, from, to, max_bytes))
    }

    fn truncate_log(&self, from: u64) -> Pending<'_, ()> {
        self.write_dockets(0, |slot| DocketOperation::TruncateLog { from, slot })
    }

    fn purge_log(&self, last: LogEntry) -> Pending<'_, ()> {
        self.write_dockets(last.bytes.len(), |slot| DocketOperation::PurgeLog { last, slot })
    }

    fn save_vote(&self, vote: Bytes) -> Pending<'_, ()> {
        self.write_dockets(vote.len(), |slot| DocketOperation::SaveVote { vote, slot })
    }

    fn apply(&self, extensions: Vec<Extension>, applied: Applied) -> Pending<'_, ()> {
        let (extensions, bytes) = prepare(extensions);
        let bytes = bytes + applied.state.len();
        self.write_dockets(bytes, |slot| DocketOperation::Apply { extensions, applied, slot })
    }
}

#[cfg(test)]
mod tests;

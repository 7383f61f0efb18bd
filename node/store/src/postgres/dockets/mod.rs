//! Dockets, the index by transaction, and the sealing log, in the same schema and the same groups as everything else.

mod apply;
mod chain;
mod log;
mod operation;
mod queries;
mod removal;
mod rows;
mod tables;

pub(super) use operation::apply;

use super::Postgres;
use crate::{
    Applied, DocketCertificate, DocketStore, DocketTransactions, Extension, HeldDockets, LogEntry, LogState, NewDocket,
    NewLog, Pending, SealingStore, Seen, StoredDocket, StoredHeader, TransactionPlace,
};
use bytes::Bytes;
use peerwright_ledger::{RegisterId, TransactionId};

impl DocketStore for Postgres {
    fn extend(&self, extensions: Vec<Extension>) -> Pending<'_, ()> {
        self.queue.extend(extensions)
    }

    fn certify(&self, certificates: Vec<DocketCertificate>) -> Pending<'_, ()> {
        self.queue.certify(certificates)
    }

    fn replace_docket(&self, register: RegisterId, docket: NewDocket) -> Pending<'_, ()> {
        self.queue.replace_docket(register, docket)
    }

    fn trim(&self, register: RegisterId, below: u64) -> Pending<'_, ()> {
        self.queue.trim(register, below)
    }

    fn purge_dockets(&self, register: RegisterId) -> Pending<'_, u64> {
        self.queue.purge_dockets(register)
    }

    fn index(&self, register: RegisterId) -> Pending<'_, Option<u64>> {
        self.queue.index(register)
    }

    fn drop_index(&self, register: RegisterId) -> Pending<'_, ()> {
        self.queue.drop_index(register)
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

    fn transaction_ids(&self, register: RegisterId, from: u64, max_ids: usize) -> Pending<'_, Vec<DocketTransactions>> {
        Box::pin(queries::transaction_ids(&self.readers, register, from, max_ids))
    }

    fn find_all(
        &self,
        register: RegisterId,
        ids: Vec<TransactionId>,
        seen: Seen,
    ) -> Pending<'_, Vec<Option<TransactionPlace>>> {
        Box::pin(async move {
            loop {
                match queries::find_all(&self.readers, register, &ids, seen).await? {
                    Some(places) => return Ok(places),
                    // Without an index the ids of all dockets are read.
                    None => self.queue.remake_index(register).await?,
                }
            }
        })
    }
}

impl SealingStore for Postgres {
    fn log_state(&self) -> Pending<'_, LogState> {
        Box::pin(log::state(&self.readers))
    }

    fn append_log(&self, entries: Vec<LogEntry>) -> Pending<'_, ()> {
        self.queue.append_log(entries)
    }

    fn read_log(&self, from: u64, to: u64, max_bytes: usize) -> Pending<'_, Vec<LogEntry>> {
        Box::pin(log::read(&self.readers, from, to, max_bytes))
    }

    fn truncate_log(&self, from: u64) -> Pending<'_, ()> {
        self.queue.truncate_log(from)
    }

    fn purge_log(&self, last: LogEntry) -> Pending<'_, ()> {
        self.queue.purge_log(last)
    }

    fn save_vote(&self, vote: Bytes) -> Pending<'_, ()> {
        self.queue.save_vote(vote)
    }

    fn apply(&self, extensions: Vec<Extension>, applied: Applied) -> Pending<'_, ()> {
        self.queue.apply(extensions, applied)
    }

    fn begin_log(&self, extensions: Vec<Extension>, log: NewLog) -> Pending<'_, ()> {
        self.queue.begin_log(extensions, log)
    }
}

#[cfg(test)]
mod tests;

//! Dockets, the index by transaction, and the sealing log, in the same file and the same groups as everything else.

mod apply;
mod chain;
mod log;
mod operation;
mod queries;
mod removal;
mod tables;

use super::Sqlite;
use crate::{
    Applied, DocketCertificate, DocketStore, DocketTransactions, Extension, HeldDockets, LogEntry, LogState, NewDocket,
    NewLog, Pending, SealingStore, Seen, StoredDocket, StoredHeader, TransactionPlace,
};
use bytes::Bytes;
use peerwright_ledger::{RegisterId, TransactionId};
use rusqlite::Connection;
use std::sync::Arc;

impl DocketStore for Sqlite {
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
        Box::pin(self.readers.read(move |connection| queries::held(connection, register)))
    }

    fn registers(&self) -> Pending<'_, Vec<HeldDockets>> {
        Box::pin(self.readers.read(|connection| queries::registers(connection)))
    }

    fn checkpoint(&self, register: RegisterId) -> Pending<'_, Option<Bytes>> {
        Box::pin(self.readers.read(move |connection| queries::checkpoint(connection, register)))
    }

    fn headers(&self, register: RegisterId, from: u64, seen: Seen, max: usize) -> Pending<'_, Vec<StoredHeader>> {
        Box::pin(self.readers.read(move |connection| queries::headers(connection, register, from, seen, max)))
    }

    fn dockets(
        &self,
        register: RegisterId,
        from: u64,
        seen: Seen,
        max_dockets: usize,
        max_bytes: usize,
    ) -> Pending<'_, Vec<StoredDocket>> {
        Box::pin(
            self.readers
                .read(move |connection| queries::dockets(connection, register, from, seen, max_dockets, max_bytes)),
        )
    }

    fn transaction_ids(&self, register: RegisterId, from: u64, max_ids: usize) -> Pending<'_, Vec<DocketTransactions>> {
        Box::pin(self.readers.read(move |connection| queries::transaction_ids(connection, register, from, max_ids)))
    }

    fn find_all(
        &self,
        register: RegisterId,
        ids: Vec<TransactionId>,
        seen: Seen,
    ) -> Pending<'_, Vec<Option<TransactionPlace>>> {
        let ids: Arc<[TransactionId]> = ids.into();
        Box::pin(async move {
            loop {
                let wanted = Arc::clone(&ids);
                let look = move |connection: &mut Connection| queries::find_all(connection, register, &wanted, seen);
                match self.readers.read(look).await? {
                    Some(places) => return Ok(places),
                    // Without an index the ids of all dockets are read.
                    None => self.queue.remake_index(register).await?,
                }
            }
        })
    }
}

impl SealingStore for Sqlite {
    fn log_state(&self) -> Pending<'_, LogState> {
        Box::pin(self.readers.read(log::state))
    }

    fn append_log(&self, entries: Vec<LogEntry>) -> Pending<'_, ()> {
        self.queue.append_log(entries)
    }

    fn read_log(&self, from: u64, to: u64, max_bytes: usize) -> Pending<'_, Vec<LogEntry>> {
        Box::pin(self.readers.read(move |connection| log::read(connection, from, to, max_bytes)))
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

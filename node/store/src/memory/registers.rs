//! The model as the store of dockets and of the sealing log.

use super::Memory;
use crate::{
    Applied, DocketCertificate, DocketStore, DocketTransactions, Extension, HeldDockets, LogEntry, LogState, NewDocket,
    NewLog, Pending, SealingStore, Seen, StoredDocket, StoredHeader, TransactionPlace,
};
use bytes::Bytes;
use peerwright_ledger::{RegisterId, TransactionId};

impl DocketStore for Memory {
    fn extend(&self, extensions: Vec<Extension>) -> Pending<'_, ()> {
        self.write(|state| state.dockets.extend(extensions))
    }

    fn certify(&self, certificates: Vec<DocketCertificate>) -> Pending<'_, ()> {
        self.write(|state| state.dockets.certify(certificates))
    }

    fn replace_docket(&self, register: RegisterId, docket: NewDocket) -> Pending<'_, ()> {
        self.write(|state| state.dockets.replace(register, docket))
    }

    fn trim(&self, register: RegisterId, below: u64) -> Pending<'_, ()> {
        self.write(|state| {
            state.dockets.trim(register, below);
            Ok(())
        })
    }

    fn purge_dockets(&self, register: RegisterId) -> Pending<'_, u64> {
        self.write(|state| Ok(state.dockets.purge(register)))
    }

    fn index(&self, register: RegisterId) -> Pending<'_, Option<u64>> {
        self.write(|state| Ok(state.dockets.index(register)))
    }

    fn drop_index(&self, register: RegisterId) -> Pending<'_, ()> {
        self.write(|state| {
            state.dockets.drop_index(register);
            Ok(())
        })
    }

    fn held_dockets(&self, register: RegisterId) -> Pending<'_, Option<HeldDockets>> {
        self.with(|state| Ok(state.dockets.held(register)))
    }

    fn registers(&self) -> Pending<'_, Vec<HeldDockets>> {
        self.with(|state| Ok(state.dockets.registers()))
    }

    fn checkpoint(&self, register: RegisterId) -> Pending<'_, Option<Bytes>> {
        self.with(|state| Ok(state.dockets.checkpoint(register)))
    }

    fn headers(&self, register: RegisterId, from: u64, seen: Seen, max: usize) -> Pending<'_, Vec<StoredHeader>> {
        self.with(|state| Ok(state.dockets.headers(register, from, seen, max)))
    }

    fn dockets(
        &self,
        register: RegisterId,
        from: u64,
        seen: Seen,
        max_dockets: usize,
        max_bytes: usize,
    ) -> Pending<'_, Vec<StoredDocket>> {
        self.with(|state| Ok(state.dockets.dockets(register, from, seen, max_dockets, max_bytes)))
    }

    fn transaction_ids(&self, register: RegisterId, from: u64, max_ids: usize) -> Pending<'_, Vec<DocketTransactions>> {
        self.with(|state| Ok(state.dockets.transaction_ids(register, from, max_ids)))
    }

    fn find_all(
        &self,
        register: RegisterId,
        ids: Vec<TransactionId>,
        seen: Seen,
    ) -> Pending<'_, Vec<Option<TransactionPlace>>> {
        self.with(|state| Ok(ids.iter().map(|id| state.dockets.find(register, *id, seen)).collect()))
    }
}

impl SealingStore for Memory {
    fn log_state(&self) -> Pending<'_, LogState> {
        self.with(|state| Ok(state.log.state()))
    }

    fn append_log(&self, entries: Vec<LogEntry>) -> Pending<'_, ()> {
        self.write(|state| state.log.append(entries))
    }

    fn read_log(&self, from: u64, to: u64, max_bytes: usize) -> Pending<'_, Vec<LogEntry>> {
        self.with(|state| Ok(state.log.read(from, to, max_bytes)))
    }

    fn truncate_log(&self, from: u64) -> Pending<'_, ()> {
        self.write(|state| {
            state.log.truncate(from);
            Ok(())
        })
    }

    fn purge_log(&self, last: LogEntry) -> Pending<'_, ()> {
        self.write(|state| {
            state.log.purge(last);
            Ok(())
        })
    }

    fn save_vote(&self, vote: Bytes) -> Pending<'_, ()> {
        self.write(|state| {
            state.log.vote = Some(vote);
            Ok(())
        })
    }

    fn apply(&self, extensions: Vec<Extension>, applied: Applied) -> Pending<'_, ()> {
        self.write(|state| {
            state.log.check_applied(applied.index)?;
            state.dockets.extend(extensions)?;
            state.log.set_applied(applied);
            Ok(())
        })
    }

    fn begin_log(&self, extensions: Vec<Extension>, log: NewLog) -> Pending<'_, ()> {
        self.write(|state| {
            log.check()?;
            state.dockets.extend(extensions)?;
            state.log.begin(log);
            Ok(())
        })
    }
}

//! The model: what a store must do, in maps. Loses everything with the process.

mod dead_letters;
mod dockets;
mod log;
mod messages;
mod registers;
mod state;

use crate::{
    Appended, Counts, DeadLetter, Failure, Held, ListedDeadLetter, ListedMessage, ListedTransaction, MessageRange,
    Pending, Purged, Store, StoreError, StoredTransaction, message,
};
use bytes::Bytes;
use peerwright_ledger::{Message, RegisterId, TransactionId};
use state::State;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// A store in memory.
#[derive(Debug)]
pub struct Memory {
    network_uid: String,
    state: Mutex<Option<State>>,
    commits: AtomicU64,
}

impl Memory {
    /// An empty store of a network.
    #[must_use]
    pub fn new(network_uid: &str) -> Self {
        Self {
            network_uid: network_uid.to_owned(),
            state: Mutex::new(Some(State::default())),
            commits: AtomicU64::new(0),
        }
    }

    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut State) -> Result<T, StoreError> + Send,
    ) -> Pending<'static, T> {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.with(work)
    }

    fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut State) -> Result<T, StoreError> + Send,
    ) -> Pending<'static, T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = state.as_mut().ok_or(StoreError::Closed).and_then(work);
        Box::pin(std::future::ready(answer))
    }
}

impl Store for Memory {
    fn network_uid(&self) -> &str {
        &self.network_uid
    }

    fn next_incarnation(&self, now: u64) -> Pending<'_, u64> {
        self.write(|state| Ok(state.next_incarnation(now)))
    }

    fn append(&self, messages: Vec<Message>, now: u64) -> Pending<'_, Vec<Appended>> {
        self.write(|state| {
            let messages = message::index(messages)?;
            Ok(messages.into_iter().map(|message| state.append(message, now)).collect())
        })
    }

    fn put_body(&self, register: RegisterId, id: TransactionId, bytes: Bytes) -> Pending<'_, ()> {
        self.write(|state| {
            state.put_body(register, id, bytes);
            Ok(())
        })
    }

    fn put_document(&self, name: &'static str, bytes: Bytes) -> Pending<'_, ()> {
        self.write(|state| {
            state.documents.insert(name, bytes);
            Ok(())
        })
    }

    fn document(&self, name: &'static str) -> Pending<'_, Option<Bytes>> {
        self.with(|state| Ok(state.documents.get(name).cloned()))
    }

    fn bury(&self, letters: Vec<DeadLetter>) -> Pending<'_, Vec<(RegisterId, TransactionId)>> {
        self.write(|state| Ok(state.dead_letters.bury(letters)))
    }

    fn exhume(&self, letters: Vec<(RegisterId, TransactionId)>) -> Pending<'_, u64> {
        self.write(|state| Ok(state.dead_letters.exhume(&letters)))
    }

    fn purge(&self, register: RegisterId) -> Pending<'_, Purged> {
        self.write(|state| Ok(state.purge(register)))
    }

    fn let_go(&self, ranges: Vec<MessageRange>) -> Pending<'_, Purged> {
        self.write(|state| Ok(state.let_go(&ranges)))
    }

    fn held(&self, registers: Vec<RegisterId>) -> Pending<'_, Vec<Held>> {
        self.with(|state| Ok(state.held(&registers)))
    }

    fn gone(&self, registers: Vec<RegisterId>) -> Pending<'_, Vec<Held>> {
        self.with(|state| Ok(state.gone(&registers)))
    }

    fn read(&self, ranges: Vec<MessageRange>, max_messages: usize, max_bytes: usize) -> Pending<'_, Vec<Bytes>> {
        self.with(|state| Ok(state.read(&ranges, max_messages, max_bytes)))
    }

    fn messages_after(&self, after: Option<u64>, limit: usize) -> Pending<'_, Vec<ListedMessage>> {
        self.with(|state| Ok(state.messages_after(after, limit)))
    }

    fn newest_message(&self) -> Pending<'_, Option<u64>> {
        self.with(|state| Ok(state.newest_message()))
    }

    fn transactions(
        &self,
        register: RegisterId,
        ids: Vec<TransactionId>,
    ) -> Pending<'_, Vec<Option<StoredTransaction>>> {
        self.with(|state| Ok(ids.into_iter().map(|id| state.transaction(register, id)).collect()))
    }

    fn list(&self, register: RegisterId, after: Option<u64>, limit: usize) -> Pending<'_, Vec<ListedTransaction>> {
        self.with(|state| Ok(state.list(register, after, limit)))
    }

    fn dead_letter(&self, register: RegisterId, id: TransactionId) -> Pending<'_, Option<DeadLetter>> {
        self.with(|state| Ok(state.dead_letters.find(register, id)))
    }

    fn dead_letters(
        &self,
        register: RegisterId,
        after: Option<u64>,
        limit: usize,
    ) -> Pending<'_, Vec<ListedDeadLetter>> {
        self.with(|state| Ok(state.dead_letters.list(register, after, limit)))
    }

    fn counts(&self, register: RegisterId) -> Pending<'_, Counts> {
        self.with(|state| Ok(state.counts(register)))
    }

    fn body_chunk(&self, id: TransactionId, offset: u64, length: u32) -> Pending<'_, Option<Bytes>> {
        self.with(|state| Ok(state.body_chunk(id, offset, length)))
    }

    fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    fn failed(&self) -> Failure {
        Box::pin(std::future::pending())
    }

    fn close(&self) -> Pending<'_, ()> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).take();
        Box::pin(std::future::ready(Ok(())))
    }
}

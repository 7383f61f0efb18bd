//! The node's store in memory, which tells the recorder what it was given.

use crate::recorder::Recorder;
use bytes::Bytes;
use peerwright_ledger::{Entry, Message, RegisterId, TransactionId};
use peerwright_secure::NodePublicKey;
use peerwright_store::{
    Appended, Counts, DeadLetter, Failure, Held, ListedDeadLetter, ListedMessage, ListedTransaction, Memory,
    MessageRange, Pending, Purged, Store, StoredTransaction,
};
use std::sync::{Arc, OnceLock};

/// What stands behind the payload in a transaction of one payload: that it has no challenge, and the signature.
const BEHIND_PAYLOAD: usize = 1 + 64;

/// A store that a node believes to be its own.
pub(crate) struct RecordingStore {
    inner: Memory,
    node: usize,
    payload_bytes: usize,
    /// Whose node is which.
    origins: Arc<OnceLock<Vec<NodePublicKey>>>,
    recorder: Arc<Recorder>,
}

impl RecordingStore {
    pub(crate) fn new(
        network_uid: &str,
        node: usize,
        payload_bytes: usize,
        origins: Arc<OnceLock<Vec<NodePublicKey>>>,
        recorder: Arc<Recorder>,
    ) -> Self {
        Self { inner: Memory::new(network_uid), node, payload_bytes, origins, recorder }
    }

    fn tell(&self, messages: &[(usize, Vec<Bytes>)]) {
        for (origin, payloads) in messages {
            for payload in payloads {
                self.recorder.got(self.node, *origin, payload);
            }
        }
    }

    /// Number of the origin's node, and the payloads.
    fn read(&self, message: &Message) -> (usize, Vec<Bytes>) {
        let body = message.body();
        let origins = self.origins.get().map_or(&[][..], Vec::as_slice);
        let origin = origins.iter().position(|key| *key == body.origin).unwrap_or(usize::MAX);
        let payloads = body.entries.iter().filter_map(|entry| match entry {
            Entry::Inline(bytes) => {
                let end = bytes.len().checked_sub(BEHIND_PAYLOAD)?;
                Some(bytes.slice(end.checked_sub(self.payload_bytes)?..end))
            }
            Entry::Announced { .. } => None,
        });
        (origin, payloads.collect())
    }
}

impl Store for RecordingStore {
    fn append(&self, messages: Vec<Message>, now: u64) -> Pending<'_, Vec<Appended>> {
        let read: Vec<_> = messages.iter().map(|message| self.read(message)).collect();
        let appending = self.inner.append(messages, now);
        Box::pin(async move {
            let appended = appending.await?;
            self.tell(&read);
            Ok(appended)
        })
    }

    fn network_uid(&self) -> &str {
        self.inner.network_uid()
    }

    fn next_incarnation(&self, now: u64) -> Pending<'_, u64> {
        self.inner.next_incarnation(now)
    }

    fn put_body(&self, register: RegisterId, id: TransactionId, bytes: Bytes) -> Pending<'_, ()> {
        self.inner.put_body(register, id, bytes)
    }

    fn put_document(&self, name: &'static str, bytes: Bytes) -> Pending<'_, ()> {
        self.inner.put_document(name, bytes)
    }

    fn document(&self, name: &'static str) -> Pending<'_, Option<Bytes>> {
        self.inner.document(name)
    }

    fn bury(&self, letters: Vec<DeadLetter>) -> Pending<'_, Vec<(RegisterId, TransactionId)>> {
        self.inner.bury(letters)
    }

    fn exhume(&self, letters: Vec<(RegisterId, TransactionId)>) -> Pending<'_, u64> {
        self.inner.exhume(letters)
    }

    fn dead_letter(&self, register: RegisterId, id: TransactionId) -> Pending<'_, Option<DeadLetter>> {
        self.inner.dead_letter(register, id)
    }

    fn dead_letters(
        &self,
        register: RegisterId,
        after: Option<u64>,
        limit: usize,
    ) -> Pending<'_, Vec<ListedDeadLetter>> {
        self.inner.dead_letters(register, after, limit)
    }

    fn purge(&self, register: RegisterId) -> Pending<'_, Purged> {
        self.inner.purge(register)
    }

    fn let_go(&self, ranges: Vec<MessageRange>) -> Pending<'_, Purged> {
        self.inner.let_go(ranges)
    }

    fn held(&self, registers: Vec<RegisterId>) -> Pending<'_, Vec<Held>> {
        self.inner.held(registers)
    }

    fn gone(&self, registers: Vec<RegisterId>) -> Pending<'_, Vec<Held>> {
        self.inner.gone(registers)
    }

    fn messages_after(&self, after: Option<u64>, limit: usize) -> Pending<'_, Vec<ListedMessage>> {
        self.inner.messages_after(after, limit)
    }

    fn newest_message(&self) -> Pending<'_, Option<u64>> {
        self.inner.newest_message()
    }

    fn read(&self, ranges: Vec<MessageRange>, max_messages: usize, max_bytes: usize) -> Pending<'_, Vec<Bytes>> {
        Store::read(&self.inner, ranges, max_messages, max_bytes)
    }

    fn transaction(&self, register: RegisterId, id: TransactionId) -> Pending<'_, Option<StoredTransaction>> {
        self.inner.transaction(register, id)
    }

    fn transactions(
        &self,
        register: RegisterId,
        ids: Vec<TransactionId>,
    ) -> Pending<'_, Vec<Option<StoredTransaction>>> {
        self.inner.transactions(register, ids)
    }

    fn list(&self, register: RegisterId, after: Option<u64>, limit: usize) -> Pending<'_, Vec<ListedTransaction>> {
        self.inner.list(register, after, limit)
    }

    fn counts(&self, register: RegisterId) -> Pending<'_, Counts> {
        self.inner.counts(register)
    }

    fn body_chunk(&self, id: TransactionId, offset: u64, length: u32) -> Pending<'_, Option<Bytes>> {
        self.inner.body_chunk(id, offset, length)
    }

    fn commits(&self) -> u64 {
        self.inner.commits()
    }

    fn failed(&self) -> Failure {
        self.inner.failed()
    }

    fn close(&self) -> Pending<'_, ()> {
        self.inner.close()
    }
}

//! What a store asks of its writer: each writing call of the contracts, with what it takes in the queue until it is
//! answered. Whatever can be made ready before is made ready here, so that it costs the caller and not the writer.

use super::{DocketOperation, Operation, Queue, Slot};
use crate::{
    Appended, Applied, DeadLetter, DocketCertificate, Extension, LogEntry, MessageRange, NewDocket, NewLog, Pending,
    Purged, message,
    prepared::{PreparedDocket, prepare},
};
use bytes::Bytes;
use peerwright_ledger::{Message, RegisterId, TransactionId};

/// What letting go of a message writes, about: the pages where its transactions were found ...
const LET_GO_BYTES: usize = 16 * 1024;
/// ... counted of so many messages at most.
const LET_GO_COUNTED: u64 = 256;

/// As a [`Store`](crate::Store) writes.
impl Queue {
    pub(crate) fn next_incarnation(&self, now: u64) -> Pending<'static, u64> {
        self.ask(0, |slot| Operation::NextIncarnation { now, slot })
    }

    pub(crate) fn append(&self, messages: Vec<Message>, now: u64) -> Pending<'static, Vec<Appended>> {
        let bytes = messages.iter().map(|message| message.encoded().len()).sum();
        match message::index(messages) {
            Ok(messages) => self.ask(bytes, |slot| Operation::Append { messages, now, slot }),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    pub(crate) fn put_body(&self, register: RegisterId, id: TransactionId, bytes: Bytes) -> Pending<'static, ()> {
        self.ask(bytes.len(), |slot| Operation::PutBody { register, id, bytes, slot })
    }

    pub(crate) fn put_document(&self, name: &'static str, bytes: Bytes) -> Pending<'static, ()> {
        self.ask(bytes.len(), |slot| Operation::PutDocument { name, bytes, slot })
    }

    pub(crate) fn bury(&self, letters: Vec<DeadLetter>) -> Pending<'static, Vec<(RegisterId, TransactionId)>> {
        self.ask(0, |slot| Operation::Bury { letters, slot })
    }

    pub(crate) fn exhume(&self, letters: Vec<(RegisterId, TransactionId)>) -> Pending<'static, u64> {
        self.ask(0, |slot| Operation::Exhume { letters, slot })
    }

    pub(crate) fn purge(&self, register: RegisterId) -> Pending<'static, Purged> {
        self.ask(0, |slot| Operation::Purge { register, slot })
    }

    pub(crate) fn let_go(&self, ranges: Vec<MessageRange>) -> Pending<'static, Purged> {
        let messages = ranges.iter().map(|range| range.to.saturating_sub(range.from).saturating_add(1));
        let messages = messages.fold(0, u64::saturating_add).min(LET_GO_COUNTED);
        let bytes = usize::try_from(messages).unwrap_or_default() * LET_GO_BYTES;
        self.ask(bytes, |slot| Operation::LetGo { ranges, slot })
    }
}

/// As a [`DocketStore`](crate::DocketStore) writes.
impl Queue {
    fn ask_dockets<T: Send + 'static>(
        &self,
        bytes: usize,
        operation: impl FnOnce(Slot<T>) -> DocketOperation,
    ) -> Pending<'static, T> {
        self.ask(bytes, |slot| Operation::Dockets(operation(slot)))
    }

    pub(crate) fn extend(&self, extensions: Vec<Extension>) -> Pending<'static, ()> {
        let (extensions, bytes) = prepare(extensions);
        self.ask_dockets(bytes, |slot| DocketOperation::Extend { extensions, slot })
    }

    pub(crate) fn certify(&self, certificates: Vec<DocketCertificate>) -> Pending<'static, ()> {
        let bytes = certificates.iter().map(|certificate| certificate.certificate.len()).sum();
        self.ask_dockets(bytes, |slot| DocketOperation::Certify { certificates, slot })
    }

    pub(crate) fn replace_docket(&self, register: RegisterId, docket: NewDocket) -> Pending<'static, ()> {
        let docket = PreparedDocket::new(register, docket);
        let bytes = docket.size();
        let docket = Some(Box::new(docket));
        self.ask_dockets(bytes, |slot| DocketOperation::Replace { register, docket, slot })
    }

    pub(crate) fn trim(&self, register: RegisterId, below: u64) -> Pending<'static, ()> {
        self.ask_dockets(0, |slot| DocketOperation::Trim { register, below, slot })
    }

    pub(crate) fn purge_dockets(&self, register: RegisterId) -> Pending<'static, u64> {
        self.ask_dockets(0, |slot| DocketOperation::Purge { register, slot })
    }

    pub(crate) fn index(&self, register: RegisterId) -> Pending<'static, Option<u64>> {
        self.ask_dockets(0, |slot| DocketOperation::Index { register, slot })
    }

    pub(crate) fn drop_index(&self, register: RegisterId) -> Pending<'static, ()> {
        self.ask_dockets(0, |slot| DocketOperation::DropIndex { register, slot })
    }

    /// The same, for an index that cannot be read.
    pub(crate) fn remake_index(&self, register: RegisterId) -> Pending<'static, ()> {
        tracing::warn!(%register, "the disk has changed the index by transaction; it is made again");
        self.drop_index(register)
    }
}

/// As a [`SealingStore`](crate::SealingStore) writes.
impl Queue {
    pub(crate) fn append_log(&self, entries: Vec<LogEntry>) -> Pending<'static, ()> {
        let bytes = entries.iter().map(|entry| entry.bytes.len()).sum();
        self.ask_dockets(bytes, |slot| DocketOperation::AppendLog { entries, slot })
    }

    pub(crate) fn truncate_log(&self, from: u64) -> Pending<'static, ()> {
        self.ask_dockets(0, |slot| DocketOperation::TruncateLog { from, slot })
    }

    pub(crate) fn purge_log(&self, last: LogEntry) -> Pending<'static, ()> {
        self.ask_dockets(last.bytes.len(), |slot| DocketOperation::PurgeLog { last, slot })
    }

    pub(crate) fn save_vote(&self, vote: Bytes) -> Pending<'static, ()> {
        self.ask_dockets(vote.len(), |slot| DocketOperation::SaveVote { vote, slot })
    }

    pub(crate) fn apply(&self, extensions: Vec<Extension>, applied: Applied) -> Pending<'static, ()> {
        let (extensions, bytes) = prepare(extensions);
        let bytes = bytes + applied.state.len();
        self.ask_dockets(bytes, |slot| DocketOperation::Apply { extensions, applied, slot })
    }

    pub(crate) fn begin_log(&self, extensions: Vec<Extension>, log: NewLog) -> Pending<'static, ()> {
        let (extensions, bytes) = prepare(extensions);
        let bytes = bytes + log.size();
        self.ask_dockets(bytes, |slot| DocketOperation::BeginLog { extensions, log, slot })
    }
}

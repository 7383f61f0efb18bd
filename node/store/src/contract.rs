//! The contract between a node and its store.

mod dockets;
mod sealing;

pub use dockets::DocketStore;
pub use sealing::SealingStore;

use crate::{
    Appended, CarriedTransactions, Counts, DeadLetter, Held, ListedDeadLetter, ListedMessage, ListedTransaction,
    MessageRange, Purged, StoreError, StoredTransaction,
};
use bytes::Bytes;
use peerwright_ledger::{Message, RegisterId, TransactionId};
use std::{future::Future, pin::Pin};

/// An answer of the store that is on its way.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// How a store ends by itself.
pub type Failure = Pin<Box<dyn Future<Output = StoreError> + Send>>;

/// What a node needs of its volume; used as `Arc<dyn Store>`. A writing call is durable when it answers. Writing calls
/// that are under way at once share one fsync, and are applied in the order in which they were made.
pub trait Store: Send + Sync + 'static {
    /// UID of the network whose data this is.
    fn network_uid(&self) -> &str;

    /// The incarnation for this start of the process: the larger of `now` (unix microseconds) and one more than any
    /// that was given before.
    fn next_incarnation(&self, now: u64) -> Pending<'_, u64>;

    /// Stores messages, all or none, as of `now` (unix microseconds). Appending one again changes nothing; the answers
    /// are in the order of `messages`. Signatures are not looked at: whoever appends has verified.
    fn append(&self, messages: Vec<Message>, now: u64) -> Pending<'_, Vec<Appended>>;

    /// Stores the body of a transaction that its message only announces. Put it before the message is appended, so
    /// that what [`Store::held`] tells can be served. Putting it again changes nothing.
    fn put_body(&self, register: RegisterId, id: TransactionId, bytes: Bytes) -> Pending<'_, ()>;

    /// Keeps a small document of the node under a name of the caller's, in place of the one before.
    fn put_document(&self, name: &'static str, bytes: Bytes) -> Pending<'_, ()>;

    /// The document of this name; `None` when none was ever put.
    fn document(&self, name: &'static str) -> Pending<'_, Option<Bytes>>;

    /// Keeps what became of transactions, each in place of what was kept of it before, and as the newest. Answers which
    /// were let go because there are more than [`MAX_DEAD_LETTERS`](crate::MAX_DEAD_LETTERS): the oldest.
    fn bury(&self, letters: Vec<DeadLetter>) -> Pending<'_, Vec<(RegisterId, TransactionId)>>;

    /// Lets go of these dead letters; answers how many there were of them.
    fn exhume(&self, letters: Vec<(RegisterId, TransactionId)>) -> Pending<'_, u64>;

    /// Removes all that a register holds, its dead letters as well, and answers how much that was.
    fn purge(&self, register: RegisterId) -> Pending<'_, Purged>;

    /// Lets go of the messages in these ranges that are stored, with their transactions and bodies; answers how much that
    /// was. They go on to count as held, and appending one of them again changes nothing.
    fn let_go(&self, ranges: Vec<MessageRange>) -> Pending<'_, Purged>;

    /// What is held of these registers, ordered by register, origin and incarnation.
    fn held(&self, registers: Vec<RegisterId>) -> Pending<'_, Vec<Held>>;

    /// What of that was let go of, in the same order.
    fn gone(&self, registers: Vec<RegisterId>) -> Pending<'_, Vec<Held>>;

    /// Encoded messages in the order of the ranges and of their register sequences, holes left out, until a budget
    /// ends; the first message is given even when it alone is above `max_bytes`.
    fn read(&self, ranges: Vec<MessageRange>, max_messages: usize, max_bytes: usize) -> Pending<'_, Vec<Bytes>>;

    /// At most `limit` messages behind the position `after`, of all registers, in the order of their positions.
    fn messages_after(&self, after: Option<u64>, limit: usize) -> Pending<'_, Vec<ListedMessage>>;

    /// The position of the newest message; `None` when there is none.
    fn newest_message(&self) -> Pending<'_, Option<u64>>;

    /// A transaction of a register, whole; `None` when it or its body is not held.
    fn transaction(&self, register: RegisterId, id: TransactionId) -> Pending<'_, Option<StoredTransaction>> {
        Box::pin(async move { Ok(self.transactions(register, vec![id]).await?.pop().flatten()) })
    }

    /// The same for many at once, in the order of `ids`: a message that carries several of them is read once.
    fn transactions(
        &self,
        register: RegisterId,
        ids: Vec<TransactionId>,
    ) -> Pending<'_, Vec<Option<StoredTransaction>>>;

    /// At most `limit` transactions of a register behind the position `after`, in the order of their positions.
    fn list(&self, register: RegisterId, after: Option<u64>, limit: usize) -> Pending<'_, Vec<ListedTransaction>>;

    /// As [`Store::list`], with the transactions: at most so many bytes of them, but one at least. One that comes without
    /// bytes may be held all the same: [`Store::transactions`] tells.
    fn list_carried(
        &self,
        register: RegisterId,
        after: Option<u64>,
        limit: usize,
        max_bytes: u64,
    ) -> Pending<'_, CarriedTransactions> {
        Box::pin(async move {
            let mut rows = self.list(register, after, limit).await?;
            let mut bytes = 0u64;
            let within = rows.iter().take_while(|row| {
                bytes = bytes.saturating_add(row.size.into());
                bytes <= max_bytes
            });
            let kept = within.count().max(1).min(rows.len());
            let is_end = rows.len() < limit && kept == rows.len();
            rows.truncate(kept);
            let found = self.transactions(register, rows.iter().map(|row| row.id).collect()).await?;
            let found = found.into_iter().map(|found| found.map(|found| found.bytes));
            Ok(CarriedTransactions { rows: rows.into_iter().zip(found).collect(), is_end })
        })
    }

    /// What became of a transaction; `None` when it is no dead letter.
    fn dead_letter(&self, register: RegisterId, id: TransactionId) -> Pending<'_, Option<DeadLetter>>;

    /// At most `limit` dead letters of a register behind the position `after`, in the order of their positions.
    fn dead_letters(
        &self,
        register: RegisterId,
        after: Option<u64>,
        limit: usize,
    ) -> Pending<'_, Vec<ListedDeadLetter>>;

    /// How much a register holds.
    fn counts(&self, register: RegisterId) -> Pending<'_, Counts>;

    /// At most `length` bytes of a body from `offset`; fewer, or none, at its end; `None` when it is not held.
    fn body_chunk(&self, id: TransactionId, offset: u64, length: u32) -> Pending<'_, Option<Bytes>>;

    /// How often something was made durable since the store was opened: how many writes one commit carries shows how
    /// well they are grouped.
    fn commits(&self) -> u64;

    /// Resolves when writing has failed for good: every later write is refused, and only a new process can tell what the
    /// volume holds. Otherwise it stays pending, also after [`Store::close`]. It does not keep the store open.
    fn failed(&self) -> Failure;

    /// Writes what is queued and ends. Later calls are refused with [`StoreError::Closed`].
    fn close(&self) -> Pending<'_, ()>;
}

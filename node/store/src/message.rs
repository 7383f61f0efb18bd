//! What is indexed of a message: the transactions that it carries.

use crate::StoreError;
use bytes::Bytes;
use peerwright_ledger::{Entry, Message, TransactionId};

/// One transaction of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    pub(crate) id: TransactionId,
    /// Length of the encoded transaction in bytes.
    pub(crate) size: u32,
}

/// A message to store, with its transactions in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexedMessage {
    pub(crate) message: Message,
    pub(crate) entries: Vec<IndexEntry>,
}

/// Reads the transactions of messages that are to be stored.
pub(crate) fn index(messages: Vec<Message>) -> Result<Vec<IndexedMessage>, StoreError> {
    let indexed = messages.into_iter().map(|message| {
        let entries = read_entries(&message)?;
        Ok(IndexedMessage { message, entries })
    });
    indexed.collect()
}

fn read_entries(message: &Message) -> Result<Vec<IndexEntry>, StoreError> {
    if let [Entry::Announced { id, size }] = message.body().entries.as_slice() {
        return Ok(vec![IndexEntry { id: *id, size: *size }]);
    }
    let entries = message.transactions().map(|transaction| {
        let transaction = transaction.map_err(|refusal| StoreError::Unreadable(refusal.to_string()))?;
        let size = u32::try_from(transaction.encoded().len());
        let size = size.map_err(|error| StoreError::Unreadable(error.to_string()))?;
        Ok(IndexEntry { id: transaction.id(), size })
    });
    entries.collect()
}

/// What a stored message carries.
pub(crate) struct Contents {
    /// The ids of its transactions, in their order.
    pub(crate) transactions: Vec<TransactionId>,
    /// Whether it only announces them: their bytes are among the bodies.
    pub(crate) is_announced: bool,
}

impl Contents {
    pub(crate) fn read(bytes: impl Into<Bytes>) -> Result<Self, StoreError> {
        let message = Message::decode(bytes).map_err(|error| StoreError::Damaged(format!("a message: {error}")))?;
        let entries = read_entries(&message).map_err(|error| StoreError::Damaged(format!("a message: {error}")))?;
        Ok(Self {
            transactions: entries.into_iter().map(|entry| entry.id).collect(),
            is_announced: matches!(message.body().entries.as_slice(), [Entry::Announced { .. }]),
        })
    }
}

/// Where the bytes of a transaction are.
pub(crate) enum Place {
    /// In the message itself.
    Inline(Bytes),
    /// Among the bodies.
    Body,
}

/// Finds an entry of the message that carries it; `None` when the message has fewer.
pub(crate) fn find_entry(message: &Message, number: usize) -> Option<Place> {
    message.body().entries.get(number).map(|entry| match entry {
        Entry::Inline(bytes) => Place::Inline(bytes.clone()),
        Entry::Announced { .. } => Place::Body,
    })
}

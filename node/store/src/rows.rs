//! Rows of messages, of bodies and of dead letters as they were read, and what they say: the same in both databases.

use crate::{
    BODY_CHUNK_BYTES, DeadLetter, ListedDeadLetter, ListedMessage, ListedTransaction, StoreError, StoredTransaction,
    codec::{from_ordered, key},
    message::{Contents, Place, find_entry},
};
use bytes::Bytes;
use peerwright_ledger::{Message, RegisterId, TransactionId};
use peerwright_secure::NodePublicKey;
use std::collections::{BTreeMap, BTreeSet};

/// Id, number of the entry, size, time of storing, origin, incarnation, row of the message.
pub(crate) type TransactionRow = (Vec<u8>, i64, i64, i64, Vec<u8>, i64, i64);
/// Row, message.
pub(crate) type CarrierRow = (i64, Vec<u8>);
/// Position, id, size, origin, time of storing.
pub(crate) type ListRow = (i64, Vec<u8>, i64, Vec<u8>, i64);
/// Position, id, size, time of storing, row of the message, number of the entry.
pub(crate) type PlacedRow = (i64, Vec<u8>, i64, i64, i64, i64);
/// Position, register, origin, incarnation, register sequence, message.
pub(crate) type MessageRow = (i64, Vec<u8>, Vec<u8>, i64, i64, Vec<u8>);
/// Position, id, reason, since when.
pub(crate) type DeadLetterRow = (i64, Vec<u8>, String, i64);

/// A transaction with the message that carries it.
struct Carried {
    /// Where its bytes are.
    place: Place,
    /// How many they are.
    size: u32,
    id: TransactionId,
    origin: NodePublicKey,
    incarnation: u64,
    stored_at: u64,
}

impl Carried {
    /// Finds transactions in their messages; those whose message was let go of meanwhile are left out.
    fn read(rows: Vec<TransactionRow>, carriers: Vec<CarrierRow>) -> Result<Vec<Self>, StoreError> {
        let decoded = carriers.into_iter().map(|(row, message)| {
            let message = Message::decode(message);
            Ok((row, message.map_err(|error| StoreError::Damaged(format!("the message in row {row}: {error}")))?))
        });
        let carriers: BTreeMap<i64, Message> = decoded.collect::<Result<_, StoreError>>()?;
        let found = rows.into_iter().filter_map(|row| Some((carriers.get(&row.6)?, row)));
        found.map(|(message, row)| Self::find(message, row)).collect()
    }

    fn find(message: &Message, row: TransactionRow) -> Result<Self, StoreError> {
        let (id, number, size, stored_at, origin, incarnation, _) = row;
        let id = TransactionId::from_bytes(key(id)?);
        let damaged = |error: &dyn std::fmt::Display| StoreError::Damaged(format!("transaction {id}: {error}"));
        let number = usize::try_from(number).map_err(|error| damaged(&error))?;
        Ok(Self {
            place: find_entry(message, number).ok_or_else(|| damaged(&"the message that carries it does not"))?,
            size: u32::try_from(size).map_err(|error| damaged(&error))?,
            id,
            origin: NodePublicKey::from_bytes(key(origin)?),
            incarnation: from_ordered(incarnation),
            stored_at: stored_at.cast_unsigned(),
        })
    }

    fn with(self, bytes: Bytes) -> StoredTransaction {
        let Self { id, origin, incarnation, stored_at, .. } = self;
        StoredTransaction { id, bytes, origin, incarnation, stored_at }
    }
}

/// A message whose transactions are read in their order.
pub(crate) struct Carrier {
    pub(crate) row: i64,
    pub(crate) origin: Vec<u8>,
    /// `None`: the disk has changed it.
    message: Option<Message>,
}

impl Carrier {
    pub(crate) fn new(row: i64, origin: Vec<u8>, message: Vec<u8>) -> Self {
        Self { row, origin, message: Message::decode(message).ok() }
    }

    /// An entry's bytes, where the message has them.
    pub(crate) fn inline(&self, entry: i64) -> Option<Bytes> {
        match find_entry(self.message.as_ref()?, usize::try_from(entry).ok()?)? {
            Place::Inline(bytes) => Some(bytes),
            Place::Body => None,
        }
    }
}

/// The rows of the messages that carry these, each once.
pub(crate) fn carriers(rows: &[TransactionRow]) -> Vec<i64> {
    let carriers: BTreeSet<i64> = rows.iter().map(|row| row.6).collect();
    carriers.into_iter().collect()
}

/// The transactions with these ids, in their order: out of the messages that carry them, or where a message only announces
/// one, from its body.
pub(crate) async fn assemble<F: Future<Output = Result<Option<Bytes>, StoreError>>>(
    ids: &[TransactionId],
    rows: Vec<TransactionRow>,
    carriers: Vec<CarrierRow>,
    body: impl Fn(TransactionId, u32) -> F,
) -> Result<Vec<Option<StoredTransaction>>, StoreError> {
    let mut found = BTreeMap::new();
    for carried in Carried::read(rows, carriers)? {
        let bytes = match &carried.place {
            Place::Inline(bytes) => Some(bytes.clone()),
            Place::Body => body(carried.id, carried.size).await?,
        };
        found.extend(bytes.map(|bytes| (carried.id, carried.with(bytes))));
    }
    Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
}

pub(crate) fn listed(row: ListRow) -> Result<ListedTransaction, StoreError> {
    let (position, id, size, origin, stored_at) = row;
    Ok(ListedTransaction {
        position: position.cast_unsigned(),
        id: TransactionId::from_bytes(key(id)?),
        size: u32::try_from(size).map_err(|error| StoreError::Damaged(error.to_string()))?,
        origin: NodePublicKey::from_bytes(key(origin)?),
        stored_at: stored_at.cast_unsigned(),
    })
}

pub(crate) fn listed_message(row: MessageRow) -> Result<ListedMessage, StoreError> {
    let (position, register, origin, incarnation, register_sequence, message) = row;
    Ok(ListedMessage {
        position: position.cast_unsigned(),
        register: RegisterId::from_bytes(key(register)?),
        origin: NodePublicKey::from_bytes(key(origin)?),
        incarnation: from_ordered(incarnation),
        register_sequence: from_ordered(register_sequence),
        transactions: Contents::read(message).map(|contents| contents.transactions).unwrap_or_default(),
    })
}

pub(crate) fn dead_letter(register: RegisterId, row: DeadLetterRow) -> Result<ListedDeadLetter, StoreError> {
    let (position, id, reason, died_at) = row;
    let id = TransactionId::from_bytes(key(id)?);
    let letter = DeadLetter { register, id, reason, died_at: died_at.cast_unsigned() };
    Ok(ListedDeadLetter { position: position.cast_unsigned(), letter })
}

/// Some bytes of a body, and the rows that they are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BodyPart {
    /// Number of the first row.
    pub(crate) first: i64,
    /// Number of the last.
    pub(crate) last: i64,
    /// Bytes of the first that come before.
    skipped: usize,
    wanted: usize,
}

impl BodyPart {
    /// At most `length` bytes from `offset` of a body of this size; `None` when there are none.
    pub(crate) fn of(size: i64, offset: u64, length: u32) -> Option<Self> {
        let chunk = BODY_CHUNK_BYTES as u64;
        let end = size.cast_unsigned().min(offset.saturating_add(length.into()));
        (offset < end).then(|| Self {
            first: (offset / chunk).cast_signed(),
            last: ((end - 1) / chunk).cast_signed(),
            skipped: usize::try_from(offset % chunk).unwrap_or_default(),
            wanted: usize::try_from(end - offset).unwrap_or(usize::MAX),
        })
    }

    /// Takes the bytes out of the rows.
    pub(crate) fn cut(self, id: TransactionId, rows: impl IntoIterator<Item = Vec<u8>>) -> Result<Bytes, StoreError> {
        let mut skip = self.skipped;
        let mut bytes = Vec::with_capacity(self.wanted);
        for row in rows {
            bytes.extend_from_slice(row.get(skip..).unwrap_or_default());
            skip = 0;
        }
        bytes.truncate(self.wanted);
        if bytes.len() < self.wanted {
            return Err(StoreError::Damaged(format!("the body of transaction {id} lacks bytes")));
        }
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_part_of_a_body_is_cut_out_of_its_rows(
            size in 0u32..200_000,
            offset in 0u32..210_000,
            length in 0u32..90_000,
        ) {
            let body: Vec<u8> = (0..size).map(|place| place.to_le_bytes()[0] ^ place.to_le_bytes()[1]).collect();
            let id = TransactionId::from_bytes([1; 32]);
            let (begin, end) = (offset as usize, size.min(offset + length) as usize);
            match BodyPart::of(size.into(), offset.into(), length) {
                None => prop_assert!(begin >= end),
                Some(part) => {
                    let range = usize::try_from(part.first).unwrap()..=usize::try_from(part.last).unwrap();
                    let rows = body.chunks(BODY_CHUNK_BYTES).map(<[u8]>::to_vec).collect::<Vec<_>>();
                    prop_assert_eq!(&part.cut(id, rows[range].to_vec()).unwrap()[..], &body[begin..end]);
                    prop_assert!(part.cut(id, Vec::new()).is_err());
                }
            }
        }
    }
}

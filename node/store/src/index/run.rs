//! Runs of the index: rows of (start of the transaction's id, docket number, position), sorted, in chunks.
//!
//! ```text
//!  dockets ──▶ level 0 ──▶ 16 runs of a level merge into one of the next
//! ```
//!
//! A row in a table of its own for each transaction costs many times more to write: ids are random, so each lands on
//! another page. A run is written once, in order.

use crate::TransactionPlace;
use peerwright_ledger::TransactionId;
use std::{cmp::Reverse, collections::BinaryHeap};

/// How much of an id a row holds. Who finds a row still compares the whole id.
const PREFIX_BYTES: usize = 16;
/// Length of a row: prefix, number, position.
const ROW_BYTES: usize = PREFIX_BYTES + 8 + 4;
/// Rows of a chunk: what is read to look an id up in one run.
pub(super) const CHUNK_ROWS: usize = 512;

/// A row. The order of their bytes is their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    prefix: [u8; PREFIX_BYTES],
    pub(super) place: TransactionPlace,
}

impl Row {
    /// No row comes after it.
    pub(super) const LAST: Self =
        Self { prefix: [u8::MAX; PREFIX_BYTES], place: TransactionPlace { number: u64::MAX, position: u32::MAX } };

    pub(super) fn new(id: &TransactionId, place: TransactionPlace) -> Self {
        Self { prefix: id.as_bytes().first_chunk().copied().unwrap_or_default(), place }
    }

    /// The last row that an id may have.
    pub(crate) fn last_of(id: &TransactionId) -> Self {
        Self::new(id, TransactionPlace { number: u64::MAX, position: u32::MAX })
    }

    /// Whether the row may be of this id.
    pub(super) fn may_be(&self, id: &TransactionId) -> bool {
        id.as_bytes().starts_with(&self.prefix)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ROW_BYTES);
        self.encode_to(&mut bytes);
        bytes
    }

    fn encode_to(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.prefix);
        bytes.extend_from_slice(&self.place.number.to_be_bytes());
        bytes.extend_from_slice(&self.place.position.to_be_bytes());
    }

    fn decode(bytes: &[u8; ROW_BYTES]) -> Self {
        let (prefix, place) = bytes.split_first_chunk().unwrap_or((&[0; PREFIX_BYTES], &[]));
        let (number, position) = place.split_first_chunk().unwrap_or((&[0; 8], &[]));
        let position = position.first_chunk().unwrap_or(&[0; 4]);
        let place = TransactionPlace { number: u64::from_be_bytes(*number), position: u32::from_be_bytes(*position) };
        Self { prefix: *prefix, place }
    }
}

/// The bytes of a chunk.
pub(super) fn encode(rows: &[Row]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rows.len() * ROW_BYTES);
    for row in rows {
        row.encode_to(&mut bytes);
    }
    bytes
}

fn rows(chunk: &[u8]) -> &[[u8; ROW_BYTES]] {
    chunk.as_chunks().0
}

/// The first row of a chunk.
pub(super) fn first_row(chunk: &[u8]) -> Option<Row> {
    rows(chunk).first().map(Row::decode)
}

/// The last row of a chunk.
pub(super) fn last_row(chunk: &[u8]) -> Option<Row> {
    rows(chunk).last().map(Row::decode)
}

/// Where an id may be, as far as a chunk tells.
pub(super) fn look_up(chunk: &[u8], id: &TransactionId) -> impl Iterator<Item = TransactionPlace> {
    let first = Row::new(id, TransactionPlace { number: 0, position: 0 });
    let from = rows(chunk).partition_point(|row| Row::decode(row) < first);
    rows(chunk).iter().skip(from).map(Row::decode).take_while(|row| row.may_be(id)).map(|row| row.place)
}

/// Several runs read as one, chunk by chunk.
#[derive(Debug)]
pub(super) struct Merge {
    /// The chunk that is read of each run, and how many of its rows are taken.
    inputs: Vec<(Vec<u8>, usize)>,
    heads: BinaryHeap<Reverse<(Row, usize)>>,
}

impl Merge {
    pub(super) fn new(inputs: usize) -> Self {
        Self { inputs: vec![(Vec::new(), 0); inputs], heads: BinaryHeap::with_capacity(inputs) }
    }

    /// Goes on with a chunk of an input, behind the row `after`; whether the chunk has such rows.
    pub(super) fn read(&mut self, input: usize, chunk: Vec<u8>, after: Option<Row>) -> bool {
        let taken = rows(&chunk).partition_point(|row| after.is_some_and(|after| Row::decode(row) <= after));
        if let Some(place) = self.inputs.get_mut(input) {
            *place = (chunk, taken);
        }
        self.push_head(input)
    }

    fn push_head(&mut self, input: usize) -> bool {
        let head = self.inputs.get(input).and_then(|(chunk, taken)| rows(chunk).get(*taken)).map(Row::decode);
        self.heads.extend(head.map(|row| Reverse((row, input))));
        head.is_some()
    }

    /// The smallest row, and the input that must [`Merge::read`] its next chunk, if it has one, before the next call.
    pub(super) fn pop(&mut self) -> Option<(Row, Option<usize>)> {
        let Reverse((row, input)) = self.heads.pop()?;
        if let Some((_, taken)) = self.inputs.get_mut(input) {
            *taken += 1;
        }
        let ended = !self.push_head(input);
        Some((row, ended.then_some(input)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(number: u16) -> TransactionId {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        TransactionId::from_bytes(bytes)
    }

    fn any_row() -> impl Strategy<Value = Row> {
        (0u16..40, prop_oneof![0u64..9, Just(u64::MAX)], 0u32..3)
            .prop_map(|(number, docket, position)| Row::new(&id(number), TransactionPlace { number: docket, position }))
    }

    proptest! {
        #[test]
        fn the_order_of_rows_is_the_order_of_their_bytes(one in any_row(), other in any_row()) {
            prop_assert_eq!(one.cmp(&other), one.encode().cmp(&other.encode()));
            prop_assert_eq!(first_row(&one.encode()), Some(one));
        }

        #[test]
        fn a_chunk_tells_every_place_of_an_id(mut rows in prop::collection::vec(any_row(), 0..60), asked in 0u16..41) {
            rows.sort_unstable();
            let expected: Vec<_> = rows.iter().filter(|row| row.may_be(&id(asked))).map(|row| row.place).collect();
            prop_assert_eq!(look_up(&encode(&rows), &id(asked)).collect::<Vec<_>>(), expected);
        }

        #[test]
        fn runs_merge_into_one_in_order_also_from_the_middle(
            mut runs in prop::collection::vec(prop::collection::vec(any_row(), 0..40), 1..6),
            chunk_rows in 1usize..9,
            after in prop::option::of(any_row()),
        ) {
            for run in &mut runs {
                run.sort_unstable();
            }
            let mut expected: Vec<Row> = runs.concat();
            expected.retain(|row| after.is_none_or(|after| *row > after));
            expected.sort_unstable();

            let mut chunks: Vec<_> = runs.iter().map(|run| run.chunks(chunk_rows).map(encode)).collect();
            let mut merge = Merge::new(runs.len());
            for (input, chunks) in chunks.iter_mut().enumerate() {
                while chunks.next().is_some_and(|chunk| !merge.read(input, chunk, after)) {}
            }
            let mut merged = Vec::new();
            while let Some((row, ended)) = merge.pop() {
                merged.push(row);
                if let Some(input) = ended && let Some(chunk) = chunks[input].next() {
                    merge.read(input, chunk, None);
                }
            }
            prop_assert_eq!(merged, expected);
        }
    }
}

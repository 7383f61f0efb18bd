//! Signed transactions and messages to store.

use crate::{BODY_CHUNK_BYTES, MessageRange};
use peerwright_ledger::{
    Entry, Kind, Message, MessageBody, Metadata, Payload, RegisterId, Transaction, TransactionBody,
};
use peerwright_secure::NodeKey;
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use std::{collections::BTreeSet, fmt::Debug};

pub(crate) const NETWORK: &str = "11111111-2222-3333-4444-555555555555";
/// When everything here happens, unix microseconds.
pub(crate) const NOW: u64 = 1_800_000_000_000_000;

/// An answer, to be compared with that of another store.
pub(crate) fn told(answer: impl Debug) -> String {
    format!("{answer:?}")
}

/// So many values, the same for the same seed in every process.
pub(crate) fn drawn<S: Strategy>(strategy: S, seed: u8, count: usize) -> Vec<S::Value> {
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), random);
    prop::collection::vec(strategy, count).new_tree(&mut runner).unwrap().current()
}

/// The node with this number.
pub(crate) fn node(number: u8) -> NodeKey {
    NodeKey::from_seed([number; 32])
}

/// The register with this number.
pub(crate) fn register(number: u8) -> RegisterId {
    RegisterId::from_bytes([number; 16])
}

/// The transaction with this number: the same each time.
pub(crate) fn transaction(of: RegisterId, number: u32) -> Transaction {
    signed_transaction(of, Payload::new(number.to_be_bytes().to_vec()))
}

/// A transaction that is only announced and whose body takes several chunks.
pub(crate) fn large_transaction(of: RegisterId, number: u32) -> Transaction {
    let data = number.to_be_bytes().repeat(2 * BODY_CHUNK_BYTES / 4 + 1_000);
    signed_transaction(of, Payload::new(data))
}

fn signed_transaction(of: RegisterId, payload: Payload) -> Transaction {
    let author = node(200);
    let body = TransactionBody {
        register: of,
        previous: None,
        author: author.public(),
        subject: None,
        recipients: BTreeSet::new(),
        created_at_micros: NOW,
        valid_until_micros: NOW + 1,
        kind: Kind::Action,
        metadata: Metadata::default(),
        payloads: vec![payload],
    };
    body.sign(&author).unwrap()
}

/// Where a message stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) origin: u8,
    pub(crate) incarnation: u64,
    pub(crate) register: u8,
    pub(crate) sequence: u64,
    pub(crate) register_sequence: u64,
}

impl Place {
    /// The nth message of node 1 in its first life, all for register 1.
    pub(crate) fn nth(sequence: u64) -> Self {
        Self { origin: 1, incarnation: 1, register: 1, sequence, register_sequence: sequence }
    }

    pub(crate) fn range(self, from: u64, to: u64) -> MessageRange {
        let origin = node(self.origin).public();
        MessageRange { register: register(self.register), origin, incarnation: self.incarnation, from, to }
    }
}

/// A message with these transactions.
pub(crate) fn message(place: Place, transactions: &[Transaction]) -> Message {
    let inline = transactions.iter().map(|transaction| Entry::Inline(transaction.encoded().clone()));
    signed_message(place, inline.collect())
}

/// A message that announces a transaction.
pub(crate) fn announcement(place: Place, transaction: &Transaction) -> Message {
    let size = u32::try_from(transaction.encoded().len()).unwrap();
    signed_message(place, vec![Entry::Announced { id: transaction.id(), size }])
}

fn signed_message(place: Place, entries: Vec<Entry>) -> Message {
    let origin = node(place.origin);
    let message = MessageBody {
        origin: origin.public(),
        incarnation: place.incarnation,
        sequence: place.sequence,
        floor: 1,
        previous: [0; 32],
        register: register(place.register),
        register_sequence: place.register_sequence,
        created_at_micros: NOW,
        expires_at_micros: NOW + 1,
        entries,
    };
    message.sign(&origin).unwrap()
}

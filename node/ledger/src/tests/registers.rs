//! Registers to work with.

use super::samples::{CREATED, HOUR, author, plain};
use crate::chain::{Proposal, SealedDocket, seal_genesis};
use crate::docket::{CommitCertificate, Docket, SealerSet};
use crate::register::{Attestation, ControlRecord, GenesisRecord, RegisterPolicy, Role};
use crate::{Chain, Transaction};
use bytes::Bytes;
use peerwright_secure::{NodeKey, NodePublicKey, Signature};
use std::collections::BTreeSet;

/// When the samples are verified.
pub(super) const NOW: u64 = CREATED + HOUR / 2;

pub(super) fn key(seed: u8) -> NodeKey {
    NodeKey::from_seed([seed; 32])
}

pub(super) fn owner() -> NodeKey {
    key(10)
}

pub(super) fn authority() -> NodeKey {
    key(11)
}

/// Three sealers, in the order of their seeds.
pub(super) fn sealers() -> Vec<NodeKey> {
    [20, 21, 22].map(key).to_vec()
}

pub(super) fn public(keys: &[NodeKey]) -> BTreeSet<NodePublicKey> {
    keys.iter().map(NodeKey::public).collect()
}

pub(super) fn place(role: Role, subject: &str) -> Attestation {
    Attestation {
        role,
        subject: subject.into(),
        attested_at_micros: CREATED,
        signature: Signature::from_bytes([0; 64]),
    }
}

/// A genesis record that all have attested who stand for it.
pub(super) fn attested(change: impl FnOnce(&mut GenesisRecord)) -> GenesisRecord {
    let people = [(owner(), place(Role::Owner, "olga")), (key(12), place(Role::Admin, "adam"))];
    let mut record = GenesisRecord {
        name: "Invoices".into(),
        description: "What was ordered, delivered and paid.".into(),
        authority: authority().public(),
        sealers: SealerSet::new(1, public(&sealers())).unwrap(),
        policy: RegisterPolicy::default(),
        created_at_micros: CREATED,
        nonce: [9; 16],
        attestations: people.iter().map(|(key, place)| (key.public(), place.clone())).collect(),
    };
    change(&mut record);
    for (person, _) in &people {
        if record.attestations.contains_key(&person.public()) {
            record.attest(person).unwrap();
        }
    }
    record
}

pub(super) fn record() -> GenesisRecord {
    attested(|_| {})
}

pub(super) fn certified((header, body): SealedDocket, by: &[NodeKey]) -> Docket {
    let hash = header.hash();
    let signatures = by.iter().map(|sealer| (sealer.public(), hash.sign(sealer))).collect();
    Docket { header, certificate: CommitCertificate::Sealers(signatures), body }
}

pub(super) fn genesis() -> Docket {
    certified(seal_genesis(&record(), &owner(), sealers()[0].public()).unwrap(), &sealers())
}

pub(super) fn begun() -> Chain {
    Chain::begin(&genesis(), NOW).unwrap()
}

/// A transaction of the register with `data`.
pub(super) fn entry(data: &[u8]) -> Transaction {
    let body = crate::TransactionBody { register: record().register(), ..plain(data) };
    body.sign(&author()).unwrap()
}

pub(super) fn entries(count: u32) -> Vec<Bytes> {
    (0..count).map(|number| entry(&number.to_be_bytes()).encoded().clone()).collect()
}

pub(super) fn proposal(transactions: Vec<Bytes>) -> Proposal {
    Proposal { time_micros: CREATED + 1_000_000, proposer: sealers()[0].public(), transactions }
}

/// The next docket, signed by all sealers.
pub(super) fn next(chain: &Chain, transactions: Vec<Bytes>) -> Docket {
    certified(chain.seal(&proposal(transactions)).unwrap(), &sealers())
}

pub(super) fn control(record: &ControlRecord, by: &NodeKey) -> Bytes {
    record.sign(self::record().register(), CREATED, by).unwrap().encoded().clone()
}

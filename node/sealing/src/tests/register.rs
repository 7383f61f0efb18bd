//! Registers and transactions to work with, and the stranger who verifies them.

use bytes::Bytes;
use peerwright_ledger::{
    Attestation, Chain, CommitCertificate, Docket, DocketBody, DocketHeader, GenesisRecord, Kind, Metadata, Payload,
    RegisterId, RegisterPolicy, Role, SealedDocket, SealerSet, Transaction, TransactionBody, TransactionId,
    TransactionView, Verify, seal_genesis,
};
use peerwright_secure::{NodeKey, NodePublicKey, Signature};
use peerwright_store::{DocketStore, Seen};
use std::collections::BTreeSet;

/// 2026-01-01 in unix microseconds.
pub(crate) const BEGIN: u64 = 1_767_225_600_000_000;
const HOUR: u64 = 3_600_000_000;

/// Whose the registers are, and their authority.
pub(crate) fn owner() -> NodeKey {
    NodeKey::from_seed([200; 32])
}

/// Docket 0 of a register with these sealers.
pub(crate) fn genesis(sealers: BTreeSet<NodePublicKey>, nonce: u8, build_interval_millis: u32) -> SealedDocket {
    genesis_of(sealers, nonce, build_interval_millis, &owner())
}

/// The same with this authority.
pub(crate) fn genesis_of(
    sealers: BTreeSet<NodePublicKey>,
    nonce: u8,
    build_interval_millis: u32,
    authority: &NodeKey,
) -> SealedDocket {
    let proposer = *sealers.first().unwrap();
    let attestation = Attestation {
        role: Role::Owner,
        subject: "owner".to_owned(),
        attested_at_micros: BEGIN,
        signature: Signature::from_bytes([0; 64]),
    };
    let mut record = GenesisRecord {
        name: "orders".to_owned(),
        description: String::new(),
        authority: authority.public(),
        sealers: SealerSet::new(1, sealers).unwrap(),
        policy: RegisterPolicy { build_interval_millis, ..RegisterPolicy::default() },
        created_at_micros: BEGIN,
        nonce: [nonce; 16],
        attestations: [(owner().public(), attestation)].into(),
    };
    record.attest(&owner()).unwrap();
    seal_genesis(&record, &owner(), proposer).unwrap()
}

/// A transaction that says `number`, valid for an hour from `now` on.
pub(crate) fn transaction(register: RegisterId, number: u64, now: u64) -> Transaction {
    let author = NodeKey::from_seed([100; 32]);
    let body = TransactionBody {
        register,
        previous: None,
        author: author.public(),
        subject: None,
        recipients: [].into(),
        created_at_micros: now,
        valid_until_micros: now + HOUR,
        kind: Kind::Action,
        metadata: Metadata::default(),
        payloads: vec![Payload::new(number.to_be_bytes().to_vec())],
    };
    body.sign(&author).unwrap()
}

pub(crate) fn encoded(transactions: &[Transaction]) -> Vec<Bytes> {
    transactions.iter().map(|transaction| transaction.encoded().clone()).collect()
}

/// What a stranger learns from one store: the chain from docket 0, verified with every signature, and all ids.
pub(crate) async fn verify_as_a_stranger(
    store: &dyn DocketStore,
    register: RegisterId,
    now: u64,
) -> (Chain, Vec<TransactionId>) {
    stranger(&certified(store, register).await, register, now).unwrap()
}

/// The certified dockets that a store holds of a register.
pub(crate) async fn certified(store: &dyn DocketStore, register: RegisterId) -> Vec<Docket> {
    let stored = store.dockets(register, 0, Seen::Certified, usize::MAX, usize::MAX).await.unwrap();
    let dockets = stored.into_iter().map(|stored| Docket {
        header: DocketHeader::decode(&stored.header.header).unwrap(),
        certificate: CommitCertificate::decode(&stored.header.certificate.unwrap()).unwrap(),
        body: DocketBody::decode(stored.body).unwrap(),
    });
    dockets.collect()
}

/// What a stranger learns from a register's dockets, or why he believes them not.
pub(crate) fn stranger(
    dockets: &[Docket],
    register: RegisterId,
    now: u64,
) -> Result<(Chain, Vec<TransactionId>), String> {
    let (first, others) = dockets.split_first().ok_or("docket 0 is not there")?;
    let mut chain = Chain::begin(first, now).map_err(|refused| refused.to_string())?;
    if chain.register() != register {
        return Err(format!("the dockets are of {}", chain.register()));
    }
    let mut ids = Vec::new();
    for docket in others {
        let refused = |why: &dyn std::fmt::Display| format!("docket {}: {why}", docket.header.number);
        let taken = chain.extend(docket, Verify::EveryTransaction, now).map_err(|why| refused(&why))?;
        let readable = docket.body.transactions().filter(|encoded| TransactionView::read(encoded).is_ok());
        if taken.len() != readable.count() {
            return Err(refused(&"it has transactions that nobody can read"));
        }
        if !docket.header.control {
            ids.extend(taken);
        }
    }
    Ok((chain, ids))
}

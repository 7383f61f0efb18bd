//! A register that a test seals by itself, docket by docket.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{HOUR_MICROS, text_body};
use crate::driver::Clock;
use peerwright_ledger::{
    Attestation, CertifiedHeader, Chain, CommitCertificate, Docket, GenesisRecord, Proposal, RegisterId,
    RegisterPolicy, Role, SealerSet, Verify, docket::DocketHeader, seal_genesis,
};
use peerwright_secure::{NodeKey, Signature};
use peerwright_store::{DocketStore, Extension, NewDocket};
use std::collections::{BTreeMap, BTreeSet};

/// The register, as far as it is sealed.
#[derive(Clone)]
pub(crate) struct SealedRegister {
    key: NodeKey,
    chain: Chain,
    dockets: Vec<NewDocket>,
    texts: u64,
}

impl SealedRegister {
    /// Docket 0, by one sealer who is the owner and the authority too.
    pub(crate) fn begin() -> Self {
        let key = NodeKey::from_seed([0x5e; 32]);
        let now = Clock::wall().0;
        let unsigned = Signature::from_bytes([0; 64]);
        let owner = Attestation {
            role: Role::Owner,
            subject: "a test".to_owned(),
            attested_at_micros: now,
            signature: unsigned,
        };
        let mut record = GenesisRecord {
            name: "sealed".to_owned(),
            description: String::new(),
            authority: key.public(),
            sealers: SealerSet::new(1, BTreeSet::from([key.public()])).unwrap(),
            policy: RegisterPolicy::default(),
            created_at_micros: now,
            nonce: [7; 16],
            attestations: BTreeMap::from([(key.public(), owner)]),
        };
        record.attest(&key).unwrap();
        let (header, body) = seal_genesis(&record, &key, key.public()).unwrap();
        let docket = Docket { certificate: certificate(&key, &header), header, body };
        let chain = Chain::begin(&docket, now).unwrap();
        let ids = peerwright_ledger::verify_body(&docket.header, &docket.body, Verify::Docket).unwrap();
        Self { key, chain, dockets: vec![NewDocket::of(&docket, ids)], texts: 0 }
    }

    /// A register with so many dockets of so many transactions behind docket 0.
    pub(crate) fn of(dockets: usize, transactions: usize) -> Self {
        let mut sealed = Self::begin();
        (0..dockets).for_each(|_| sealed.seal(transactions));
        sealed
    }

    /// Seals a further docket.
    pub(crate) fn seal(&mut self, transactions: usize) {
        let now = Clock::wall().0;
        let transactions = (0..transactions).map(|_| {
            self.texts += 1;
            let valid = now..now + HOUR_MICROS;
            let body = text_body(self.chain.register(), &self.key.public(), valid, self.texts.to_string());
            body.sign(&self.key).unwrap().encoded().clone()
        });
        let transactions = transactions.collect();
        let proposal = Proposal { time_micros: now, proposer: self.key.public(), transactions };
        let (header, body) = self.chain.seal(&proposal).unwrap();
        let docket = Docket { certificate: certificate(&self.key, &header), header, body };
        let ids = self.chain.extend(&docket, Verify::EveryTransaction, now).unwrap();
        self.dockets.push(NewDocket::of(&docket, ids));
    }

    pub(crate) fn register(&self) -> RegisterId {
        self.chain.register()
    }

    /// How many dockets there are.
    pub(crate) fn count(&self) -> u64 {
        self.dockets.len() as u64
    }

    pub(crate) fn certified(&self, number: usize) -> CertifiedHeader {
        let docket = &self.dockets[number];
        let header = DocketHeader::decode(&docket.header).unwrap();
        let certificate = CommitCertificate::decode(docket.certificate.as_ref().unwrap()).unwrap();
        CertifiedHeader { header, certificate }
    }

    pub(crate) fn chain(&self) -> &Chain {
        &self.chain
    }

    pub(crate) fn dockets(&self) -> &[NewDocket] {
        &self.dockets
    }

    /// Puts what a store lacks of the register into it.
    pub(crate) async fn fill(&self, store: &dyn DocketStore) {
        let held = store.held_dockets(self.register()).await.unwrap().map_or(0, |held| held.head + 1);
        let dockets = self.dockets[usize::try_from(held).unwrap()..].to_vec();
        let extension = Extension { register: self.register(), dockets, checkpoint: self.chain.encode() };
        store.extend(vec![extension]).await.unwrap();
    }
}

fn certificate(key: &NodeKey, header: &DocketHeader) -> CommitCertificate {
    CommitCertificate::Sealers(BTreeMap::from([(key.public(), header.hash().sign(key))]))
}

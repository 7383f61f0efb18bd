//! A certified chain of dockets, as sealers make one: formed by the ledger's own functions from transactions that their
//! authors signed, and certified by the one sealer that its genesis names.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use peerwright_bench_load::payload;
use peerwright_ledger::{
    Attestation, Chain, CommitCertificate, Docket, DocketBody, DocketHeader, GenesisRecord, Kind, Metadata, Payload,
    Proposal, RegisterId, RegisterPolicy, Role, SealerSet, Transaction, TransactionBody, TransactionId, Verify,
    register::VerifyPolicy, seal_genesis, verify_body,
};
use peerwright_secure::{NodeKey, PeerId, Signature};
use peerwright_store::{Extension, NewDocket};
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZero,
    thread,
    time::SystemTime,
};

/// Bytes of an encoded transaction.
pub(crate) const TRANSACTION_BYTES: usize = 288;
/// Transactions of a docket: what a register's policy says unless it is told otherwise.
pub(crate) const DOCKET_TRANSACTIONS: u32 = 1_000;
/// A transaction's life, microseconds: nothing expires while a bench runs, and no docket refuses it for living too long.
const LIFE: u64 = 12 * 3_600_000_000;

/// What a chain is to be like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipe {
    /// What its replicas check.
    pub(crate) verify: VerifyPolicy,
    /// How many sign its transactions, in turns.
    pub(crate) authors: u8,
}

/// A chain that grows.
pub(crate) struct Growing {
    chain: Chain,
    sealer: NodeKey,
    authors: Vec<NodeKey>,
    /// Bytes of a payload that makes a transaction as long as it is to be.
    payload_bytes: usize,
    made: u64,
}

impl Growing {
    /// Begins a register; gives its docket 0 as well.
    pub(crate) fn begin(recipe: Recipe) -> Result<(Self, NewDocket)> {
        let [owner, sealer] = [1, 2].map(|seed| NodeKey::from_seed([seed; 32]));
        let now = now_micros();
        let policy = RegisterPolicy {
            verify: recipe.verify,
            max_docket_transactions: DOCKET_TRANSACTIONS,
            ..RegisterPolicy::default()
        };
        let unsigned = Signature::from_bytes([0; 64]);
        let place = Attestation {
            role: Role::Owner,
            subject: "a bench".to_owned(),
            attested_at_micros: now,
            signature: unsigned,
        };
        let mut record = GenesisRecord {
            name: "bench".to_owned(),
            description: String::new(),
            authority: owner.public(),
            sealers: SealerSet::new(1, [sealer.public()].into())?,
            policy,
            created_at_micros: now,
            nonce: u128::from(now).to_be_bytes(),
            attestations: BTreeMap::from([(owner.public(), place)]),
        };
        record.attest(&owner)?;
        let (header, body) = seal_genesis(&record, &owner, sealer.public())?;
        let chain = Chain::begin_uncertified(&header, &body)?;
        let authors: Vec<NodeKey> =
            (0..recipe.authors.max(1)).map(|number| NodeKey::from_seed([100 + number % 100; 32])).collect();
        let first = authors.first().context("no author")?;
        let overhead = transaction(chain.register(), first, now, Vec::new())?.encoded().len();
        let payload_bytes = TRANSACTION_BYTES.saturating_sub(overhead);
        let ids = verify_body(&header, &body, Verify::Docket)?;
        let genesis = certified(&sealer, header, body, ids);
        Ok((Self { chain, sealer, authors, payload_bytes, made: 0 }, genesis))
    }

    /// The next docket, of so many new transactions.
    pub(crate) fn docket(&mut self, transactions: u32) -> Result<NewDocket> {
        let transactions = self.transactions(transactions)?;
        let proposal = Proposal { time_micros: now_micros(), proposer: self.sealer.public(), transactions };
        let count = proposal.transactions.len();
        let (header, body) = self.chain.seal(&proposal).context("nothing was sealed")?;
        let ids = self.chain.extend_uncertified(&header, &body, Verify::Docket)?;
        anyhow::ensure!(ids.len() == count, "a docket took {} of {count} transactions", ids.len());
        Ok(certified(&self.sealer, header, body, ids))
    }

    /// These dockets, and how to go on behind them.
    pub(crate) fn extension(&self, dockets: Vec<NewDocket>) -> Extension {
        Extension { register: self.register(), dockets, checkpoint: self.chain.encode() }
    }

    /// The register.
    pub(crate) fn register(&self) -> RegisterId {
        self.chain.register()
    }

    /// New transactions, signed by the authors in turns, on all cores.
    fn transactions(&mut self, count: u32) -> Result<Vec<Bytes>> {
        let numbers: Vec<u64> = (self.made..).take(usize::try_from(count)?).collect();
        self.made += u64::from(count);
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let (register, now) = (self.register(), now_micros());
        let (authors, payload_bytes) = (&self.authors, self.payload_bytes);
        let sign = |number: &u64| -> Result<Bytes> {
            let turn = usize::try_from(number % authors.len() as u64)?;
            let author = authors.get(turn).context("no such author")?;
            Ok(transaction(register, author, now, payload(*number, payload_bytes))?.encoded().clone())
        };
        let parts: Vec<Result<Vec<Bytes>>> = thread::scope(|scope| {
            let part = numbers.len().div_ceil(cores).max(1);
            let threads: Vec<_> =
                numbers.chunks(part).map(|part| scope.spawn(move || part.iter().map(sign).collect())).collect();
            let joined = threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow::anyhow!("signing failed")));
            joined.map(|part| part.and_then(|part| part)).collect()
        });
        let mut all = Vec::with_capacity(numbers.len());
        for part in parts {
            all.extend(part?);
        }
        Ok(all)
    }
}

/// Who seals the register: nobody who runs. The chain is there, and nothing is added to it.
pub(crate) fn sealer() -> PeerId {
    NodeKey::from_seed([2; 32]).peer_id()
}

/// Unix microseconds.
pub(crate) fn now_micros() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

/// A signed transaction with this payload.
pub(crate) fn transaction(register: RegisterId, author: &NodeKey, now: u64, payload: Vec<u8>) -> Result<Transaction> {
    let body = TransactionBody {
        register,
        previous: None,
        author: author.public(),
        subject: None,
        recipients: BTreeSet::new(),
        created_at_micros: now,
        valid_until_micros: now.saturating_add(LIFE),
        kind: Kind::Action,
        metadata: Metadata::default(),
        payloads: vec![Payload::new(payload)],
    };
    Ok(body.sign(author)?)
}

fn certified(sealer: &NodeKey, header: DocketHeader, body: DocketBody, ids: Vec<TransactionId>) -> NewDocket {
    let signature = header.hash().sign(sealer);
    let certificate = CommitCertificate::Sealers(BTreeMap::from([(sealer.public(), signature)]));
    NewDocket::of(&Docket { header, certificate, body }, ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_verifies_the_chain_and_its_transactions_have_the_length_that_is_said() {
        let (mut growing, genesis) =
            Growing::begin(Recipe { verify: VerifyPolicy::EveryTransaction, authors: 3 }).unwrap();
        let docket = growing.docket(10).unwrap();

        let read = |new: &NewDocket| {
            let certificate = new.certificate.clone().unwrap();
            Docket::decode(Docket::assemble(&new.header, &certificate, &new.body)).unwrap()
        };
        let mut chain = Chain::begin(&read(&genesis), now_micros()).unwrap();
        let ids = chain.extend(&read(&docket), Verify::EveryTransaction, now_micros()).unwrap();

        assert_eq!((ids, chain.register()), (docket.transactions.clone(), growing.register()));
        let body = DocketBody::decode(docket.body).unwrap();
        assert!(body.transactions().all(|transaction| transaction.len() == TRANSACTION_BYTES));
    }
}

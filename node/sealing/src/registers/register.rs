//! One register, as far as the group has agreed upon it.
//!
//! ```text
//!   certified ──▶ pending 1 ──▶ pending 2 ──▶ tip        the next docket is formed behind the tip
//!   stored        signatures    signatures               a pending docket with a majority, and all before it: recorded
//! ```

use super::Horizon;
use crate::command::Command;
use bytes::Bytes;
use peerwright_ledger::{
    Chain, CommitCertificate, Docket, DocketBody, DocketHash, DocketHeader, DocketRefused, SealerSet, TransactionId,
    TransactionView, Verify,
};
use peerwright_secure::{NodePublicKey, Signature};
use std::collections::{BTreeMap, VecDeque};

/// A register of the group.
#[derive(Debug)]
pub(crate) struct Register {
    /// What is stored; `None` until docket 0 is.
    certified: Option<Chain>,
    pending: VecDeque<Pending>,
    horizon: Horizon,
}

/// A docket that wants signatures.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    /// Index of the entry that made it.
    pub(crate) index: u64,
    pub(crate) header: DocketHeader,
    pub(crate) body: DocketBody,
    pub(crate) hash: DocketHash,
    pub(crate) transactions: Vec<TransactionId>,
    /// Who must sign it.
    pub(crate) sealers: SealerSet,
    /// The register with it.
    pub(crate) chain: Chain,
    signatures: BTreeMap<NodePublicKey, Signature>,
}

/// A docket with its certificate, and what is stored with it.
#[derive(Debug, Clone)]
pub(crate) struct Certified {
    pub(crate) index: u64,
    pub(crate) docket: Docket,
    pub(crate) transactions: Vec<TransactionId>,
    pub(crate) checkpoint: Bytes,
}

/// What a signature was good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signed {
    /// It completes the certificate.
    Certified,
    /// It counts, or is known.
    Counted,
    /// Its sealer signed another docket of this number, or may not sign.
    Foreign,
}

impl Pending {
    /// The docket that an entry makes of the register `tip`, or of none.
    pub(crate) fn form(tip: Option<Chain>, index: u64, command: Command) -> Result<Self, DocketRefused> {
        let Command { header, body } = command;
        let (chain, sealers, transactions) = match tip {
            None => {
                let chain = Chain::begin_uncertified(&header, &body)?;
                let sealers = chain.governance().sealers().clone();
                (chain, sealers, ids(&body))
            }
            Some(mut chain) => {
                let sealers = chain.governance().sealers().clone();
                let ids = chain.extend_uncertified(&header, &body, Verify::Docket)?;
                (chain, sealers, ids)
            }
        };
        let hash = chain.head().hash;
        Ok(Self { index, header, body, hash, transactions, sealers, chain, signatures: BTreeMap::new() })
    }

    /// Counts a signature that was verified.
    pub(crate) fn sign(&mut self, hash: DocketHash, sealer: NodePublicKey, signature: Signature) -> Signed {
        if hash != self.hash || !self.sealers.contains(&sealer) {
            return Signed::Foreign;
        }
        let had_certificate = self.is_certified();
        self.signatures.insert(sealer, signature);
        if self.is_certified() && !had_certificate { Signed::Certified } else { Signed::Counted }
    }

    pub(crate) fn is_certified(&self) -> bool {
        self.signatures.len() >= self.sealers.majority()
    }

    pub(crate) const fn signatures(&self) -> &BTreeMap<NodePublicKey, Signature> {
        &self.signatures
    }

    fn certified(&self) -> Certified {
        let certificate = CommitCertificate::Sealers(self.signatures.clone());
        Certified {
            index: self.index,
            docket: Docket { header: self.header, certificate, body: self.body.clone() },
            transactions: self.transactions.clone(),
            checkpoint: self.chain.encode(),
        }
    }
}

impl Register {
    /// A register that is stored up to `chain`'s head.
    pub(crate) fn stored(chain: Chain, horizon: Horizon) -> Self {
        Self { certified: Some(chain), pending: VecDeque::new(), horizon }
    }

    /// A register of which nothing is there yet.
    pub(crate) fn empty() -> Self {
        Self { certified: None, pending: VecDeque::new(), horizon: Horizon::default() }
    }

    /// The register with all that the group has agreed upon.
    pub(crate) fn tip(&self) -> Option<&Chain> {
        self.pending.back().map(|pending| &pending.chain).or(self.certified.as_ref())
    }

    /// The register with all that is stored.
    pub(crate) const fn certified(&self) -> Option<&Chain> {
        self.certified.as_ref()
    }

    pub(crate) const fn pending(&self) -> &VecDeque<Pending> {
        &self.pending
    }

    pub(crate) const fn horizon(&self) -> &Horizon {
        &self.horizon
    }

    pub(crate) fn pending_mut(&mut self, number: u64) -> Option<&mut Pending> {
        self.pending.iter_mut().find(|pending| pending.header.number == number)
    }

    /// Takes a docket that was formed behind the tip.
    pub(crate) fn push(&mut self, pending: Pending) {
        remember(&mut self.horizon, &pending.header, &pending.body, &pending.transactions);
        self.pending.push_back(pending);
    }

    /// The certified dockets at the front, at most `max_bytes` of them, and at least one if there is any.
    pub(crate) fn certified_front(&self, max_bytes: usize) -> Vec<Certified> {
        let mut bytes = 0;
        let front = self.pending.iter().take_while(|pending| {
            let has_room = bytes == 0 || bytes < max_bytes;
            bytes += pending.body.encoded().len();
            has_room && pending.is_certified()
        });
        front.map(Pending::certified).collect()
    }

    /// The dockets up to this number are stored; gives the indexes of the entries that made them.
    pub(crate) fn record(&mut self, number: u64) -> Vec<u64> {
        let mut settled = Vec::new();
        while self.pending.front().is_some_and(|pending| pending.header.number <= number)
            && let Some(pending) = self.pending.pop_front()
        {
            settled.push(pending.index);
            self.certified = Some(pending.chain);
        }
        settled
    }

    /// Certified dockets up to `chain`'s head came from another sealer and are stored; gives the indexes of entries that
    /// made the same.
    pub(crate) fn adopt(&mut self, chain: Chain, dockets: &[(Docket, Vec<TransactionId>)]) -> Vec<u64> {
        let known = self.tip().map_or(0, |tip| tip.head().number + 1);
        for (docket, transactions) in dockets.iter().filter(|(docket, _)| docket.header.number >= known) {
            remember(&mut self.horizon, &docket.header, &docket.body, transactions);
        }
        let settled = self.record(chain.head().number);
        self.certified = Some(chain);
        settled
    }
}

/// Remembers the transactions of a docket.
pub(crate) fn remember(
    horizon: &mut Horizon,
    header: &DocketHeader,
    body: &DocketBody,
    transactions: &[TransactionId],
) {
    for (id, encoded) in transactions.iter().zip(body.transactions()) {
        if let Ok(view) = TransactionView::read(encoded) {
            horizon.insert(id, view.valid_until_micros);
        }
    }
    horizon.sweep(header.sealed_at_micros);
}

/// The ids of a body's transactions, which can be read.
pub(crate) fn ids(body: &DocketBody) -> Vec<TransactionId> {
    body.transactions().filter_map(|encoded| Some(TransactionView::read(encoded).ok()?.id())).collect()
}

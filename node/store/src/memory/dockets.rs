//! The model's dockets.

use crate::{
    DocketCertificate, DocketTransactions, Extension, HeldDockets, NewDocket, Seen, StoreError, StoredDocket,
    StoredHeader, TransactionPlace,
    docket::{Link, follow},
};
use bytes::Bytes;
use peerwright_ledger::{DocketHash, RegisterId, TransactionId};
use std::collections::BTreeMap;

/// The dockets of one register.
#[derive(Debug, Default)]
struct Chain {
    dockets: BTreeMap<u64, NewDocket>,
    checkpoint: Bytes,
    indexed_through: Option<u64>,
}

/// All registers.
#[derive(Debug, Default)]
pub(super) struct Dockets {
    chains: BTreeMap<RegisterId, Chain>,
}

impl Chain {
    fn head(&self) -> Option<Link> {
        self.dockets.last_key_value().map(|(number, docket)| (*number, docket.hash()))
    }

    /// The dockets that a reader sees, from a number on.
    fn seen(&self, from: u64, seen: Seen) -> impl Iterator<Item = (u64, &NewDocket)> {
        let certified =
            self.dockets.values().take_while(move |docket| seen == Seen::All || docket.certificate.is_some());
        certified.map(|docket| (docket.number, docket)).skip_while(move |(number, _)| *number < from)
    }

    fn held(&self, register: RegisterId) -> Option<HeldDockets> {
        let (head, head_hash) = self.head()?;
        Some(HeldDockets {
            register,
            first: *self.dockets.first_key_value()?.0,
            head,
            head_hash,
            certified_through: self.seen(0, Seen::Certified).last().map(|(number, _)| number),
            indexed_through: self.indexed_through,
            transactions: self.dockets.values().map(|docket| docket.transactions.len() as u64).sum(),
            body_bytes: self.dockets.values().map(|docket| docket.body.len() as u64).sum(),
        })
    }
}

impl Dockets {
    pub(super) fn extend(&mut self, extensions: Vec<Extension>) -> Result<(), StoreError> {
        let mut heads: BTreeMap<RegisterId, Option<Link>> = BTreeMap::new();
        for Extension { register, dockets, .. } in &extensions {
            let head = self.chains.get(register).and_then(Chain::head);
            let head = heads.entry(*register).or_insert(head);
            *head = follow(*register, *head, dockets.iter().map(|docket| (docket, docket.hash())))?;
        }
        for Extension { register, dockets, checkpoint } in extensions {
            if !dockets.is_empty() {
                let chain = self.chains.entry(register).or_default();
                chain.checkpoint = checkpoint;
                chain.dockets.extend(dockets.into_iter().map(|docket| (docket.number, docket)));
            }
        }
        Ok(())
    }

    fn held_docket(
        &mut self,
        register: RegisterId,
        number: u64,
        hash: DocketHash,
    ) -> Result<&mut NewDocket, StoreError> {
        let chain = self.chains.get_mut(&register);
        let docket = chain.and_then(|chain| chain.dockets.get_mut(&number));
        let docket = docket.ok_or(StoreError::DocketNotHeld { register, number })?;
        if docket.hash() == hash { Ok(docket) } else { Err(StoreError::DocketDiffers { register, number }) }
    }

    pub(super) fn certify(&mut self, certificates: Vec<DocketCertificate>) -> Result<(), StoreError> {
        for certificate in &certificates {
            self.held_docket(certificate.register, certificate.number, certificate.hash)?;
        }
        for DocketCertificate { register, number, hash, certificate } in certificates {
            self.held_docket(register, number, hash)?.certificate.get_or_insert(certificate);
        }
        Ok(())
    }

    pub(super) fn replace(&mut self, register: RegisterId, docket: NewDocket) -> Result<(), StoreError> {
        let held = self.held_docket(register, docket.number, docket.hash())?;
        let certificate = docket.certificate.clone().or_else(|| held.certificate.take());
        *held = NewDocket { certificate, ..docket };
        Ok(())
    }

    pub(super) fn trim(&mut self, register: RegisterId, below: u64) {
        if let Some(chain) = self.chains.get_mut(&register)
            && let Some((head, _)) = chain.head()
        {
            chain.dockets = chain.dockets.split_off(&below.min(head));
        }
    }

    pub(super) fn purge(&mut self, register: RegisterId) -> u64 {
        self.chains.remove(&register).map_or(0, |chain| chain.dockets.len() as u64)
    }

    pub(super) fn index(&mut self, register: RegisterId) -> Option<u64> {
        let chain = self.chains.get_mut(&register)?;
        chain.indexed_through = chain.head().map(|(number, _)| number);
        chain.indexed_through
    }

    pub(super) fn drop_index(&mut self, register: RegisterId) {
        if let Some(chain) = self.chains.get_mut(&register) {
            chain.indexed_through = None;
        }
    }

    pub(super) fn held(&self, register: RegisterId) -> Option<HeldDockets> {
        self.chains.get(&register)?.held(register)
    }

    pub(super) fn registers(&self) -> Vec<HeldDockets> {
        self.chains.iter().filter_map(|(register, chain)| chain.held(*register)).collect()
    }

    pub(super) fn checkpoint(&self, register: RegisterId) -> Option<Bytes> {
        self.chains.get(&register).map(|chain| chain.checkpoint.clone())
    }

    fn seen(&self, register: RegisterId, from: u64, seen: Seen) -> impl Iterator<Item = (u64, &NewDocket)> {
        self.chains.get(&register).into_iter().flat_map(move |chain| chain.seen(from, seen))
    }

    pub(super) fn headers(&self, register: RegisterId, from: u64, seen: Seen, max: usize) -> Vec<StoredHeader> {
        self.seen(register, from, seen).take(max).map(|(_, docket)| header(docket)).collect()
    }

    pub(super) fn dockets(
        &self,
        register: RegisterId,
        from: u64,
        seen: Seen,
        max_dockets: usize,
        max_bytes: usize,
    ) -> Vec<StoredDocket> {
        let mut total = 0;
        let dockets = self.seen(register, from, seen).skip_while(|(number, _)| *number != from).take(max_dockets);
        dockets
            .take_while(|(number, docket)| {
                total += docket.body.len();
                *number == from || total <= max_bytes
            })
            .map(|(_, docket)| StoredDocket { header: header(docket), body: docket.body.clone() })
            .collect()
    }

    pub(super) fn transaction_ids(&self, register: RegisterId, from: u64, max_ids: usize) -> Vec<DocketTransactions> {
        let mut total = 0;
        let mut first = true;
        self.seen(register, from, Seen::All)
            .take_while(|(_, docket)| {
                total += docket.transactions.len();
                std::mem::take(&mut first) || total <= max_ids
            })
            .map(|(number, docket)| DocketTransactions { number, transactions: docket.transactions.clone() })
            .collect()
    }

    pub(super) fn find(&self, register: RegisterId, id: TransactionId, seen: Seen) -> Option<TransactionPlace> {
        self.seen(register, 0, seen).find_map(|(number, docket)| {
            let position = docket.transactions.iter().position(|held| *held == id)?;
            Some(TransactionPlace { number, position: u32::try_from(position).ok()? })
        })
    }
}

fn header(docket: &NewDocket) -> StoredHeader {
    StoredHeader {
        number: docket.number,
        hash: docket.hash(),
        header: docket.header.clone(),
        certificate: docket.certificate.clone(),
    }
}

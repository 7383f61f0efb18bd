//! A replica: pulls from whatever sealer it reaches, verifies as a stranger does, stores, and freezes a register that has two
//! histories. What it has accepted is in its outbox until a docket that it has stored holds it.

use super::Broken;
use crate::{
    core::extension,
    tests::{chance::Chance, cluster::Cluster, full::Volume, register::certified},
};
use peerwright_ledger::{
    CertifiedHeader, Chain, Docket, DocketRefused, ForkProof, RegisterId, Transaction, TransactionId, Verify,
};
use peerwright_secure::{NodeKey, NodePublicKey};
use peerwright_store::{DocketStore, StoreError};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long a sealer is given to answer.
const PATIENCE: Duration = Duration::from_millis(500);
/// Most dockets of one answer.
const AT_ONCE: usize = 16;

pub(super) struct Replica {
    number: u8,
    key: NodePublicKey,
    volume: Arc<Volume>,
    chance: Chance,
    outbox: BTreeMap<TransactionId, (RegisterId, Transaction)>,
    frozen: BTreeMap<RegisterId, ForkProof>,
}

/// What became of a docket that a replica was given.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is stored, now or before.
    Held,
    /// The power failed before it was.
    Lost,
    /// The register has two histories: nothing more is taken.
    Frozen,
    Refused(DocketRefused),
}

impl Replica {
    pub(super) fn new(number: u8, chance: Chance) -> Self {
        let key = NodeKey::from_seed([150 + number; 32]).public();
        let volume = Arc::new(Volume::empty().powered_on(Some(chance.fork())));
        Self { number, key, volume, chance, outbox: BTreeMap::new(), frozen: BTreeMap::new() }
    }

    pub(super) fn name(&self) -> String {
        format!("replica {}", self.number)
    }

    pub(super) const fn key(&self) -> NodePublicKey {
        self.key
    }

    pub(super) const fn volume(&self) -> &Arc<Volume> {
        &self.volume
    }

    pub(super) const fn outbox(&self) -> &BTreeMap<TransactionId, (RegisterId, Transaction)> {
        &self.outbox
    }

    pub(super) fn frozen(&self, register: &RegisterId) -> Option<&ForkProof> {
        self.frozen.get(register)
    }

    pub(super) fn accept(&mut self, register: RegisterId, transaction: Transaction) {
        self.outbox.insert(transaction.id(), (register, transaction));
    }

    /// What of a register is in the outbox.
    pub(super) fn waiting(&self, register: RegisterId) -> Vec<Transaction> {
        let of_register = self.outbox.values().filter(|(of, _)| *of == register);
        of_register.map(|(_, transaction)| transaction.clone()).collect()
    }

    /// Asks a sealer for what comes behind what is held, and for the last that is.
    pub(super) async fn pull(
        &mut self,
        cluster: &Cluster,
        sealer: usize,
        register: RegisterId,
        now: u64,
    ) -> Result<(), Broken> {
        let there = cluster.key(sealer);
        if timeout(PATIENCE, cluster.wires.pass(self.key, there)).await.is_err() {
            return Ok(());
        }
        let held = self.volume.held_dockets(register).await.map_err(|error| self.broken(&error))?;
        let from = held.map_or(0, |held| held.head);
        let dockets: Vec<Docket> = certified(cluster.store(sealer).as_ref(), register).await;
        if timeout(PATIENCE, cluster.wires.pass(there, self.key)).await.is_err() {
            return Ok(());
        }
        let behind = dockets.into_iter().filter(|docket| docket.header.number >= from);
        for docket in behind.take(AT_ONCE) {
            match self.take(register, &docket, now).await? {
                Taken::Held => {}
                Taken::Lost => return Ok(()),
                Taken::Frozen => return Err(Broken::new("forks", format!("{} has frozen {register}", self.name()))),
                Taken::Refused(refused) => {
                    let what = format!("{} refuses docket {}: {refused}", self.name(), docket.header.number);
                    return Err(Broken::new("stranger", what));
                }
            }
        }
        Ok(())
    }

    /// Verifies a docket and stores it.
    pub(super) async fn take(&mut self, register: RegisterId, docket: &Docket, now: u64) -> Result<Taken, Broken> {
        if self.frozen.contains_key(&register) {
            return Ok(Taken::Frozen);
        }
        let checkpoint = self.volume.checkpoint(register).await.map_err(|error| self.broken(&error))?;
        let checkpoint = checkpoint.map(|checkpoint| Chain::decode(&checkpoint)).transpose();
        let held = checkpoint.map_err(|error| Broken::new("stranger", format!("{}: {error}", self.name())))?;
        let taken = match held {
            Some(chain) if docket.header.number <= chain.head().number => {
                return self.compare(&chain, docket).await;
            }
            Some(mut chain) => chain.extend(docket, Verify::Docket, now).map(|ids| (chain, ids)),
            None => Chain::begin(docket, now).map(|chain| (chain, crate::registers::ids(&docket.body))),
        };
        let (chain, ids) = match taken {
            Ok(taken) => taken,
            Err(refused) => return Ok(Taken::Refused(refused)),
        };
        let stored = extension(register, [(docket.clone(), ids.clone())], chain.encode());
        match self.volume.extend(vec![stored]).await {
            Ok(()) => {}
            Err(StoreError::Closed) => return Ok(Taken::Lost),
            Err(error) => return Err(self.broken(&error)),
        }
        self.outbox_without(&ids);
        Ok(Taken::Held)
    }

    /// A docket whose number is held: the same, or a fork if it is certified.
    async fn compare(&mut self, chain: &Chain, docket: &Docket) -> Result<Taken, Broken> {
        let (register, number, hash) = (chain.register(), docket.header.number, docket.header.hash());
        let dockets = certified(self.volume.as_ref(), register).await;
        let held = dockets.into_iter().find(|held| held.header.number == number);
        let Some(held) = held.filter(|held| held.header.hash() != hash) else {
            self.outbox_without(&crate::registers::ids(&docket.body));
            return Ok(Taken::Held);
        };
        let (sealers, authority) = (chain.governance().sealers(), chain.governance().authority());
        let header =
            |docket: &Docket| CertifiedHeader { header: docket.header, certificate: docket.certificate.clone() };
        let proof = ForkProof::of(header(&held), header(docket));
        let proof = proof.map_err(|error| Broken::new("forks", error.to_string()))?;
        if let Err(refused) = docket.certificate.verify(&hash, sealers, authority) {
            return Ok(Taken::Refused(refused.into()));
        }
        self.frozen.insert(register, proof);
        Ok(Taken::Frozen)
    }

    fn outbox_without(&mut self, ids: &[TransactionId]) {
        for id in ids {
            self.outbox.remove(id);
        }
    }

    /// As [`Replica::pull`], and the power fails meanwhile.
    pub(super) async fn pull_and_crash(
        &mut self,
        cluster: &Cluster,
        sealer: usize,
        register: RegisterId,
        now: u64,
    ) -> Result<(), Broken> {
        let (volume, at) = (Arc::clone(&self.volume), self.chance.millis(80));
        let crash = async {
            tokio::time::sleep(at).await;
            volume.cut_power();
        };
        let (pulled, ()) = tokio::join!(self.pull(cluster, sealer, register, now), crash);
        self.volume = Arc::new(self.volume.powered_on(Some(self.chance.fork())));
        pulled
    }

    fn broken(&self, error: &StoreError) -> Broken {
        Broken::new("stranger", format!("{}: {error}", self.name()))
    }
}

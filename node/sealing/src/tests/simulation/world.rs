//! The whole of a run: sealers, replicas, what was promised to whom.

use super::{
    Broken,
    faults::Faults,
    invariants::{self, Acknowledged, Certified},
    load::Load,
    replica::Replica,
};
use crate::tests::{chance::Chance, cluster::Cluster, full::Volume, register::certified};
use futures::FutureExt;
use peerwright_ledger::{Docket, RegisterId};
use peerwright_store::DocketStore;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Registers of a run.
const REGISTERS: u8 = 2;
const REPLICAS: u8 = 2;
/// How long everything may take to be as promised once all is healed.
const PATIENCE: Duration = Duration::from_secs(120);
/// How far a clock may be ahead of or behind the others, and a docket therefore dated.
pub(super) const MOST_AHEAD_MICROS: i64 = 60_000_000;

pub(super) struct World {
    pub(super) cluster: Cluster,
    pub(super) chance: Chance,
    pub(super) registers: Vec<RegisterId>,
    pub(super) replicas: Vec<Replica>,
    /// The sealers that the operator wants.
    pub(super) wanted: BTreeSet<usize>,
    /// How many volumes each sealer has lost.
    pub(super) lost: Vec<usize>,
    pub(super) faults: Faults,
    pub(super) load: Load,
    pub(super) acknowledged: Acknowledged,
    certified: Certified,
    begun: Instant,
}

impl World {
    /// A group with a leader, and its registers; nothing has failed yet.
    pub(super) async fn begin(chance: Chance) -> Self {
        let sealers = if chance.one_in(3) { 5 } else { 3 };
        let begun = Instant::now();
        let mut cluster = Cluster::strangers(sealers + 1).await;
        let wanted: BTreeSet<usize> = (0..usize::from(sealers)).collect();
        cluster.settings.log_entries_kept = if chance.one_in(2) { 8 } else { 64 };
        cluster.permit(cluster.keys(wanted.iter().copied()));
        for node in cluster.all() {
            cluster.kill(node).await;
            cluster.power_on(node, Some(chance.fork()));
            cluster.start(node).await;
        }
        cluster.initialise(wanted.iter().copied()).await;
        let mut registers = Vec::new();
        for nonce in 0..REGISTERS {
            registers.push(cluster.register_of(nonce, cluster.keys(wanted.iter().copied())).await);
        }
        let replicas = (0..REPLICAS).map(|number| Replica::new(number, chance.fork())).collect();
        Self {
            lost: vec![0; cluster.all().len()],
            cluster,
            chance,
            registers,
            replicas,
            wanted,
            faults: Faults::default(),
            load: Load::default(),
            acknowledged: Acknowledged::default(),
            certified: Certified::default(),
            begun,
        }
    }

    /// The latest time that anybody's clock may show.
    pub(super) fn latest(&self) -> u64 {
        self.cluster.now().saturating_add_signed(MOST_AHEAD_MICROS)
    }

    /// Fails, works, and looks whether what must hold always does.
    pub(super) async fn step(&mut self, step: u64) -> Result<(), Broken> {
        if self.chance.one_in(2) {
            self.fail().await;
        }
        self.bring_members();
        for _ in 0..self.chance.below(3) {
            self.hand_in();
        }
        self.accept();
        self.pull().await?;
        tokio::time::sleep(self.chance.millis(500)).await;
        self.collect()?;
        self.check_always().await?;
        if step % 10 == 9 {
            self.check_as_a_stranger().await?;
        }
        Ok(())
    }

    /// What every volume holds that was not lost, by its name.
    pub(super) fn volumes(&self) -> Vec<(String, Arc<Volume>)> {
        let sealers = self
            .cluster
            .all()
            .map(|node| (format!("sealer {node}, volume {}", self.lost[node]), Arc::clone(self.cluster.store(node))));
        let replicas = self.replicas.iter().map(|replica| (replica.name(), Arc::clone(replica.volume())));
        sealers.chain(replicas).collect()
    }

    async fn check_always(&mut self) -> Result<(), Broken> {
        for (name, volume) in self.volumes() {
            for register in &self.registers {
                self.certified.check(&name, volume.as_ref(), *register).await?;
            }
        }
        for replica in &self.replicas {
            self.acknowledged.check_accepted(replica).await?;
        }
        Ok(())
    }

    /// A stranger looks at one volume.
    async fn check_as_a_stranger(&self) -> Result<(), Broken> {
        let volumes = self.volumes();
        let (name, volume) = &volumes[usize::try_from(self.chance.below(volumes.len() as u64)).unwrap()];
        for register in &self.registers {
            let dockets = certified(volume.as_ref(), *register).await;
            if !dockets.is_empty() {
                invariants::stranger::check(name, &dockets, *register, self.latest())?;
            }
        }
        Ok(())
    }

    /// Works until all is sealed, held and delivered.
    pub(super) async fn settle(&mut self) -> Result<(), Broken> {
        let until = Instant::now() + PATIENCE;
        loop {
            self.bring_members();
            self.hand_in_all_again();
            self.pull().await?;
            tokio::time::sleep(Duration::from_millis(250)).await;
            self.collect()?;
            self.check_always().await?;
            match self.unsettled().await {
                None => return Ok(()),
                Some(what) if Instant::now() > until => return Err(Broken::new("settles", what)),
                Some(_) => {}
            }
        }
    }

    /// What is not yet as it must come to be.
    async fn unsettled(&self) -> Option<String> {
        let wanted = self.cluster.keys(self.wanted.iter().copied());
        let leader = self.cluster.running().map(|node| self.cluster.at(node).status()).find(|status| status.is_leading);
        if leader.is_none_or(|status| status.sealers != wanted || !status.learners.is_empty()) {
            let stand = |node| format!("{node}: {:?}", self.cluster.at(node).status());
            let stand: Vec<String> = self.cluster.running().map(stand).collect();
            return Some(format!("no leader has the sealers that are wanted, {:?}: {}", self.wanted, stand.join("; ")));
        }
        let members = self.wanted.iter().map(|node| (format!("sealer {node}"), self.cluster.store(*node)));
        let replicas = self.replicas.iter().map(|replica| (replica.name(), replica.volume()));
        let places: Vec<_> = members.chain(replicas).collect();
        for register in &self.registers {
            let mut heads = BTreeSet::new();
            for (name, volume) in &places {
                let held = volume.held_dockets(*register).await.unwrap();
                heads.insert(held.and_then(|held| held.certified_through));
                if heads.len() > 1 {
                    let (head, failed) = (held.map(|held| held.head), self.failed());
                    return Some(format!(
                        "{name} is at {head:?} of {register}, heads are {heads:?}; failed: {failed:?}"
                    ));
                }
            }
        }
        if let Some(replica) = self.replicas.iter().find(|replica| !replica.outbox().is_empty()) {
            return Some(format!("{} has {} in its outbox", replica.name(), replica.outbox().len()));
        }
        let missing = self.load.missing(self.cluster.store(*self.wanted.first()?)).await;
        (missing > 0).then(|| format!("{missing} of those handed in are in no docket"))
    }

    /// Sealers that have ended by themselves.
    fn failed(&self) -> Vec<(usize, String)> {
        let why = |node| Some((node, self.cluster.at(node).failed().now_or_never()?));
        self.cluster.running().filter_map(why).collect()
    }

    /// Everything that must hold in the end.
    pub(super) async fn check_all(&mut self) -> Result<(), Broken> {
        for register in self.registers.clone() {
            let mut histories: Vec<(String, Vec<Docket>)> = Vec::new();
            for (name, volume) in self.volumes() {
                histories.push((name, certified(volume.as_ref(), register).await));
            }
            invariants::prefixes::check(&histories)?;
            for (name, dockets) in histories.iter().filter(|(_, dockets)| !dockets.is_empty()) {
                let sealed = invariants::stranger::check(name, dockets, register, self.latest())?;
                self.acknowledged.check_once(name, &sealed)?;
            }
            let longest = histories.into_iter().map(|(_, dockets)| dockets).max_by_key(Vec::len).unwrap_or_default();
            let keys: Vec<_> = self.cluster.all().map(|node| self.cluster.node_key(node).clone()).collect();
            let now = self.latest();
            for replica in &mut self.replicas {
                invariants::forks::check(replica, &longest, &keys, now).await?;
            }
            self.acknowledged.found(&longest);
        }
        self.acknowledged.check_all()
    }

    /// What the run came to: the same for the same seed.
    pub(super) fn trace(&self) -> String {
        format!("{:?} after {:?}, {}", self.certified, self.begun.elapsed(), self.load)
    }

    pub(super) async fn end(mut self) {
        let running: Vec<usize> = self.cluster.running().collect();
        for node in running {
            self.cluster.kill(node).await;
        }
    }
}

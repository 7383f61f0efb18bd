//! What fails, and what is done about it.

use super::{
    Broken,
    world::{MOST_AHEAD_MICROS, World},
};
use crate::tests::wires::Weather;
use peerwright_secure::NodePublicKey;
use peerwright_store::SealingStore;
use std::{collections::BTreeSet, time::Duration};
use tokio::task::JoinSet;

/// How long the operator waits for a change of members before it tells the leader again.
const CHANGE_PATIENCE: Duration = Duration::from_secs(10);
/// A sealer that is stopped as planned is given so long to let another lead.
const HAND_OVER_PATIENCE: Duration = Duration::from_secs(5);

/// What is broken now.
#[derive(Default)]
pub(super) struct Faults {
    down: BTreeSet<usize>,
    full: BTreeSet<usize>,
    changing: JoinSet<()>,
}

impl World {
    /// One failure, or the end of some.
    pub(super) async fn fail(&mut self) {
        let nodes: Vec<usize> = self.cluster.all().collect();
        let Some(node) = self.chance.pick(&nodes) else { return };
        match self.chance.below(16) {
            0 => self.crash(node).await,
            1 => self.crash_leader().await,
            2 | 3 => self.start_one(node).await,
            4 | 5 => self.lose_a_volume().await,
            6 => self.part(),
            7 => self.cut_one_way(node),
            8 => self.cluster.isolate(&[node]),
            9 => self.worsen(),
            10 => self.set_a_clock(node),
            11 => self.fill(node),
            12 => self.hand_over().await,
            13 => self.want_other_members().await,
            14 => self.cluster.wires.heal(),
            _ => self.heal().await,
        }
    }

    async fn crash(&mut self, node: usize) {
        if self.faults.down.insert(node) {
            self.cluster.crash(node).await;
        }
    }

    async fn crash_leader(&mut self) {
        let leader = self.cluster.running().find(|node| self.cluster.at(*node).status().is_leading);
        if let Some(leader) = leader {
            self.crash(leader).await;
        }
    }

    async fn start_one(&mut self, node: usize) {
        if self.faults.down.remove(&node) {
            self.cluster.power_on(node, Some(self.chance.fork()));
            self.cluster.start(node).await;
        }
    }

    /// One of the members loses its volume, and is started again at once or later.
    async fn lose_a_volume(&mut self) {
        if !self.is_safe_to_lose_one().await {
            return;
        }
        let members: Vec<usize> = self.wanted.iter().copied().collect();
        let Some(node) = self.chance.pick(&members) else { return };
        self.crash(node).await;
        self.cluster.wipe(node);
        self.lost[node] += 1;
        if self.chance.one_in(2) {
            self.start_one(node).await;
        }
    }

    /// Nothing is being changed, all members have made good what they had lost before, and newcomers have begun to learn.
    async fn is_safe_to_lose_one(&self) -> bool {
        let wanted = self.cluster.keys(self.wanted.iter().copied());
        let is_settled = |node: usize| {
            let status = self.cluster.at(node).status();
            status.is_leading && status.sealers == wanted && status.learners.is_empty()
        };
        if !self.cluster.running().any(is_settled) {
            return false;
        }
        for node in &self.wanted {
            if !self.is_whole(*node).await {
                return false;
            }
        }
        true
    }

    /// Whether a sealer has all that it may have forgotten, as its volume says.
    async fn is_whole(&self, node: usize) -> bool {
        let state = self.cluster.store(node).log_state().await.unwrap();
        let kept = state.vote.map(|kept| crate::wire::decode_ballot(&kept).unwrap());
        state.last.is_some() && kept.is_some_and(|kept| !kept.is_behind)
    }

    /// Two parts of the network hear nothing of each other.
    fn part(&self) {
        let replicas = self.replicas.iter().map(super::replica::Replica::key);
        let all: Vec<NodePublicKey> = self.cluster.all().map(|node| self.cluster.key(node)).chain(replicas).collect();
        let (here, there): (Vec<_>, Vec<_>) = all.into_iter().partition(|_| self.chance.one_in(2));
        for (one, other) in here.iter().flat_map(|one| there.iter().map(move |other| (one, other))) {
            self.cluster.wires.cut(*one, *other);
        }
    }

    fn cut_one_way(&self, node: usize) {
        for other in self.cluster.all().filter(|other| *other != node) {
            if self.chance.one_in(2) {
                self.cluster.wires.cut_one_way(self.cluster.key(node), self.cluster.key(other));
            }
        }
    }

    fn worsen(&self) {
        self.cluster.wires.set_weather(Weather {
            delay: self.chance.millis(30),
            jitter_millis: self.chance.below(80),
            lost_of_thousand: self.chance.below(100),
            chance: Some(self.chance.fork()),
        });
    }

    fn set_a_clock(&self, node: usize) {
        let most = u64::try_from(2 * MOST_AHEAD_MICROS).unwrap();
        let drawn = i64::try_from(self.chance.below(most)).unwrap();
        self.cluster.set_clock_ahead(node, drawn - MOST_AHEAD_MICROS);
    }

    fn fill(&mut self, node: usize) {
        self.cluster.store(node).set_full(true);
        self.faults.full.insert(node);
    }

    /// A planned restart of the leader.
    async fn hand_over(&mut self) {
        let leader = self.cluster.running().find(|node| self.cluster.at(*node).status().is_leading);
        let Some(leader) = leader else { return };
        let group = self.cluster.at(leader);
        drop(tokio::time::timeout(HAND_OVER_PATIENCE, group.hand_over()).await);
        drop(group);
        self.cluster.kill(leader).await;
        self.cluster.power_on(leader, Some(self.chance.fork()));
        self.cluster.start(leader).await;
    }

    /// The operator wants one of the members replaced, unless one of them has yet to make good what it has lost.
    async fn want_other_members(&mut self) {
        if !self.is_safe_to_lose_one().await {
            return;
        }
        let (members, others): (Vec<usize>, Vec<usize>) =
            self.cluster.all().partition(|node| self.wanted.contains(node));
        if let (Some(leaves), Some(comes)) = (self.chance.pick(&members), self.chance.pick(&others)) {
            self.wanted.remove(&leaves);
            self.wanted.insert(comes);
            let permitted = self.cluster.keys(self.wanted.iter().copied());
            self.cluster.permit(permitted);
        }
    }

    /// Tells whoever leads which members are wanted, unless it is at it or has them.
    pub(super) fn bring_members(&mut self) {
        while self.faults.changing.try_join_next().is_some() {}
        let wanted = self.cluster.keys(self.wanted.iter().copied());
        if !self.faults.changing.is_empty() {
            return;
        }
        let leader = self.cluster.running().find(|node| {
            let status = self.cluster.at(*node).status();
            status.is_leading && (status.sealers != wanted || !status.learners.is_empty())
        });
        if let Some(leader) = leader {
            let group = self.cluster.at(leader);
            self.faults.changing.spawn(async move {
                // Whatever comes of it: the leader is told again while the members are not those that are wanted.
                drop(tokio::time::timeout(CHANGE_PATIENCE, group.change(wanted)).await);
            });
        }
    }

    /// Nothing fails any more.
    pub(super) async fn heal(&mut self) {
        self.cluster.wires.heal();
        self.cluster.wires.set_delay(Duration::from_millis(1));
        for node in std::mem::take(&mut self.faults.full) {
            self.cluster.store(node).set_full(false);
        }
        for node in self.cluster.all() {
            self.cluster.set_clock_ahead(node, 0);
            self.start_one(node).await;
        }
    }

    /// Each replica asks some sealer for each register, and may lose its power meanwhile.
    pub(super) async fn pull(&mut self) -> Result<(), Broken> {
        let now = self.latest();
        let running: Vec<usize> = self.cluster.running().collect();
        for replica in &mut self.replicas {
            for register in &self.registers {
                let Some(sealer) = self.chance.pick(&running) else { continue };
                if self.chance.one_in(8) {
                    replica.pull_and_crash(&self.cluster, sealer, *register, now).await?;
                } else {
                    replica.pull(&self.cluster, sealer, *register, now).await?;
                }
            }
        }
        Ok(())
    }
}

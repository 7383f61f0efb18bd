//! Everything fails, in an order that a seed gives; what was acknowledged is there in the end, once, and the same everywhere.

use super::{cluster::Cluster, register::encoded};
use crate::Outcome;
use peerwright_ledger::{RegisterId, Transaction, TransactionId};
use std::{collections::BTreeSet, time::Duration};

/// Steps of one run.
const STEPS: u64 = 40;

/// Numbers that follow from a seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

struct Run {
    cluster: Cluster,
    chance: Chance,
    dead: BTreeSet<usize>,
    register: RegisterId,
    handed_in: Vec<Transaction>,
    acknowledged: BTreeSet<TransactionId>,
}

impl Run {
    /// One failure, or the end of one; never more than one sealer is dead, so that the group can always go on.
    async fn fail(&mut self) {
        let node = usize::try_from(self.chance.below(3)).unwrap();
        match self.chance.below(6) {
            0 if self.dead.is_empty() => {
                self.cluster.kill(node).await;
                self.dead.insert(node);
            }
            1 => self.cluster.isolate(&[node]),
            2 if !self.dead.contains(&node) => {
                let other = (node + 1) % 3;
                self.cluster.wires.cut(self.cluster.key(node), self.cluster.key(other));
            }
            3 => self.cluster.wires.set_delay(Duration::from_millis(self.chance.below(40))),
            _ => {
                self.cluster.wires.heal();
                for node in std::mem::take(&mut self.dead) {
                    self.cluster.start(node).await;
                }
            }
        }
    }

    /// Hands in something new and something old at a sealer that leads, or believes so.
    async fn hand_in(&mut self, step: u64) {
        let count = self.handed_in.len() as u64;
        let fresh = self.cluster.transactions(self.register, step * 10..step * 10 + 5);
        let old = self.handed_in.get(usize::try_from(self.chance.below(count.max(1))).unwrap()).cloned();
        let transactions: Vec<Transaction> = fresh.iter().cloned().chain(old).collect();
        self.handed_in.extend(fresh);
        let running = self.cluster.all().filter(|node| !self.dead.contains(node));
        let leaders: Vec<usize> = running.filter(|node| self.cluster.at(*node).status().is_leading).collect();
        let Some(leader) = leaders.first() else { return tokio::time::sleep(Duration::from_millis(200)).await };
        let group = self.cluster.at(*leader);
        let submitted = group.submit(self.register, encoded(&transactions));
        let patience = Duration::from_millis(20 + self.chance.below(400));
        if let Ok(Ok(outcomes)) = tokio::time::timeout(patience, submitted).await {
            for (transaction, outcome) in transactions.iter().zip(outcomes) {
                assert!(matches!(outcome, Outcome::Sealed { .. } | Outcome::AlreadySealed), "{outcome:?}");
                self.acknowledged.insert(transaction.id());
            }
        }
    }
}

async fn run(seed: u64) {
    let cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    let (dead, acknowledged) = (BTreeSet::new(), BTreeSet::new());
    let mut run = Run { cluster, chance: Chance(seed), dead, register, handed_in: Vec::new(), acknowledged };
    for step in 0..STEPS {
        if run.chance.below(3) == 0 {
            run.fail().await;
        }
        run.hand_in(step).await;
    }
    run.cluster.wires.heal();
    run.cluster.wires.set_delay(Duration::from_millis(1));
    for node in std::mem::take(&mut run.dead) {
        run.cluster.start(node).await;
    }
    run.cluster.seal(register, &run.handed_in).await;
    let (_, sealed) = run.cluster.agreed(&[0, 1, 2], register).await;
    let once: BTreeSet<TransactionId> = sealed.iter().copied().collect();
    assert_eq!(once.len(), sealed.len(), "seed {seed}: a transaction was sealed twice");
    assert!(run.acknowledged.is_subset(&once), "seed {seed}: what was acknowledged is gone");
    assert_eq!(once, run.handed_in.iter().map(Transaction::id).collect(), "seed {seed}: all is sealed in the end");
    for node in run.cluster.all() {
        run.cluster.kill(node).await;
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_fails_what_was_acknowledged_stays_and_each_is_sealed_once() {
    for seed in 0..12 {
        run(seed).await;
    }
}

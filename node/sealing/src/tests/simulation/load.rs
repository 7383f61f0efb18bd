//! What is handed in: to sealers that lead, by those who wait until it is committed, and to replicas, whose outbox it is in until a
//! docket that they have verified holds it.

use super::{Broken, world::World};
use crate::{
    Group, Outcome,
    tests::{
        full::Volume,
        register::{encoded, transaction},
    },
};
use peerwright_ledger::{RegisterId, Transaction, TransactionId};
use peerwright_store::{DocketStore, Seen};
use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// Transactions that are handed in at once.
const AT_ONCE: u64 = 5;

/// What was handed in, and what is under way.
#[derive(Default)]
pub(super) struct Load {
    handed_in: BTreeMap<RegisterId, Vec<Transaction>>,
    under_way: JoinSet<Result<Vec<TransactionId>, Broken>>,
    next: u64,
    committed: usize,
}

impl fmt::Display for Load {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} transactions, {} told to be committed", self.next, self.committed)
    }
}

impl Load {
    fn new_transactions(&mut self, register: RegisterId, count: u64, now: u64) -> Vec<Transaction> {
        let numbers = self.next..self.next + count;
        self.next = numbers.end;
        numbers.map(|number| transaction(register, number, now)).collect()
    }

    /// How many are in no docket of a volume.
    pub(super) async fn missing(&self, volume: &Arc<Volume>) -> usize {
        let mut missing = 0;
        for (register, transactions) in &self.handed_in {
            let ids = transactions.iter().map(Transaction::id).collect();
            let places = volume.find_all(*register, ids, Seen::Certified).await.unwrap();
            missing += places.iter().filter(|place| place.is_none()).count();
        }
        missing
    }
}

/// Hands in, and gives those that were told to be committed: they must be where that was said.
async fn submit(
    group: Arc<Group>,
    volume: Arc<Volume>,
    register: RegisterId,
    transactions: Vec<Transaction>,
    patience: Duration,
) -> Result<Vec<TransactionId>, Broken> {
    let submitted = group.submit(register, encoded(&transactions));
    let Ok(Ok(outcomes)) = tokio::time::timeout(patience, submitted).await else { return Ok(Vec::new()) };
    let ids: Vec<TransactionId> = transactions.iter().map(Transaction::id).collect();
    let places = volume.find_all(register, ids.clone(), Seen::Certified).await;
    let places = places.map_err(|error| Broken::new("acknowledged", error.to_string()))?;
    for (outcome, place) in outcomes.iter().zip(places) {
        let number = place.map(|place| place.number);
        let is_there = match outcome {
            Outcome::Sealed { docket } => number == Some(*docket),
            Outcome::AlreadySealed => number.is_some(),
            Outcome::Refused(_) | Outcome::ControlRefused => false,
        };
        if !is_there {
            let what = format!("{outcome:?} was said of a transaction that is in docket {number:?} of that sealer");
            return Err(Broken::new("acknowledged", what));
        }
    }
    Ok(ids)
}

impl World {
    /// Hands in something new, and perhaps something old, at a sealer that leads, or believes so.
    pub(super) fn hand_in(&mut self) {
        let Some(register) = self.chance.pick(&self.registers) else { return };
        let mut transactions = self.load.new_transactions(register, AT_ONCE, self.cluster.now());
        let handed_in = self.load.handed_in.entry(register).or_default();
        let old = usize::try_from(self.chance.below(handed_in.len().max(1) as u64)).unwrap();
        let again = handed_in.get(old).cloned();
        handed_in.extend(transactions.iter().cloned());
        transactions.extend(again);
        let patience = Duration::from_millis(20 + self.chance.below(600));
        self.submit(register, transactions, patience);
    }

    fn submit(&mut self, register: RegisterId, transactions: Vec<Transaction>, patience: Duration) {
        let leads = |node: &usize| self.cluster.at(*node).status().is_leading;
        let leaders: Vec<usize> = self.cluster.running().filter(leads).collect();
        let Some(leader) = self.chance.pick(&leaders) else { return };
        let (group, volume) = (self.cluster.at(leader), Arc::clone(self.cluster.store(leader)));
        self.load.under_way.spawn(submit(group, volume, register, transactions, patience));
    }

    /// A replica accepts something, and hands in what it has accepted.
    pub(super) fn accept(&mut self) {
        let now = self.cluster.now();
        for number in 0..self.replicas.len() {
            if let Some(register) = self.chance.pick(&self.registers).filter(|_| self.chance.one_in(2)) {
                let accepted = self.load.new_transactions(register, 1, now).remove(0);
                self.acknowledged.accepted(register, &accepted, &self.replicas[number]);
                self.replicas[number].accept(register, accepted);
            }
        }
        self.hand_in_accepted();
    }

    /// Whoever has had no answer hands in again.
    pub(super) fn hand_in_all_again(&mut self) {
        self.hand_in_accepted();
        for (register, transactions) in self.load.handed_in.clone() {
            self.submit(register, transactions, Duration::from_secs(5));
        }
    }

    /// Outboxes go on until what they hold is in a docket.
    fn hand_in_accepted(&mut self) {
        for number in 0..self.replicas.len() {
            for register in self.registers.clone() {
                let waiting = self.replicas[number].waiting(register);
                if !waiting.is_empty() {
                    self.submit(register, waiting, Duration::from_secs(1));
                }
            }
        }
    }

    /// Takes the answers that have come.
    pub(super) fn collect(&mut self) -> Result<(), Broken> {
        while let Some(answered) = self.load.under_way.try_join_next() {
            let committed = answered.map_err(|error| Broken::new("acknowledged", error.to_string()))??;
            self.load.committed += committed.len();
            self.acknowledged.committed(committed);
        }
        Ok(())
    }
}

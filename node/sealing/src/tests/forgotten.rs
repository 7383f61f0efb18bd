//! A sealer that has lost its volume undoes nothing that it had helped to certify.

use super::{cluster::Cluster, failures::assert_each_once};
use crate::wire::{Answer, Request, decode_ballot, decode_entry};
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse};
use peerwright_ledger::{RegisterId, Transaction};
use peerwright_store::SealingStore;
use std::time::Duration;

/// One sealer's volume is lost, and of the two that acknowledged some transactions only the other is left: it cannot be
/// outvoted by the one that never had them and the one that has forgotten them.
struct Forgotten {
    cluster: Cluster,
    register: RegisterId,
    transactions: Vec<Transaction>,
    leader: usize,
    lags: usize,
    forgets: usize,
}

impl Forgotten {
    /// The leader and one other have acknowledged; the third is stopped and lacks it.
    async fn acknowledged() -> Self {
        let mut cluster = Cluster::group(3).await;
        let register = cluster.register(1).await;
        let leader = cluster.leader().await;
        let (lags, forgets) = ((leader + 1) % 3, (leader + 2) % 3);
        cluster.kill(lags).await;
        let transactions = cluster.transactions(register, 0..10);
        for docket in transactions.chunks(5) {
            cluster.seal(register, docket).await;
        }
        Self { cluster, register, transactions, leader, lags, forgets }
    }

    async fn loses_its_volume(&mut self) {
        self.cluster.kill(self.forgets).await;
        self.cluster.wipe(self.forgets);
    }

    /// The leader gives it all entries but the last few, and then all stop.
    async fn begins_to_catch_up(&mut self, missing: u64) {
        let Self { cluster, leader, lags, forgets, .. } = self;
        // The third says that it knows no later leader; of this one it hears nothing.
        cluster.isolate(&[*leader]);
        cluster.start(*lags).await;
        cluster.start(*forgets).await;
        let state = cluster.store(*leader).log_state().await.unwrap();
        let vote = decode_ballot(&state.vote.unwrap()).unwrap().vote;
        let last = decode_entry(&state.last.unwrap().bytes).unwrap().log_id;
        let first = cluster.store(*leader).read_log(0, last.index + 1 - missing, usize::MAX).await.unwrap();
        let entries = first.iter().map(|entry| decode_entry(&entry.bytes).unwrap()).collect();
        let some = AppendEntriesRequest { vote, prev_log_id: None, entries, leader_commit: Some(last) };
        let answer = cluster.at(*forgets).serve(cluster.key(*leader), Request::Append(some).encode()).await;
        assert!(matches!(Answer::decode(&answer), Ok(Answer::Append(AppendEntriesResponse::Success))));
        for node in cluster.all() {
            cluster.kill(node).await;
        }
        cluster.wires.heal();
    }

    /// The leader is stopped, the two others begin.
    async fn elects_nobody_before_the_leader_is_back(self) {
        let Self { mut cluster, register, transactions, leader, lags, forgets } = self;
        cluster.start(forgets).await;
        cluster.start(lags).await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert!(
            [lags, forgets].iter().all(|node| !cluster.at(*node).status().is_leading),
            "a majority has lost what was sealed"
        );
        cluster.start(leader).await;
        cluster.leader().await;
        let (_, sealed) = cluster.agreed(&[0, 1, 2], register).await;
        assert_each_once(&sealed, &transactions);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sealer_that_has_forgotten_all_elects_nobody_until_it_has_caught_up() {
    let mut group = Forgotten::acknowledged().await;
    group.cluster.kill(group.leader).await;
    group.loses_its_volume().await;
    group.elects_nobody_before_the_leader_is_back().await;
}

/// As above, but the one that has forgotten it was being brought up to date again when it was stopped.
#[tokio::test(start_paused = true)]
async fn a_sealer_that_stops_while_it_catches_up_elects_nobody_either() {
    let mut group = Forgotten::acknowledged().await;
    group.loses_its_volume().await;
    group.begins_to_catch_up(3).await;
    group.elects_nobody_before_the_leader_is_back().await;
}

/// It has more than the one that lags, and would be elected by it.
#[tokio::test(start_paused = true)]
async fn a_sealer_that_has_caught_up_in_part_does_not_stand_for_leadership() {
    let mut group = Forgotten::acknowledged().await;
    group.loses_its_volume().await;
    group.begins_to_catch_up(1).await;
    group.elects_nobody_before_the_leader_is_back().await;
}

/// A leader that was cut off has not heard of the next one, and the one that elected that has forgotten it.
#[tokio::test(start_paused = true)]
async fn a_sealer_that_has_forgotten_all_follows_no_leader_whose_time_is_over() {
    let mut cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    let old = cluster.leader().await;
    cluster.isolate(&[old]);
    cluster.at(old).wait_until(|status| !status.is_leading).await;
    let transactions = cluster.transactions(register, 0..10);
    cluster.seal(register, &transactions).await;
    let new = cluster.leader().await;
    let forgets = cluster.all().find(|node| *node != old && *node != new).unwrap();
    cluster.stored(forgets, register, 1).await;
    cluster.kill(new).await;
    cluster.kill(forgets).await;
    cluster.wipe(forgets);
    cluster.wires.heal();
    cluster.start(forgets).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(!cluster.at(old).status().is_leading, "a majority has lost what was sealed");
    cluster.start(new).await;
    cluster.leader().await;
    let more = cluster.transactions(register, 10..20);
    cluster.seal(register, &more).await;
    let (_, sealed) = cluster.agreed(&[0, 1, 2], register).await;
    assert_each_once(&sealed, &[transactions, more].concat());
}

/// One of the first members was cut off from the beginning: it has the entry that names them, and nothing else.
#[tokio::test(start_paused = true)]
async fn a_sealer_that_has_forgotten_all_does_not_begin_anew_with_one_that_was_never_there() {
    let mut cluster = Cluster::strangers(3).await;
    let members = cluster.keys(cluster.all());
    let begun = futures::future::join_all(cluster.all().map(|node| {
        let (group, members) = (cluster.at(node), members.clone());
        async move { group.initialise(members).await }
    }));
    assert_eq!(begun.await, vec![Ok(()); 3]);
    let late = 2;
    cluster.isolate(&[late]);
    let leader = cluster.leader().await;
    let forgets = 1 - leader;
    let register = cluster.register(1).await;
    let transactions = cluster.transactions(register, 0..10);
    cluster.seal(register, &transactions).await;
    cluster.stored(forgets, register, 1).await;
    cluster.kill(leader).await;
    cluster.kill(forgets).await;
    cluster.wipe(forgets);
    cluster.wires.heal();
    cluster.start(forgets).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let is_leading = |node: usize| cluster.at(node).status().is_leading;
    assert!(!is_leading(forgets) && !is_leading(late), "a majority has lost what was sealed");
    cluster.start(leader).await;
    cluster.leader().await;
    let (_, sealed) = cluster.agreed(&[0, 1, 2], register).await;
    assert_each_once(&sealed, &transactions);
}

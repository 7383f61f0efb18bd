//! What a group is for.

use super::cluster::Cluster;
use crate::{GroupRefused, Outcome};
use std::collections::BTreeSet;

#[tokio::test(start_paused = true)]
async fn one_sealer_seals_and_certifies_by_itself() {
    let cluster = Cluster::group(1).await;
    let register = cluster.register(1).await;
    let transactions = cluster.transactions(register, 0..5);
    let outcomes = cluster.seal(register, &transactions).await;
    assert_eq!(outcomes, vec![Outcome::Sealed { docket: 1 }; 5]);
    let (chain, ids) = cluster.agreed(&[0], register).await;
    assert_eq!(chain.head().number, 1);
    assert_eq!(ids, transactions.iter().map(peerwright_ledger::Transaction::id).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn three_sealers_seal_the_same_chain_and_a_stranger_verifies_it_at_each() {
    let cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    for round in 0..10 {
        let transactions = cluster.transactions(register, round * 20..(round + 1) * 20);
        let outcomes = cluster.seal(register, &transactions).await;
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Sealed { .. })), "{outcomes:?}");
    }
    let (_, ids) = cluster.agreed(&[0, 1, 2], register).await;
    assert_eq!(ids.len(), 200);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_sealer_that_does_not_lead_names_the_one_that_does() {
    let cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    let leader = cluster.leader().await;
    let other = (leader + 1) % 3;
    cluster.follows(other, cluster.key(leader)).await;
    let refused = cluster.at(other).submit(register, Vec::new()).await.unwrap_err();
    assert_eq!(refused, GroupRefused::NotLeader { leader: Some(cluster.key(leader)) });
    assert_eq!(refused.code(), "not_leader");
}

/// No stage waits for a heartbeat: what a docket takes is the time that the register gathers for it (10 ms) and the ways of its
/// entry, of the word that it is committed, and of the signatures (1 ms each).
#[tokio::test(start_paused = true)]
async fn a_docket_is_certified_as_fast_as_the_wires_are() {
    let cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    for transaction in cluster.transactions(register, 0..10) {
        let begun = tokio::time::Instant::now();
        cluster.seal(register, &[transaction]).await;
        assert!(begun.elapsed() <= std::time::Duration::from_millis(20), "it took {:?}", begun.elapsed());
    }
}

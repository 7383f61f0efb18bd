//! What comes of what is handed in.

use super::{
    cluster::Cluster,
    register::{encoded, genesis},
};
use crate::{GroupRefused, Outcome, SealingSettings};
use bytes::Bytes;
use peerwright_ledger::{Refusal, RegisterId, Transaction, TransactionId};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn handing_the_same_in_again_anywhere_seals_it_once() {
    let cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    let transactions = cluster.transactions(register, 0..30);
    let twice = [transactions.clone(), transactions.clone()].concat();
    let (one, two, three) = tokio::join!(
        cluster.seal(register, &transactions),
        cluster.seal(register, &twice),
        cluster.seal(register, &transactions[10..]),
    );
    let sealed =
        |outcomes: &[Outcome]| outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Sealed { .. })).count();
    assert_eq!(sealed(&one) + sealed(&two) + sealed(&three), 30);
    let leader = cluster.leader().await;
    cluster.at(leader).hand_over().await.unwrap();
    assert_eq!(cluster.seal(register, &transactions).await, vec![Outcome::AlreadySealed; 30]);
    let (_, ids) = cluster.agreed(&[0, 1, 2], register).await;
    assert_eq!(ids.len(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_sealer_knows_what_no_docket_holds() {
    let mut cluster = Cluster::group(1).await;
    let register = cluster.register(1).await;
    let transactions = cluster.transactions(register, 0..2);
    cluster.seal(register, &transactions[..1]).await;
    let ids: Vec<TransactionId> = transactions.iter().map(Transaction::id).collect();
    assert_eq!(cluster.at(0).may_have_sealed(register, &ids), Some(vec![true, false]));
    assert_eq!(cluster.at(0).may_have_sealed(RegisterId::from_bytes([9; 16]), &ids), None);
    cluster.kill(0).await;
    cluster.start(0).await;
    cluster.leader().await;
    assert_eq!(cluster.at(0).may_have_sealed(register, &ids), Some(vec![true, false]), "after a start too");
}

#[tokio::test(start_paused = true)]
async fn what_has_expired_is_refused_whether_it_was_sealed_or_not() {
    let cluster = Cluster::group(1).await;
    let register = cluster.register(1).await;
    let transactions = cluster.transactions(register, 0..2);
    cluster.seal(register, &transactions[..1]).await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let outcomes = cluster.seal(register, &transactions).await;
    assert!(
        outcomes.iter().all(|outcome| matches!(outcome, Outcome::Refused(Refusal::Expired { .. }))),
        "{outcomes:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn each_transaction_has_its_own_outcome() {
    let cluster = Cluster::group(1).await;
    let register = cluster.register(1).await;
    let elsewhere = RegisterId::from_bytes([9; 16]);
    let foreign = cluster.transactions(elsewhere, 0..1);
    let good = cluster.transactions(register, 0..1);
    let handed_in = [encoded(&foreign), vec![Bytes::from_static(b"nonsense")], encoded(&good)].concat();
    let outcomes = cluster.at(0).submit(register, handed_in).await.unwrap();
    assert_eq!(outcomes[0], Outcome::Refused(Refusal::OtherRegister(elsewhere)));
    assert!(matches!(outcomes[1], Outcome::Refused(Refusal::Malformed(_))));
    assert_eq!(outcomes[2], Outcome::Sealed { docket: 1 });
    assert_eq!(cluster.at(0).submit(register, Vec::new()).await, Ok(Vec::new()));
    let refused = cluster.at(0).submit(elsewhere, encoded(&foreign)).await;
    assert_eq!(refused, Err(GroupRefused::UnknownRegister(elsewhere)));
}

#[tokio::test(start_paused = true)]
async fn a_docket_takes_no_more_than_the_registers_policy_says() {
    let cluster = Cluster::group(1).await;
    let register = cluster.register(1).await;
    let transactions = cluster.transactions(register, 0..2_500);
    let outcomes = cluster.seal(register, &transactions).await;
    assert_eq!(outcomes[0], Outcome::Sealed { docket: 1 });
    assert_eq!(outcomes[1_000], Outcome::Sealed { docket: 2 });
    assert_eq!(outcomes[2_499], Outcome::Sealed { docket: 3 });
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_bounded() {
    let mut cluster = Cluster::strangers(1).await;
    cluster.settings = SealingSettings { queued_transactions: 10, ..SealingSettings::default() };
    cluster.kill(0).await;
    cluster.start(0).await;
    cluster.initialise([0]).await;
    let register = cluster.register(1).await;
    let group = cluster.at(0);
    let transactions = cluster.transactions(register, 0..20);
    let waits = group.submit(register, encoded(&transactions[..8]));
    let refused = async { group.submit(register, encoded(&transactions[8..12])).await };
    let (waited, refused) = tokio::join!(waits, refused);
    assert_eq!(refused, Err(GroupRefused::QueueFull));
    assert_eq!(waited.unwrap().len(), 8);
    // There is room again.
    assert_eq!(group.submit(register, encoded(&transactions[8..16])).await.unwrap().len(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_register_is_begun_once_and_by_its_own_sealers() {
    let cluster = Cluster::group(3).await;
    let register = cluster.register(1).await;
    let leader = cluster.at(cluster.leader().await);
    let again = leader.create(genesis(cluster.keys(0..3), 1, 10)).await;
    assert_eq!(again, Err(GroupRefused::RegisterExists(register)));
    let foreign = leader.create(genesis(cluster.keys(0..2), 3, 10)).await;
    assert_eq!(foreign, Err(GroupRefused::OtherSealers));
}

#[tokio::test(start_paused = true)]
async fn only_who_leads_knows_all_registers_and_whoever_leads_next_does() {
    let mut cluster = Cluster::group(3).await;
    let (register, leader) = (cluster.register(1).await, cluster.leader().await);
    for node in cluster.all() {
        let known = cluster.at(node).all_registers();
        assert_eq!(known, (node == leader).then(|| vec![register]), "{node}");
    }
    cluster.kill(leader).await;
    let next = cluster.at(cluster.leader().await);
    assert!(next.wait_until(|_| next.all_registers() == Some(vec![register])).await);
}

#[tokio::test(start_paused = true)]
async fn a_follower_gets_every_docket_in_order() {
    let cluster = Cluster::group(3).await;
    let other = (cluster.leader().await + 1) % 3;
    let mut followed = cluster.at(other).follow();
    let register = cluster.register(1).await;
    for transaction in cluster.transactions(register, 0..5) {
        cluster.seal(register, &[transaction]).await;
    }
    for number in 0..6 {
        let docket = followed.next().await.unwrap().unwrap();
        assert_eq!((docket.header.register, docket.header.number), (register, number));
    }
}

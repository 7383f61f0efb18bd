//! Most sealers are lost for good, and one goes on by the operator's word.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::registers::{begin, committed, hand_in, sealed, verified};
use crate::{
    RunningNode,
    api::Node,
    dev::Authority,
    operator::DigestSource,
    testing::{authority, eventually, publish},
};
use peerwright_ledger::{RegisterId, TransactionId};
use peerwright_proto::v1::SealingDigest;
use peerwright_secure::PeerId;
use peerwright_snapshot::Succession;
use std::{collections::BTreeSet, time::Duration};

fn peer(node: &RunningNode) -> PeerId {
    node.handle().identity.peer_id
}

async fn digest(node: &RunningNode) -> SealingDigest {
    DigestSource::outline(node.handle().as_ref()).await.sealing.unwrap_or_default()
}

/// The group that a sealer is of, if somebody leads it.
fn led(node: &RunningNode) -> Option<u64> {
    node.handle().sealing().filter(|status| status.is_leading).map(|status| status.generation)
}

/// Begins a register and commits something in it; then the last of four nodes, which has begun it, is gone with two of the
/// three sealers, and the third is ordered to go on alone.
async fn left_alone(authority: &Authority, mut nodes: Vec<RunningNode>) -> (RunningNode, RegisterId, TransactionId) {
    let register = begin(authority, &nodes).await;
    let first = hand_in(&nodes[2], register, "before").await;
    for node in &nodes {
        eventually("it is committed", async || committed(node, register, first).await).await;
    }
    let survivor = nodes.remove(2);
    drop(nodes);
    eventually("it has seen that it is alone", async || digest(&survivor).await.alone_since > 0).await;
    publish(authority, &[&survivor], |content| {
        content.succession = Some(Succession { generation: 1, survivor: peer(&survivor) });
    });
    (survivor, register, first)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealer_goes_on_without_the_others_with_all_that_was_committed_and_new_ones_are_taken_in() {
    let authority = authority();
    let mut nodes = sealed(&authority, 5, 3).await;
    // The last node begins the register, and so its key is the register's authority.
    let register = begin(&authority, &nodes).await;
    let mut sent = BTreeSet::new();
    for number in 0..10 {
        sent.insert(hand_in(&nodes[3], register, &format!("before {number}")).await);
    }
    for node in &nodes {
        for id in &sent {
            eventually("every node holds it committed", async || committed(node, register, *id).await).await;
        }
    }
    let (before, _) = verified(&*nodes[2].handle().registers.store, register).await;

    // Two of the three sealers are gone with all that they had.
    drop(nodes.drain(..2));
    let survivor = &nodes[0];
    eventually("it has seen that it is alone", async || digest(survivor).await.alone_since > 0).await;
    let told = digest(survivor).await;
    assert_eq!((told.led, told.members.len(), told.answering.len(), told.generation), (false, 3, 1, 0));
    let accepted = hand_in(&nodes[2], register, "while nobody leads").await;
    let all: Vec<&RunningNode> = nodes.iter().collect();
    publish(&authority, &all, |content| {
        content.succession = Some(Succession { generation: 1, survivor: peer(survivor) });
    });
    eventually("it leads a group of its own", async || led(survivor) == Some(1)).await;
    sent.insert(accepted);
    for node in &nodes {
        eventually("what was accepted meanwhile is committed", async || committed(node, register, accepted).await)
            .await;
    }
    let told = digest(survivor).await;
    assert_eq!((told.led, told.generation, told.stranded.len(), told.problem.as_str()), (true, 1, 0, ""));

    // The operator has heard so, and names new sealers.
    publish(&authority, &all, |content| {
        (content.generation, content.succession) = (1, None);
        content.sealers = nodes.iter().map(peer).collect();
    });
    eventually("the register has three sealers", async || {
        let (chain, _) = verified(&*survivor.handle().registers.store, register).await;
        chain.governance().sealers().sealers().len() == 3
    })
    .await;
    sent.insert(hand_in(&nodes[1], register, "after").await);
    for node in &nodes {
        for id in &sent {
            eventually("every node holds everything", async || committed(node, register, *id).await).await;
        }
        let (chain, ids) = verified(&*node.handle().registers.store, register).await;
        // What is not a transaction of ours changed the sealers.
        assert!(sent.is_subset(&ids.iter().copied().collect()));
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "nothing is sealed twice");
        assert!(chain.head().number > before.head().number);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_changes_nothing_while_the_other_sealers_answer() {
    let authority = authority();
    let nodes = sealed(&authority, 3, 3).await;
    let register = begin(&authority, &nodes).await;
    let first = hand_in(&nodes[0], register, "before").await;
    eventually("it is committed", async || committed(&nodes[0], register, first).await).await;
    let named = &nodes[1];
    publish(&authority, &nodes.iter().collect::<Vec<_>>(), |content| {
        content.succession = Some(Succession { generation: 1, survivor: peer(named) });
    });
    eventually("it says why", async || digest(named).await.problem == "majority_answers").await;
    let second = hand_in(&nodes[2], register, "after").await;
    for node in &nodes {
        eventually("it is committed", async || committed(node, register, second).await).await;
        assert_eq!(digest(node).await.generation, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_goes_on_by_the_network_s_authority_when_the_node_that_began_it_is_lost() {
    let authority = authority();
    let nodes = sealed(&authority, 4, 3).await;
    let over_registers = authority.over_registers();
    publish(&authority, &nodes.iter().collect::<Vec<_>>(), |content| {
        content.settings.set_authority(*over_registers.as_bytes());
    });
    let (survivor, register, _) = left_alone(&authority, nodes).await;
    eventually("it leads a group of its own", async || led(&survivor) == Some(1)).await;
    let second = hand_in(&survivor, register, "after").await;
    eventually("it seals the register", async || committed(&survivor, register, second).await).await;
    assert!(digest(&survivor).await.stranded.is_empty());
    let (chain, _) = verified(&*survivor.handle().registers.store, register).await;
    assert_eq!(*chain.governance().authority(), over_registers);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_taken_back_while_an_authority_is_asked_changes_nothing() {
    let authority = authority();
    let (survivor, ..) = left_alone(&authority, sealed(&authority, 4, 3).await).await;
    eventually("it asks the authority", async || survivor.handle().sealing().is_none()).await;
    publish(&authority, &[&survivor], |content| content.succession = None);
    eventually("it is of its group again", async || digest(&survivor).await.members.len() == 3).await;
    // Longer than the authority would have been asked.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(digest(&survivor).await.generation, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_whose_authority_is_lost_is_kept_and_told_of() {
    let authority = authority();
    let (survivor, register, first) = left_alone(&authority, sealed(&authority, 4, 3).await).await;
    // An authority is asked for a while.
    tokio::time::timeout(Duration::from_secs(180), async {
        while led(&survivor) != Some(1) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(digest(&survivor).await.stranded, [bytes::Bytes::copy_from_slice(register.as_bytes())]);
    assert!(committed(&survivor, register, first).await, "what it holds it goes on serving");
}

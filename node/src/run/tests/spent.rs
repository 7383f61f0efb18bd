//! Messages leave the stores of whole nodes once dockets hold what they carried, and nothing is missed for it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{
    outbox::start,
    registers::{begin, committed, hand_in, sealed, verified},
};
use crate::{
    RunningNode,
    config::Endpoint,
    testing::{REGISTER, all_have_links, authority, eventually, holds, kill, publish},
};
use peerwright_ledger::RegisterId;
use peerwright_store::Counts;
use std::{collections::BTreeSet, time::Duration};

/// Much sooner than a network may ask for.
fn let_go_soon(node: &RunningNode) {
    let soon = Duration::from_millis(200);
    node.handle().registers.replication.send_modify(|settings| settings.message_retention = soon);
}

async fn counts(node: &RunningNode, register: RegisterId) -> Counts {
    node.handle().store.counts(register).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dockets_hold_leaves_every_store_and_what_none_holds_stays() {
    let authority = authority();
    let nodes = sealed(&authority, 4, 3).await;
    let register = begin(&authority, &nodes).await;
    let unsealed = hand_in(&nodes[0], REGISTER, "in no docket").await;
    let mut sent = BTreeSet::new();
    for (number, node) in nodes.iter().enumerate() {
        for text in 0..5 {
            sent.insert(hand_in(node, register, &format!("{number}.{text}")).await);
        }
    }
    for node in &nodes {
        for id in &sent {
            eventually("every node holds it committed", async || committed(node, register, *id).await).await;
        }
        eventually("every node has heard the other", async || holds(node, unsealed).await).await;
    }

    nodes.iter().for_each(let_go_soon);

    for node in &nodes {
        eventually("its messages are gone", async || counts(node, register).await == Counts::default()).await;
        let told = async || {
            let metrics = node.telemetry().encode();
            metrics.contains("messages_let_go_total") && !metrics.contains("messages_let_go_total 0")
        };
        eventually("that is counted", told).await;
        assert!(holds(node, unsealed).await);
    }
    // The feed goes on behind what has gone.
    for (number, node) in nodes.iter().enumerate() {
        sent.insert(hand_in(node, register, &format!("later {number}")).await);
    }
    for node in &nodes {
        for id in &sent {
            eventually("every node holds it committed", async || committed(node, register, *id).await).await;
        }
    }
    let (_, ids) = verified(&*nodes[3].handle().registers.store, register).await;
    assert_eq!((ids.len(), ids.into_iter().collect::<BTreeSet<_>>()), (sent.len(), sent));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_starts_again_or_comes_later_misses_nothing_of_what_has_gone() {
    let authority = authority();
    let directories = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [sealing, asking, coming] = directories.each_ref().map(tempfile::TempDir::path);
    let sealer = start(&authority, "demo-peer-0", sealing, vec![]).await;
    let client = start(&authority, "demo-peer-1", asking, vec![sealer.peer_address().into()]).await;
    all_have_links(&[&sealer, &client], 1).await;
    publish(&authority, &[&sealer, &client], |content| {
        let sealer = BTreeSet::from([sealer.handle().identity.peer_id]);
        content.founders.clone_from(&sealer);
        content.sealers = sealer;
    });
    let nodes = [sealer, client];
    let register = begin(&authority, &nodes).await;
    let mut sent = BTreeSet::new();
    for number in 0..5 {
        sent.insert(hand_in(&nodes[number % 2], register, &format!("{number}")).await);
    }
    for node in &nodes {
        for id in &sent {
            eventually("it is committed", async || committed(node, register, *id).await).await;
        }
    }
    nodes.iter().for_each(let_go_soon);
    for node in &nodes {
        eventually("its messages are gone", async || counts(node, register).await == Counts::default()).await;
    }
    for node in nodes {
        kill(node).await;
    }

    let sealer = start(&authority, "demo-peer-0", sealing, vec![]).await;
    let seeds: Vec<Endpoint> = vec![sealer.peer_address().into()];
    let client = start(&authority, "demo-peer-1", asking, seeds.clone()).await;
    let newcomer = start(&authority, "demo-peer-2", coming, seeds).await;
    let nodes = [sealer, client, newcomer];
    let before = sent.clone();
    for (number, node) in nodes.iter().enumerate() {
        sent.insert(hand_in(node, register, &format!("later {number}")).await);
    }

    for node in &nodes {
        for id in &sent {
            eventually("every node holds it committed", async || committed(node, register, *id).await).await;
        }
        eventually("nothing waits", async || node.handle().registers.outbox_figures().open == 0).await;
        for id in &before {
            assert_eq!(node.handle().store.transaction(register, *id).await, Ok(None), "it has come again");
        }
    }
    let (_, ids) = verified(&*nodes[2].handle().registers.store, register).await;
    assert_eq!((ids.len(), ids.into_iter().collect::<BTreeSet<_>>()), (sent.len(), sent));
}

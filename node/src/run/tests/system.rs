//! The network's system register, begun by its sealers: once, whoever leads and whoever starts again.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::registers::{begin, committed, hand_in, sealed, verified};
use crate::{
    RunningNode,
    dev::Authority,
    operator::DigestSource,
    run::Backing,
    testing::{authority, configuration, eventually, kill, options, publish, start_node},
};
use peerwright_ledger::RegisterId;
use peerwright_snapshot::Subscription;
use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};
use tokio::time::sleep;

/// Between two questions.
const SOON: Duration = Duration::from_millis(50);
/// As long as two looks at the registers take, and some more.
const LOOKED_AGAIN: Duration = Duration::from_secs(3);

/// Which register the node tells the operator of.
async fn told(node: &RunningNode) -> Option<RegisterId> {
    let sealing = DigestSource::outline(node.handle().as_ref()).await.sealing?;
    Some(RegisterId::from_bytes(sealing.system_register.as_ref().try_into().ok()?))
}

async fn held(node: &RunningNode) -> Vec<RegisterId> {
    let held = node.handle().registers.store.registers().await.unwrap();
    held.into_iter().map(|held| held.register).collect()
}

/// The one that all of these tell of.
async fn told_by_all(nodes: &[RunningNode]) -> RegisterId {
    let first = &nodes[0];
    let register = loop {
        match told(first).await {
            Some(register) => break register,
            None => sleep(SOON).await,
        }
    };
    for node in nodes {
        eventually("every sealer tells of the same", async || told(node).await == Some(register)).await;
    }
    register
}

fn ask_for_one(authority: &Authority, nodes: &[RunningNode]) {
    publish(authority, &nodes.iter().collect::<Vec<_>>(), |content| content.settings.set_begins_system(true));
}

/// As the operator does that has heard most sealers.
fn name(authority: &Authority, nodes: &[RunningNode], register: RegisterId) {
    publish(authority, &nodes.iter().collect::<Vec<_>>(), |content| {
        content.system = Some(*register.as_bytes());
        content.subscriptions.insert(*register.as_bytes(), Subscription::default());
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sealers_begin_the_system_register_and_every_node_holds_it_once_it_is_named() {
    let authority = authority();
    let nodes = sealed(&authority, 4, 3).await;
    let ordinary = begin(&authority, &nodes).await;
    assert_eq!(told(&nodes[0]).await, None, "nobody has asked for one");

    ask_for_one(&authority, &nodes);
    let register = told_by_all(&nodes[..3]).await;
    assert_ne!(register, ordinary);
    assert_eq!(told(&nodes[3]).await, None, "who does not seal has no say");
    name(&authority, &nodes, register);
    let blueprint = hand_in(&nodes[3], register, "a blueprint").await;
    for node in &nodes {
        eventually("every node holds it", async || committed(node, register, blueprint).await).await;
        assert_eq!(node.handle().registers.blueprints.system(), Some(register));
    }
    let (chain, _) = verified(&*nodes[3].handle().registers.store, register).await;
    let sealers: BTreeSet<_> = nodes[..3].iter().map(|node| node.handle().identity.public_key).collect();
    assert_eq!(chain.governance().sealers().sealers(), &sealers);
    assert!(sealers.contains(chain.governance().authority()));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leads_next_finds_what_was_begun_before_and_begins_no_other() {
    let authority = authority();
    let mut nodes = sealed(&authority, 3, 3).await;
    ask_for_one(&authority, &nodes);
    let register = told_by_all(&nodes).await;

    // Before anybody has named it, its leader, owner and authority is gone.
    let leader = nodes.iter().position(|node| node.handle().creator.sealer.is_leading()).unwrap();
    drop(nodes.remove(leader));
    eventually("another leads", async || nodes.iter().any(|node| node.handle().creator.sealer.is_leading())).await;
    sleep(LOOKED_AGAIN).await;
    assert_eq!(told_by_all(&nodes).await, register);
    for node in &nodes {
        assert_eq!(held(node).await, [register]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealer_that_starts_again_finds_what_it_has_begun() {
    let authority = authority();
    let directory = tempfile::tempdir().unwrap();
    let node = [start(&authority, directory.path()).await];
    let own = node[0].handle().identity.peer_id;
    publish(&authority, &[&node[0]], |content| {
        (content.sealers, content.founders) = ([own].into(), [own].into());
    });
    ask_for_one(&authority, &node);
    let register = told_by_all(&node).await;
    let [node] = node;
    kill(node).await;

    let node = [start(&authority, directory.path()).await];
    assert_eq!(told_by_all(&node).await, register);
    eventually("it leads", async || node[0].handle().creator.sealer.is_leading()).await;
    sleep(LOOKED_AGAIN).await;
    assert_eq!(held(&node[0]).await, [register]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_register_is_named_none_is_begun() {
    let authority = authority();
    let nodes = sealed(&authority, 1, 1).await;
    let named = begin(&authority, &nodes).await;
    name(&authority, &nodes, named);
    ask_for_one(&authority, &nodes);
    sleep(LOOKED_AGAIN).await;
    assert_eq!((told(&nodes[0]).await, held(&nodes[0]).await), (None, vec![named]));
}

async fn start(authority: &Arc<Authority>, directory: &Path) -> RunningNode {
    start_node(&configuration("demo-peer-0", directory), &options(authority, Backing::Volume)).await
}

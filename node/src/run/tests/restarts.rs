//! What a node keeps over restarts, orderly or not.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::registers::{begin, committed, hand_in};
use crate::{
    RunningNode,
    api::{Node, SubmitRefused},
    config::Configuration,
    dev::Authority,
    probes::{Readiness, Reason},
    run::{Backing, Sockets, StartError},
    testing::{
        all_have_links, authority, bind_nodes, configuration, eventually, holds, kill, once_free, options, publish,
        sealed::SealedRegister, start_bound_on, start_node, transaction,
    },
};
use peerwright_engine::SubmitRefusal;
use rusqlite::Connection;
use std::{path::Path, sync::Arc, time::Duration};

async fn start(authority: &Arc<Authority>, directory: &Path) -> RunningNode {
    start_node(&configuration("demo-peer-0", directory), &options(authority, Backing::Volume)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_identity_and_data() {
    let authority = authority();
    let directory = tempfile::tempdir().unwrap();
    let node = start(&authority, directory.path()).await;
    let before = node.handle().identity.clone();
    let sent = transaction(&node, "kept");
    eventually("the node takes it", async || node.handle().submit(sent.clone()).await.is_ok()).await;
    node.drain(Duration::from_secs(2)).await;

    let node = start(&authority, directory.path()).await;
    let after = node.handle().identity.clone();
    assert_eq!(after.peer_id, before.peer_id);
    assert!(after.incarnation > before.incarnation);
    assert!(holds(&node, sent.id()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_node_is_killed() {
    let authority = authority();
    let directory = tempfile::tempdir().unwrap();
    let node = start(&authority, directory.path()).await;
    let first = transaction(&node, "first");
    eventually("the node takes it", async || node.handle().submit(first.clone()).await.is_ok()).await;
    let mut acknowledged = vec![first.id()];
    for number in 0..50 {
        let sent = transaction(&node, &format!("number {number}"));
        if node.handle().submit(sent.clone()).await.is_ok() {
            acknowledged.push(sent.id());
        }
    }
    kill(node).await;
    let node = start(&authority, directory.path()).await;
    for id in acknowledged {
        assert!(holds(&node, id).await, "{id} was acknowledged");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_failed_ends_the_node_and_its_next_start_serves_again() {
    let authority = authority();
    let directory = tempfile::tempdir().unwrap();
    let mut node = start(&authority, directory.path()).await;
    eventually("it is ready", async || node.handle().readiness().is_ready()).await;
    let volume = directory.path().join("store.sqlite");
    let spoil = |statement: &str| Connection::open(&volume).unwrap().execute(statement, []).unwrap();
    spoil("CREATE TRIGGER broken BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'broken'); END");

    let lost = transaction(&node, "lost");
    assert_eq!(node.handle().submit(lost.clone()).await, Err(SubmitRefused::Node(SubmitRefusal::Store)));
    eventually("it is not ready", async || node.handle().readiness() == Readiness::Waiting(Reason::Failed)).await;
    let ended = node.failed().await;
    let line = ended.to_string();
    assert!(ended.part == "the store" && line.contains("broken") && !line.contains('\n'), "{line}");
    kill(node).await;

    spoil("DROP TRIGGER broken");
    let node = start(&authority, directory.path()).await;
    eventually("it takes it", async || node.handle().submit(lost.clone()).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_in_use_a_taken_port_and_a_foreign_volume_are_one_line() {
    let authority = authority();
    let directory = tempfile::tempdir().unwrap();
    let node = start(&authority, directory.path()).await;
    let configuration = configuration("demo-peer-0", directory.path());
    let refused = async |configuration: &crate::config::Configuration| {
        let sockets = Sockets::bind(configuration).await?;
        RunningNode::start(configuration, &options(&authority, Backing::Volume), sockets).await.map(drop)
    };
    let in_use = refused(&configuration).await.unwrap_err();
    let mut taken = configuration.clone();
    taken.listen_peer = node.peer_address();
    let taken = refused(&taken).await.unwrap_err();
    kill(node).await;
    let mut foreign = configuration;
    foreign.network_uid = "another".to_owned();
    let foreign = once_free(async || refused(&foreign).await).await.unwrap_err();
    for (error, says) in [
        (&in_use, "another process uses this volume"),
        (&taken, "listen-peer 127.0.0.1:"),
        (&foreign, "this volume belongs to network"),
    ] {
        let line = error.to_string();
        assert!(line.contains(says) && !line.contains('\n'), "{line}");
    }
    assert!(matches!(taken, StartError::Bind { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_killed_goes_on_from_its_checkpoints() {
    let authority = authority();
    let directory = tempfile::tempdir().unwrap();
    let sealed = SealedRegister::of(7, 2);
    let node = start(&authority, directory.path()).await;
    sealed.fill(&*node.handle().registers.store).await;
    kill(node).await;

    let node = start(&authority, directory.path()).await;
    let registers = &node.handle().registers;
    assert_eq!(registers.heads.count(sealed.register()), sealed.count());
    assert_eq!(registers.store.checkpoint(sealed.register()).await.unwrap(), Some(sealed.chain().encode()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealer_that_is_back_is_not_ready_while_it_may_lack_what_the_others_have_sealed() {
    let authority = authority();
    let directory = tempfile::tempdir().unwrap();
    let mut bound = bind_nodes(4).await;
    let kept = configuration("demo-peer-0", directory.path());
    bound[0] = (kept.clone(), Sockets::bind(&kept).await.unwrap());
    let seeds: Vec<_> = bound.iter().map(|(_, sockets)| sockets.peer_address.into()).collect();
    let stores = vec![Backing::Volume, Backing::Memory, Backing::Memory, Backing::Memory];
    let mut nodes = start_bound_on(&authority, bound, seeds.clone(), stores).await;
    all_have_links(&nodes.iter().collect::<Vec<_>>(), 3).await;
    publish(&authority, &nodes.iter().collect::<Vec<_>>(), |content| {
        content.sealers = nodes.iter().take(3).map(|node| node.handle().identity.peer_id).collect();
        content.founders = content.sealers.clone();
    });
    let register = begin(&authority, &nodes).await;
    let sent = hand_in(&nodes[3], register, "sealed").await;
    eventually("it is committed", async || committed(&nodes[0], register, sent).await).await;

    // The others are gone as well: nobody leads any more.
    let (other, back) = (nodes.remove(3), nodes.remove(0));
    drop(nodes);
    kill(back).await;
    let back = start_node(&Configuration { seeds, ..kept }, &options(&authority, Backing::Volume)).await;
    all_have_links(&[&back, &other], 1).await;
    eventually("it takes part", async || back.handle().sealing().is_some()).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(*back.handle().readiness.borrow(), Readiness::Waiting(Reason::Syncing));
    eventually("it serves what it has", async || back.handle().readiness.borrow().is_ready()).await;
    assert!(committed(&back, register, sent).await);
}

//! What a node keeps over restarts, orderly or not.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::{
    RunningNode,
    api::{Node, SubmitRefused},
    dev::Authority,
    probes::{Readiness, Reason},
    run::{Backing, Sockets, StartError},
    testing::{
        authority, configuration, eventually, holds, kill, once_free, options, sealed::SealedRegister, start_node,
        transaction,
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

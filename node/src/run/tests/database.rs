//! A node whose registers are in a database: what it keeps over restarts, and while the server is away.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::registers::{begin, committed, hand_in, verified};
use crate::{
    NodeHandle, RunningNode,
    api::Node,
    config::{Configuration, Storage},
    dev::Authority,
    run::Backing,
    testing::{authority, configuration, eventually, holds, options, publish, start_node, transaction, transaction_in},
};
use peerwright_database::Server;
use peerwright_ledger::{RegisterId, TransactionId};
use peerwright_store::{PostgresSettings, Seen};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, time::sleep};

fn in_database(directory: &Path, server: &Server) -> Configuration {
    let schema = PostgresSettings::schema_of(PostgresSettings::SCHEMA_PREFIX, "demo-peer-0");
    let settings = PostgresSettings::new(&server.url(""), &schema, None, None).unwrap();
    Configuration { storage: Storage::Postgres(Box::new(settings)), ..configuration("demo-peer-0", directory) }
}

async fn start(authority: &Arc<Authority>, configuration: &Configuration) -> RunningNode {
    start_node(configuration, &options(authority, Backing::Volume)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_keeps_its_registers_in_the_database_and_its_key_on_the_volume() {
    let authority = authority();
    let directory = tempfile::tempdir().unwrap();
    let server = Server::own();
    let configuration = in_database(directory.path(), &server);
    let node = start(&authority, &configuration).await;
    let before = node.handle().identity.clone();
    let sent = transaction(&node, "kept");
    eventually("the node takes it", async || node.handle().submit(sent.clone()).await.is_ok()).await;
    node.drain(Duration::from_secs(2)).await;
    assert!(directory.path().join("node.key").exists() && !directory.path().join("store.sqlite").exists());

    let node = start(&authority, &configuration).await;
    let after = node.handle().identity.clone();
    assert_eq!(after.peer_id, before.peer_id);
    assert!(after.incarnation > before.incarnation);
    assert!(holds(&node, sent.id()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_refuses_while_its_database_is_away_and_goes_on_when_it_is_back() {
    let authority = authority();
    let directory = tempfile::tempdir().unwrap();
    let server = Server::own();
    let node = start(&authority, &in_database(directory.path(), &server)).await;
    let first = transaction(&node, "before");
    eventually("the node takes it", async || node.handle().submit(first.clone()).await.is_ok()).await;

    tokio::task::block_in_place(|| server.kill());
    let second = transaction(&node, "meanwhile");
    assert!(node.handle().submit(second.clone()).await.is_err());
    tokio::task::block_in_place(|| server.start());
    eventually("the node takes it again", async || node.handle().submit(second.clone()).await.is_ok()).await;
    assert!(holds(&node, first.id()).await && holds(&node, second.id()).await);
    eventually("it is ready", async || node.handle().readiness().is_ready()).await;
}

/// Hands in one transaction after the other until it is told to stop; those that were acknowledged.
async fn hand_in_on(
    node: Arc<NodeHandle>,
    register: RegisterId,
    stop: Arc<AtomicBool>,
    acknowledged: watch::Sender<usize>,
) -> BTreeSet<TransactionId> {
    let mut ids = BTreeSet::new();
    for number in 0.. {
        let sent = transaction_in(&node, register, &format!("number {number}"));
        match node.submit(sent.clone()).await {
            Ok(()) => {
                ids.insert(sent.id());
                acknowledged.send_replace(ids.len());
            }
            // What is refused was not written, or nobody knows: it is not counted on.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealer_whose_database_starts_again_loses_nothing_it_acknowledged_and_seals_nothing_twice() {
    let authority = authority();
    let directory = tempfile::tempdir().unwrap();
    let server = Server::own();
    let nodes = [start(&authority, &in_database(directory.path(), &server)).await];
    let [node] = &nodes;
    publish(&authority, &[node], |content| {
        let sealer = BTreeSet::from([node.handle().identity.peer_id]);
        content.founders.clone_from(&sealer);
        content.sealers = sealer;
    });
    let register = begin(&authority, &nodes).await;
    let first = hand_in(node, register, "before").await;
    eventually("it is committed", async || committed(node, register, first).await).await;

    let (stop, (acknowledged, mut counted)) = (Arc::new(AtomicBool::new(false)), watch::channel(0));
    let client = hand_in_on(node.handle().clone(), register, stop.clone(), acknowledged);
    let client = tokio::spawn(client);
    for _ in 0..3 {
        let so_far = *counted.borrow();
        counted.wait_for(|count| *count >= so_far + 40).await.unwrap();
        tokio::task::block_in_place(|| {
            server.kill();
            server.start();
        });
    }
    let so_far = *counted.borrow();
    counted.wait_for(|count| *count >= so_far + 40).await.unwrap();
    stop.store(true, Ordering::Relaxed);

    let store = &node.handle().registers.store;
    for id in client.await.unwrap() {
        let found = async || store.find(register, id, Seen::Certified).await.is_ok_and(|place| place.is_some());
        eventually("all that was acknowledged is committed", found).await;
    }
    let (_, ids) = verified(&**store, register).await;
    assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len());
    assert!(ids.contains(&first));
    assert!(node.handle().readiness().is_ready());
}

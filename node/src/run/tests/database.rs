//! A node whose registers are in a database: what it keeps over restarts, and while the server is away.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::{
    RunningNode,
    api::Node,
    config::{Configuration, Storage},
    dev::Authority,
    run::Backing,
    testing::{authority, configuration, eventually, holds, options, start_node, transaction},
};
use peerwright_database::Server;
use peerwright_store::PostgresSettings;
use std::{path::Path, sync::Arc, time::Duration};

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

//! Nodes find each other and share what they accept.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::{
    api::Node,
    probes::{Readiness, Reason},
    testing::{all_have_links, authority, eventually, holds, start_nodes, transaction},
};
use futures::FutureExt;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_form_a_network_and_replicate_a_transaction() {
    let authority = authority();
    let nodes = start_nodes(&authority, 3).await;
    let [first, second, third] = nodes.as_slice() else { panic!("three nodes") };
    all_have_links(&[first, second, third], 2).await;
    for node in &nodes {
        eventually("every node is ready", async || node.handle().readiness() == Readiness::Ready { alone: false })
            .await;
    }
    let sent = transaction(first, "hello");
    first.handle().submit(sent.clone()).await.unwrap();
    for node in &nodes {
        eventually("every node holds it", async || holds(node, sent.id()).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_transaction_is_announced_and_fetched() {
    let authority = authority();
    let nodes = start_nodes(&authority, 2).await;
    let [first, second] = nodes.as_slice() else { panic!("two nodes") };
    all_have_links(&[first, second], 1).await;
    let sent = transaction(first, &"large ".repeat(200_000));
    first.handle().submit(sent.clone()).await.unwrap();
    eventually("the other node holds it", async || holds(second, sent.id()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_later_catches_up() {
    let authority = authority();
    let mut nodes = start_nodes(&authority, 2).await;
    all_have_links(&[&nodes[0], &nodes[1]], 1).await;
    let late = nodes.pop().unwrap();
    let (sockets_gone, seed) = (late.peer_address(), nodes[0].peer_address());
    drop(late);
    eventually("the link is gone", async || crate::testing::links(&nodes[0]).await == 0).await;
    let sent: Vec<_> = (0..20).map(|number| transaction(&nodes[0], &format!("number {number}"))).collect();
    for transaction in &sent {
        nodes[0].handle().submit(transaction.clone()).await.unwrap();
    }
    let directory = std::path::Path::new("/nowhere");
    let mut configuration = crate::testing::configuration("demo-peer-2", directory);
    configuration.seeds = vec![seed.into()];
    let sockets = crate::run::Sockets::bind(&configuration).await.unwrap();
    assert_ne!(sockets.peer_address, sockets_gone);
    let options = crate::testing::options(&authority, crate::run::Backing::Memory);
    let newcomer = crate::RunningNode::start(&configuration, &options, sockets).await.unwrap();
    for transaction in &sent {
        eventually("the newcomer holds all", async || holds(&newcomer, transaction.id()).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_alone_says_so_and_a_draining_one_takes_nothing() {
    let authority = authority();
    let mut nodes = start_nodes(&authority, 1).await;
    let node = nodes.pop().unwrap();
    eventually("it is ready alone", async || node.handle().readiness() == Readiness::Ready { alone: true }).await;
    let handle = node.handle().clone();
    let late = transaction(&node, "late");
    node.drain(Duration::from_secs(2)).await;
    assert_eq!(handle.readiness(), Readiness::Waiting(Reason::Draining));
    assert!(handle.submit(late).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dial_goes_on_when_whoever_wanted_the_connection_gives_up() {
    let authority = authority();
    let nodes = start_nodes(&authority, 2).await;
    let [first, second] = nodes.as_slice() else { panic!("two nodes") };
    all_have_links(&[first, second], 1).await;
    let (callers, peer) = (&first.handle().creator.callers, second.handle().identity.peer_id);
    eventually("a connection is there for whoever has no time at all", async || {
        callers.reach(peer).now_or_never().is_some_and(|reached| reached.is_ok())
    })
    .await;
}

//! Whole nodes between which not every carrier gets through.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::{
    RunningNode,
    api::Node,
    testing::{
        REGISTER, all_have_links, authority, bind_nodes, eventually, holds, proxy::Proxy, start_bound, transaction,
    },
};
use peerwright_engine::session::Carrier;
use std::time::Duration;

/// Every node submits this many transactions, and holds those of all nodes, each once.
async fn all_hear_all(nodes: &[RunningNode], count: usize, meanwhile: impl AsyncFn()) {
    let mut sent = Vec::new();
    for number in 0..count {
        for node in nodes {
            let next = transaction(node, &format!("number {number} of {}", node.handle().identity.node));
            node.handle().submit(next.clone()).await.unwrap();
            sent.push(next.id());
        }
        meanwhile().await;
    }
    for node in nodes {
        for id in &sent {
            eventually("every node holds everything", async || holds(node, *id).await).await;
        }
        let counts = node.handle().store.counts(REGISTER).await.unwrap();
        assert_eq!(counts.transactions, sent.len() as u64);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_without_the_stream_method_and_without_grpc_hold_every_transaction_once() {
    let authority = authority();
    let mut bound = bind_nodes(3).await;
    bound[1].0.links.carriers = vec![Carrier::Unary, Carrier::Https];
    bound[2].0.links.carriers = vec![Carrier::Https];
    let seeds = bound.iter().map(|(_, sockets)| sockets.peer_address.into()).collect();
    let nodes = start_bound(&authority, bound, seeds).await;
    all_have_links(&nodes.iter().collect::<Vec<_>>(), 2).await;
    all_hear_all(&nodes, 20, async || {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_behind_proxies_that_kill_streams_after_two_seconds_hold_every_transaction_once() {
    let authority = authority();
    let bound = bind_nodes(3).await;
    let mut proxies = Vec::new();
    for (_, sockets) in &bound {
        proxies.push(Proxy::that_kills_after(Duration::from_secs(2), sockets.peer_address).await);
    }
    let seeds = proxies.iter().map(|proxy| proxy.address.into()).collect();
    let nodes = start_bound(&authority, bound, seeds).await;
    all_have_links(&nodes.iter().collect::<Vec<_>>(), 2).await;
    let killed = || proxies.iter().map(Proxy::killed_so_far).sum::<u64>();
    // Between two transactions of a node a connection dies.
    all_hear_all(&nodes, 5, async || {
        let before = killed();
        eventually("another connection was killed", async || killed() > before).await;
    })
    .await;
}

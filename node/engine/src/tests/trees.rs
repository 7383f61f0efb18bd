//! One tree an origin: each message comes once, and comes in spite of losses.

use super::net::{Net, SECOND, texts};
use crate::GossipStatistics;
use std::time::Duration;

const NODES: usize = 50;

/// Fifty nodes that have few links each.
fn sparse(count: usize) -> Net {
    let mut net = Net::new(count);
    for node in 0..count {
        net.nodes[node].configure = |config| (config.outbound_links, config.inbound_links) = (4, 5);
        net.start(node);
    }
    net.run(SECOND * 10);
    net
}

fn sum(net: &Net, figure: impl Fn(&GossipStatistics) -> u64) -> u64 {
    let engines = net.nodes.iter().filter_map(|node| node.engine.as_ref());
    engines.map(|engine| figure(&engine.statistics().gossip)).sum()
}

/// Submits in turns and gives the redundant copies for a thousand deliveries.
fn redundancy(net: &mut Net, authors: usize, rounds: usize, first: usize) -> u64 {
    let before = (sum(net, |gossip| gossip.duplicates), sum(net, |gossip| gossip.delivered));
    for number in 0..rounds * authors {
        net.submit(number % authors, &format!("text-{}", first + number));
        net.run(Duration::from_millis(20));
    }
    net.run(SECOND * 2);
    let copies = sum(net, |gossip| gossip.duplicates) - before.0;
    copies * 1_000 / (sum(net, |gossip| gossip.delivered) - before.1)
}

#[test]
fn warm_trees_bring_each_message_to_fifty_nodes_once() {
    let mut net = sparse(NODES);
    let cold = redundancy(&mut net, 10, 2, 0);
    let warm = redundancy(&mut net, 10, 10, 20);
    for node in 0..NODES {
        assert!(net.holds_exactly(node, &texts("text", 120)), "node {node}");
    }
    net.assert_stored_once();
    assert!(cold > warm, "the first messages find the trees: {cold}");
    assert!(warm <= 50, "{warm} redundant copies for a thousand deliveries");
}

//! The overlay: who is whose neighbour, and what holds it together.

use super::net::{Net, SECOND, texts};
use crate::{CloseReason, Event};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

/// `count` nodes that know only the first `seeds` of them.
fn bootstrapped(count: usize, seeds: usize) -> Net {
    let mut net = Net::new(count);
    for node in 0..count {
        net.start_knowing(node, 0..seeds);
    }
    net
}

/// Whom each running node has in its active view.
fn neighbours(net: &Net) -> BTreeMap<usize, BTreeSet<usize>> {
    let numbers: BTreeMap<_, usize> = (0..net.nodes.len()).map(|node| (net.peer(node), node)).collect();
    let running = (0..net.nodes.len()).filter(|node| net.nodes[*node].engine.is_some());
    let active = |node| {
        let views = net.engine(node).peers().into_iter().filter(|view| view.active);
        (node, views.map(|view| numbers[&view.peer]).collect())
    };
    running.map(active).collect()
}

/// How many nodes one node reaches over active links.
fn reached(neighbours: &BTreeMap<usize, BTreeSet<usize>>) -> usize {
    let first = *neighbours.keys().next().unwrap();
    let (mut reached, mut queue) = (BTreeSet::from([first]), VecDeque::from([first]));
    while let Some(node) = queue.pop_front() {
        for next in neighbours.get(&node).into_iter().flatten() {
            if reached.insert(*next) {
                queue.push_back(*next);
            }
        }
    }
    reached.len()
}

fn assert_sound(net: &Net) {
    let neighbours = neighbours(net);
    for (node, active) in &neighbours {
        let statistics = net.engine(*node).statistics().links;
        assert!((6..=8).contains(&active.len()), "node {node} has {} neighbours", active.len());
        assert!(statistics.active_outbound >= 3, "node {node} chose {} itself", statistics.active_outbound);
        assert!(statistics.outbound <= 30 && statistics.inbound <= 20, "node {node}: {statistics:?}");
        for other in active {
            assert!(neighbours[other].contains(node), "{node} and {other} do not agree");
        }
    }
    assert_eq!(reached(&neighbours), neighbours.len(), "the overlay is in pieces");
}

#[test]
fn nine_nodes_are_each_others_neighbours() {
    let net = Net::running(9);
    let neighbours = neighbours(&net);
    assert!(neighbours.values().all(|active| active.len() == 8), "{neighbours:?}");
}

#[test]
fn twenty_five_nodes_have_six_to_eight_neighbours_and_hear_everything() {
    let mut net = Net::new(25);
    for node in 0..25 {
        net.start(node);
    }
    net.run(SECOND * 30);
    assert_sound(&net);
    net.submit(0, "text-0");
    net.run(SECOND);
    assert!((0..25).all(|node| net.holds_exactly(node, &texts("text", 1))));
}

#[test]
fn nodes_that_know_two_seeds_find_each_other_within_seconds() {
    for seed in 0..3 {
        let mut net = Net::with_seed(120, seed);
        for node in 0..120 {
            net.start_knowing(node, 0..2);
        }
        net.run(SECOND * 5);
        let reached = reached(&neighbours(&net));
        assert_eq!(reached, 120, "seed {seed}");
        net.run(SECOND * 25);
        assert_sound(&net);
    }
}

#[test]
fn a_full_node_names_others_to_those_it_refuses() {
    let mut net = Net::new(12);
    net.nodes[0].configure = |config| config.inbound_links = 3;
    for node in 0..12 {
        net.start_knowing(node, [0]);
    }
    net.run(SECOND * 20);
    let is_full = |event: &&Event| matches!(event, Event::LinkClosed { reason: CloseReason::Full, .. });
    assert!(net.events(0).any(|event| is_full(&event)));
    assert_eq!(reached(&neighbours(&net)), 12);
}

#[test]
fn when_a_third_of_the_nodes_vanish_the_others_close_ranks() {
    let mut net = bootstrapped(60, 2);
    net.run(SECOND * 30);
    for node in (0..60).filter(|node| node % 10 < 3 && *node > 1) {
        net.stop(node);
    }
    net.run(SECOND * 2);
    let neighbours = neighbours(&net);
    assert_eq!(reached(&neighbours), neighbours.len());
    let short = neighbours.values().filter(|active| active.len() < 6).count();
    assert_eq!(short, 0, "{neighbours:?}");
}

#[test]
fn a_quiet_overlay_is_left_alone() {
    let mut net = bootstrapped(40, 2);
    net.run(SECOND * 60);
    let left = |net: &Net| -> u64 { (0..40).map(|node| net.engine(node).statistics().links.neighbours_left).sum() };
    let before = left(&net);
    net.run(SECOND * 300);
    let changes = left(&net) - before;
    assert!(changes <= 40, "{changes} neighbours left in five minutes");
}

#[test]
fn a_broken_link_is_replaced_within_a_second() {
    let mut net = bootstrapped(40, 2);
    net.run(SECOND * 30);
    let link = net.engine(7).peers().into_iter().find(|view| view.active).unwrap().link;
    net.break_link(link);
    net.run(Duration::from_millis(1_000));
    assert!(net.engine(7).statistics().links.active >= 6);
}

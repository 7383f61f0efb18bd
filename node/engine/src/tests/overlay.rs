//! The overlay: who is whose neighbour, and what holds it together.

use super::net::{Net, OwnedInput, SECOND, texts};
use crate::{
    CloseReason, Config, DepartureReason, DialRefusal, Event, Input, LinkId,
    frame::{Contact, Frame},
    overlay::distance,
};
use peerwright_secure::PeerId;
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
        // Meanwhile they have looked for their nearest.
        net.run(SECOND * 85);
        assert_sound(&net);
    }
}

#[test]
fn a_full_node_names_others_to_those_it_refuses() {
    let mut net = Net::new(12);
    net.nodes[0].configure = |config| config.connections.inbound = 3;
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
    net.run(SECOND * 180);
    let left = |net: &Net| -> u64 { (0..40).map(|node| net.engine(node).statistics().links.neighbours_left).sum() };
    let before = left(&net);
    net.run(SECOND * 240);
    let changes = left(&net) - before;
    assert!(changes <= 40, "{changes} neighbours left in four minutes");
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

#[test]
fn untried_addresses_are_tried_while_the_view_is_full() {
    let mut net = bootstrapped(40, 2);
    net.run(SECOND * 900);
    let statistics = net.engine(7).statistics().links;
    assert!(statistics.feelers > 3, "{statistics:?}");
    assert!(statistics.addresses_tried > statistics.outbound, "{statistics:?}");
    assert_sound(&net);
}

#[test]
fn two_networks_that_have_never_met_become_one() {
    let mut net = Net::new(24);
    let (one, other): (Vec<usize>, Vec<usize>) = (0..24).partition(|node| *node < 12);
    net.cut(&one, &other);
    for node in 0..24 {
        net.start_knowing(node, [0, 12]);
    }
    net.run(SECOND * 120);
    assert_eq!(reached(&neighbours(&net)), 12);
    net.heal();
    net.run(SECOND * 900);
    assert_eq!(reached(&neighbours(&net)), 24);
    assert_sound(&net);
}

#[test]
fn a_node_that_finds_no_name_begins_with_its_old_neighbours() {
    let mut net = bootstrapped(20, 2);
    net.run(SECOND * 60);
    net.stop(7);
    net.run(SECOND * 10);
    net.start_knowing(7, []);
    net.run(SECOND * 10);
    assert!(net.engine(7).statistics().links.active >= 6);
}

#[test]
fn better_peers_take_the_place_of_worse_ones() {
    let mut net = Net::new(40);
    for node in 0..40 {
        net.nodes[node].configure = |config| {
            config.overlay.swap_margin = 1;
            config.overlay.improve_interval = SECOND * 10;
        };
        net.start_knowing(node, 0..2);
    }
    net.run(SECOND * 300);
    let replaced = |event: &&Event| matches!(event, Event::NeighbourLeft { reason: DepartureReason::Replaced, .. });
    assert!((0..40).any(|node| net.events(node).any(|event| replaced(&event))));
    // One of two may be about to hear that it was replaced.
    net.run_until(SECOND, "both ends agree", |net| {
        let neighbours = neighbours(net);
        neighbours.iter().all(|(node, active)| active.iter().all(|other| neighbours[other].contains(node)))
    });
    assert_sound(&net);
}

/// Node 0 has dialled somebody that the test plays, and asked for addresses.
fn asking_a_stranger(own_ranges: fn(&mut Config)) -> Net {
    let mut net = Net::new(1);
    net.nodes[0].configure = own_ranges;
    net.start(0);
    let peer = PeerId::from_bytes([0xee; 32]);
    let address = Some("8.8.8.8:5000".parse().unwrap());
    let up = Input::LinkUp { link: STRANGER, peer, incarnation: 1, outbound: true, address };
    net.give(0, OwnedInput::Plain(up));
    net
}

const STRANGER: LinkId = LinkId(u64::MAX);

fn name(net: &mut Net, addresses: &[&str]) {
    let contact = |(number, address): (usize, &&str)| Contact {
        peer: PeerId::from_bytes([u8::try_from(number).unwrap(); 32]),
        address: address.parse().unwrap(),
    };
    let contacts = addresses.iter().enumerate().map(contact).collect();
    net.give(0, OwnedInput::Frame { link: STRANGER, bytes: Frame::AddressAnswer { contacts }.encode() });
}

const NAMED: &[&str] =
    &["8.8.4.4:5000", "10.1.2.3:5000", "127.0.0.1:5000", "169.254.169.254:5000", "169.254.1.1:5000", "9.9.9.9:25"];

fn dialled(net: &Net) -> BTreeSet<String> {
    let dialled = net.events(0).filter_map(|event| match event {
        Event::DialFailed { address, .. } => Some(address.to_string()),
        _ => None,
    });
    dialled.collect()
}

#[test]
fn nobody_dials_a_private_address_on_a_strangers_word() {
    let mut net = asking_a_stranger(|config| config.addresses.own_ranges.clear());
    name(&mut net, NAMED);
    net.run(SECOND * 120);
    assert_eq!(dialled(&net), BTreeSet::from(["8.8.4.4:5000".to_owned()]));
    let links = net.engine(0).statistics().links;
    for refusal in [DialRefusal::Private, DialRefusal::Loopback, DialRefusal::Metadata, DialRefusal::LinkLocal] {
        assert_eq!(links.addresses_refused(refusal), 1, "{refusal}");
    }
    assert_eq!(links.addresses_learnt, 1);
}

#[test]
fn a_networks_own_ranges_are_dialled_on_a_peers_word() {
    let mut net = asking_a_stranger(|_| {});
    name(&mut net, NAMED);
    net.run(SECOND * 120);
    assert_eq!(dialled(&net), BTreeSet::from(["8.8.4.4:5000".to_owned(), "10.1.2.3:5000".to_owned()]));
}

#[test]
fn addresses_that_nobody_asked_for_are_not_taken() {
    let mut net = asking_a_stranger(|_| {});
    name(&mut net, &["8.8.4.4:5000"]);
    name(&mut net, &["1.1.1.1:5000"]);
    net.run(SECOND * 30);
    assert_eq!(dialled(&net), BTreeSet::from(["8.8.4.4:5000".to_owned()]));
}

#[test]
fn who_asks_with_priority_gets_a_place_only_from_somebody_who_is_farther() {
    let mut net = bootstrapped(40, 2);
    net.run(SECOND * 400);
    let wall = net.now;
    let own = net.peer(7);
    let active = |net: &Net| -> BTreeSet<(u64, PeerId)> {
        let views = net.engine(7).peers().into_iter().filter(|view| view.active);
        views.map(|view| (distance(wall, &own, &view.peer), view.peer)).collect()
    };
    let before = active(&net);
    let mut strangers = BTreeSet::new();
    for number in 0..12 {
        let (peer, link) = (PeerId::from_bytes([0xe0 + number; 32]), LinkId(u64::MAX - u64::from(number)));
        let up = Input::LinkUp { link, peer, incarnation: 1, outbound: false, address: None };
        net.give(7, OwnedInput::Plain(up));
        net.give(7, OwnedInput::Frame { link, bytes: Frame::Neighbour { priority: true }.encode() });
        strangers.insert((distance(wall, &own, &peer), peer));
    }
    let after = active(&net);
    let came: Vec<_> = after.difference(&before).collect();
    let gone: Vec<_> = before.difference(&after).collect();
    let refused: Vec<_> = strangers.difference(&after).collect();
    assert!(!came.is_empty() && !refused.is_empty(), "{came:?} {refused:?}");
    assert!(came.iter().all(|stranger| strangers.contains(stranger)) && after.len() == 8);
    assert!(gone.iter().all(|gone| came.iter().all(|came| came < gone)), "{gone:?} {came:?}");
    assert!(net.engine(7).statistics().links.active_outbound >= 3);
}

#[test]
fn after_a_while_a_node_has_its_nearest_members_as_neighbours() {
    let mut net = bootstrapped(40, 2);
    net.run(SECOND * 900);
    let neighbours = neighbours(&net);
    let mut found = 0;
    for (node, active) in &neighbours {
        let own = net.peer(*node);
        let mut others: Vec<usize> = (0..40).filter(|other| other != node).collect();
        others.sort_by_key(|other| distance(net.now, &own, &net.peer(*other)));
        found += others.iter().take(3).filter(|other| active.contains(*other)).count();
    }
    assert!(found >= 90, "{found} of 120 are neighbours");
    assert_sound(&net);
}

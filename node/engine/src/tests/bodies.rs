//! Large transactions.

use super::net::{Net, REGISTER, SECOND, is_message};
use crate::{Event, bounds::MAX_FETCHES, frame::kind};
use bytes::Bytes;
use std::{collections::BTreeSet, time::Duration};

fn large(byte: u8, length: usize) -> Bytes {
    Bytes::from(vec![byte; length])
}

fn lengths(of: &[usize]) -> BTreeSet<String> {
    of.iter().map(|length| format!("{length} bytes")).collect()
}

#[test]
fn a_body_of_ten_megabytes_reaches_everybody() {
    let mut net = Net::running(3);
    let token = net.submit_to(0, REGISTER, large(7, 10 * 1024 * 1024));
    net.run(SECOND * 5);
    assert_eq!(net.nodes[0].accepted, [token]);
    for node in 0..3 {
        assert!(net.holds_exactly(node, &lengths(&[10 * 1024 * 1024])), "node {node}");
    }
    assert_eq!(net.engine(1).statistics().sync.bodies, 1);
    net.assert_stored_once();
}

#[test]
fn a_body_that_just_does_not_ride_along_is_announced() {
    let mut net = Net::running(2);
    net.submit_to(0, REGISTER, large(b'x', 32 * 1024));
    net.run(SECOND);
    assert!(net.nodes[0].sent_frames.iter().all(|(_, sent)| *sent != kind::CHUNK));
    net.submit_to(0, REGISTER, large(b'y', 32 * 1024 + 1));
    net.run(SECOND);
    assert_eq!(net.nodes[0].sent_frames.iter().filter(|(_, sent)| *sent == kind::CHUNK).count(), 1);
    assert_eq!(net.nodes[1].store.messages.len(), 2);
}

#[test]
fn an_announcement_is_passed_on_only_by_those_who_hold_the_body() {
    let mut net = Net::running(2);
    net.cut(&[0], &[1]);
    net.run(SECOND * 8);
    net.heal();
    net.run_until(SECOND * 20, "linked again", Net::all_linked);
    let before = net.nodes[1].sent_frames.len();
    net.submit_to(0, REGISTER, large(7, 200_000));
    net.run(SECOND);
    assert!(net.nodes[1].sent_frames[before..].iter().all(|(_, sent)| !is_message(*sent)));
}

#[test]
fn a_body_travels_along_a_chain_of_nodes() {
    let mut net = Net::chain();
    net.start_all();
    net.submit_to(0, REGISTER, large(7, 200_000));
    net.run(SECOND);
    for node in 0..4 {
        assert!(net.holds_exactly(node, &lengths(&[200_000])), "node {node}");
    }
}

#[test]
fn a_joiner_gets_bodies_too() {
    let mut net = Net::new(3);
    net.start(0);
    net.start(1);
    net.run(SECOND * 3);
    let sizes: Vec<usize> = (0..10).map(|number| 40_000 + number * 50_000).collect();
    for (number, size) in (0..).zip(&sizes) {
        net.submit_to(0, REGISTER, large(number, *size));
        net.run(SECOND / 5);
    }
    net.start(2);
    net.run(SECOND * 10);
    assert!(net.holds_exactly(2, &lengths(&sizes)));
    assert!(net.readiness(2).is_ready());
}

#[test]
fn a_holder_that_dies_during_the_fetch_is_replaced() {
    let mut net = Net::running(3);
    net.submit_to(0, REGISTER, large(7, 8 * 1024 * 1024));
    // Node 0 announces it to both, node 1 has it some time later; node 2 is cut off while it fetches.
    net.cut(&[0], &[2]);
    net.run(SECOND * 3);
    assert!(net.holds_exactly(1, &lengths(&[8 * 1024 * 1024])));
    net.run(SECOND * 30);
    assert!(net.holds_exactly(2, &lengths(&[8 * 1024 * 1024])));
}

#[test]
fn the_last_holder_may_die_and_come_back() {
    let mut net = Net::running(2);
    net.submit_to(0, REGISTER, large(7, 8 * 1024 * 1024));
    net.run(Duration::from_millis(60));
    net.stop(0);
    net.run(SECOND * 5);
    assert!(net.nodes[1].store.messages.is_empty());
    net.start(0);
    net.run(SECOND * 20);
    assert!(net.holds_exactly(1, &lengths(&[8 * 1024 * 1024])));
}

#[test]
fn a_holder_that_serves_something_else_is_disconnected() {
    let mut net = Net::running(2);
    net.submit_to(0, REGISTER, large(7, 100_000));
    net.run(Duration::from_millis(10));
    let id = *net.nodes[0].store.bodies.keys().next().unwrap();
    net.nodes[0].store.bodies.insert(id, large(8, 100_000));
    net.run(SECOND / 2);
    assert!(net.nodes[1].store.messages.is_empty());
    let peer = net.peer(0);
    assert!(net.events(1).any(|event| *event == Event::BadSignature { peer, origin: None }));
}

#[test]
fn a_body_that_cannot_be_stored_is_asked_for_again_with_the_next_digest_and_not_at_once() {
    let mut net = Net::running(2);
    net.nodes[1].store.fails = true;
    net.submit_to(0, REGISTER, large(7, 100_000));
    net.run(SECOND * 90);
    let pulls = net.engine(1).statistics().sync.pulls;
    assert!((1..=6).contains(&pulls), "{pulls}");
    net.nodes[1].store.fails = false;
    net.run(SECOND * 35);
    assert!(net.holds_exactly(1, &lengths(&[100_000])));
}

#[test]
fn who_lacks_more_bodies_than_it_may_fetch_pulls_only_as_many_as_it_has_room_for() {
    let mut net = Net::new(7);
    (0..6).for_each(|node| net.start(node));
    net.run(SECOND * 3);
    let sizes: Vec<usize> = (0..MAX_FETCHES * 3).map(|number| 40_000 + number).collect();
    for size in &sizes {
        net.submit_to(0, REGISTER, large(7, *size));
        net.run(SECOND / 50);
    }
    net.start(6);
    net.run(SECOND * 60);
    assert!(net.holds_exactly(6, &lengths(&sizes)));
    let pulls = net.engine(6).statistics().sync.pulls;
    assert!(pulls <= 60, "{pulls}");
}

//! Nodes that were away get everything.

use super::net::{Net, OwnedInput, REGISTER, SECOND, texts};
use crate::{Event, frame::Frame};
use bytes::Bytes;
use peerwright_ledger::RegisterId;
use peerwright_secure::NodePublicKey;
use std::{collections::BTreeSet, time::Duration};

fn submit_many(net: &mut Net, node: usize, prefix: &str, count: usize) {
    for number in 0..count {
        net.submit(node, &format!("{prefix}-{number}"));
        net.run(Duration::from_millis(3));
    }
}

#[test]
fn a_joiner_catches_up_from_all_that_hold_it() {
    let mut net = Net::new(4);
    for node in 0..3 {
        net.start(node);
    }
    net.run(SECOND * 3);
    submit_many(&mut net, 0, "text", 3_000);
    net.start(3);
    net.run_until(SECOND * 5, "the joiner has everything", |net| net.holds_exactly(3, &texts("text", 3_000)));
    net.run(SECOND / 10);
    net.assert_stored_once();
    let served: Vec<u64> = (0..3).map(|node| net.engine(node).statistics().sync.served).collect();
    assert!(served.iter().filter(|served| **served > 0).count() >= 2, "the work is shared: {served:?}");
    assert!(net.events(3).any(|event| matches!(event, Event::CaughtUp { messages, .. } if *messages > 0)));
    assert!(net.engine(3).registers()[0].synced);
}

#[test]
fn who_comes_after_messages_were_let_go_of_gets_the_others_and_misses_nothing() {
    let mut net = Net::new(3);
    net.start(0);
    net.start(1);
    net.run(SECOND * 3);
    submit_many(&mut net, 0, "gone", 50);
    net.run(SECOND);
    net.let_go(0);
    net.let_go(1);
    submit_many(&mut net, 0, "kept", 10);
    net.run(SECOND);

    net.start(2);
    net.run_until(SECOND * 10, "the newcomer is ready", |net| net.readiness(2).is_ready());
    submit_many(&mut net, 0, "live", 10);
    // Several heartbeats compare what never becomes equal, and the hole before its time is noticed.
    net.run(SECOND * 100);

    let all = texts("kept", 10).union(&texts("live", 10)).cloned().collect();
    for node in 0..3 {
        assert!(net.holds_exactly(node, &all), "node {node}");
        let sync = net.engine(node).statistics().sync;
        assert_eq!((sync.missing, sync.pulls_failed), (0, 0), "node {node}");
    }
    net.assert_stored_once();
}

#[test]
fn after_a_partition_every_accepted_transaction_is_everywhere() {
    let mut net = Net::running(5);
    net.cut(&[0, 1], &[2, 3, 4]);
    net.run(SECOND * 8);
    assert!(net.are_linked(0, 1) && !net.are_linked(1, 2));
    submit_many(&mut net, 0, "left", 50);
    submit_many(&mut net, 3, "right", 50);
    net.heal();
    net.run_until(SECOND * 90, "all are linked again", Net::all_linked);
    net.run(SECOND * 2);
    let all = texts("left", 50).union(&texts("right", 50)).cloned().collect();
    for node in 0..5 {
        assert!(net.holds_exactly(node, &all), "node {node}");
    }
    net.assert_stored_once();
}

#[test]
fn what_comes_by_sync_reaches_those_behind_a_chain_of_nodes() {
    let mut net = Net::chain();
    net.start_all();
    net.cut(&[0], &[1]);
    net.run(SECOND * 8);
    submit_many(&mut net, 0, "text", 20);
    net.cut(&[0], &[1]);
    net.heal();
    net.cut(&[0], &[2, 3]);
    net.cut(&[1], &[3]);
    net.run_until(SECOND * 90, "0 and 1 are linked again", |net| net.are_linked(0, 1));
    net.run(SECOND * 2);
    for node in 0..4 {
        assert!(net.holds_exactly(node, &texts("text", 20)), "node {node}");
    }
}

#[test]
fn a_node_that_starts_again_keeps_what_it_held_and_publishes_in_a_new_incarnation() {
    let mut net = Net::running(3);
    submit_many(&mut net, 0, "text", 10);
    net.run(SECOND);
    net.stop(0);
    net.run(SECOND);
    net.submit(1, "text-10");
    net.run(SECOND);
    net.start(0);
    net.run_until(SECOND * 10, "node 0 is linked again", Net::all_linked);
    net.submit(0, "text-11");
    net.run(SECOND);
    for node in 0..3 {
        assert!(net.holds_exactly(node, &texts("text", 12)), "node {node}");
    }
    let lives: BTreeSet<(NodePublicKey, u64)> =
        net.nodes[1].store.messages.keys().map(|(_, origin, incarnation, _)| (*origin, *incarnation)).collect();
    assert_eq!(lives.len(), 3, "two lives of node 0, one of node 1");
    net.assert_stored_once();
}

#[test]
fn a_node_that_lost_its_volume_gets_its_own_history_back() {
    let mut net = Net::running(3);
    submit_many(&mut net, 0, "text", 10);
    net.run(SECOND);
    net.stop(0);
    net.nodes[0].store = Default::default();
    net.start(0);
    net.run(SECOND * 10);
    assert!(net.holds_exactly(0, &texts("text", 10)));
}

#[test]
fn what_a_crash_kept_from_being_sent_is_found_after_the_restart() {
    let mut net = Net::running(3);
    net.submit(0, "text-0");
    net.run(Duration::from_millis(3));
    assert_eq!(net.nodes[0].store.messages.len(), 1, "it is durable and nobody knows yet");
    net.start(0);
    net.run(SECOND * 10);
    for node in 0..3 {
        assert!(net.holds_exactly(node, &texts("text", 1)), "node {node}");
    }
}

#[test]
fn a_new_subscription_brings_what_others_hold_already() {
    let other = RegisterId::from_bytes([1; 16]);
    let mut net = Net::running(3);
    for node in 0..2 {
        net.set_policy(node, &[], &[REGISTER, other]);
    }
    net.run(SECOND);
    for number in 0..5 {
        net.submit_to(0, other, Bytes::from(format!("other-{number}")));
        net.run(SECOND / 10);
    }
    assert!(net.nodes[2].store.texts(other).is_empty());
    net.set_policy(2, &[], &[REGISTER, other]);
    net.run(SECOND);
    assert_eq!(net.nodes[2].store.texts(other), texts("other", 5));
    net.set_policy(2, &[], &[REGISTER]);
    assert!(net.events(2).any(|event| *event == Event::SubscriptionChanged { register: other, subscribed: false }));
    assert_eq!(net.engine(2).registers().len(), 1);
}

#[test]
fn a_store_that_cannot_tell_what_it_holds_is_asked_again() {
    let mut net = Net::new(2);
    net.nodes[0].store.fails = true;
    net.start(0);
    net.start(1);
    net.run(SECOND * 3);
    assert!(!net.readiness(0).is_ready());
    net.nodes[0].store.fails = false;
    net.run(SECOND * 2);
    assert!(net.readiness(0).is_ready());
}

#[test]
fn what_a_store_holds_and_has_not_told_of_is_not_stored_again() {
    let mut net = Net::running(2);
    submit_many(&mut net, 0, "text", 1);
    net.run(SECOND);
    net.nodes[1].store.fails = true;
    net.start(1);
    net.run(SECOND / 2);
    net.nodes[1].store.fails = false;
    let message = net.nodes[1].store.messages.values().next().unwrap().clone();
    let link = net.engine(1).peers()[0].link;
    let bytes = Frame::Message { hops: 5, message: message.encoded() }.encode();
    net.give(1, OwnedInput::Frame { link, bytes });
    submit_many(&mut net, 0, "other", 1);
    net.run(SECOND / 10);
    assert_eq!(net.engine(1).statistics().store.queued, 2, "both wait for what the store holds");
    net.run(SECOND * 2);
    assert_eq!(net.engine(1).statistics().store.queued, 0);
    assert!(net.holds_exactly(1, &texts("text", 1).union(&texts("other", 1)).cloned().collect()));
    net.assert_stored_once();
}

#[test]
fn idle_nodes_with_equal_digests_exchange_nothing_more() {
    let mut net = Net::running(3);
    submit_many(&mut net, 0, "text", 10);
    net.run(SECOND * 5);
    let count = |net: &Net, kind: u8| -> usize {
        net.nodes.iter().map(|node| node.sent_frames.iter().filter(|(_, sent)| *sent == kind).count()).sum()
    };
    let before = count(&net, crate::frame::kind::HELD_REQUEST);
    net.run(SECOND * 300);
    assert_eq!(count(&net, crate::frame::kind::HELD_REQUEST), before);
    net.assert_stored_once();
}

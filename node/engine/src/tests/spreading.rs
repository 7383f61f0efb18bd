//! Messages reach everybody, once.

use super::net::{Net, OwnedInput, REGISTER, SECOND, is_message, texts};
use crate::{Event, Input, Micros, SubmitRefusal, bounds};
use bytes::Bytes;
use peerwright_ledger::RegisterId;
use std::time::Duration;

#[test]
fn a_transaction_reaches_all_of_three_nodes_and_is_stored_once() {
    let mut net = Net::running(3);
    assert!(net.all_linked());
    let token = net.submit(0, "hello-0");
    net.run(SECOND / 10);
    assert_eq!(net.nodes[0].accepted, [token]);
    for node in 0..3 {
        assert!(net.holds_exactly(node, &texts("hello", 1)), "node {node}");
    }
    net.run(SECOND * 60);
    net.assert_stored_once();
}

#[test]
fn every_author_reaches_all_of_ten_nodes() {
    let mut net = Net::running(10);
    for round in 0..20 {
        for node in 0..10 {
            net.submit(node, &format!("text-{}", round * 10 + node));
        }
        net.run(Duration::from_millis(7));
    }
    net.run(SECOND);
    for node in 0..10 {
        assert!(net.holds_exactly(node, &texts("text", 200)), "node {node}");
    }
    net.run(SECOND * 60);
    net.assert_stored_once();
    let synced: u64 = (0..10).map(|node| net.engine(node).statistics().sync.pulled).sum();
    assert_eq!(synced, 0, "gossip alone was enough");
}

#[test]
fn nothing_is_accepted_before_it_is_durable_and_nothing_is_sent_before_it_is_accepted() {
    let mut net = Net::running(2);
    let frames = net.nodes[0].sent_frames.len();
    net.submit(0, "text-0");
    net.run(Duration::from_millis(2));
    assert!(net.nodes[0].accepted.is_empty(), "3 ms of fsync are not over");
    assert!(net.nodes[0].sent_frames[frames..].iter().all(|(_, kind)| !is_message(*kind)));
    net.run(Duration::from_millis(2));
    assert_eq!(net.nodes[0].accepted.len(), 1);
    assert_eq!(net.nodes[0].store.messages.len(), 1);
}

#[test]
fn transactions_of_one_window_share_a_message() {
    let mut net = Net::running(2);
    for number in 0..130 {
        net.submit(0, &format!("text-{number}"));
    }
    net.run(SECOND);
    assert_eq!(net.nodes[1].store.messages.len(), 4, "the first at once, then 64, 64 and 1");
    assert_eq!(net.nodes[0].accepted.len(), 130);
    let statistics = net.engine(0).statistics();
    assert_eq!((statistics.submit.accepted, statistics.submit.messages, statistics.submit.queued), (130, 4, 0));
}

#[test]
fn what_comes_while_the_store_is_busy_goes_together_as_soon_as_it_answers() {
    let mut net = Net::running(2);
    for number in 0..6 {
        net.submit(0, &format!("text-{number}"));
        net.run(Duration::from_micros(480));
    }
    assert_eq!(net.engine(0).statistics().submit.messages, 1, "3 ms of fsync, longer than a window, are not over");
    net.run(Duration::from_micros(3_240));
    assert_eq!(net.nodes[0].accepted.len(), 6, "all five shared the next");
    assert_eq!(net.engine(0).statistics().submit.messages, 2);
}

#[test]
fn refusals_say_why() {
    let mut net = Net::running(1);
    let other = RegisterId::from_bytes([1; 16]);
    net.submit_to(0, other, Bytes::from_static(b"text"));
    net.submit_to(0, REGISTER, Bytes::from(vec![0; 11 * 1024 * 1024]));
    for number in 0..=bounds::MAX_QUEUED_TRANSACTIONS {
        net.submit(0, &format!("text-{number}"));
    }
    let reasons: Vec<SubmitRefusal> = net.nodes[0].refused.iter().map(|(_, reason)| *reason).collect();
    assert_eq!(reasons, [SubmitRefusal::NotSubscribed, SubmitRefusal::TooLarge, SubmitRefusal::Overloaded]);
    net.run(SECOND * 2);
    assert_eq!(net.nodes[0].accepted.len(), bounds::MAX_QUEUED_TRANSACTIONS);
}

#[test]
fn a_failing_store_refuses_and_what_was_numbered_is_stored_when_it_works_again() {
    let mut net = Net::running(2);
    net.nodes[0].store.fails = true;
    net.submit(0, "text-0");
    net.run(SECOND / 10);
    net.submit(0, "late-0");
    let reasons: Vec<SubmitRefusal> = net.nodes[0].refused.iter().map(|(_, reason)| *reason).collect();
    assert_eq!(reasons, [SubmitRefusal::Store, SubmitRefusal::Store]);
    net.nodes[0].store.fails = false;
    net.run(SECOND * 2);
    net.submit(0, "text-1");
    net.run(SECOND);
    for node in 0..2 {
        assert!(net.holds_exactly(node, &texts("text", 2)), "no number is skipped");
    }
    net.assert_stored_once();
}

#[test]
fn an_expired_message_is_neither_stored_nor_passed_on_by_gossip() {
    let mut net = Net::running(2);
    let ahead = net.now + SECOND * 7_200;
    net.give(1, OwnedInput::Plain(Input::Clock { wall: ahead }));
    net.submit(0, "text-0");
    net.run(SECOND);
    assert_eq!(net.engine(1).statistics().gossip.expired, 1);
    assert!(net.holds_exactly(1, &texts("text", 0)));
    net.run(SECOND * 45);
    assert!(net.holds_exactly(1, &texts("text", 1)), "what is history comes by sync");
}

#[test]
fn lost_messages_are_pulled() {
    let mut net = Net::running(4);
    net.lost_messages = 30;
    for number in 0..300 {
        net.submit(number % 4, &format!("text-{number}"));
        net.run(Duration::from_millis(5));
    }
    net.run(SECOND * 2);
    assert!(net.lost > 100);
    net.run_until(SECOND * 60, "every node has every message", |net| {
        (0..4).all(|node| net.holds_exactly(node, &texts("text", 300)))
    });
    net.assert_stored_once();
}

#[test]
fn a_lost_message_is_pulled_as_soon_as_a_later_one_shows_the_hole() {
    let mut net = Net::running(2);
    net.lost_messages = 100;
    net.submit(0, "text-0");
    net.run(SECOND / 10);
    net.lost_messages = 0;
    net.submit(0, "text-1");
    net.run(SECOND / 2);
    assert!(net.holds_exactly(1, &texts("text", 2)));
}

#[test]
fn a_lost_last_message_is_found_by_the_heartbeats_digest() {
    let mut net = Net::running(2);
    net.lost_messages = 100;
    net.submit(0, "text-0");
    net.run(SECOND);
    assert!(net.holds_exactly(1, &texts("text", 0)));
    net.lost_messages = 0;
    net.run(SECOND * 40);
    assert!(net.holds_exactly(1, &texts("text", 1)));
}

#[test]
fn a_node_that_does_not_hold_a_register_passes_its_messages_on() {
    let mut net = Net::new(3);
    for node in 0..3 {
        net.start(node);
    }
    net.set_policy(1, &[], &[]);
    net.cut(&[0], &[2]);
    net.run(SECOND * 3);
    net.submit(0, "text-0");
    net.run(SECOND);
    assert!(net.holds_exactly(2, &texts("text", 1)));
    assert!(net.nodes[1].store.messages.is_empty());
}

#[test]
fn running_out_of_hops_delays_and_does_not_lose() {
    let mut net = Net::chain();
    // The third step is one too many.
    for node in &mut net.nodes {
        node.configure = |config| config.gossip.hop_limit = 1;
    }
    net.start_all();
    net.submit(0, "text-0");
    net.run(SECOND / 10);
    let holding: Vec<bool> = (0..4).map(|node| net.holds_exactly(node, &texts("text", 1))).collect();
    assert_eq!(holding, [true, true, true, false]);
    net.run(SECOND / 2);
    assert!(net.holds_exactly(3, &texts("text", 1)), "it was announced, and asked for");
}

#[test]
fn a_verdict_that_never_comes_is_made_up_for_by_sync() {
    let mut net = Net::running(2);
    net.nodes[1].verifier_is_dead = true;
    net.submit(0, "text-0");
    net.run(SECOND);
    net.nodes[1].verifier_is_dead = false;
    net.run(SECOND * 120);
    assert!(net.holds_exactly(1, &texts("text", 1)));
}

/// Runs a network through most of what can happen, and gives the hash of all outputs.
fn trace(seed: u64) -> Option<u64> {
    let mut net = Net::with_seed(5, seed);
    net.lost_messages = 5;
    net.trace = Some(0xcbf2_9ce4_8422_2325);
    for node in 0..5 {
        net.start(node);
        net.run(SECOND / 3);
    }
    for number in 0..60 {
        net.submit(number % 5, &format!("text-{number}"));
        net.run(Duration::from_millis(20));
    }
    net.cut(&[0, 1], &[2, 3, 4]);
    net.run(SECOND * 10);
    net.submit_to(0, REGISTER, Bytes::from(vec![7; 300_000]));
    net.stop(4);
    net.heal();
    net.run(SECOND * 20);
    net.start(4);
    net.run(SECOND * 60);
    net.trace
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    assert_eq!(trace(11), trace(11));
    assert_ne!(trace(11), trace(12));
}

#[test]
fn a_clone_of_this_node_is_noticed() {
    let mut net = Net::running(2);
    net.nodes[1].key = net.nodes[0].key.clone();
    net.start(1);
    net.run(SECOND * 3);
    let noticed = net.events(0).any(|event| matches!(event, Event::DuplicateIdentity { .. }));
    assert!(noticed);
    assert!(net.engine(0).peers().is_empty(), "no link is kept with itself");
}

#[test]
fn time_stamps_follow_the_wall_clock() {
    let mut net = Net::running(1);
    let wall = Micros(net.now.0 + 30_000_000);
    net.give(0, OwnedInput::Plain(Input::Clock { wall }));
    net.submit(0, "text-0");
    net.run(SECOND);
    let message = net.nodes[0].store.messages.values().next().unwrap();
    assert_eq!(Micros(message.body().created_at_micros).since(wall), Duration::ZERO);
}

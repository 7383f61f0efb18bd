//! When a node may serve.

use super::net::{Net, SECOND, texts};
use crate::{Event, Readiness};

#[test]
fn nodes_that_start_together_are_ready_once_they_have_compared() {
    let mut net = Net::new(3);
    for node in 0..3 {
        net.start(node);
    }
    assert_eq!(net.readiness(0), Readiness::Waiting { missing: 0 });
    net.run(SECOND * 2);
    for node in 0..3 {
        assert_eq!(net.readiness(node), Readiness::Ready { alone: false }, "node {node}");
    }
}

#[test]
fn a_node_alone_is_ready_after_fifteen_seconds_and_says_so() {
    let mut net = Net::new(2);
    net.start(0);
    net.run(SECOND * 14);
    assert_eq!(net.readiness(0), Readiness::Waiting { missing: 0 });
    net.run(SECOND * 2);
    assert_eq!(net.readiness(0), Readiness::Ready { alone: true });
    net.start(1);
    net.run(SECOND * 20);
    assert_eq!(net.readiness(0), Readiness::Ready { alone: false });
}

#[test]
fn a_joiner_is_not_ready_before_it_holds_what_was_advertised() {
    let mut net = Net::new(2);
    net.start(0);
    net.run(SECOND * 16);
    for number in 0..2_000 {
        net.submit(0, &format!("text-{number}"));
        net.run(SECOND / 400);
    }
    net.start(1);
    net.run_until(SECOND * 30, "the joiner is ready", |net| {
        let is_ready = net.readiness(1).is_ready();
        assert!(!is_ready || net.holds_exactly(1, &texts("text", 2_000)), "ready too early");
        is_ready
    });
    let waited = net.events(1).any(|event| matches!(event, Event::ReadinessChanged { .. }));
    assert!(waited);
}

#[test]
fn later_news_take_readiness_from_nobody() {
    let mut net = Net::running(3);
    net.cut(&[0], &[1, 2]);
    net.run(SECOND * 10);
    for number in 0..500 {
        net.submit(1, &format!("text-{number}"));
        net.run(SECOND / 200);
    }
    net.heal();
    net.run_until(SECOND * 60, "node 0 has everything", |net| {
        assert!(net.readiness(0).is_ready());
        net.holds_exactly(0, &texts("text", 500))
    });
}

#[test]
fn a_peer_that_never_answers_holds_readiness_up_for_a_while_only() {
    let mut net = Net::new(3);
    net.start(0);
    net.start(1);
    net.nodes[2].begin_life_without_policy();
    net.run(SECOND * 30);
    assert!(net.readiness(0).is_ready() && net.readiness(1).is_ready());
}

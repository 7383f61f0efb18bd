//! A node that ends in order.

use super::net::{Net, OwnedInput, REGISTER, SECOND, texts};
use crate::{Advertisement, Event, HolderState, Input, SubmitRefusal};
use std::time::Duration;

#[test]
fn everything_accepted_is_with_the_peers_before_the_links_close() {
    let mut net = Net::running(2);
    for number in 0..100 {
        net.submit(0, &format!("text-{number}"));
    }
    net.give(0, OwnedInput::Plain(Input::Drain));
    net.submit(0, "late-0");
    assert_eq!(net.nodes[0].refused[0].1, SubmitRefusal::Draining);
    net.run_until(SECOND, "it has drained", |net| net.events(0).any(|event| *event == Event::Drained));
    assert_eq!(net.nodes[0].accepted.len(), 100);
    assert!(net.engine(0).peers().is_empty());
    net.stop(0);
    net.run(SECOND);
    assert!(net.holds_exactly(1, &texts("text", 100)));
}

#[test]
fn an_idle_node_drains_at_once_and_keeps_no_link_afterwards() {
    let mut net = Net::running(3);
    net.give(0, OwnedInput::Plain(Input::Drain));
    assert!(net.events(0).any(|event| *event == Event::Drained));
    net.run(SECOND * 30);
    assert!(net.engine(0).peers().is_empty(), "the others dial and are refused");
    assert_eq!(net.events(0).filter(|event| **event == Event::Drained).count(), 1);
}

#[test]
fn draining_waits_for_the_store() {
    let mut net = Net::running(2);
    net.nodes[0].store.fails = true;
    net.submit(0, "text-0");
    net.run(Duration::from_millis(20));
    net.give(0, OwnedInput::Plain(Input::Drain));
    net.run(SECOND * 3);
    assert!(!net.events(0).any(|event| *event == Event::Drained), "a numbered message is not left behind");
    net.nodes[0].store.fails = false;
    net.run(SECOND * 2);
    assert!(net.events(0).any(|event| *event == Event::Drained));
    assert!(net.holds_exactly(1, &texts("text", 1)));
}

#[test]
fn who_ends_in_order_takes_back_what_it_has_said_it_holds() {
    let mut net = Net::running(2);
    let (register, state) = (REGISTER, HolderState::Sealing);
    let (name, description) = (String::new(), String::new());
    net.nodes[0].advertised = vec![Advertisement { register, first: 0, dockets: 5, state, name, description }];
    net.give(0, OwnedInput::Plain(Input::HoldingsChanged { at_once: true }));
    net.run(SECOND);
    assert_eq!(net.engine(1).advertisements().len(), 1);
    net.give(0, OwnedInput::Plain(Input::Drain));
    net.give(0, OwnedInput::Plain(Input::HoldingsChanged { at_once: true }));
    net.run(SECOND);
    assert!(net.engine(1).advertisements().is_empty());
    assert_eq!(net.engine(0).statistics().advertisements.told, 0);
}

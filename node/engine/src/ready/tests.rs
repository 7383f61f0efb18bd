use super::{Ready, Situation};
use crate::{Micros, Readiness};
use std::time::Duration;

const START: Micros = Micros(1_000_000_000);
const SECOND: Duration = Duration::from_secs(1);
const NOBODY: Situation = Situation { loaded: true, links: 0, links_caught_up: 0, all_attempted: false };

fn ready() -> Ready {
    Ready::new(SECOND * 15)
}

fn links(links: usize, links_caught_up: usize, all_attempted: bool) -> Situation {
    Situation { loaded: true, links, links_caught_up, all_attempted }
}

#[test]
fn a_node_that_reaches_nobody_is_ready_alone_after_a_while_and_not_alone_once_it_caught_up() {
    let mut ready = ready();
    assert!(!ready.look(START, NOBODY));
    assert_eq!(ready.next_look(START), Some(START + SECOND * 15));
    assert!(!ready.look(START + SECOND * 14, NOBODY));
    assert!(ready.look(START + SECOND * 15, NOBODY));
    assert_eq!(ready.readiness(|| 0), Readiness::Ready { alone: true });
    assert!(!ready.look(START + SECOND * 16, links(1, 0, true)), "a later link makes nobody wait");
    assert!(ready.look(START + SECOND * 17, links(1, 1, true)));
    assert_eq!(ready.readiness(|| 0), Readiness::Ready { alone: false });
}

#[test]
fn a_node_waits_for_all_links_and_all_addresses() {
    let mut ready = ready();
    assert!(!ready.look(START, links(1, 1, false)));
    assert!(!ready.look(START, links(2, 1, true)));
    assert!(ready.look(START, links(2, 2, true)));
}

#[test]
fn addresses_that_neither_answer_nor_refuse_hold_it_up_for_a_while_only() {
    let mut ready = ready();
    assert!(!ready.look(START, links(1, 1, false)));
    assert_eq!(ready.next_look(START), Some(START + SECOND * 15));
    assert!(ready.look(START + SECOND * 15, links(1, 1, false)));
}

#[test]
fn a_long_catch_up_is_waited_for() {
    let mut ready = ready();
    assert!(!ready.look(START, links(1, 0, true)));
    assert!(!ready.look(START + SECOND * 600, links(1, 0, true)));
    assert_eq!(ready.readiness(|| 7), Readiness::Waiting { missing: 7 });
}

#[test]
fn a_link_that_comes_and_goes_restarts_the_wait_for_somebody() {
    let mut ready = ready();
    ready.look(START, NOBODY);
    ready.look(START + SECOND * 10, links(1, 0, true));
    ready.look(START + SECOND * 11, NOBODY);
    assert!(!ready.look(START + SECOND * 20, NOBODY));
    assert!(ready.look(START + SECOND * 26, NOBODY));
}

#[test]
fn nothing_is_decided_before_the_store_has_told() {
    let mut ready = ready();
    ready.look(START, NOBODY);
    assert!(!ready.look(START + SECOND * 60, Situation { loaded: false, ..NOBODY }));
    assert!(ready.look(START + SECOND * 61, NOBODY));
}

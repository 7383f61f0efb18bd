//! Known bugs, put back: the simulator notices each, by the invariant that it breaks. The same seed without the bug passes.

#![expect(clippy::panic, reason = "a test that fails")]

use peerwright_sim::{Fault, Mutant, Options, Scenario, run};
use std::time::Duration;

/// So many seeds are tried until one meets what shows the bug.
const SEEDS: u64 = 16;

/// Some seed shows a bug, and without the bug passes.
fn is_caught_as(invariant: &str, conditions: impl Fn(&mut Options), bug: impl Fn(&mut Options)) {
    let scenario = Scenario::named("swarm").unwrap_or_else(|| panic!("no such scenario"));
    for seed in 1..=SEEDS {
        let mut options = scenario.options(seed, 8, Duration::from_secs(120));
        options.fault_every = Duration::from_secs(3);
        conditions(&mut options);
        let sound = options.clone();
        bug(&mut options);
        if let Err(failure) = run(scenario, options) {
            assert_eq!(failure.broken.invariant, invariant, "{failure}");
            run(scenario, sound).unwrap_or_else(|failure| panic!("without the bug: {failure}"));
            return;
        }
    }
    panic!("{SEEDS} seeds did not show the bug");
}

#[test]
fn a_link_whose_end_was_missed() {
    is_caught_as(
        "live_links",
        |options| options.faults = vec![Fault::Reset],
        |options| options.mutant = Some(Mutant::MissedLinkDown),
    );
}

#[test]
fn a_ban_that_ends_when_the_peer_is_heard_of_again() {
    is_caught_as(
        "bans",
        |options| {
            options.faults = vec![Fault::Ban, Fault::Reset];
            options.bans_at_handshake = false;
        },
        |options| options.mutant = Some(Mutant::UnbanByUpsert),
    );
}

#[test]
fn an_incarnation_that_was_not_synced() {
    is_caught_as(
        "incarnations",
        |options| options.faults = vec![Fault::Clock, Fault::Crash],
        |options| options.forgets_incarnations = true,
    );
}

//! Known bugs, put back: the simulator notices each, by the invariant that it breaks. The same seed without the bug passes.

#![expect(clippy::panic, reason = "a test that fails")]

use peerwright_sim::{Adversary, Fault, Mutant, Options, Scenario, run};
use std::time::Duration;

/// So many seeds are tried until one meets what shows the bug.
const SEEDS: u64 = 16;

/// Some seed shows a bug, and without the bug passes.
fn is_caught_as(invariant: &str, conditions: impl Fn(&mut Options), bug: impl Fn(&mut Options)) {
    let scenario = Scenario::named("swarm").unwrap_or_else(|| panic!("no such scenario"));
    for seed in 1..=SEEDS {
        let mut options = scenario.options(seed, 8, Duration::from_secs(120));
        options.fault_every = Duration::from_secs(3);
        options.adversaries = Vec::new();
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
fn a_message_marked_as_seen_before_it_verified() {
    is_caught_as(
        "exact",
        |options| {
            options.faults = Vec::new();
            options.adversaries = vec![Adversary::Forger];
        },
        |options| options.mutant = Some(Mutant::MarkBeforeVerify),
    );
}

#[test]
fn a_window_that_slides_past_a_hole() {
    is_caught_as(
        "exact",
        |options| {
            options.faults = vec![Fault::Reset];
            options.loss = 50_000;
            options.publish_every = Duration::from_millis(100);
        },
        |options| options.mutant = Some(Mutant::WindowSlide),
    );
}

#[test]
fn a_liar_that_is_asked_again_and_again() {
    is_caught_as(
        "prompt",
        |options| {
            options.faults = Vec::new();
            options.adversaries = vec![Adversary::Liar; 4];
            // Far from its origin, a message comes to those alone who ask for it.
            options.nodes = 24;
            options.configure = |config| config.gossip.hop_limit = 1;
            options.publish_every = Duration::from_secs(10);
            options.prompt_within = Some(Duration::from_secs(5));
        },
        |options| options.mutant = Some(Mutant::GraftToALiar),
    );
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
fn a_list_that_withdraws_nothing() {
    is_caught_as(
        "advertised",
        |options| {
            options.faults = vec![Fault::Partition];
            options.advertises = true;
            options.publish_every = Duration::from_secs(1);
        },
        |options| options.mutant = Some(Mutant::ListsOnlyAdd),
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

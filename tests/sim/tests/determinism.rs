//! One seed, one trace.

#![expect(clippy::panic, reason = "a test that fails")]

use peerwright_sim::{Options, Report, Scenario, run};
use std::time::Duration;

fn finished(change: impl FnOnce(&mut Options), seed: u64) -> Report {
    let scenario = Scenario::named("swarm").unwrap_or_else(|| panic!("no such scenario"));
    let mut options = scenario.options(seed, 12, Duration::from_secs(60));
    change(&mut options);
    run(scenario, options).unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_does_not() {
    let trace = |seed| finished(|_| {}, seed).trace;
    assert_eq!(trace(5), trace(5));
    assert_ne!(trace(5), trace(6));
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let trace = |threads| finished(|options| options.threads = threads, 7).trace;
    assert_eq!(trace(1), trace(2));
    assert_eq!(trace(1), trace(3));
}

#[test]
fn tags_and_signatures_give_the_same_verdicts() {
    let report = finished(
        |options| {
            options.verify_signatures = true;
            options.origins = 4;
        },
        8,
    );
    assert!(report.measured.deliveries() > 0);
}

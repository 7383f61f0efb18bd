//! One seed, one trace.

#![expect(clippy::panic, reason = "a test that fails")]

use peerwright_sim::{Options, Report, run};
use std::time::Duration;

fn finished(options: Options) -> Report {
    run(options).unwrap_or_else(|failure| panic!("{failure}"))
}

fn swarm(seed: u64) -> Options {
    Options::swarm(seed, 12, Duration::from_secs(60))
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_does_not() {
    let trace = |seed| finished(swarm(seed)).trace;
    assert_eq!(trace(5), trace(5));
    assert_ne!(trace(5), trace(6));
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let trace = |threads| finished(Options { threads, ..swarm(7) }).trace;
    assert_eq!(trace(1), trace(2));
    assert_eq!(trace(1), trace(3));
}

#[test]
fn tags_and_signatures_give_the_same_verdicts() {
    let options = Options { verify_signatures: true, origins: 4, ..swarm(8) };
    assert!(finished(options).deliveries() > 0);
}

//! Drawn conditions and faults: all invariants hold. `SIM_SEEDS=100..200` chooses the seeds.

#![expect(clippy::panic, reason = "a test that fails")]

use peerwright_sim::{Scenario, run};
use std::time::Duration;

fn seeds() -> std::ops::Range<u64> {
    let named = std::env::var("SIM_SEEDS").unwrap_or_else(|_| "0..8".to_owned());
    let ends = named.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    ends.unwrap_or_else(|| panic!("SIM_SEEDS is no range like 0..8: {named}"))
}

#[test]
fn every_invariant_holds_whatever_the_seed_draws() {
    let scenario = Scenario::named("swarm").unwrap();
    for seed in seeds() {
        let options = scenario.options(seed, 10, Duration::from_secs(120));
        run(scenario, options).unwrap_or_else(|failure| panic!("{failure}"));
    }
}

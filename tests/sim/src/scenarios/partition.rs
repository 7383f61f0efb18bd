//! Two halves that cannot reach each other for half an hour, each with its own load: no bans, and everything is
//! everywhere soon after.

use super::{Finding, Scenario, count};
use crate::{faults::Change, invariants::Broken, options::Options, simulation::Simulation};
use std::time::Duration;

const CUT: Duration = Duration::from_secs(1_800);
/// Both halves hold the same again after so long, seconds.
const GOAL: f64 = 90.0;

pub(super) const PARTITION: Scenario = Scenario {
    name: "partition",
    about: "two halves apart for 30 minutes",
    options: |seed, nodes, safety| Options {
        safety,
        origins: nodes.min(8),
        publish_every: Duration::from_secs(30),
        ..Options::calm(seed, nodes)
    },
    script: run,
};

fn run(simulation: &mut Simulation) -> Result<Vec<Finding>, Broken> {
    simulation.warm_up()?;
    let sides = (0..simulation.options().nodes).map(|node| u8::from(node % 2 == 0)).collect();
    simulation.apply(Change::Partition(sides));
    simulation.pass(CUT)?;
    let level = simulation.settle()?;
    let bans = simulation.measured().automatic_bans();
    Ok(vec![
        Finding::at_most("bans", count(bans), "", 0.0),
        Finding::at_most("both halves hold the same after", level.as_secs_f64(), "s", GOAL),
    ])
}

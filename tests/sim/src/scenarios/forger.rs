//! One node sends 300 forged messages a second to each of its neighbours. Honest messages arrive as fast as before, and
//! nobody but the forger is convicted.

use super::{Finding, Scenario, milliseconds};
use crate::{faults::Change, invariants::Broken, options::Options, simulation::Simulation};
use std::time::Duration;

/// How much longer an honest message may take than without the forger.
const GOAL: f64 = 1.2;

pub(super) const FORGER: Scenario = Scenario {
    name: "forger",
    about: "300 forged messages a second on each link of one node",
    options: |seed, nodes, safety| Options {
        safety,
        verify_every: Duration::from_millis(1),
        publish_every: Duration::from_secs(2),
        warm_up: Duration::from_secs(30),
        ..Options::calm(seed, nodes)
    },
    script: run,
};

fn run(simulation: &mut Simulation) -> Result<Vec<Finding>, Broken> {
    simulation.warm_up()?;
    let half = simulation.options().safety / 2;
    simulation.pass(half)?;
    let before = simulation.measured().latency(990);
    simulation.measure();
    simulation.apply(Change::BeginForging(simulation.options().nodes - 1));
    simulation.pass(half)?;
    let measured = simulation.measured();
    let during = measured.latency(990);
    let ratio = during.as_secs_f64() / before.as_secs_f64().max(1e-6);
    let findings = vec![
        Finding::new("forged messages", f64::from(u32::try_from(measured.forged()).unwrap_or(u32::MAX)), ""),
        Finding::new(
            "links closed for what was said on them",
            f64::from(u32::try_from(measured.accusations()).unwrap_or(u32::MAX)),
            "",
        ),
        Finding::new("p99 latency before", milliseconds(before), "ms"),
        Finding::at_most("p99 latency meanwhile, to that before", ratio, "", GOAL),
    ];
    simulation.settle()?;
    Ok(findings)
}

//! As many nodes as a machine holds, with little load: what a simulated minute costs.

use super::{Finding, Scenario};
use crate::{invariants::Broken, options::Options, simulation::Simulation};
use std::time::Duration;

pub(super) const LARGE: Scenario = Scenario {
    name: "large",
    about: "64 origins with a message every 10 s each, 1 % loss; how long a simulated minute takes",
    options: |seed, nodes, safety| Options {
        safety,
        loss: 10_000,
        warm_up: Duration::from_secs(20),
        origins: nodes.min(64),
        publish_every: Duration::from_secs(10),
        ..Options::calm(seed, nodes)
    },
    script: run,
};

fn run(simulation: &mut Simulation) -> Result<Vec<Finding>, Broken> {
    simulation.warm_up()?;
    simulation.pass(simulation.options().safety)?;
    let measured = simulation.measured();
    let minutes = measured.time.as_secs_f64() / 60.0;
    let findings = vec![
        Finding::new("a simulated minute takes", measured.wall.as_secs_f64() / minutes.max(1e-6), "s"),
        Finding::new("events a second meanwhile", measured.event_rate(), ""),
        Finding::new("redundant copies per delivery", measured.redundant_copies(), "copies"),
    ];
    simulation.settle()?;
    Ok(findings)
}

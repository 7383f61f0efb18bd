//! A tenth of the nodes name addresses where no node is: loopback, metadata services, other networks, and one machine
//! inside the network's own ranges that is to be knocked at by everybody. Nobody dials what is forbidden (an invariant
//! of every run), the machine is dialled seldom, and the overlay does not suffer.

use super::{Finding, Scenario, count, overlay::Overlay};
use crate::{
    adversary::Adversary,
    invariants::Broken,
    options::{Known, Options},
    simulation::Simulation,
};
use std::time::Duration;

/// One node in so many is hostile.
const SHARE: u32 = 10;
/// Dials to places without a node that an honest node may make in a minute.
const GOAL: f64 = 2.0;

pub(super) const TRAPS: Scenario = Scenario {
    name: "traps",
    about: "a tenth of the nodes name addresses where no node is",
    options: |seed, nodes, safety| Options {
        safety,
        warm_up: Duration::from_secs(30),
        known: Known::Seeds(3),
        ..Options::calm(seed, nodes)
    },
    script: run,
};

fn run(simulation: &mut Simulation) -> Result<Vec<Finding>, Broken> {
    let nodes = simulation.options().nodes;
    super::attack(simulation, SHARE, Adversary::Trapper);
    simulation.warm_up()?;
    let safety = simulation.options().safety;
    simulation.pass(safety)?;
    let measured = simulation.measured();
    let rate = measured.astray() / f64::from(nodes) / (safety.as_secs_f64() / 60.0);
    let overlay = Overlay::of(&simulation.network);
    let findings = vec![
        Finding::at_most("dials a minute and node to where no node is", rate, "", GOAL),
        Finding::at_most("honest nodes cut off", count(overlay.cut_off()), "", 0.0),
    ];
    simulation.settle()?;
    Ok(findings)
}

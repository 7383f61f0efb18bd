//! Load and drawn faults, or none: only the invariants speak.

use super::{Finding, Scenario};
use crate::{faults, invariants::Broken, options::Options, simulation::Simulation};

pub(super) const SWARM: Scenario = Scenario {
    name: "swarm",
    about: "conditions and faults that the seed draws",
    options: Options::swarm,
    script: run,
};

pub(super) const CALM: Scenario = Scenario {
    name: "calm",
    about: "no faults",
    options: |seed, nodes, safety| Options { safety, ..Options::calm(seed, nodes) },
    script: run,
};

fn run(simulation: &mut Simulation) -> Result<Vec<Finding>, Broken> {
    drawn(simulation)?;
    Ok(Vec::new())
}

/// Load and the faults that the seed draws, then none, until all agree.
pub(super) fn drawn(simulation: &mut Simulation) -> Result<(), Broken> {
    simulation.warm_up()?;
    let began = simulation.now();
    let options = simulation.options().clone();
    for (host, adversary) in (0..options.nodes).rev().zip(&options.adversaries) {
        simulation.apply(faults::Change::Attack(host, *adversary));
    }
    for (at, change) in faults::plan(&options) {
        simulation.pass((began + at).since(simulation.now()))?;
        simulation.apply(change);
    }
    simulation.pass((began + options.safety).since(simulation.now()))?;
    simulation.settle()?;
    Ok(())
}

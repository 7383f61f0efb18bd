//! 5 % of packets are lost and one node in a hundred stands still for 5 s at a time: nobody is banned for it, and what is
//! published meanwhile is everywhere in the end.

use super::{Finding, Scenario, count};
use crate::{faults::Fault, invariants::Broken, options::Options, simulation::Simulation};
use std::time::Duration;

pub(super) const SILENCE: Scenario = Scenario {
    name: "pauses",
    about: "5 % loss, 1 % of the nodes pause for 5 s and more at any time",
    options: |seed, nodes, safety| Options {
        safety,
        loss: 50_000,
        faults: vec![Fault::Pause],
        // Each pause lasts 12 s on average, and one node in a hundred is in one.
        fault_every: Duration::from_millis(1_200_000 / u64::from(nodes.max(1))),
        ..Options::calm(seed, nodes)
    },
    script: run,
};

fn run(simulation: &mut Simulation) -> Result<Vec<Finding>, Broken> {
    super::swarm::drawn(simulation)?;
    let bans = simulation.measured().automatic_bans();
    Ok(vec![Finding::at_most("bans", count(bans), "", 0.0)])
}

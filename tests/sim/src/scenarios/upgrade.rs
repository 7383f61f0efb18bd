//! Nodes end in order, one by one, and start again with a version that says things which the old one does not know. Nobody
//! is banned or disconnected for it.

use super::{Finding, Scenario, count, membership};
use crate::{
    faults::{Change, DRAINED},
    invariants::Broken,
    options::Options,
    simulation::Simulation,
};
use std::time::Duration;

/// A node is down for so long.
const RESTART: Duration = Duration::from_secs(3);
/// The next one follows after so long.
const NEXT: Duration = Duration::from_secs(12);

pub(super) const UPGRADE: Scenario = Scenario {
    name: "upgrade",
    about: "a rolling upgrade from version N to N+1, with frames of unknown kinds",
    options: |seed, nodes, safety| Options {
        safety,
        publish_every: Duration::from_secs(2),
        ..Options::calm(seed, nodes)
    },
    script: run,
};

fn run(simulation: &mut Simulation) -> Result<Vec<Finding>, Broken> {
    simulation.warm_up()?;
    for node in 0..simulation.options().nodes {
        simulation.apply(Change::Drain(node));
        simulation.pass(DRAINED)?;
        simulation.apply(Change::Kill(node));
        simulation.apply(Change::Upgrade(node));
        simulation.pass(RESTART)?;
        simulation.apply(Change::Start(node));
        simulation.pass(NEXT)?;
    }
    simulation.settle()?;
    let measured = simulation.measured();
    Ok(vec![
        Finding::new("frames of unknown kinds", count(measured.unsupported_frames()), ""),
        membership(simulation, &measured),
        Finding::at_most("bans", count(measured.automatic_bans()), "", 0.0),
        Finding::at_most("links closed for what was said on them", count(measured.accusations()), "", 0.0),
    ])
}

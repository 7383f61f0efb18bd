//! Certified members conspire: a fifth of the nodes name each other only, dial everybody and ask with priority to be
//! neighbours. No honest node loses all its honest neighbours, also not one that starts again among them; and when the
//! conspirators all fall silent at once, the honest nodes are one network still.

use super::{Finding, Scenario, count, overlay::Overlay};
use crate::{
    adversary::Adversary,
    faults::Change,
    invariants::Broken,
    options::{Known, Options},
    simulation::Simulation,
};
use std::time::Duration;

/// One node in so many is hostile.
const SHARE: u32 = 5;
/// One honest node in so many starts again.
const RESTARTED: usize = 10;
/// The largest share of honest nodes' neighbours that the conspirators may get: five of eight places are anybody's.
const GOAL: f64 = 0.625;

pub(super) const ECLIPSE: Scenario = Scenario {
    name: "eclipse",
    about: "a fifth of the nodes name only each other and crowd into every view",
    options: |seed, nodes, safety| Options {
        safety,
        warm_up: Duration::from_secs(60),
        known: Known::Seeds(3),
        ..Options::calm(seed, nodes)
    },
    script: run,
};

fn run(simulation: &mut Simulation) -> Result<Vec<Finding>, Broken> {
    let nodes = simulation.options().nodes;
    let hostile = super::attack(simulation, SHARE, Adversary::Conspirator);
    simulation.warm_up()?;
    let half = simulation.options().safety / 2;
    simulation.pass(half)?;
    for host in (0..nodes).filter(|host| !hostile.contains(host)).step_by(RESTARTED) {
        simulation.apply(Change::Kill(host));
        simulation.apply(Change::Start(host));
    }
    simulation.pass(half)?;
    let during = Overlay::of(&simulation.network);
    for host in &hostile {
        simulation.apply(Change::PowerOff(*host));
    }
    simulation.pass(Duration::from_secs(30))?;
    let after = Overlay::of(&simulation.network);
    let findings = vec![
        Finding::at_most("hostile share of honest nodes' neighbours", during.hostile_share(), "", GOAL),
        Finding::at_most("honest nodes without an honest neighbour", count(during.eclipsed()), "", 0.0),
        Finding::at_most("honest nodes cut off when the others vanish", count(after.cut_off()), "", 0.0),
    ];
    simulation.settle()?;
    Ok(findings)
}

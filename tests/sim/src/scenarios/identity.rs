//! One identity, two histories: a second process with a node's key, and an origin that signs two messages under one name.
//! Both are noticed, nobody honest suffers for it, and no node stores two messages of one name.

use super::{Finding, Scenario, count, milliseconds};
use crate::{
    adversary::Adversary,
    faults::{Change, Fault},
    invariants::Broken,
    options::Options,
    simulation::Simulation,
};
use std::time::Duration;

/// How often it is looked whether it was noticed: what is found is too late by at most so much.
const LOOK: Duration = Duration::from_millis(20);
/// Looking ends after so long.
const PATIENCE: Duration = Duration::from_secs(30);
/// The first proof is everywhere after so long, milliseconds: where trees are such that nobody hears both of the first two
/// messages, the origin's next one, 2 s later, names a message that some do not know; a second more brings the proof to all.
const PROVEN: f64 = 3_000.0;
/// Some node says that an identity runs twice after so long, milliseconds.
const NOTICED: f64 = 5_000.0;

pub(super) const CLONE: Scenario = Scenario {
    name: "clone",
    about: "a second process runs with a node's key and a copy of its volume",
    options: |seed, nodes, safety| Options { faults: vec![Fault::Clone], ..conditions(seed, nodes, safety) },
    script: run_clone,
};

pub(super) const EQUIVOCATOR: Scenario = Scenario {
    name: "equivocator",
    about: "one node signs two messages under each name and tells every second neighbour the other one",
    options: conditions,
    script: run_equivocator,
};

fn conditions(seed: u64, nodes: u32, safety: Duration) -> Options {
    Options {
        safety,
        publish_every: Duration::from_secs(2),
        warm_up: Duration::from_secs(30),
        ..Options::calm(seed, nodes)
    }
}

fn run_clone(simulation: &mut Simulation) -> Result<Vec<Finding>, Broken> {
    simulation.warm_up()?;
    let host = simulation.options().nodes / 2;
    simulation.apply(Change::Clone { host, with_volume: true });
    let noticed = until(simulation, |simulation| simulation.measured().doubles_noticed() > 0)?;
    simulation.pass(simulation.options().safety)?;
    let measured = simulation.measured();
    let level = simulation.settle()?;
    Ok(vec![
        Finding::at_most("a node says that the identity runs twice after", milliseconds(noticed), "ms", NOTICED),
        Finding::at_most("nodes banned", count(measured.automatic_bans()), "", 0.0),
        Finding::new("all hold the same, from the end of the clone on, after", level.as_secs_f64(), "s"),
    ])
}

fn run_equivocator(simulation: &mut Simulation) -> Result<Vec<Finding>, Broken> {
    simulation.warm_up()?;
    let half = simulation.options().safety / 2;
    simulation.pass(half)?;
    let before = simulation.measured().latency(990);
    simulation.measure();
    let host = simulation.options().nodes.saturating_sub(1);
    let key = simulation.network.host(host).key.public();
    simulation.apply(Change::Attack(host, Adversary::Equivocator));
    let proven = until(simulation, |simulation| simulation.honest().all(|other| other.convicted.contains(&key)))?;
    simulation.pass(half)?;
    let measured = simulation.measured();
    let during = measured.latency(990);
    simulation.settle()?;
    Ok(vec![
        Finding::at_most("all honest nodes hold a proof after", milliseconds(proven), "ms", PROVEN),
        Finding::at_most("honest nodes convicted or banned", count(measured.honest_bans()), "", 0.0),
        Finding::at_most(
            "p99 latency meanwhile, to that before",
            during.as_secs_f64() / before.as_secs_f64().max(1e-6),
            "",
            super::attack::GOAL,
        ),
    ])
}

/// How long it takes until something is so.
fn until(simulation: &mut Simulation, is_so: impl Fn(&mut Simulation) -> bool) -> Result<Duration, Broken> {
    let began = simulation.now();
    loop {
        simulation.pass(LOOK)?;
        let passed = simulation.now().since(began);
        if passed >= PATIENCE || is_so(simulation) {
            return Ok(passed);
        }
    }
}

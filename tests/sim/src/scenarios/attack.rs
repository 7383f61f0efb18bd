//! Some nodes are hostile for half of the time. Honest messages arrive as fast as before, and no honest node is convicted
//! or banned.

use super::{Finding, Scenario, count, milliseconds};
use crate::{adversary::Adversary, faults::Change, invariants::Broken, options::Options, simulation::Simulation};
use std::time::Duration;

/// How much longer an honest message may take than without the attack.
pub(super) const GOAL: f64 = 1.2;
/// Of the nodes, one in so many is a liar.
const LIARS: u32 = 4;
/// With that many liars, the last honest node has a message after so long, milliseconds.
const LAST: f64 = 1_000.0;

pub(super) const FORGER: Scenario = Scenario {
    name: "forger",
    about: "300 forged messages a second on each link of one node",
    options: conditions,
    script: |simulation| run(simulation, Adversary::Forger, 1),
};

pub(super) const REPLAYER: Scenario = Scenario {
    name: "replayer",
    about: "300 old signed messages a second on each link of one node",
    options: conditions,
    script: |simulation| run(simulation, Adversary::Replayer, 1),
};

pub(super) const SYBIL: Scenario = Scenario {
    name: "sybil",
    about: "a quarter of the identities belong to one adversary, announce messages and never give one",
    options: conditions,
    script: |simulation| {
        let liars = simulation.options().nodes / LIARS;
        run(simulation, Adversary::Liar, liars)
    },
};

fn conditions(seed: u64, nodes: u32, safety: Duration) -> Options {
    Options {
        safety,
        verify_every: Duration::from_millis(1),
        publish_every: Duration::from_secs(2),
        warm_up: Duration::from_secs(30),
        ..Options::calm(seed, nodes)
    }
}

fn run(simulation: &mut Simulation, adversary: Adversary, hostile: u32) -> Result<Vec<Finding>, Broken> {
    simulation.warm_up()?;
    let half = simulation.options().safety / 2;
    simulation.pass(half)?;
    let before = simulation.measured().latency(990);
    simulation.measure();
    let nodes = simulation.options().nodes;
    for host in nodes.saturating_sub(hostile)..nodes {
        simulation.apply(Change::Attack(host, adversary));
    }
    simulation.pass(half)?;
    let measured = simulation.measured();
    let during = measured.latency(990);
    let ratio = during.as_secs_f64() / before.as_secs_f64().max(1e-6);
    let findings = vec![
        Finding::new("hostile nodes", f64::from(hostile), ""),
        Finding::new("messages of theirs", count(measured.hostile()), ""),
        Finding::new("links closed for what was said on them", count(measured.accusations()), ""),
        Finding::at_most("honest nodes convicted or banned", count(measured.honest_bans()), "", 0.0),
        Finding::new("p99 latency before", milliseconds(before), "ms"),
        if adversary == Adversary::Liar {
            Finding::at_most("longest latency meanwhile", milliseconds(measured.longest_latency()), "ms", LAST)
        } else {
            Finding::at_most("p99 latency meanwhile, to that before", ratio, "", GOAL)
        },
    ];
    simulation.settle()?;
    Ok(findings)
}

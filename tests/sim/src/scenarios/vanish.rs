//! Three of ten nodes vanish at once, and the next message still reaches everybody else.

use super::{Finding, Scenario, count, milliseconds};
use crate::{
    event::{HostId, What},
    faults::Change,
    invariants::Broken,
    options::Options,
    random::Random,
    simulation::Simulation,
};
use std::time::Duration;

/// When the next messages are published after the loss.
const NEXT_AFTER: Duration = Duration::from_millis(1);
/// How many nodes publish one.
const MESSAGES: usize = 8;
/// The last node is reached within so long, milliseconds.
const GOAL: f64 = 450.0;
/// How long a silent loss may take to be known, by the number of nodes.
const KNOWN: [(u32, f64); 3] = [(100, 3_000.0), (1_000, 4_000.0), (u32::MAX, 8_000.0)];

pub(super) const RESET: Scenario = Scenario {
    name: "vanish",
    about: "30 % of the processes are killed at once; connections are reset",
    options: conditions,
    script: |simulation| run(simulation, false),
};

pub(super) const SILENT: Scenario = Scenario {
    name: "vanish-silent",
    about: "30 % of the machines lose power at once; nobody hears anything",
    options: conditions,
    script: |simulation| run(simulation, true),
};

fn conditions(seed: u64, nodes: u32, safety: Duration) -> Options {
    Options { safety, warm_up: Duration::from_secs(40), ..Options::calm(seed, nodes) }
}

fn run(simulation: &mut Simulation, silent: bool) -> Result<Vec<Finding>, Broken> {
    simulation.warm_up()?;
    simulation.stop_publishing();
    simulation.pass(Duration::from_secs(10))?;
    let nodes = simulation.options().nodes;
    let mut random = Random::new(simulation.options().seed, 4);
    let mut order: Vec<HostId> = (0..nodes).collect();
    for place in 1..order.len() {
        order.swap(place, random.place(place + 1));
    }
    let (lost, left) = order.split_at(order.len() * 3 / 10);
    for host in lost {
        simulation.apply(if silent { Change::PowerOff(*host) } else { Change::Kill(*host) });
    }
    simulation.measure();
    for host in left.iter().take(MESSAGES) {
        simulation.schedule(NEXT_AFTER, *host, What::PublishOnce);
    }
    simulation.pass(Duration::from_secs(20))?;
    let measured = simulation.measured();
    let wanted = left.len().saturating_sub(1) * MESSAGES.min(left.len());
    let missing = wanted.saturating_sub(usize::try_from(measured.deliveries()).unwrap_or(0));
    let known =
        if silent { KNOWN.iter().find(|(most, _)| nodes <= *most).map_or(0.0, |(_, known)| *known) } else { 0.0 };
    let findings = vec![
        Finding::at_most("deliveries missing", count(missing as u64), "", 0.0),
        Finding::new("p99 latency", milliseconds(measured.latency(990)), "ms"),
        Finding::at_most("last node reached after", milliseconds(measured.longest_latency()), "ms", GOAL + known),
    ];
    simulation.settle()?;
    Ok(findings)
}

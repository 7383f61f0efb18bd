//! What spreading costs when the trees are warm, beside flooding on the same overlay.
//!
//! The latency of flooding is that of the shortest path, computed over the links that there are at the end.

use super::{Finding, Scenario, membership, milliseconds};
use crate::{flooding, invariants::Broken, options::Options, report, simulation::Simulation};
use std::time::Duration;

/// How long trees are given to form.
const WARM_UP: Duration = Duration::from_secs(40);
/// Mean time between two messages of an origin where everybody is one ...
const RARELY: Duration = Duration::from_secs(60);
/// ... and how long trees are given there: every origin has had its first message, and most a second.
const RARE_WARM_UP: Duration = Duration::from_secs(150);

pub(super) const SPREADING: Scenario = Scenario {
    name: "spreading",
    about: "copies and latency of warm trees, no loss",
    options: |seed, nodes, safety| conditions(seed, nodes, safety, 0),
    script: |simulation| run(simulation, Some(0.05)),
};

pub(super) const LOSSY: Scenario = Scenario {
    name: "spreading-lossy",
    about: "the same with 1 % of packets lost",
    options: |seed, nodes, safety| conditions(seed, nodes, safety, 10_000),
    script: |simulation| run(simulation, Some(0.25)),
};

pub(super) const EVERYBODY: Scenario = Scenario {
    name: "everybody",
    about: "every node publishes, a message a minute each: copies and memory, no loss",
    options: |seed, nodes, safety| {
        let few = conditions(seed, nodes, safety, 0);
        Options { origins: nodes, publish_every: RARELY, warm_up: RARE_WARM_UP, ..few }
    },
    script: |simulation| {
        let mut findings = run(simulation, None)?;
        let nodes = f64::from(simulation.options().nodes);
        let memory = report::peak_memory_kib() / nodes;
        findings.push(Finding::new("peak memory of the process for each node", memory, "KiB"));
        Ok(findings)
    },
};

fn conditions(seed: u64, nodes: u32, safety: Duration, loss: u32) -> Options {
    Options { safety, loss, warm_up: WARM_UP, origins: 64.min(nodes), ..Options::calm(seed, nodes) }
}

/// With a goal for copies, and without loss, there is one for the latency, too.
fn run(simulation: &mut Simulation, goal: Option<f64>) -> Result<Vec<Finding>, Broken> {
    simulation.warm_up()?;
    simulation.pass(simulation.options().safety)?;
    let flooding = flooding::latencies(simulation);
    let ratio_goal = goal.filter(|_| simulation.options().loss == 0).map(|_| 1.1);
    simulation.settle()?;
    let report = simulation.measured();
    let (ours, flood) = (report.latency(990), flooding.per_mille(990));
    let ratio = ours.as_secs_f64() / flood.as_secs_f64().max(1e-6);
    Ok(vec![
        Finding { goal, ..Finding::new("redundant copies per delivery", report.redundant_copies(), "copies") },
        Finding::new("p99 latency", milliseconds(ours), "ms"),
        Finding::new("p99 latency of flooding without loss", milliseconds(flood), "ms"),
        Finding { goal: ratio_goal, ..Finding::new("p99 latency to that of flooding", ratio, "") },
        Finding::new("control bytes per delivery", report.control_bytes(), "bytes"),
        membership(simulation, &report),
    ])
}

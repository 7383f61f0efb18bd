//! What spreading costs when the trees are warm, beside flooding on the same overlay.
//!
//! The latency of flooding is that of the shortest path, computed over the links that there are at the end.

use super::{Finding, Scenario, membership, milliseconds};
use crate::{flooding, invariants::Broken, options::Options, simulation::Simulation};
use std::time::Duration;

/// How long trees are given to form.
const WARM_UP: Duration = Duration::from_secs(40);

pub(super) const SPREADING: Scenario = Scenario {
    name: "spreading",
    about: "copies and latency of warm trees, no loss",
    options: |seed, nodes, safety| conditions(seed, nodes, safety, 0),
    script: |simulation| run(simulation, 0.05),
};

pub(super) const LOSSY: Scenario = Scenario {
    name: "spreading-lossy",
    about: "the same with 1 % of packets lost",
    options: |seed, nodes, safety| conditions(seed, nodes, safety, 10_000),
    script: |simulation| run(simulation, 0.25),
};

fn conditions(seed: u64, nodes: u32, safety: Duration, loss: u32) -> Options {
    Options { safety, loss, warm_up: WARM_UP, origins: 64.min(nodes), ..Options::calm(seed, nodes) }
}

fn run(simulation: &mut Simulation, copies: f64) -> Result<Vec<Finding>, Broken> {
    simulation.warm_up()?;
    simulation.pass(simulation.options().safety)?;
    let flooding = flooding::latencies(simulation);
    let lossless = simulation.options().loss == 0;
    simulation.settle()?;
    let report = simulation.measured();
    let (ours, flood) = (report.latency(990), flooding.per_mille(990));
    let ratio = ours.as_secs_f64() / flood.as_secs_f64().max(1e-6);
    Ok(vec![
        Finding::at_most("redundant copies per delivery", report.redundant_copies(), "copies", copies),
        Finding::new("p99 latency", milliseconds(ours), "ms"),
        Finding::new("p99 latency of flooding without loss", milliseconds(flood), "ms"),
        if lossless {
            Finding::at_most("p99 latency to that of flooding", ratio, "", 1.1)
        } else {
            Finding::new("p99 latency to that of flooding", ratio, "")
        },
        Finding::new("control bytes per delivery", report.control_bytes(), "bytes"),
        membership(simulation, &report),
    ])
}

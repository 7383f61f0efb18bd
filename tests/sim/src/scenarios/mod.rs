//! What can be simulated by name: conditions, a script, and findings with their goals.

mod aftermath;
mod attack;
mod eclipse;
mod identity;
mod large;
mod lookups;
mod members;
mod overlay;
mod partition;
mod silence;
mod spreading;
mod swarm;
mod traps;
mod upgrade;
mod vanish;
mod verdicts;

use crate::{
    adversary::Adversary, event::HostId, faults::Change, invariants::Broken, options::Options, report::Measured,
    simulation::Simulation,
};
use std::{fmt, time::Duration};

/// One scenario.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// What it is called by.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// Its conditions, from a seed, a number of nodes, and the length of the safety phase.
    pub(crate) options: fn(u64, u32, Duration) -> Options,
    /// From the start of the nodes to the last check.
    pub(crate) script: fn(&mut Simulation) -> Result<Vec<Finding>, Broken>,
}

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    swarm::SWARM,
    swarm::CALM,
    spreading::SPREADING,
    spreading::LOSSY,
    spreading::EVERYBODY,
    vanish::RESET,
    vanish::SILENT,
    silence::SILENCE,
    members::MEMBERS,
    verdicts::VERDICTS,
    aftermath::AFTERMATH,
    partition::PARTITION,
    upgrade::UPGRADE,
    attack::FORGER,
    attack::REPLAYER,
    attack::SYBIL,
    eclipse::ECLIPSE,
    traps::TRAPS,
    lookups::LOOKUPS,
    identity::CLONE,
    identity::EQUIVOCATOR,
    large::LARGE,
];

impl Scenario {
    /// The scenario of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        SCENARIOS.iter().copied().find(|scenario| scenario.name == name)
    }

    /// What it is like with a seed.
    #[must_use]
    pub fn options(&self, seed: u64, nodes: u32, safety: Duration) -> Options {
        Options { scenario: self.name, ..(self.options)(seed, nodes, safety) }
    }
}

/// One figure, and what it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What was measured.
    pub what: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// The most that it should be.
    pub goal: Option<f64>,
}

impl Finding {
    pub(crate) fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { what: what.into(), value, unit, goal: None }
    }

    pub(crate) fn at_most(what: impl Into<String>, value: f64, unit: &'static str, goal: f64) -> Self {
        Self { goal: Some(goal), ..Self::new(what, value, unit) }
    }

    /// Whether the goal, if there is one, is reached.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.goal.is_none_or(|goal| self.value <= goal)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {:.3} {}", self.what, self.value, self.unit)?;
        match self.goal {
            Some(goal) => {
                write!(formatter, " (goal: at most {goal}: {})", if self.is_met() { "met" } else { "MISSED" })
            }
            None => Ok(()),
        }
    }
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// One node in `share` is hostile from now on; gives those nodes.
fn attack(simulation: &mut Simulation, share: u32, adversary: Adversary) -> Vec<HostId> {
    let nodes = simulation.options().nodes;
    let hostile: Vec<HostId> = (0..nodes).filter(|host| host % share == share - 1).collect();
    for host in &hostile {
        simulation.apply(Change::Attack(*host, adversary));
    }
    hostile
}

/// A count as a figure.
pub(crate) fn count(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Membership traffic, and its goal at this size.
fn membership(simulation: &Simulation, report: &Measured) -> Finding {
    let goal = if simulation.options().nodes <= 1_000 { 500.0 } else { 2_000.0 };
    Finding::at_most("membership traffic of a node", report.membership_rate(), "B/s", goal)
}

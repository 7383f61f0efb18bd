//! Who knows of whom: everybody joins at once, nothing happens for a while, and then one machine falls silent.
//!
//! ```text
//!  all start ── full view at all ── quiet ── steady traffic is counted ── power off ── unreachable at all ── dead at all
//! ```

use super::{Finding, Scenario, count, milliseconds};
use crate::{faults::Change, invariants::Broken, options::Options, simulation::Simulation};
use peerwright_engine::{Engine, MemberStatistics};
use std::time::{Duration, Instant};

/// How often everybody's view is looked at: what is found is too late by at most so much.
const LOOK: Duration = Duration::from_millis(50);
/// Looking ends after so long.
const PATIENCE: Duration = Duration::from_secs(60);
/// What follows a mass join has calmed down by then.
const QUIET: Duration = Duration::from_secs(30);
/// Goals by the number of nodes: a full view at all, a silent crash known by all (milliseconds), steady traffic of a node
/// (bytes a second).
const GOALS: [(u32, f64, f64, f64); 3] =
    [(100, 1_500.0, 3_000.0, 500.0), (1_000, 4_000.0, 4_000.0, 500.0), (u32::MAX, 10_000.0, 8_000.0, 2_000.0)];

pub(super) const MEMBERS: Scenario = Scenario {
    name: "members",
    about: "a mass join, steady membership traffic, and one silent crash",
    options: |seed, nodes, safety| Options {
        safety,
        start_within: Duration::ZERO,
        origins: 0,
        ..Options::calm(seed, nodes)
    },
    script: run,
};

fn run(simulation: &mut Simulation) -> Result<Vec<Finding>, Broken> {
    let nodes = simulation.options().nodes;
    let goals = GOALS.iter().find(|(most, ..)| nodes <= *most);
    let (_, full, known, traffic) = goals.copied().unwrap_or_default();
    let others = u64::from(nodes.saturating_sub(1));
    let began = Instant::now();
    let joined = until(simulation, |members| members.alive == others)?;
    let mut findings = vec![
        Finding::at_most("full view at all after a mass join", milliseconds(joined), "ms", full),
        Finding::new("and to simulate it took", began.elapsed().as_secs_f64(), "s"),
        Finding::new(
            "records that came again, for each that was new",
            again(simulation, |members| members.duplicates),
            "",
        ),
        Finding::new("and that were offered again", again(simulation, |members| members.offered_again), ""),
    ];

    simulation.pass(QUIET)?;
    simulation.measure();
    simulation.pass(simulation.options().safety)?;
    let measured = simulation.measured();
    findings.push(Finding::at_most("steady membership traffic of a node", measured.membership_rate(), "B/s", traffic));
    findings.push(Finding::new("keepalives of a node", measured.keepalive_rate(), "B/s"));

    simulation.apply(Change::PowerOff(nodes / 2));
    let unreachable = until(simulation, |members| members.unreachable + members.dead == 1)?;
    findings.push(Finding::at_most("silent crash unreachable at all", milliseconds(unreachable), "ms", known));
    let dead = until(simulation, |members| members.dead == 1)?;
    findings.push(Finding::new("and dead at all", milliseconds(unreachable + dead), "ms"));
    simulation.settle()?;
    Ok(findings)
}

/// Of the records that came, or were offered, those that were known for each that was not.
fn again(simulation: &Simulation, known: impl Fn(&MemberStatistics) -> u64) -> f64 {
    let engines = simulation.network.hosts().filter_map(|host| host.engine.as_deref());
    let counted = engines.map(Engine::member_statistics).map(|members| [known(&members), members.accepted]);
    let [again, new] = counted.fold([0; 2], |sum, more| [sum[0] + more[0], sum[1] + more[1]]);
    count(again) / count(new).max(1.0)
}

/// How long it takes until all running nodes see their members so.
fn until(simulation: &mut Simulation, is_so: impl Fn(&MemberStatistics) -> bool) -> Result<Duration, Broken> {
    let began = simulation.now();
    loop {
        simulation.pass(LOOK)?;
        let passed = simulation.now().since(began);
        let engines = || simulation.network.hosts().filter_map(|host| host.engine.as_deref());
        let see = |engine: &Engine| is_so(&engine.member_statistics());
        if passed >= PATIENCE || engines().all(see) {
            return Ok(passed);
        }
    }
}

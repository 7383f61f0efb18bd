//! A quarter of the nodes answer whoever looks for a register's holders with each other alone: as holders, and as the nodes
//! that know more. Three honest nodes hold it; honest nodes that subscribe find them, and link to one.

use super::{Finding, Scenario, count};
use crate::{
    adversary::Adversary,
    event::HostId,
    faults::Change,
    invariants::Broken,
    options::{Known, Options},
    simulation::Simulation,
    world::RARE,
};
use peerwright_secure::PeerId;
use std::{collections::BTreeSet, time::Duration};

/// One node in so many is hostile.
const SHARE: u32 = 4;
/// Nodes that hold the register from the start on.
const HOLDERS: usize = 3;
/// Every so manieth honest node looks for it.
const SEEKERS: usize = 5;
/// The holders have told those who are asked of themselves, also those who are each other's neighbours.
const TOLD: Duration = Duration::from_secs(15 * 60);
/// A search, and dials to those who were found, take at most so long.
const FOUND: Duration = Duration::from_secs(90);
/// How often it is looked who has a link to a holder: one over which nothing is lacking is closed again.
const LOOK: Duration = Duration::from_secs(1);

pub(super) const LOOKUPS: Scenario = Scenario {
    name: "lookups",
    about: "a quarter of the nodes name each other to whoever looks for the holders of a register",
    options: |seed, nodes, safety| Options {
        safety,
        warm_up: TOLD,
        known: Known::Seeds(3),
        origins: 0,
        ..Options::calm(seed, nodes)
    },
    script: run,
};

fn run(simulation: &mut Simulation) -> Result<Vec<Finding>, Broken> {
    let hostile = super::attack(simulation, SHARE, Adversary::Misleader);
    let nodes = simulation.options().nodes;
    // The seeds are everybody's neighbours for a while.
    let mut honest = (3..nodes).filter(|host| !hostile.contains(host));
    let holders: Vec<HostId> = honest.by_ref().take(HOLDERS).collect();
    let seekers: Vec<HostId> = honest.step_by(SEEKERS).collect();
    holders.iter().for_each(|host| simulation.apply(Change::Subscribe(*host)));
    simulation.warm_up()?;
    let kept =
        simulation.honest().filter_map(|host| host.engine.as_deref()).map(|engine| engine.statistics().directory.kept);
    let kept = kept.sum();
    seekers.iter().for_each(|host| simulation.apply(Change::Subscribe(*host)));
    let all: Vec<HostId> = holders.iter().chain(&seekers).copied().collect();
    let (began, mut linked) = (simulation.now(), BTreeSet::new());
    while simulation.now().since(began) < FOUND {
        simulation.pass(LOOK)?;
        let is_linked =
            |seeker: &HostId| simulation.network.host(*seeker).linked_to().iter().any(|to| all.contains(to));
        linked.extend(seekers.iter().copied().filter(is_linked));
    }
    let peers: Vec<PeerId> = all.iter().map(|host| simulation.network.host(*host).peer).collect();
    let (mut without, mut lies, mut named) = (0, 0, 0);
    for seeker in &seekers {
        let engine = simulation.network.host(*seeker).engine.as_deref();
        let found = engine.map(|engine| engine.holders_of(&RARE)).unwrap_or_default();
        named += found.len() as u64;
        lies += found.iter().filter(|peer| !peers.contains(peer)).count() as u64;
        without += u64::from(!linked.contains(seeker) && !found.iter().any(|peer| peers.contains(peer)));
    }
    let unlinked = (seekers.len() - linked.len()) as u64;
    let findings = vec![
        Finding::new("nodes that look for the holders", count(seekers.len() as u64), ""),
        Finding::new("words of holders that honest nodes keep", count(kept), ""),
        Finding::new("share of lies in what they have found", count(lies) / count(named.max(1)), ""),
        Finding::at_most("of them have found no holder", count(without), "", 0.0),
        Finding::at_most("of them have no link to a holder", count(unlinked), "", 0.0),
    ];
    let safety = simulation.options().safety;
    simulation.pass(safety)?;
    simulation.settle()?;
    Ok(findings)
}

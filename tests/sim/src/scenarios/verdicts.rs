//! Nodes that stand still for a while are no reason to speak ill of others: 5 % of packets are lost, one node in a
//! hundred is paused for 5 s at any time, and now and then a machine loses power and runs again within 9 s.

use super::{Finding, Scenario, count};
use crate::{
    event::HostId, faults::Change, invariants::Broken, options::Options, random::Random, simulation::Simulation,
};
use peerwright_engine::Micros;
use std::time::Duration;

/// A pause.
const PAUSE: Duration = Duration::from_secs(5);
/// A machine is without power for so long.
const OUTAGE: Duration = Duration::from_secs(9);
/// One machine after the other.
const NEXT_OUTAGE: Duration = Duration::from_secs(15);
/// The answer of a node that runs again is everywhere after so long.
const ANSWERED: Duration = Duration::from_secs(2);

pub(super) const VERDICTS: Scenario = Scenario {
    name: "verdicts",
    about: "5 % loss, 1 % of the nodes paused for 5 s, outages of 9 s: nobody else is held unreachable, nobody dead",
    options: |seed, nodes, safety| Options {
        safety,
        loss: 50_000,
        warm_up: Duration::from_secs(30),
        ..Options::calm(seed, nodes)
    },
    script: run,
};

fn run(simulation: &mut Simulation) -> Result<Vec<Finding>, Broken> {
    simulation.warm_up()?;
    let (began, options) = (simulation.now(), simulation.options().clone());
    let mut random = Random::new(options.seed, 5);
    let mut draw = || HostId::try_from(random.below(options.nodes.into())).unwrap_or(0);
    let paused_at_once = options.nodes.div_ceil(100);
    let (mut next_outage, mut down, mut paused) = (began, None::<(Micros, HostId)>, Vec::new());
    while simulation.now().since(began) < options.safety {
        let before = std::mem::take(&mut paused);
        for _ in 0..paused_at_once {
            let host = draw();
            // Paused and without power one after the other, a host would be away for longer than an outage.
            if down.is_none_or(|(_, absent)| absent != host) {
                excuse(simulation, host, PAUSE);
                simulation.apply(Change::Pause(host, PAUSE));
                paused.push(host);
            }
        }
        let host = draw();
        if simulation.now() >= next_outage && !before.contains(&host) && !paused.contains(&host) {
            excuse(simulation, host, OUTAGE);
            simulation.apply(Change::PowerOff(host));
            (next_outage, down) = (simulation.now() + NEXT_OUTAGE, Some((simulation.now() + OUTAGE, host)));
        }
        let end = simulation.now() + PAUSE;
        if let Some((at, host)) = down.take_if(|(at, _)| *at <= end) {
            simulation.pass(at.since(simulation.now()))?;
            simulation.apply(Change::Start(host));
        }
        simulation.pass(end.since(simulation.now()))?;
    }
    simulation.settle()?;
    let measured = simulation.measured();
    let [of_absent, of_others, dead] = measured.verdicts().map(count);
    Ok(vec![
        Finding::new("verdicts on nodes that stood still", of_absent, ""),
        Finding::at_most("unreachable verdicts on others", of_others, "", 0.0),
        Finding::at_most("nodes declared dead", dead, "", 0.0),
        Finding::new("membership traffic of a node", measured.membership_rate(), "B/s"),
    ])
}

/// A host will be absent for a while, and who says so is right.
fn excuse(simulation: &mut Simulation, host: HostId, absence: Duration) {
    let until = simulation.now() + absence + ANSWERED;
    let peer = simulation.network.host(host).peer;
    let excused = simulation.network.world.absent.entry(peer).or_insert(until);
    *excused = until.max(*excused);
}

//! One machine is cut off, is held unreachable and comes back; right behind that another node stands still. Who was cut off
//! from a peer has learnt nothing of itself: the pause is known as soon as any other.
//!
//! ```text
//!  cut off ── unreachable at all ── healed ── alive at all, linked ── another is paused ── unreachable at all
//! ```

use super::{Finding, Scenario, count, milliseconds};
use crate::{event::HostId, faults::Change, invariants::Broken, options::Options, simulation::Simulation};
use peerwright_engine::MemberState;
use std::time::Duration;

/// How often everybody's view is looked at: what is found is too late by at most so much.
const LOOK: Duration = Duration::from_millis(20);
/// Looking ends after so long.
const PATIENCE: Duration = Duration::from_secs(60);
/// Who is back has found its neighbours again by then.
const RELINKED: Duration = Duration::from_secs(2);
/// The pause is longer than any verdict takes.
const PAUSE: Duration = Duration::from_secs(30);
/// A silence is known at all after so long, milliseconds, in a network of up to 100.
const KNOWN: f64 = 3_000.0;

pub(super) const AFTERMATH: Scenario = Scenario {
    name: "aftermath",
    about: "one node is cut off and comes back, and at once another stands still",
    options: |seed, nodes, safety| Options { safety, warm_up: Duration::from_secs(30), ..Options::calm(seed, nodes) },
    script: run,
};

fn run(simulation: &mut Simulation) -> Result<Vec<Finding>, Broken> {
    let nodes = simulation.options().nodes;
    let (cut_off, paused) = (nodes / 2, nodes / 3);
    simulation.warm_up()?;
    simulation.apply(Change::Partition((0..nodes).map(|host| u8::from(host == cut_off)).collect()));
    let cut_known = until(simulation, cut_off, MemberState::Unreachable)?;
    simulation.apply(Change::HealCuts);
    let back = until(simulation, cut_off, MemberState::Alive)?;
    simulation.pass(RELINKED)?;
    simulation.apply(Change::Pause(paused, PAUSE));
    let pause_known = until(simulation, paused, MemberState::Unreachable)?;
    simulation.settle()?;
    let measured = simulation.measured();
    Ok(vec![
        Finding::at_most("a cut known at all others after", milliseconds(cut_known), "ms", KNOWN),
        Finding::new("healed, alive at all again after", milliseconds(back), "ms"),
        Finding::at_most("then a pause known at all others after", milliseconds(pause_known), "ms", KNOWN),
        Finding::at_most("nodes banned", count(measured.automatic_bans()), "", 0.0),
    ])
}

/// How long it takes until all others see a member so.
fn until(simulation: &mut Simulation, host: HostId, state: MemberState) -> Result<Duration, Broken> {
    let began = simulation.now();
    let peer = simulation.network.host(host).peer;
    loop {
        simulation.pass(LOOK)?;
        let passed = simulation.now().since(began);
        let others = simulation.network.hosts().filter(|other| other.id != host);
        let mut engines = others.filter_map(|other| other.engine.as_deref());
        let sees = |engine: &peerwright_engine::Engine| {
            engine.members().iter().any(|member| member.peer == peer && member.state == state)
        };
        if passed >= PATIENCE || engines.all(sees) {
            return Ok(passed);
        }
    }
}

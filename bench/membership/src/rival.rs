//! The same two scripts for foca: what `members` and `verdicts` of the simulator do, with the same times.

use crate::{
    Conditions,
    figures::{Figures, PATIENCE},
    timed,
    world::World,
};
use anyhow::Result;
use std::time::Duration;

const LOOK: Duration = Duration::from_millis(50);
const QUIET: Duration = Duration::from_secs(30);
const WARM_UP: Duration = Duration::from_secs(30);
const LOSS: u32 = 50_000;
const PAUSE: Duration = Duration::from_secs(5);
const OUTAGE: Duration = Duration::from_secs(9);
const NEXT_OUTAGE: Duration = Duration::from_secs(15);

pub(crate) fn run(conditions: Conditions) -> Result<Figures> {
    let (figures, busy) = timed(|| {
        let mut world = World::new(conditions.seed, conditions.nodes, 0);
        let members = members(&mut world, conditions.steady);
        let mut lossy = World::new(conditions.seed, conditions.nodes, LOSS);
        verdicts(&mut lossy, conditions.pauses);
        Ok((members, lossy.verdicts, world.now() + lossy.now()))
    })?;
    let ([full_view, steady_bytes, crash_known], [false_ones, absent], simulated) = figures;
    Ok(Figures {
        full_view,
        crash_known,
        steady_bytes,
        false_verdicts: false_ones as f64,
        absent_verdicts: absent as f64,
        processor_micros: busy * 1e6 / (simulated.as_secs_f64() * f64::from(conditions.nodes)),
    })
}

/// Full view, steady bytes a second and node, crash known.
fn members(world: &mut World, steady: Duration) -> [f64; 3] {
    let full_view = until(world, World::is_full);
    world.pass(QUIET);
    let before = world.sent;
    world.pass(steady);
    let bytes = (world.sent - before) as f64 / steady.as_secs_f64() / world.len() as f64;
    world.power_off(world.len() / 2);
    [full_view, bytes, until(world, World::is_known)]
}

fn until(world: &mut World, is_so: impl Fn(&World) -> bool) -> f64 {
    let began = world.now();
    while !is_so(world) && world.now() - began < PATIENCE {
        world.pass(LOOK);
    }
    (world.now() - began).as_secs_f64()
}

fn verdicts(world: &mut World, pauses: Duration) {
    world.pass(WARM_UP);
    world.verdicts = [0; 2];
    let began = world.now();
    let (mut next_outage, mut down) = (began, None);
    while world.now() - began < pauses {
        for _ in 0..world.len().div_ceil(100) {
            let host = world.draw();
            world.pause(host, PAUSE);
        }
        if world.now() >= next_outage {
            let host = world.draw();
            world.power_off(host);
            (next_outage, down) = (world.now() + NEXT_OUTAGE, Some((world.now() + OUTAGE, host)));
        }
        let end = world.now() + PAUSE;
        if let Some((at, host)) = down.take_if(|(at, _)| *at <= end) {
            world.pass(at - world.now());
            world.power_on(host);
        }
        world.pass(end - world.now());
    }
}

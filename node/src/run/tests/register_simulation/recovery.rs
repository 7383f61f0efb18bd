//! How soon sealing goes on after the network was cut.

use super::{Broken, SEALERS, world::World};
use std::time::Duration;

/// Elections take two seconds; connections that stand still are given up after two.
const WITHIN: Duration = Duration::from_secs(8);
/// Long enough that everything on its way is lost.
const BLINK: Duration = Duration::from_millis(100);

/// Two sealers lose the connections between them, and the third is gone: without each other they commit nothing.
fn commits_after_a_blink(seed: u64) -> Result<(), Broken> {
    let mut world = World::begin(seed)?;
    world.commit(0..SEALERS, WITHIN)?;
    world.crash(SEALERS - 1);
    world.commit(0..1, WITHIN)?;
    world.isolate(0);
    world.pass(BLINK)?;
    world.mend_network();
    world.commit(0..SEALERS - 1, WITHIN)
}

#[test]
fn sealers_that_have_lost_their_connections_unnoticed_go_on_within_seconds() {
    for seed in 0..3 {
        commits_after_a_blink(seed).unwrap();
    }
}

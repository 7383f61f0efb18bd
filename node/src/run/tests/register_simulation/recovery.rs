//! How soon registers go on after the network was cut.

use super::{Broken, HOSTS, SEALERS, world::World};
use std::time::Duration;

/// Elections take two seconds, connections that stand still are given up after two; HTTP/2 alone would notice after twenty.
const WITHIN: Duration = Duration::from_secs(10);
/// Long enough that everything on its way is lost.
const BLINK: Duration = Duration::from_millis(100);
/// Long enough for nodes that start to find each other, and to wait for others no longer.
const APART: Duration = Duration::from_secs(20);

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

/// Replicas start while no sealer is to be reached: each has the other alone to follow. What is sealed meanwhile they hold later.
fn replicas_leave_each_other(seed: u64) -> Result<(), Broken> {
    let mut world = World::begin(seed)?;
    world.commit(0..HOSTS, WITHIN)?;
    (SEALERS..HOSTS).for_each(|replica| world.crash(replica));
    world.commit(0..SEALERS, WITHIN)?;
    world.part_replicas();
    (SEALERS..HOSTS).for_each(|replica| world.bounce(replica));
    world.pass(APART)?;
    world.mend_network();
    world.settle().map(drop)
}

/// The sealer that a replica follows loses the other two, and not the replica.
fn replicas_leave_a_sealer_that_is_cut_off(seed: u64) -> Result<(), Broken> {
    let mut world = World::begin(seed)?;
    world.commit(0..HOSTS, WITHIN)?;
    let followed = world.sealer_followed_by(SEALERS)?;
    world.part_sealer(followed);
    world.commit(SEALERS..HOSTS, WITHIN)?;
    world.mend_network();
    world.settle().map(drop)
}

#[test]
fn sealers_that_have_lost_their_connections_unnoticed_go_on_within_seconds() {
    for seed in 0..3 {
        commits_after_a_blink(seed).unwrap();
    }
}

#[test]
fn replicas_that_found_only_each_other_follow_the_sealers_once_these_are_there() {
    for seed in 0..3 {
        replicas_leave_each_other(seed).unwrap();
    }
}

#[test]
fn replicas_leave_a_sealer_that_the_others_have_lost() {
    for seed in 0..3 {
        replicas_leave_a_sealer_that_is_cut_off(seed).unwrap();
    }
}

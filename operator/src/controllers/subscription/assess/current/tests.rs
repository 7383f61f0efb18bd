use std::time::Duration;

use crate::{
    conditions::find,
    controllers::{
        reach::SILENCE,
        subscription::assess::{
            Facts, assess,
            tests::{Scene, row, says},
        },
    },
    nodes::{RegisterReport, ReplicaState},
};

/// The wall clock of the facts.
const WALL: u64 = 1_000;

fn lagging_since(since: u64) -> RegisterReport {
    RegisterReport { behind_since: Some(since), ..row(ReplicaState::Syncing, 90) }
}

fn full() -> RegisterReport {
    row(ReplicaState::FullyReplicated, 100)
}

fn current(scene: &Scene) -> (String, String) {
    says(&assess(&scene.facts()), "Current")
}

fn pair(status: &str, reason: &str) -> (String, String) {
    (status.to_owned(), reason.to_owned())
}

fn message(scene: &Scene) -> String {
    find(&assess(&scene.facts()).status.unwrap().conditions, "Current").unwrap().message.clone()
}

#[test]
fn a_lag_is_told_when_it_is_longer_than_the_subscription_allows() {
    let mut scene = Scene::new(&[("demo-core-0", full()), ("demo-edge-0", full())]);
    assert_eq!(current(&scene), pair("True", "Current"));
    scene.settle();
    scene.node("demo-edge-0").registers = vec![lagging_since(WALL - 59)];
    assert_eq!(current(&scene), pair("True", "Current"));
    let facts = scene.facts();
    let again = assess(&facts).look_again.expect("another second");
    assert!(again <= facts.now + Duration::from_secs(1) && again > facts.now);

    scene.node("demo-edge-0").registers = vec![lagging_since(WALL - 60)];
    assert_eq!(current(&scene), pair("False", "Behind"));
    assert!(message(&scene).contains("60 s") && message(&scene).contains("demo-edge-0"), "{}", message(&scene));

    scene.subscription.spec.max_lag_seconds = Some(61);
    assert_eq!(current(&scene), pair("True", "Current"));
}

#[test]
fn what_has_never_been_current_becomes_so_when_nothing_is_lacking() {
    let mut scene = Scene::new(&[("demo-edge-0", lagging_since(WALL - 1)), ("demo-core-0", full())]);
    assert_eq!(current(&scene), pair("False", "Syncing"));
    scene.settle();
    assert_eq!(current(&scene), pair("False", "Syncing"));
    scene.node("demo-edge-0").registers = vec![full()];
    assert_eq!(current(&scene), pair("True", "Current"));
    scene.settle();
    scene.node("demo-edge-0").registers = vec![lagging_since(WALL)];
    assert_eq!(current(&scene), pair("True", "Current"));
}

#[test]
fn a_fork_comes_before_failures_and_they_before_a_lag_and_that_before_silence() {
    let mut scene = Scene::new(&[
        ("demo-core-0", row(ReplicaState::Frozen, 50)),
        ("demo-core-1", RegisterReport { problem: "refused".to_owned(), ..row(ReplicaState::Error, 50) }),
        ("demo-edge-0", lagging_since(WALL - 100)),
        ("demo-edge-1", full()),
    ]);
    let now = scene.facts().now;
    scene.node("demo-edge-1").silent_since = now.checked_sub(SILENCE);
    assert_eq!(current(&scene), pair("False", "Forked"));
    assert!(message(&scene).contains("demo-core-0"));
    scene.node("demo-core-0").registers = vec![full()];
    assert_eq!(current(&scene), pair("False", "ReplicaFailed"));
    assert!(message(&scene).contains("demo-core-1 (refused)"));
    scene.node("demo-core-1").registers = vec![full()];
    assert_eq!(current(&scene), pair("False", "Behind"));
    scene.node("demo-edge-0").registers = vec![full()];
    assert_eq!(current(&scene), pair("Unknown", "NodesUnreachable"));
}

#[test]
fn a_silence_that_is_young_changes_nothing() {
    let mut scene = Scene::new(&[("demo-edge-0", full())]);
    scene.settle();
    let now = scene.facts().now;
    let node = scene.node("demo-edge-0");
    (node.registers, node.silent_since) = (vec![lagging_since(1)], Some(now));
    let assessed = assess(&Facts { now, ..scene.facts() });
    assert_eq!(says(&assessed, "Current"), pair("True", "Current"));
    assert_eq!(assessed.look_again, Some(now + SILENCE));
}

#[test]
fn a_register_without_dockets_lags_behind_nobody() {
    let unbegun = RegisterReport { percent: None, ..row(ReplicaState::Subscribing, 0) };
    let scene = Scene::new(&[("demo-edge-0", unbegun)]);
    assert_eq!(current(&scene), pair("True", "Current"));
}

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use tokio::time::{Instant, advance};

use super::{
    LEASE_DURATION, Leadership, RENEW_DEADLINE,
    lease::{Observation, Step, first},
};

fn seen(holder: &str, version: &str, at: Instant) -> Observation {
    let mut lease = first("peerwright-operator", holder, Timestamp::UNIX_EPOCH);
    lease.metadata.resource_version = Some(version.to_owned());
    Observation { lease, unchanged_since: at }
}

fn write(step: Step) -> k8s_openapi::api::coordination::v1::Lease {
    match step {
        Step::Write(lease) => *lease,
        Step::Wait => panic!("expected a write"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_held_lease_is_waited_for_until_it_was_silent_for_its_duration() {
    let start = Instant::now();
    let lease = seen("a", "1", start);
    assert_eq!(lease.step("b", start + LEASE_DURATION, Timestamp::now()), Step::Wait);
    let taken = write(lease.step("b", start + LEASE_DURATION + Duration::from_millis(1), Timestamp::now()));
    let spec = taken.spec.unwrap();
    assert_eq!(spec.holder_identity.as_deref(), Some("b"));
    assert_eq!(spec.lease_transitions, Some(1));
    assert_eq!(taken.metadata.resource_version.as_deref(), Some("1"), "a change since then must make the write fail");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_seen_late_restarts_the_wait() {
    let start = Instant::now();
    let before = seen("a", "1", start);
    let later = start + LEASE_DURATION;
    let renewed = Observation::update(Some(before.clone()), seen("a", "2", later).lease, later);
    assert_eq!(renewed.step("b", later + Duration::from_secs(1), Timestamp::now()), Step::Wait);
    let same = Observation::update(Some(before.clone()), before.lease.clone(), later);
    assert_eq!(same.unchanged_since, start);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_keeps_acquisition_and_transitions() {
    let lease = seen("a", "1", Instant::now());
    let renewed = write(lease.step("a", Instant::now(), Timestamp::now())).spec.unwrap();
    assert_eq!(renewed.lease_transitions, Some(0));
    assert_eq!(renewed.acquire_time, lease.lease.spec.unwrap().acquire_time);
}

#[tokio::test(start_paused = true)]
async fn a_released_lease_is_taken_at_once() {
    let mut lease = seen("a", "1", Instant::now());
    assert!(lease.released("b", Timestamp::now()).is_none(), "nobody gives up what is not theirs");
    lease.lease = lease.released("a", Timestamp::now()).unwrap();
    assert!(matches!(lease.step("b", Instant::now(), Timestamp::now()), Step::Write(_)));
}

#[tokio::test(start_paused = true)]
async fn leadership_ends_by_the_clock_alone() {
    let leadership = Leadership::held_for(RENEW_DEADLINE);
    let follower = leadership.subscribe();
    assert!(leadership.is_fresh());
    advance(RENEW_DEADLINE).await;
    assert!(!leadership.is_fresh(), "a frozen and thawed process knows before it has heard from anybody");
    assert!(*follower.borrow(), "the flag alone would still have said that it leads");
}

#[test]
fn what_was_begun_in_time_ends_before_anybody_else_may_begin() {
    assert!(RENEW_DEADLINE + crate::api::CALL_TIMEOUT < LEASE_DURATION);
}

#[test]
fn the_right_to_write_ends_before_anybody_else_may_begin() {
    assert!(RENEW_DEADLINE < LEASE_DURATION);
}

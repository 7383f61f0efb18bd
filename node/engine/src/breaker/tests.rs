use super::*;
use proptest::prelude::*;

const START: Micros = Micros(1_000_000_000);
const SECOND: Duration = Duration::from_secs(1);

fn breaker() -> Breaker {
    Breaker::new(BreakerSettings::default())
}

fn fail(breaker: &mut Breaker, now: Micros) -> Option<BreakerChange> {
    let (permit, _) = breaker.acquire(now).unwrap();
    breaker.failed(permit, now, "timeout", 0)
}

fn open(breaker: &mut Breaker, now: Micros) -> Micros {
    while fail(breaker, now).is_none() {}
    breaker.acquire(now).unwrap_err().until.unwrap()
}

#[test]
fn a_breaker_starts_closed_and_opens_at_the_threshold_with_the_failure_as_the_reason() {
    let mut breaker = breaker();
    assert_eq!(breaker.state(), BreakerState::Closed);
    for _ in 0..4 {
        assert_eq!(fail(&mut breaker, START), None);
    }
    let change = BreakerChange { from: BreakerState::Closed, to: BreakerState::Open, reason: "timeout" };
    assert_eq!(fail(&mut breaker, START), Some(change));
    let rejected = breaker.acquire(START).unwrap_err();
    assert_eq!(rejected.cause, "timeout");
    assert!(rejected.to_string().ends_with("timeout"));
}

#[test]
fn the_threshold_is_a_setting() {
    let mut breaker = Breaker::new(BreakerSettings { failures: 3, ..BreakerSettings::default() });
    assert_eq!((fail(&mut breaker, START), fail(&mut breaker, START)), (None, None));
    assert!(fail(&mut breaker, START).is_some());
}

#[test]
fn a_success_zeroes_the_count() {
    let mut breaker = breaker();
    for _ in 0..10 {
        for _ in 0..4 {
            assert_eq!(fail(&mut breaker, START), None);
        }
        let (permit, _) = breaker.acquire(START).unwrap();
        assert_eq!(breaker.succeeded(permit, START), None);
    }
}

#[test]
fn half_open_lets_exactly_one_probe_through() {
    let mut breaker = breaker();
    let until = open(&mut breaker, START);
    assert!(breaker.acquire(Micros(until.0 - 1)).is_err());
    let (probe, change) = breaker.acquire(until).unwrap();
    assert_eq!(change.unwrap().to, BreakerState::HalfOpen);
    for _ in 0..100 {
        assert_eq!(breaker.acquire(until + SECOND * 3_600).unwrap_err().until, None);
    }
    assert_eq!(breaker.succeeded(probe, until).unwrap().to, BreakerState::Closed);
    assert!(breaker.acquire(until).is_ok());
}

#[test]
fn a_failed_probe_opens_again_for_twice_as_long_up_to_the_reset_time() {
    let mut breaker = breaker();
    let mut until = open(&mut breaker, START);
    let mut now = START;
    let mut waits = vec![until.since(now)];
    for _ in 0..8 {
        now = until;
        assert_eq!(fail(&mut breaker, now).unwrap().from, BreakerState::HalfOpen);
        until = breaker.acquire(now).unwrap_err().until.unwrap();
        waits.push(until.since(now));
    }
    let seconds: Vec<u64> = waits.iter().map(Duration::as_secs).collect();
    // With the lowest draw a wait is three quarters of what is set.
    assert_eq!(seconds, [7, 15, 30, 60, 120, 225, 225, 225, 225]);
}

#[test]
fn an_answer_from_before_changes_nothing() {
    let mut breaker = breaker();
    let (slow, _) = breaker.acquire(START).unwrap();
    let (slower, _) = breaker.acquire(START).unwrap();
    let until = open(&mut breaker, START);
    assert_eq!(breaker.succeeded(slow, START), None);
    assert_eq!(breaker.state(), BreakerState::Open);
    let (_probe, _) = breaker.acquire(until).unwrap();
    assert_eq!(breaker.failed(slower, until, "late", 0), None);
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
}

#[test]
fn an_abandoned_probe_gives_its_place_to_the_next() {
    let mut breaker = breaker();
    let until = open(&mut breaker, START);
    let (probe, _) = breaker.acquire(until).unwrap();
    assert_eq!(breaker.abandoned(probe, until).unwrap().to, BreakerState::Open);
    assert!(breaker.acquire(until).is_ok());
}

#[test]
fn a_reset_closes_and_forgets_the_failures() {
    let mut breaker = breaker();
    open(&mut breaker, START);
    assert_eq!(breaker.reset().unwrap().reason, "reset");
    for _ in 0..4 {
        assert_eq!(fail(&mut breaker, START), None);
    }
    assert_eq!(breaker.reset(), None);
    for _ in 0..4 {
        assert_eq!(fail(&mut breaker, START), None);
    }
}

#[test]
fn statistics_count_by_state() {
    let mut statistics = BreakerStatistics::default();
    let mut opened = breaker();
    let until = open(&mut opened, START);
    let mut probing = opened.clone();
    let _probe = probing.acquire(until).unwrap();
    for breaker in [&breaker(), &opened, &probing, &breaker()] {
        statistics.count(breaker.state());
    }
    assert_eq!(statistics, BreakerStatistics { total: 4, open: 1, half_open: 1, closed: 2 });
}

#[test]
fn the_average_is_over_the_latest_calls() {
    let mut breaker = breaker();
    assert_eq!(breaker.average(), None);
    for millis in 1..=30u64 {
        let (permit, _) = breaker.acquire(START).unwrap();
        breaker.succeeded(permit, START + Duration::from_millis(millis));
    }
    // The mean of 11 to 30.
    assert_eq!(breaker.average(), Some(Duration::from_micros(20_500)));
}

#[test]
fn every_setting_has_its_range() {
    let good = BreakerSettings::default();
    assert_eq!(good.check(), Ok(()));
    assert_eq!((good.failures, good.reset), (5, SECOND * 300));
    for failures in [2, 21] {
        assert_eq!(BreakerSettings { failures, ..good }.check(), Err(BreakerSettingsRefused::Failures(failures)));
    }
    for seconds in [59, 1_801] {
        let reset = SECOND * seconds;
        assert_eq!(BreakerSettings { reset, ..good }.check(), Err(BreakerSettingsRefused::Reset(reset)));
    }
    for first_wait in [Duration::ZERO, SECOND * 301] {
        let refused = BreakerSettingsRefused::FirstWait(first_wait);
        assert_eq!(BreakerSettings { first_wait, ..good }.check(), Err(refused));
    }
}

#[derive(Debug, Clone)]
enum Step {
    Call,
    Succeed(usize),
    Fail(usize),
    Abandon(usize),
    Wait(u64),
    Reset,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Call),
        1 => any::<usize>().prop_map(Step::Succeed),
        4 => any::<usize>().prop_map(Step::Fail),
        1 => any::<usize>().prop_map(Step::Abandon),
        2 => (0u64..400).prop_map(Step::Wait),
        1 => Just(Step::Reset),
    ]
}

proptest! {
    /// Whatever callers do, no more than one call is let through between an opening and the next closing.
    #[test]
    fn concurrent_callers_never_exceed_one_probe(steps in prop::collection::vec(step(), 1..200), draw: u64) {
        let mut breaker = breaker();
        let (mut now, mut calls, mut probes) = (START, Vec::new(), 0);
        for step in steps {
            let take = |calls: &mut Vec<Permit>, index: usize| {
                let length = calls.len();
                (length > 0).then(|| calls.swap_remove(index % length))
            };
            let change = match step {
                Step::Call => match breaker.acquire(now) {
                    Ok((permit, change)) => {
                        if breaker.state() == BreakerState::HalfOpen {
                            probes += 1;
                        }
                        calls.push(permit);
                        change
                    }
                    Err(rejected) => {
                        prop_assert!(rejected.until.is_none_or(|until| until > now && until <= now + SECOND * 375));
                        None
                    }
                },
                Step::Succeed(index) => take(&mut calls, index).and_then(|permit| breaker.succeeded(permit, now)),
                Step::Fail(index) => take(&mut calls, index).and_then(|permit| breaker.failed(permit, now, "x", draw)),
                Step::Abandon(index) => take(&mut calls, index).and_then(|permit| breaker.abandoned(permit, now)),
                Step::Wait(seconds) => {
                    now = now + SECOND * u32::try_from(seconds).unwrap();
                    None
                }
                Step::Reset => breaker.reset(),
            };
            if change.is_some_and(|change| change.to != BreakerState::HalfOpen) {
                probes = 0;
            }
            prop_assert!(probes <= 1);
        }
    }
}

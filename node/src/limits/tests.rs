//! Bursts, waiting, and who pays for whom.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use proptest::prelude::*;
use std::net::Ipv6Addr;

const START: Micros = Micros(1_000_000_000);
const SECOND: Duration = Duration::from_secs(1);

fn limits() -> RateLimits {
    RateLimits::new(LimitSettings::default())
}

fn subject(name: &str) -> Asker {
    Asker::Subject(name.to_owned())
}

fn requests(requests: u64) -> Ask {
    Ask { requests, ..Ask::default() }
}

#[test]
fn a_burst_of_a_minutes_allowance_passes_then_it_is_refused_and_comes_back_evenly() {
    let (limits, asker) = (limits(), subject("one"));
    let passed = |now| (0..2_000).filter(|_| limits.take_at(now, &asker, requests(1)).is_ok()).count();
    assert_eq!(passed(START), 1_000);
    let refused = limits.take_at(START, &asker, requests(1)).unwrap_err();
    let retry_after = Duration::from_millis(60);
    assert_eq!(refused, Limited { profile: Profile::External, measure: Measure::Requests, retry_after });
    assert_eq!(passed(START + SECOND * 6), 100);
    assert_eq!(passed(START + SECOND * 126), 1_000);
}

#[test]
fn each_of_requests_bytes_and_transactions_is_limited_and_what_is_refused_is_not_taken() {
    let (limits, asker) = (limits(), subject("one"));
    let most = Ask { requests: 1, bytes: 100_000_000, transactions: 0 };
    limits.take_at(START, &asker, most).unwrap();
    let measure = |ask| limits.take_at(START, &asker, ask).unwrap_err().measure;
    assert_eq!(measure(Ask { bytes: 1, ..requests(1) }), Measure::Bytes);
    for _ in 0..100 {
        limits.take_at(START, &asker, Ask { transactions: 1, ..Ask::default() }).unwrap();
    }
    assert_eq!(measure(Ask { transactions: 1, ..Ask::default() }), Measure::Transactions);
    limits.take_at(START, &asker, requests(999)).unwrap();
    assert_eq!(measure(requests(1)), Measure::Requests);
}

#[test]
fn an_edge_node_has_an_allowance_of_its_own() {
    let limits = limits();
    let peer = peerwright_secure::NodeKey::from_seed([1; 32]).peer_id();
    limits.take_at(START, &Asker::Edge(peer), requests(1_000)).unwrap();
    let refused = limits.take_at(START, &Asker::Edge(peer), requests(1)).unwrap_err();
    assert_eq!((refused.profile, refused.measure), (Profile::Edge, Measure::Requests));
    limits.take_at(START, &Asker::Member(peer), requests(1)).unwrap();
}

#[test]
fn new_settings_hold_for_whoever_asks_next() {
    let (limits, asker) = (limits(), subject("one"));
    limits.take_at(START, &asker, requests(10)).unwrap();
    let mut settings = limits.settings();
    settings.external.requests = Some(10);
    limits.tune(settings);
    assert!(limits.take_at(START, &asker, requests(1)).is_err(), "what is used stays used");
    settings.external.requests = None;
    limits.tune(settings);
    limits.take_at(START, &asker, requests(1_000_000)).unwrap();
}

#[test]
fn members_are_limited_in_bytes_only_and_nobody_pays_for_another() {
    let limits = limits();
    let member = Asker::Member(peerwright_secure::NodeKey::from_seed([1; 32]).peer_id());
    let ask = Ask { requests: 1, bytes: 0, transactions: 64 };
    assert!((0..10_000).all(|_| limits.take_at(START, &member, ask).is_ok()));
    limits.take_at(START, &member, Ask { bytes: 1_000_000_000, ..ask }).unwrap();
    let refused = limits.take_at(START, &member, Ask { bytes: 1, ..ask }).unwrap_err();
    assert_eq!((refused.profile, refused.measure), (Profile::Member, Measure::Bytes));
    limits.take_at(START, &subject("one"), requests(1_000)).unwrap();
    limits.take_at(START, &subject("two"), requests(1_000)).unwrap();
}

#[test]
fn what_is_more_than_a_minutes_allowance_passes_when_nothing_is_used_and_is_paid_off_afterwards() {
    let (limits, asker) = (limits(), subject("one"));
    let large = Ask { bytes: 300_000_000, ..Ask::default() };
    limits.take_at(START, &asker, large).unwrap();
    let refused = limits.take_at(START, &asker, large).unwrap_err();
    assert_eq!(refused.retry_after, SECOND * 180);
    assert!(limits.take_at(START + SECOND * 179, &asker, large).is_err());
    limits.take_at(START + SECOND * 180, &asker, large).unwrap();
}

#[test]
fn an_answer_is_charged_although_there_is_not_as_much_left() {
    let (limits, asker) = (limits(), subject("one"));
    limits.take(&asker, requests(1)).unwrap();
    limits.charge(&asker, Ask { bytes: 200_000_000, ..Ask::default() });
    assert_eq!(limits.take(&asker, Ask { bytes: 1, ..requests(1) }).unwrap_err().measure, Measure::Bytes);
}

#[test]
fn the_hosts_of_one_ipv6_network_share_an_allowance() {
    let one = |text: &str| Asker::address(text.parse::<Ipv6Addr>().unwrap().into());
    assert_eq!(one("2001:db8::1"), one("2001:db8::ffff:1"));
    assert_ne!(one("2001:db8::1"), one("2001:db8:0:1::1"));
    assert_eq!(one("::ffff:203.0.113.9"), Asker::address("203.0.113.9".parse().unwrap()));
}

#[test]
fn tables_are_bounded_forget_who_is_quiet_and_addresses_crowd_out_nobody_else() {
    let limits = limits();
    let address = |number: u32| Asker::address(std::net::Ipv4Addr::from_bits(number).into());
    let most = u32::try_from(MOST_ACCOUNTS).unwrap();
    for number in 0..most {
        limits.take_at(START, &address(number), requests(1)).unwrap();
    }
    assert!(limits.take_at(START, &address(most), requests(1)).is_err());
    assert!(limits.take_at(START, &address(0), requests(1)).is_ok());
    limits.take_at(START, &subject("one"), requests(1)).unwrap();
    limits.take_at(START + SECOND * 2, &address(most), requests(1)).unwrap();
    assert!(limits.accounts()[2].len() < MOST_ACCOUNTS);
}

#[test]
fn the_defaults_hold_and_what_is_out_of_range_is_refused() {
    let good = LimitSettings::default();
    assert_eq!(good.check(), Ok(()));
    for count in [0, 1_000_001] {
        let external = Allowance { requests: Some(count), ..good.external };
        let refused = LimitSettings { external, ..good }.check();
        assert_eq!(refused, Err(LimitSettingsRefused::Count(count, Measure::Requests)));
        let external = Allowance { transactions: Some(count), ..good.external };
        let refused = LimitSettings { external, ..good }.check();
        assert_eq!(refused, Err(LimitSettingsRefused::Count(count, Measure::Transactions)));
    }
    for bytes in [999_999, 1_000_000_000_001] {
        let member = Allowance { bytes: Some(bytes), ..good.member };
        assert_eq!(LimitSettings { member, ..good }.check(), Err(LimitSettingsRefused::Bytes(bytes)));
    }
}

proptest! {
    /// Over any stretch of time no more passes than the allowance for that time and one burst.
    #[test]
    fn no_more_passes_than_the_time_allows_and_one_burst(
        per_minute in 1..10_000u64,
        asks in prop::collection::vec((0..2_000_000u64, 1..100u64), 1..200),
    ) {
        let (mut meter, mut now, mut passed) = (Meter::default(), START, 0u128);
        for (micros, units) in asks {
            now = now + Duration::from_micros(micros);
            let units = units.min(per_minute);
            match meter.wait(now, per_minute, units) {
                None => {
                    meter.add(now, per_minute, units);
                    passed += u128::from(units);
                }
                Some(wait) => {
                    prop_assert_eq!(meter.wait(now + wait, per_minute, units), None);
                    prop_assert!(meter.wait(now + wait.saturating_sub(Duration::from_micros(1)), per_minute, units).is_some());
                }
            }
            let elapsed = now.since(START).as_micros();
            prop_assert!(passed * 60_000_000 <= u128::from(per_minute) * (60_000_000 + elapsed));
        }
    }
}

use super::{INITIAL, Outcome, ScoreSettings, Scores, peer::PeerScore};
use crate::{
    Micros, Rating, ScoreView,
    bounds::{FORGET_PEER, MAX_SCORED_PEERS},
};
use peerwright_secure::PeerId;
use proptest::prelude::*;
use std::time::Duration;

const START: Micros = Micros(1_700_000_000_000_000);
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
const NEAR: Outcome = Outcome::RoundTrip(Duration::from_millis(5));
const DELIVERY: Outcome = Outcome::FirstDelivery { bytes: 300 };

fn peer(number: u16) -> PeerId {
    let mut bytes = [0; 32];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    PeerId::from_bytes(bytes)
}

fn view(scores: &Scores, now: Micros, number: u16) -> ScoreView {
    scores.views(now).into_iter().find(|view| view.peer == peer(number)).unwrap()
}

fn scores() -> Scores {
    Scores::new(ScoreSettings::default())
}

/// A peer that was linked for an hour and did all that a good peer does.
fn with_a_good_peer() -> (Scores, Micros) {
    let mut scores = scores();
    let mut now = START;
    scores.note(now, peer(1), Outcome::Connected);
    for _ in 0..120 {
        now = now + SECOND * 30;
        scores.pass(now);
        for outcome in [NEAR, DELIVERY, Outcome::Answered { bytes: 1 << 20, took: SECOND / 2 }] {
            scores.note(now, peer(1), outcome);
        }
    }
    for _ in 0..10 {
        scores.note(now, peer(1), Outcome::Connected);
    }
    (scores, now)
}

#[test]
fn an_unknown_peer_is_worth_fifty_and_has_no_row() {
    let scores = scores();
    assert_eq!(scores.of(START, &peer(1)), INITIAL);
    assert!(scores.views(START).is_empty());
}

#[test]
fn a_good_peer_becomes_excellent_and_a_bad_one_very_poor() {
    let (mut scores, now) = with_a_good_peer();
    assert!(scores.of(now, &peer(1)) >= 98);
    for _ in 0..100 {
        for bad in [Outcome::ConnectFailed, Outcome::LinkLost, Outcome::Unanswered, Outcome::InvalidMessage] {
            scores.note(now, peer(2), bad);
        }
        scores.note(now, peer(2), Outcome::RoundTrip(SECOND * 2));
        scores.note(now, peer(2), Outcome::LimitExceeded);
    }
    let view = self::view(&scores, now, 2);
    assert!(view.score < 20 && view.rating == Rating::VeryPoor, "{view:?}");
    assert_eq!((view.reliability, view.failures, view.answered_percent), (0, 500, Some(0)));
}

#[test]
fn every_outcome_moves_what_it_is_about() {
    let base = || {
        let mut scores = scores();
        for outcome in [Outcome::Connected, NEAR, DELIVERY, Outcome::Answered { bytes: 1, took: SECOND }] {
            scores.note(START, peer(1), outcome);
        }
        scores
    };
    let after = |outcome| {
        let mut scores = base();
        scores.note(START, peer(1), outcome);
        view(&scores, START, 1)
    };
    let before = view(&base(), START, 1);
    assert!(after(Outcome::Connected).reliability > before.reliability);
    for bad in [Outcome::ConnectFailed, Outcome::LinkLost, Outcome::Silent, Outcome::Unanswered] {
        let worse = after(bad);
        assert!(worse.reliability < before.reliability && worse.failures == 1, "{bad:?}");
    }
    assert!(after(NEAR).performance > before.performance);
    assert!(after(Outcome::RoundTrip(SECOND)).performance < before.performance);
    assert!(after(Outcome::Answered { bytes: 1 << 20, took: SECOND / 2 }).performance > before.performance);
    assert!(after(DELIVERY).behaviour > before.behaviour);
    for bad in [
        Outcome::InvalidMessage,
        Outcome::Malformed,
        Outcome::LimitExceeded,
        Outcome::ProtocolViolation,
        Outcome::MaliciousContent,
    ] {
        let worse = after(bad);
        assert!(worse.behaviour < before.behaviour && worse.failures == 1, "{bad:?}");
    }
    for neutral in [Outcome::Parted, Outcome::Duplicate] {
        assert_eq!(after(neutral).failures, 0, "{neutral:?}");
        assert_eq!(after(neutral).score, before.score, "{neutral:?}");
    }
}

#[test]
fn averages_and_rates_are_of_the_samples() {
    let mut scores = scores();
    for millis in [10, 20, 60] {
        scores.note(START, peer(1), Outcome::RoundTrip(Duration::from_millis(millis)));
    }
    for outcome in [Outcome::Answered { bytes: 1, took: SECOND }, Outcome::Unanswered, Outcome::Unanswered] {
        scores.note(START, peer(1), outcome);
    }
    let view = self::view(&scores, START, 1);
    let round_trips = [view.shortest_round_trip, view.mean_round_trip, view.longest_round_trip];
    assert_eq!(round_trips, [10, 30, 60].map(|millis| Some(Duration::from_millis(millis))));
    assert_eq!((view.answered_percent, view.successes, view.failures), (Some(33), 4, 2));
    scores.reset_failures(&peer(1));
    let reset = self::view(&scores, START, 1);
    assert_eq!((reset.answered_percent, reset.failures, reset.score), (Some(33), 0, view.score));
}

#[test]
fn only_the_last_hundred_samples_count() {
    let mut scores = scores();
    for _ in 0..500 {
        scores.note(START, peer(1), Outcome::Unanswered);
        scores.note(START, peer(1), Outcome::RoundTrip(SECOND * 3));
    }
    for _ in 0..100 {
        scores.note(START, peer(1), Outcome::Answered { bytes: 1, took: SECOND });
        scores.note(START, peer(1), NEAR);
    }
    let view = self::view(&scores, START, 1);
    assert_eq!((view.answered_percent, view.longest_round_trip), (Some(100), Some(Duration::from_millis(5))));
}

#[test]
fn good_marks_do_not_buy_back_bad_ones() {
    let (mut scores, now) = with_a_good_peer();
    let before = view(&scores, now, 1).behaviour;
    for _ in 0..5 {
        scores.note(now, peer(1), Outcome::InvalidMessage);
    }
    for _ in 0..10_000 {
        scores.note(now, peer(1), DELIVERY);
    }
    let after = view(&scores, now, 1).behaviour;
    assert!(before >= 95 && after == 60, "{before} {after}: five offences cost 50, of which 10 are forgiven");
    let later = view(&scores, now + DAY, 1).behaviour;
    assert!(later > after + 20, "time gives back what deeds do not: {later}");
}

#[test]
fn the_bands_of_latency_are_where_they_should_be() {
    for (millis, performance) in [(50, 79), (51, 67), (100, 67), (200, 56), (500, 44), (1_000, 33), (1_001, 27)] {
        let mut scores = scores();
        for _ in 0..10 {
            scores.note(START, peer(1), Outcome::RoundTrip(Duration::from_millis(millis)));
        }
        assert_eq!(view(&scores, START, 1).performance, performance, "{millis} ms");
    }
}

#[test]
fn a_score_is_told_only_when_it_moves_by_more_than_a_point() {
    let mut scores = scores();
    let mut told = INITIAL;
    for _ in 0..200 {
        let (_, moved) = scores.note(START, peer(1), NEAR);
        let score = scores.of(START, &peer(1));
        assert_eq!(moved.is_some(), score.abs_diff(told) > 1);
        if let Some(moved) = moved {
            assert_eq!((moved.peer, moved.score), (peer(1), score));
            told = score;
        }
    }
    assert!(told > INITIAL);
}

#[test]
fn a_peer_that_left_loses_a_hundredth_a_day_and_is_forgotten_after_one() {
    let (mut scores, now) = with_a_good_peer();
    let left = now + DAY * 3;
    scores.pass(left);
    let before = scores.of(left, &peer(1));
    assert!(before >= 95, "a linked peer is seen all the time: {before}");
    scores.note(left, peer(1), Outcome::Parted);
    assert_eq!(scores.of(left + DAY, &peer(1)), before - 1);
    scores.pass(left + FORGET_PEER - SECOND);
    assert!(scores.knows(&peer(1)));
    scores.pass(left + FORGET_PEER);
    assert!(!scores.knows(&peer(1)));
    assert_eq!(scores.of(left + FORGET_PEER, &peer(1)), INITIAL);
}

#[test]
fn a_peer_whose_link_broke_is_down_until_it_comes_back() {
    let (mut scores, now) = with_a_good_peer();
    let uptime = |scores: &Scores, now| view(scores, now, 1).reliability;
    let before = uptime(&scores, now);
    scores.note(now, peer(1), Outcome::LinkLost);
    for minute in 1..=20 {
        scores.pass(now + SECOND * 60 * minute);
    }
    let lost = uptime(&scores, now);
    assert!(lost < before - 5, "{before} {lost}");
    scores.note(now + SECOND * 1_201, peer(1), Outcome::Connected);
    scores.note(now + SECOND * 1_202, peer(1), Outcome::Parted);
    scores.pass(now + SECOND * 1_230);
    assert!(uptime(&scores, now) >= lost, "who was sent away is not missed");
}

#[test]
fn a_full_table_forgets_who_was_heard_longest_ago_and_has_no_link() {
    let mut scores = scores();
    let all = u16::try_from(MAX_SCORED_PEERS).unwrap();
    for number in 0..all {
        let at = START + Duration::from_secs(number.into());
        scores.note(at, peer(number), if number == 0 { Outcome::Connected } else { Outcome::Duplicate });
    }
    scores.note(START + DAY / 2, peer(all), Outcome::Connected);
    assert_eq!(scores.views(START).len(), MAX_SCORED_PEERS);
    assert!(scores.knows(&peer(0)) && !scores.knows(&peer(1)) && scores.knows(&peer(2)) && scores.knows(&peer(all)));
}

#[test]
fn what_is_kept_of_a_peer_is_small() {
    assert!(size_of::<(PeerId, PeerScore)>() <= 512, "{}", size_of::<(PeerId, PeerScore)>());
}

#[test]
fn ratings_begin_where_they_should() {
    let ratings = [100, 80, 79, 60, 59, 40, 39, 20, 19, 0].map(Rating::of);
    use Rating::{Excellent, Fair, Good, Poor, VeryPoor};
    assert_eq!(ratings, [Excellent, Excellent, Good, Good, Fair, Fair, Poor, Poor, VeryPoor, VeryPoor]);
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Connected),
        Just(Outcome::ConnectFailed),
        Just(Outcome::LinkLost),
        Just(Outcome::Silent),
        Just(Outcome::Parted),
        Just(Outcome::Duplicate),
        Just(Outcome::Unanswered),
        Just(Outcome::InvalidMessage),
        Just(Outcome::Malformed),
        Just(Outcome::LimitExceeded),
        any::<u64>().prop_map(|micros| Outcome::RoundTrip(Duration::from_micros(micros))),
        any::<usize>().prop_map(|bytes| Outcome::FirstDelivery { bytes }),
        any::<(usize, u64)>()
            .prop_map(|(bytes, micros)| Outcome::Answered { bytes, took: Duration::from_micros(micros) }),
    ]
}

proptest! {
    #[test]
    fn scores_stay_between_nothing_and_a_hundred(
        steps in prop::collection::vec((any_outcome(), 0..200_000u64, any::<bool>()), 1..300),
        reliability in 0..=100u8,
        performance in 0..=100u8,
    ) {
        prop_assume!(reliability + performance <= 100);
        let settings = ScoreSettings {
            reliability_weight: reliability,
            performance_weight: performance,
            behaviour_weight: 100 - reliability - performance,
            ..ScoreSettings::default()
        };
        prop_assert!(settings.check().is_ok());
        let mut scores = Scores::new(settings);
        let mut now = START;
        for (outcome, seconds, pass) in steps {
            now = now + Duration::from_secs(seconds);
            if pass {
                scores.pass(now);
            }
            scores.note(now, peer(1), outcome);
            let view = self::view(&scores, now, 1);
            let parts = [view.reliability, view.performance, view.behaviour];
            prop_assert!(view.score <= 100 && parts.iter().all(|part| *part <= 100));
            prop_assert!(view.score <= *parts.iter().max().unwrap());
        }
    }

    #[test]
    fn a_failure_never_raises_a_score(history in prop::collection::vec(any_outcome(), 0..150)) {
        let mut scores = scores();
        for outcome in history {
            scores.note(START, peer(1), outcome);
        }
        for bad in [Outcome::ConnectFailed, Outcome::Silent, Outcome::Unanswered, Outcome::InvalidMessage, Outcome::Malformed] {
            let before = scores.of(START, &peer(1));
            scores.note(START, peer(1), bad);
            prop_assert!(scores.of(START, &peer(1)) <= before, "{:?}", bad);
        }
    }
}

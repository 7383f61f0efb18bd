use super::{Choice, HubState, MAX_UPSTREAMS};
use crate::registers::hubs::HubSettings;
use peerwright_secure::PeerId;
use proptest::prelude::*;
use std::time::Duration;

const START: Duration = Duration::ZERO;

fn hub(number: u8) -> PeerId {
    PeerId::from_bytes([number; 32])
}

fn after(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A node that has just heard of so many hubs.
fn begun(hubs: u8) -> Choice {
    begun_with(hubs, HubSettings::default())
}

fn begun_with(hubs: u8, settings: HubSettings) -> Choice {
    let mut choice = Choice::new(settings);
    choice.rank(START, &(0..hubs).map(hub).collect::<Vec<_>>());
    choice
}

/// One with hub 0 active, and hub 1 standing by if there is one.
fn settled(hubs: u8, settings: HubSettings) -> Choice {
    let mut choice = begun_with(hubs, settings);
    (0..hubs.min(2)).for_each(|number| choice.answered(START, hub(number)));
    choice
}

fn chosen(choice: &Choice) -> (Option<PeerId>, Option<PeerId>) {
    (choice.active(), choice.standby())
}

#[test]
fn at_the_start_the_first_that_can_be_reached_is_active() {
    let mut choice = begun(3);
    assert_eq!(choice.wanted().len(), 3);
    choice.answered(START, hub(2));
    choice.answered(START, hub(1));
    assert_eq!(chosen(&choice), (None, None), "the first may still answer");

    choice.lost(START, hub(0));
    assert_eq!(chosen(&choice), (Some(hub(1)), Some(hub(2))));
}

#[test]
fn one_stands_by_and_no_further_hub_is_held() {
    let choice = settled(4, HubSettings::default());
    assert_eq!(chosen(&choice), (Some(hub(0)), Some(hub(1))));
    assert_eq!(choice.wanted(), [hub(0), hub(1)].into());
    let states: Vec<_> = choice.rows().map(|(_, state, _)| state).collect();
    assert_eq!(states, [HubState::Active, HubState::Standby, HubState::Idle, HubState::Idle]);
}

#[test]
fn a_hub_is_left_with_the_second_keepalive_in_a_row_that_it_misses() {
    let mut choice = settled(2, HubSettings::default());
    choice.missed(after(1), hub(0));
    choice.answered(after(2), hub(0));
    choice.missed(after(3), hub(0));
    assert_eq!(choice.active(), Some(hub(0)), "an answer in between counts");

    choice.missed(after(4), hub(0));
    assert_eq!(choice.active(), Some(hub(1)));
    assert_eq!(choice.isolated_since(), None);
}

#[test]
fn losses_lead_from_hub_to_hub_around_the_end_and_past_those_that_do_not_answer() {
    let mut choice = settled(3, HubSettings::default());
    for (lost, next, behind) in [(0, 1, 2), (1, 2, 0), (2, 0, 1)] {
        choice.answered(START, hub(behind));
        choice.lost(after(1), hub(lost));
        choice.answered(after(1), hub(behind));
        assert_eq!(chosen(&choice), (Some(hub(next)), Some(hub(behind))), "after {lost}");
    }
    choice.lost(after(2), hub(1));
    choice.answered(after(2), hub(2));
    choice.lost(after(3), hub(0));
    assert_eq!(choice.active(), Some(hub(2)), "1 is skipped");
}

#[test]
fn who_comes_back_does_not_take_its_place_again() {
    let mut choice = settled(2, HubSettings::default());
    choice.lost(after(1), hub(0));
    choice.answered(after(2), hub(0));
    choice.pass(after(100_000));
    assert_eq!(chosen(&choice), (Some(hub(1)), Some(hub(0))));
    assert_eq!(choice.next_turn(), None);
}

#[test]
fn nodes_go_back_once_a_better_hub_has_answered_for_long_without_a_break() {
    let settings = HubSettings { failback: Some(after(300)), ..HubSettings::default() };
    let mut choice = settled(3, settings);
    choice.lost(after(1), hub(0));
    choice.answered(after(1), hub(2));
    assert!(choice.wanted().contains(&hub(0)), "it is asked although another stands by");

    choice.answered(after(10), hub(0));
    choice.lost(after(200), hub(0));
    choice.answered(after(210), hub(0));
    assert_eq!(choice.next_turn(), Some(after(510)));
    choice.pass(after(509));
    assert_eq!(choice.active(), Some(hub(1)));
    choice.pass(after(510));
    assert_eq!(chosen(&choice), (Some(hub(0)), Some(hub(1))));
}

#[test]
fn a_node_is_isolated_once_all_hubs_have_failed_and_returns_with_the_first_that_answers() {
    let mut choice = settled(3, HubSettings::default());
    choice.lost(after(5), hub(1));
    choice.lost(after(7), hub(0));
    assert_eq!((chosen(&choice), choice.isolated_since()), ((None, None), None), "the last may still answer");
    choice.lost(after(9), hub(2));
    assert_eq!(choice.isolated_since(), Some(after(7)));
    assert_eq!(choice.wanted().len(), 3);

    choice.answered(after(60), hub(2));
    assert_eq!((choice.active(), choice.isolated_since()), (Some(hub(2)), None));
}

#[test]
fn a_snapshot_that_ranks_anew_keeps_the_active_hub_and_one_that_drops_it_leads_to_the_next() {
    let mut choice = settled(2, HubSettings::default());
    choice.rank(after(1), &[hub(7), hub(1), hub(0)]);
    assert_eq!(chosen(&choice), (Some(hub(0)), Some(hub(1))));

    choice.rank(after(2), &[hub(7), hub(1)]);
    assert_eq!(choice.active(), Some(hub(1)));
    choice.rank(after(3), &[]);
    assert_eq!((chosen(&choice), choice.isolated_since()), ((None, None), None));
}

#[test]
fn hubs_behind_the_first_sixteen_are_left_alone() {
    let choice = begun(200);
    assert_eq!((choice.rows().count(), choice.wanted().len()), (MAX_UPSTREAMS, MAX_UPSTREAMS));
}

#[derive(Debug, Clone)]
enum Happening {
    Answered(u8),
    Missed(u8),
    Lost(u8),
    Passed,
    Ranked(Vec<u8>),
}

fn happening() -> impl Strategy<Value = Happening> {
    let ranking = prop::collection::btree_set(0..5u8, 0..5);
    let ranking = ranking.prop_map(|hubs| hubs.into_iter().collect::<Vec<_>>()).prop_shuffle();
    prop_oneof![
        6 => (0..5u8).prop_map(Happening::Answered),
        4 => (0..5u8).prop_map(Happening::Missed),
        4 => (0..5u8).prop_map(Happening::Lost),
        2 => Just(Happening::Passed),
        1 => ranking.prop_map(Happening::Ranked),
    ]
}

fn state_of(choice: &Choice, hub: PeerId) -> Option<HubState> {
    choice.rows().find(|(of, ..)| *of == hub).map(|(_, state, _)| state)
}

proptest! {
    #[test]
    fn whatever_happens_there_is_one_active_hub_and_a_reason_for_each_change(
        failback in prop::option::of(1..20u64),
        missed in 1..4u32,
        happenings in prop::collection::vec((happening(), 0..10u64), 0..60),
    ) {
        let settings = HubSettings { missed, failback: failback.map(after), ..HubSettings::default() };
        let mut choice = begun_with(4, settings);
        let mut now = START;
        for (happening, seconds) in happenings {
            now += after(seconds);
            let before = choice.clone();
            let (time_only, ranked) =
                (matches!(happening, Happening::Passed), matches!(happening, Happening::Ranked(_)));
            match happening {
                Happening::Answered(number) => choice.answered(now, hub(number)),
                Happening::Missed(number) => choice.missed(now, hub(number)),
                Happening::Lost(number) => choice.lost(now, hub(number)),
                Happening::Passed => choice.pass(now),
                Happening::Ranked(numbers) => choice.rank(now, &numbers.into_iter().map(hub).collect::<Vec<_>>()),
            }
            let (active, standby) = chosen(&choice);
            let count = |wanted| choice.rows().filter(|(_, state, _)| *state == wanted).count();
            prop_assert_eq!(count(HubState::Active), usize::from(active.is_some()));
            prop_assert_eq!(count(HubState::Standby), usize::from(standby.is_some()));
            prop_assert!(standby.is_none() || standby != active);
            let wanted = choice.wanted();
            prop_assert!(active.into_iter().chain(standby).all(|hub| wanted.contains(&hub)));
            if failback.is_none() && standby.is_some() {
                prop_assert_eq!(wanted.len(), 2);
            }
            let all_lost = choice.rows().all(|(_, state, _)| state == HubState::Lost);
            prop_assert_eq!(choice.isolated_since().is_some(), all_lost && choice.rows().count() > 0);
            // Who is left is lost or no hub any more, or gives way to a better one, and not before it is time.
            if let Some(left) = before.active().filter(|left| active != Some(*left)) {
                let is_gone = matches!(state_of(&choice, left), None | Some(HubState::Lost | HubState::Idle));
                let is_due = ranked || before.next_turn().is_some_and(|turn| turn <= now);
                prop_assert!((is_gone && !time_only) || (failback.is_some() && is_due && active.is_some()));
            }
            if let Some(turn) = choice.next_turn() {
                prop_assert!(turn > now);
            }
        }
        // It comes back by itself, whatever was before.
        choice.rank(now, &[hub(1), hub(2)]);
        choice.answered(now, hub(1));
        choice.answered(now, hub(2));
        choice.lost(now, hub(1));
        prop_assert_eq!(choice.active(), Some(hub(2)));
    }
}

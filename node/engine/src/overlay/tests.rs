use super::{Agreed, Neighbours, Overlay, OverlaySettings, Stance};
use crate::{Direction, LinkId};
use proptest::prelude::*;
use std::collections::VecDeque;

const LINK: LinkId = LinkId(1);

fn linked(direction: Direction) -> Neighbours {
    let mut neighbours = Neighbours::default();
    neighbours.link_up(LINK, direction);
    neighbours
}

#[test]
fn a_neighbour_is_one_that_was_asked_and_accepted() {
    let mut neighbours = linked(Direction::Outbound);
    assert!(neighbours.ask(LINK) && !neighbours.ask(LINK), "one question at a time");
    assert_eq!((neighbours.asked(), neighbours.is_active(LINK)), (1, false));
    assert_eq!(neighbours.answered(LINK, true), Agreed::Joined);
    assert_eq!((neighbours.asked(), neighbours.outbound(), neighbours.active()), (0, 1, &[LINK][..]));
    assert!(neighbours.link_ended(LINK));
    assert_eq!((neighbours.outbound(), neighbours.active().len()), (0, 0));
}

#[test]
fn an_answer_to_nothing_makes_no_neighbour() {
    let mut neighbours = linked(Direction::Inbound);
    assert_eq!(neighbours.answered(LINK, true), Agreed::Nothing);
    assert_eq!(neighbours.answered(LinkId(9), true), Agreed::Nothing);
    assert_eq!(neighbours.stance(LINK), Some(Stance::Plain));
}

#[test]
fn who_has_refused_is_not_asked_again_before_things_have_changed() {
    let mut neighbours = linked(Direction::Outbound);
    neighbours.ask(LINK);
    assert_eq!(neighbours.answered(LINK, false), Agreed::Refused);
    assert_eq!(neighbours.askable().count(), 0);
    neighbours.forgive();
    assert_eq!(neighbours.askable().count(), 1);
}

#[test]
fn a_demote_that_crosses_a_question_means_nothing() {
    let mut neighbours = linked(Direction::Outbound);
    neighbours.ask(LINK);
    assert_eq!(neighbours.demoted(LINK), Agreed::Nothing);
    assert_eq!(neighbours.answered(LINK, true), Agreed::Joined);
}

#[derive(Debug, Clone, Copy)]
enum Said {
    Ask,
    Answer(bool),
    Demote,
}

#[derive(Default)]
struct End {
    neighbours: Neighbours,
    heard: VecDeque<Said>,
}

#[derive(Debug, Clone)]
enum Step {
    Ask(bool),
    Demote(bool),
    Hear(bool, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        any::<bool>().prop_map(Step::Ask),
        any::<bool>().prop_map(Step::Demote),
        (any::<bool>(), any::<bool>()).prop_map(|(end, willing)| Step::Hear(end, willing)),
    ]
}

/// One end hears the next thing that the other has said; `willing` is what it answers to a question if it has a choice.
fn hear(ends: &mut [End; 2], end: usize, willing: bool) {
    let Some(said) = ends[end].heard.pop_front() else { return };
    match said {
        Said::Ask => {
            let accepted = willing || ends[end].neighbours.stance(LINK) != Some(Stance::Plain);
            ends[1 - end].heard.push_back(Said::Answer(accepted));
            if accepted {
                ends[end].neighbours.accept(LINK);
            }
        }
        Said::Answer(accepted) => {
            ends[end].neighbours.answered(LINK, accepted);
        }
        Said::Demote => {
            ends[end].neighbours.demoted(LINK);
        }
    }
}

proptest! {
    #[test]
    fn both_ends_agree_once_everything_was_heard(steps in prop::collection::vec(step(), 0..60)) {
        let mut ends = [End::default(), End::default()];
        for end in &mut ends {
            end.neighbours.link_up(LINK, Direction::Outbound);
        }
        for step in steps {
            match step {
                Step::Ask(end) => {
                    let end = usize::from(end);
                    if ends[end].neighbours.ask(LINK) {
                        ends[1 - end].heard.push_back(Said::Ask);
                    }
                }
                Step::Demote(end) => {
                    let end = usize::from(end);
                    if ends[end].neighbours.demote(LINK) {
                        ends[1 - end].heard.push_back(Said::Demote);
                    }
                }
                Step::Hear(end, willing) => hear(&mut ends, usize::from(end), willing),
            }
        }
        while ends.iter().any(|end| !end.heard.is_empty()) {
            hear(&mut ends, 0, false);
            hear(&mut ends, 1, false);
        }
        prop_assert_eq!(ends[0].neighbours.is_active(LINK), ends[1].neighbours.is_active(LINK));
        prop_assert_eq!((ends[0].neighbours.asked(), ends[1].neighbours.asked()), (0, 0));
    }
}

#[test]
fn neighbours_of_own_choice_leave_for_nobody_and_others_for_who_is_better_or_nearer() {
    let mut overlay = Overlay::new(OverlaySettings::default());
    for number in 0..8 {
        let direction = if number < 4 { Direction::Outbound } else { Direction::Inbound };
        overlay.neighbours.link_up(LinkId(number), direction);
        overlay.neighbours.accept(LinkId(number));
    }
    let distance = |link: LinkId| 100 - link.0;
    let own: Vec<u64> = overlay.own_choice(distance).into_iter().map(|(_, link)| link.0).collect();
    assert_eq!(own, [3, 2, 1]);
    assert_eq!(overlay.farthest(distance), Some((100, LinkId(0))), "a fourth that was dialled may leave");
    assert_eq!(overlay.worst(distance, |link| if link.0 < 6 { 50 } else { 40 }), Some(LinkId(7)));
    overlay.guest = Some(LinkId(0));
    assert_eq!(overlay.farthest(distance), Some((96, LinkId(4))));
    assert_eq!(overlay.worst(distance, |link| if link.0 < 4 { 0 } else { 50 }), Some(LinkId(7)));
}

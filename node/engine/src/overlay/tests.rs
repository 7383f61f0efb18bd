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

/// A view of eight, of which this node dialled the links with even numbers. Who has number n is n far away.
fn full() -> Overlay {
    let mut overlay = Overlay::new(OverlaySettings::default());
    for number in 1..=8 {
        let direction = if number % 2 == 0 { Direction::Outbound } else { Direction::Inbound };
        overlay.neighbours.link_up(LinkId(number), direction);
        overlay.neighbours.accept(LinkId(number));
    }
    overlay
}

#[test]
fn the_nearest_stay_however_bad_their_scores() {
    let overlay = full();
    let distance = |link: LinkId| link.0;
    // 1 to 5 are near; of the others 6 is one of the nearest that were dialled.
    assert_eq!(overlay.worst(distance, |link| u8::try_from(link.0).unwrap()), Some(LinkId(7)));
    assert_eq!(overlay.worst(distance, |link| 100 - u8::try_from(link.0).unwrap()), Some(LinkId(8)));
    assert_eq!(overlay.farthest(distance), Some((8, LinkId(8))));
    let guests = Overlay { guest: Some(LinkId(8)), ..full() };
    assert_eq!(guests.worst(distance, |_| 50), Some(LinkId(7)));
    assert_eq!(guests.farthest(distance), Some((7, LinkId(7))));
}

#[test]
fn the_dialled_stay_though_others_are_nearer_and_the_farthest_of_the_others_leaves() {
    let overlay = full();
    // Those that were dialled are all farther than those that were not.
    let distance = |link: LinkId| if link.0.is_multiple_of(2) { 100 + link.0 } else { link.0 };
    assert_eq!(overlay.farthest(distance), Some((108, LinkId(8))));
    let mut fewer = full();
    fewer.neighbours.link_ended(LinkId(8));
    assert_eq!(fewer.farthest(distance), Some((7, LinkId(7))));
    assert_eq!(fewer.near(distance).len(), 5);
}

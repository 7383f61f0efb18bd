use super::{Admission, Links, Offer, Pulse};
use crate::{CloseReason, Config, Direction, LinkId, Micros};
use peerwright_secure::{NodeKey, PeerId};
use std::time::Duration;

const START: Micros = Micros(1_000_000_000);
const SECOND: Duration = Duration::from_secs(1);
const LOWEST: PeerId = PeerId::from_bytes([0; 32]);
const HIGHEST: PeerId = PeerId::from_bytes([0xff; 32]);

fn config() -> Config {
    Config::new(NodeKey::from_seed([1; 32]), 1, 1)
}

fn offer(peer: PeerId, direction: Direction) -> Offer {
    Offer { peer, incarnation: 5, direction, address: None }
}

fn with_link(peer: PeerId, direction: Direction) -> Links {
    let mut links = Links::default();
    links.insert(START, LinkId(1), &offer(peer, direction));
    links
}

#[test]
fn of_simultaneous_dials_the_one_of_the_smaller_id_stays_whichever_came_first() {
    let soon = START + SECOND / 10;
    let replace = Admission::Replace(LinkId(1), CloseReason::Duplicate);
    let refuse = Admission::Refuse(CloseReason::Duplicate);
    // This node is smaller: its own dial stays.
    let links = with_link(HIGHEST, Direction::Inbound);
    assert_eq!(links.admit(soon, &offer(HIGHEST, Direction::Outbound), &config()), replace);
    let links = with_link(HIGHEST, Direction::Outbound);
    assert_eq!(links.admit(soon, &offer(HIGHEST, Direction::Inbound), &config()), refuse);
    // This node is larger: the peer's dial stays.
    let links = with_link(LOWEST, Direction::Outbound);
    assert_eq!(links.admit(soon, &offer(LOWEST, Direction::Inbound), &config()), replace);
    let links = with_link(LOWEST, Direction::Inbound);
    assert_eq!(links.admit(soon, &offer(LOWEST, Direction::Outbound), &config()), refuse);
}

#[test]
fn a_settled_link_that_was_heard_is_not_churned() {
    let later = START + SECOND * 60;
    let mut links = with_link(HIGHEST, Direction::Inbound);
    links.get_mut(LinkId(1)).unwrap().last_heard = later;
    let admission = links.admit(later, &offer(HIGHEST, Direction::Outbound), &config());
    assert_eq!(admission, Admission::Refuse(CloseReason::Duplicate));
}

#[test]
fn a_silent_link_gives_way() {
    let links = with_link(LOWEST, Direction::Inbound);
    let admission = links.admit(START + SECOND * 3, &offer(LOWEST, Direction::Inbound), &config());
    assert_eq!(admission, Admission::Replace(LinkId(1), CloseReason::Duplicate));
}

#[test]
fn a_newer_incarnation_takes_over_and_an_older_one_is_refused() {
    let links = with_link(LOWEST, Direction::Inbound);
    let mut newer = offer(LOWEST, Direction::Outbound);
    newer.incarnation = 6;
    assert_eq!(links.admit(START, &newer, &config()), Admission::Replace(LinkId(1), CloseReason::Superseded));
    newer.incarnation = 4;
    assert_eq!(links.admit(START, &newer, &config()), Admission::Refuse(CloseReason::Superseded));
}

#[test]
fn each_direction_has_its_limit() {
    let mut links = Links::default();
    for number in 0..20u8 {
        links.insert(START, LinkId(number.into()), &offer(PeerId::from_bytes([number; 32]), Direction::Inbound));
    }
    let refused = links.admit(START, &offer(HIGHEST, Direction::Inbound), &config());
    assert_eq!(refused, Admission::Refuse(CloseReason::Full));
    assert_eq!(links.admit(START, &offer(HIGHEST, Direction::Outbound), &config()), Admission::Keep);
}

#[test]
fn an_idle_link_gets_a_keepalive_a_silent_one_is_suspect_and_then_ends() {
    let settings = config().detection;
    let mut links = with_link(HIGHEST, Direction::Outbound);
    let link = links.get_mut(LinkId(1)).unwrap();
    assert_eq!(link.pulse(START, &settings, 1), Pulse::Alive);
    assert_eq!(link.next_look(START, &settings, 1), START + SECOND);
    assert_eq!(link.pulse(START + SECOND, &settings, 1), Pulse::Idle);
    link.last_sent = START + SECOND;
    assert_eq!(link.next_look(START + SECOND, &settings, 1), START + SECOND * 3 / 2);
    assert_eq!(link.pulse(START + SECOND * 3 / 2, &settings, 1), Pulse::Suspect);
    assert_eq!(link.pulse(START + SECOND * 5, &settings, 1), Pulse::Ended);
    assert_eq!(link.pulse(START + SECOND * 5, &settings, 4), Pulse::Idle, "who was slow itself waits longer");
}

#[test]
fn the_side_that_was_dialled_lets_the_other_speak_first() {
    let settings = config().detection;
    let links = with_link(HIGHEST, Direction::Inbound);
    let link = links.get(LinkId(1)).unwrap();
    assert_eq!(link.pulse(START + SECOND, &settings, 1), Pulse::Alive);
    assert_eq!(link.pulse(START + SECOND * 5 / 4, &settings, 1), Pulse::Idle);
}

//! The table, without store or sealers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{Lane, Mark, Outbox, OutboxFull, OutboxSettings, Place, Taken};
use peerwright_ledger::{RegisterId, TransactionId};
use std::sync::Arc;
use tokio::time::Instant;

const REGISTER: RegisterId = RegisterId::from_bytes([1; 16]);

fn id(number: u8) -> TransactionId {
    TransactionId::from_bytes([number; 32])
}

fn place(sequence: u64) -> Place {
    Place { message: Mark { incarnation: 5, sequence }, entry: 0 }
}

fn outbox() -> Arc<Outbox> {
    let outbox = Arc::new(Outbox::new(OutboxSettings { capacity: 100, ..OutboxSettings::default() }));
    outbox.watch(REGISTER, Lane::new(Mark::default(), [], 5), []);
    outbox
}

fn take(outbox: &Outbox, number: u8) -> Taken {
    outbox.take(REGISTER, id(number), place(number.into()), 10, Instant::now())
}

fn open(outbox: &Outbox) -> usize {
    outbox.figures().open
}

#[test]
fn what_is_accepted_keeps_its_room_until_a_docket_holds_it() {
    let outbox = outbox();
    outbox.admit(REGISTER, id(1)).unwrap().unwrap().accepted();
    assert_eq!((open(&outbox), outbox.take_to_read().contains(&REGISTER)), (1, true));
    assert_eq!((take(&outbox, 1), open(&outbox)), (Taken::Open, 1));
    assert!(outbox.admit(REGISTER, id(1)).unwrap().is_none(), "it waits here already");
    assert!(outbox.has(REGISTER));

    outbox.tell_docket(REGISTER, &[id(9), id(1)]);

    assert_eq!((open(&outbox), outbox.has(REGISTER)), (0, false));
}

#[test]
fn what_is_not_accepted_takes_no_room() {
    let outbox = outbox();
    let (first, second) = (outbox.admit(REGISTER, id(1)).unwrap(), outbox.admit(REGISTER, id(1)).unwrap());
    drop(first);
    assert_eq!(open(&outbox), 1);
    drop(second);
    assert_eq!(open(&outbox), 0);
}

#[test]
fn a_docket_may_come_before_the_message_is_read_back_and_the_answer_after() {
    let outbox = outbox();
    let first = outbox.admit(REGISTER, id(1)).unwrap().unwrap();
    outbox.tell_docket(REGISTER, &[id(1)]);
    assert_eq!(take(&outbox, 1), Taken::Nothing);
    first.accepted();
    assert_eq!(open(&outbox), 0);

    let second = outbox.admit(REGISTER, id(2)).unwrap().unwrap();
    assert_eq!(take(&outbox, 2), Taken::Open);
    second.accepted();
    assert_eq!(open(&outbox), 1);
}

#[test]
fn what_this_life_did_not_hand_in_is_to_be_looked_up() {
    let outbox = outbox();
    assert_eq!(take(&outbox, 1), Taken::Unknown);
    assert_eq!(take(&outbox, 1), Taken::Nothing);
    outbox.settle(REGISTER, id(1));
    assert_eq!(open(&outbox), 0);
}

#[test]
fn beyond_its_capacity_nothing_is_taken_and_who_is_settled_makes_room() {
    let outbox = outbox();
    for number in 0..100 {
        outbox.admit(REGISTER, id(number)).unwrap().unwrap().accepted();
    }
    assert_eq!(outbox.admit(REGISTER, id(100)).unwrap_err(), OutboxFull(100));
    let (nobodys, full) = (RegisterId::from_bytes([2; 16]), OutboxFull(100));
    assert_eq!((outbox.refusal(REGISTER), outbox.refusal(nobodys)), (Some(full), None));
    assert!(outbox.admit(REGISTER, id(7)).is_ok(), "it has its room");
    assert!(outbox.admit(nobodys, id(100)).is_ok(), "nobody seals that register");

    take(&outbox, 1);
    outbox.tell_docket(REGISTER, &[id(1)]);

    assert_eq!(outbox.refusal(REGISTER), None);
    assert!(outbox.admit(REGISTER, id(100)).is_ok());
}

#[test]
fn another_capacity_holds_for_what_comes_then() {
    let outbox = outbox();
    let admit = |number: u8| outbox.admit(REGISTER, id(number)).map(|admitted| admitted.unwrap().accepted());
    for number in 0..100 {
        admit(number).unwrap();
    }
    assert_eq!(admit(100), Err(OutboxFull(100)));

    outbox.tune(OutboxSettings { capacity: 101, ..outbox.settings() });
    assert_eq!((admit(100), admit(101)), (Ok(()), Err(OutboxFull(101))));

    outbox.tune(OutboxSettings { capacity: 100, ..outbox.settings() });
    assert_eq!((open(&outbox), admit(101)), (101, Err(OutboxFull(100))), "what waits is not taken away");
}

#[test]
fn a_dead_letter_is_not_opened_again_unless_it_is_handed_in_anew() {
    let outbox = outbox();
    take(&outbox, 1);
    outbox.buried([(REGISTER, id(1))], &[]);
    assert!(outbox.is_dead(REGISTER, id(1)) && open(&outbox) == 0);
    assert_eq!(take(&outbox, 1), Taken::Nothing);

    outbox.admit(REGISTER, id(1)).unwrap().unwrap().accepted();
    assert_eq!(take(&outbox, 1), Taken::Open);
    outbox.tell_docket(REGISTER, &[id(1)]);

    assert_eq!(outbox.take_risen(), [(REGISTER, id(1))]);
    assert!(!outbox.is_dead(REGISTER, id(1)) && !outbox.has(REGISTER));
}

#[test]
fn of_a_register_that_is_not_watched_any_more_nothing_stays() {
    let outbox = outbox();
    outbox.admit(REGISTER, id(1)).unwrap().unwrap().accepted();
    take(&outbox, 2);
    outbox.buried([(REGISTER, id(3))], &[]);

    outbox.forget(REGISTER);

    assert!(open(&outbox) == 0 && outbox.figures().dead == 0 && !outbox.has(REGISTER));
}

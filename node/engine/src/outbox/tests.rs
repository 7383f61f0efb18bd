use super::{Draft, Outbox, Room, batch::Batches};
use crate::{Micros, SubmitRefusal, Token, bounds};
use bytes::Bytes;
use peerwright_ledger::{Message, RegisterId, TransactionId};
use peerwright_secure::NodeKey;
use proptest::prelude::*;
use std::time::Duration;

const START: Micros = Micros(1_000_000_000);
const WINDOW: Duration = Duration::from_millis(2);
const HOUR: Duration = Duration::from_secs(3_600);

fn register(number: u8) -> RegisterId {
    RegisterId::from_bytes([number; 16])
}

fn bytes(length: usize) -> Bytes {
    Bytes::from(vec![7; length])
}

fn sizes(drafts: &[Draft]) -> Vec<usize> {
    drafts.iter().map(|draft| draft.entries.len()).collect()
}

fn add(batches: &mut Batches, now: Micros, register_number: u8, token: u64, length: usize) -> Vec<Draft> {
    batches.add(now, WINDOW, false, register(register_number), Token(token), bytes(length))
}

/// Batches whose register 1 has just published.
fn busy() -> Batches {
    let mut batches = Batches::default();
    assert_eq!(sizes(&add(&mut batches, START, 1, 0, 1)), [1]);
    batches
}

#[test]
fn what_comes_to_a_quiet_register_is_published_at_once() {
    let mut batches = busy();
    assert!(batches.is_empty());
    assert_eq!(batches.next_due(WINDOW), None);
    assert_eq!(sizes(&add(&mut batches, START, 2, 1, 1)), [1], "another register is quiet still");
    assert_eq!(sizes(&add(&mut batches, START + WINDOW, 1, 2, 1)), [1], "a window later it is quiet again");
    assert!(add(&mut batches, START + WINDOW * 3 / 2, 1, 3, 1).is_empty());
    assert!(!batches.is_empty());
}

#[test]
fn what_comes_within_a_window_waits_for_its_end() {
    let mut batches = busy();
    assert!(add(&mut batches, START + WINDOW / 4, 1, 1, 10).is_empty());
    assert!(add(&mut batches, START + WINDOW / 2, 1, 2, 10).is_empty());
    assert_eq!(batches.next_due(WINDOW), Some(START + WINDOW));
    assert_eq!(sizes(&batches.take_due(START + WINDOW, WINDOW)), [2]);
    assert!(add(&mut batches, START + WINDOW * 3 / 2, 1, 3, 10).is_empty(), "the batch has opened a window");
    assert_eq!(batches.next_due(WINDOW), Some(START + WINDOW * 2));
}

#[test]
fn what_comes_while_the_store_is_busy_waits_for_it() {
    let mut batches = Batches::default();
    for token in 0..2 {
        let now = START + WINDOW * 2 * u32::try_from(token).unwrap();
        assert!(batches.add(now, WINDOW, true, register(1), Token(token), bytes(1)).is_empty());
    }
    assert!(batches.next_due(WINDOW).is_some_and(|due| due <= START), "no window holds it up");
    assert_eq!(sizes(&batches.take_due(START + WINDOW * 3, WINDOW)), [2]);
}

#[test]
fn a_batch_closes_at_64_transactions() {
    let mut batches = busy();
    for number in 1..64 {
        assert!(add(&mut batches, START, 1, number, 1).is_empty());
    }
    assert_eq!(sizes(&add(&mut batches, START, 1, 64, 1)), [64]);
    assert!(batches.is_empty());
}

#[test]
fn a_batch_closes_before_it_passes_16_kib() {
    let mut batches = busy();
    add(&mut batches, START, 1, 1, 10 * 1024);
    assert_eq!(sizes(&add(&mut batches, START, 1, 2, 7 * 1024)), [1]);
    assert_eq!(sizes(&add(&mut batches, START, 1, 3, 9 * 1024)), [2]);
}

#[test]
fn a_transaction_of_16_to_32_kib_rides_alone() {
    let mut batches = busy();
    add(&mut batches, START, 1, 1, 10);
    assert_eq!(sizes(&add(&mut batches, START, 1, 2, 30 * 1024)), [1, 1]);
}

#[test]
fn batches_of_several_registers_close_each_at_its_time() {
    let mut batches = busy();
    add(&mut batches, START + WINDOW / 2, 2, 1, 10);
    for number in [1, 2] {
        add(&mut batches, START + WINDOW / 2, number, 2, 10);
    }
    assert_eq!(batches.next_due(WINDOW), Some(START + WINDOW));
    let due = batches.take_due(START + WINDOW, WINDOW);
    assert_eq!(due.iter().map(|draft| draft.register).collect::<Vec<_>>(), [register(1)]);
    assert_eq!(batches.take_due(START + WINDOW * 2, WINDOW).len(), 1);
}

proptest! {
    /// Whatever comes when: each transaction is published once, in order, within a window; and a register publishes at most
    /// once a window beyond the batches that were full.
    #[test]
    fn all_are_published_once_in_order_and_in_time(
        submitted in prop::collection::vec((0..3_000_u64, 1..3_u8, 1..9_000_usize), 1..200),
    ) {
        let (mut batches, mut now) = (Batches::default(), START);
        let (mut came, mut published) = (Vec::new(), Vec::new());
        let end = submitted.iter().map(|(pause, ..)| Duration::from_micros(*pause)).sum::<Duration>() + WINDOW;
        for (pause, added) in submitted.into_iter().map(|(pause, number, length)| (Some(pause), Some((number, length)))).chain([(None, None)]) {
            let until = pause.map_or(START + end, |pause| now + Duration::from_micros(pause));
            while let Some(at) = batches.next_due(WINDOW).filter(|at| *at <= until) {
                let due = batches.take_due(at, WINDOW);
                prop_assert!(!due.is_empty(), "what is due is given");
                published.extend(due.into_iter().map(|draft| (at, false, draft)));
            }
            now = until;
            if let Some((number, length)) = added {
                let ready = add(&mut batches, now, number, came.len() as u64, length);
                published.extend(ready.into_iter().map(|draft| (now, true, draft)));
                came.push(now);
            }
        }
        prop_assert!(batches.is_empty());
        let all = published.iter().map(|(_, _, draft)| draft.tokens.len()).sum::<usize>();
        prop_assert_eq!(all, came.len());
        for number in [1, 2] {
            let own = published.iter().filter(|(_, _, draft)| draft.register == register(number));
            let tokens: Vec<u64> = own.clone().flat_map(|(_, _, draft)| &draft.tokens).map(|token| token.0).collect();
            prop_assert!(tokens.is_sorted());
            let waited: Vec<_> = own.clone().filter(|(_, is_ready, _)| !is_ready).map(|(at, ..)| *at).collect();
            prop_assert!(waited.windows(2).all(|pair| pair[1].since(pair[0]) >= WINDOW));
        }
        for (at, _, draft) in &published {
            let arrival = |token: &Token| came[usize::try_from(token.0).unwrap()];
            prop_assert!(draft.tokens.iter().all(|token| at.since(arrival(token)) <= WINDOW));
        }
    }
}

fn sign(outbox: &mut Outbox, now: Micros, number: u8) -> Message {
    let draft = Draft::announce(register(number), Token(1), TransactionId::from_bytes([number; 32]), 40_000);
    outbox.sign(now, now, HOUR, draft).unwrap().message
}

#[test]
fn messages_are_numbered_chained_and_signed() {
    let key = NodeKey::from_seed([9; 32]);
    let mut outbox = Outbox::new(key.clone(), 77);
    let messages = [1, 2, 1].map(|number| sign(&mut outbox, START, number));
    let numbers = messages.each_ref().map(|signed| (signed.body().sequence, signed.body().register_sequence));
    assert_eq!(numbers, [(1, 1), (2, 1), (3, 2)]);
    assert_eq!(messages[0].body().previous, [0; 32]);
    assert_eq!(messages[1].body().previous, messages[0].id());
    for signed in &messages {
        assert_eq!((signed.body().origin, signed.body().incarnation), (key.public(), 77));
        assert_eq!(signed.verify(), Ok(()));
    }
}

#[test]
fn the_floor_follows_a_minute_behind() {
    let mut outbox = Outbox::new(NodeKey::from_seed([9; 32]), 77);
    let floors: Vec<u64> =
        (0..90).map(|second| sign(&mut outbox, START + Duration::from_secs(second), 1).body().floor).collect();
    assert_eq!(floors[59], 1);
    assert_eq!(floors[89], 30, "61 marks of a second each are kept");
    let after_silence = sign(&mut outbox, START + Duration::from_secs(500), 1);
    assert_eq!(after_silence.body().floor, after_silence.body().sequence);
}

#[test]
fn a_full_outbox_refuses_until_room_is_given_back() {
    let mut outbox = Outbox::new(NodeKey::from_seed([9; 32]), 77);
    let large = bounds::MAX_QUEUED_BYTES / 2;
    assert_eq!(outbox.reserve(large), Ok(()));
    assert_eq!(outbox.reserve(large), Ok(()));
    assert_eq!(outbox.reserve(1), Err(SubmitRefusal::Overloaded));
    outbox.release(Room { transactions: 1, bytes: large });
    assert_eq!(outbox.reserve(1), Ok(()));
}

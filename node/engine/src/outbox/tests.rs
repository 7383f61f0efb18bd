use super::{Draft, Outbox, Room, batch::Batches};
use crate::{Micros, SubmitRefusal, Token, bounds};
use bytes::Bytes;
use peerwright_ledger::{Message, RegisterId, TransactionId};
use peerwright_secure::NodeKey;
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

#[test]
fn a_batch_closes_at_64_transactions() {
    let mut batches = Batches::default();
    for number in 0..63 {
        assert!(batches.add(START, register(1), Token(number), bytes(1)).is_empty());
    }
    assert_eq!(sizes(&batches.add(START, register(1), Token(63), bytes(1))), [64]);
    assert!(batches.is_empty());
}

#[test]
fn a_batch_closes_before_it_passes_16_kib() {
    let mut batches = Batches::default();
    batches.add(START, register(1), Token(1), bytes(10 * 1024));
    assert_eq!(sizes(&batches.add(START, register(1), Token(2), bytes(7 * 1024))), [1]);
    assert_eq!(sizes(&batches.add(START, register(1), Token(3), bytes(9 * 1024))), [2]);
}

#[test]
fn a_transaction_of_16_to_32_kib_rides_alone() {
    let mut batches = Batches::default();
    batches.add(START, register(1), Token(1), bytes(10));
    assert_eq!(sizes(&batches.add(START, register(1), Token(2), bytes(30 * 1024))), [1, 1]);
}

#[test]
fn a_batch_waits_for_company_at_most_the_window() {
    let mut batches = Batches::default();
    batches.add(START, register(2), Token(1), bytes(10));
    batches.add(START + WINDOW / 2, register(1), Token(2), bytes(10));
    assert_eq!(batches.next_due(WINDOW), Some(START + WINDOW));
    let due = batches.take_due(START + WINDOW, WINDOW);
    assert_eq!(due.iter().map(|draft| draft.register).collect::<Vec<_>>(), [register(2)]);
    assert_eq!(batches.take_due(START + WINDOW * 2, WINDOW).len(), 1);
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

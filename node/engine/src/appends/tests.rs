use super::{Appends, ReceivedMessage};
use crate::{
    Micros, Token, bounds,
    outbox::{Draft, Outbox, OwnMessage},
};
use peerwright_ledger::{RegisterId, TransactionId};
use peerwright_secure::NodeKey;
use std::time::Duration;

fn own(outbox: &mut Outbox, token: u64) -> OwnMessage {
    let id = TransactionId::from_bytes([1; 32]);
    let draft = Draft::announce(RegisterId::from_bytes([1; 16]), Token(token), id, 40_000);
    outbox.sign(Micros(1), Micros(1), Duration::from_secs(60), draft).unwrap()
}

fn outbox() -> Outbox {
    Outbox::new(NodeKey::from_seed([1; 32]), 1)
}

#[test]
fn one_append_is_under_way_and_own_messages_go_first() {
    let (mut appends, mut outbox) = (Appends::default(), outbox());
    let (first, second) = (own(&mut outbox, 1), own(&mut outbox, 2));
    let received = ReceivedMessage { message: second.message.clone(), pulled_from: None };
    assert!(appends.push_received(received, true));
    appends.push_own(first.clone());
    assert_eq!(appends.start(Token(9)), Some(vec![first.message, second.message]));
    appends.push_own(own(&mut outbox, 3));
    assert_eq!(appends.start(Token(10)), None);
    assert!(appends.answered(Token(8), true).is_none(), "an answer to something else");
    let outcome = appends.answered(Token(9), true).unwrap();
    assert_eq!((outcome.messages.own.len(), outcome.messages.received.len()), (1, 1));
    assert_eq!(appends.start(Token(11)).map(|messages| messages.len()), Some(1));
}

#[test]
fn a_failed_append_of_own_messages_is_tried_again_with_the_same_messages() {
    let (mut appends, mut outbox) = (Appends::default(), outbox());
    let messages = [own(&mut outbox, 1), own(&mut outbox, 2)];
    for message in &messages {
        appends.push_own(message.clone());
    }
    let first = appends.start(Token(1)).unwrap();
    let outcome = appends.answered(Token(1), false).unwrap();
    let tokens: Vec<Token> = outcome.messages.own.iter().flat_map(|own| own.tokens.clone()).collect();
    assert_eq!(tokens, [Token(1), Token(2)], "those who wait are told at once");
    assert!(appends.is_failing());
    assert_eq!(appends.start(Token(2)), None, "not before the next try");
    appends.resume();
    assert_eq!(appends.start(Token(3)), Some(first));
    let outcome = appends.answered(Token(3), true).unwrap();
    assert!(outcome.messages.own.iter().all(|own| own.tokens.is_empty()));
    assert!(!appends.is_failing() && appends.is_idle());
}

#[test]
fn the_queue_of_received_messages_is_bounded() {
    let (mut appends, mut outbox) = (Appends::default(), outbox());
    let received = ReceivedMessage { message: own(&mut outbox, 1).message, pulled_from: None };
    for _ in 0..bounds::MAX_RECEIVED_QUEUE {
        assert!(appends.push_received(received.clone(), true));
    }
    assert!(!appends.push_received(received.clone(), true));
    assert!(!appends.push_received(received, false));
    assert_eq!(appends.start(Token(1)).unwrap().len(), bounds::MAX_APPEND_MESSAGES);
}

#[test]
fn what_the_store_may_hold_already_waits_and_counts() {
    let (mut appends, mut outbox) = (Appends::default(), outbox());
    let received = ReceivedMessage { message: own(&mut outbox, 1).message, pulled_from: None };
    for _ in 0..bounds::MAX_RECEIVED_QUEUE {
        assert!(appends.push_received(received.clone(), false));
    }
    assert!(!appends.push_received(received.clone(), true));
    assert_eq!((appends.start(Token(1)), appends.queued()), (None, bounds::MAX_RECEIVED_QUEUE));
    assert_eq!(appends.take_undecided().len(), bounds::MAX_RECEIVED_QUEUE);
    assert!(appends.is_idle());
    assert!(appends.push_received(received, true));
    assert_eq!(appends.start(Token(2)).map(|messages| messages.len()), Some(1));
}

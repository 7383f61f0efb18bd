//! Messages travel without what the one before them says, and come whole to who has not that one.

use super::{
    net::{HOSTILE, Net, SECOND, author, authored, say, with_stranger},
    trees::{live_on, with_neighbour, with_two_neighbours, written},
};
use crate::{
    Event,
    bounds::{CACHE_TIME, SERVED_BYTES},
    frame::{Frame, Graft, VERSION, kind},
};
use bytes::Bytes;
use peerwright_ledger::{
    Entry, Message, MessageBody, MessageHeader, TransactionId,
    message::{Packed, PredecessorName},
};

/// What node 0 has told the stranger since the last time, of these kinds.
fn told(net: &mut Net, kinds: &[u8]) -> Vec<Bytes> {
    let told = std::mem::take(&mut net.told).into_iter();
    told.map(|(_, frame)| frame).filter(|frame| kinds.contains(&frame[1])).collect()
}

/// Node 0 submits a text. Which message the one that the stranger is sent follows.
fn follows(net: &mut Net, text: &str) -> Option<PredecessorName> {
    net.submit(0, text);
    net.run(SECOND / 10);
    let frames = told(net, &[kind::MESSAGE, kind::PACKED]);
    let [frame] = frames.as_slice() else { panic!("{} messages", frames.len()) };
    let Ok(Frame::Packed { packed, .. }) = Frame::decode(frame) else { panic!("{frame:?}") };
    Packed::read(packed).unwrap().follows().copied()
}

fn packed(message: &Message, before: &Message) -> Bytes {
    message.pack(Some(&before.as_predecessor()))
}

fn delivered(net: &Net) -> u64 {
    net.engine(0).statistics().gossip.delivered
}

#[test]
fn a_neighbour_that_has_the_one_before_is_sent_what_is_new() {
    let mut net = with_neighbour(1);
    let origin = net.nodes[0].key.public();
    assert_eq!(follows(&mut net, "text-0"), None);
    let first = follows(&mut net, "text-1").unwrap();
    let second = follows(&mut net, "text-2").unwrap();
    assert_ne!(first, second);

    live_on(&mut net, CACHE_TIME + SECOND);
    assert_eq!(follows(&mut net, "text-3"), None, "who knows whether it is still kept there");
    assert!(follows(&mut net, "text-4").is_some());

    say(&mut net, &Frame::PredecessorUnknown { predecessor: second });
    assert_eq!(told(&mut net, &[kind::MESSAGE]).len(), 0, "it is long gone");
    let graft = Graft { origin, incarnation: 0, from: 1, through: 0, messages: 0, bytes: 0 };
    say(&mut net, &Frame::Graft(graft));
    assert!(follows(&mut net, "text-5").is_some(), "it has the one before all the same");
}

#[test]
fn who_has_not_the_one_before_is_given_the_whole() {
    let mut net = with_neighbour(1);
    follows(&mut net, "text-0");
    let first = follows(&mut net, "text-1").unwrap();
    say(&mut net, &Frame::PredecessorUnknown { predecessor: first });
    let given = told(&mut net, &[kind::MESSAGE]);
    let [frame] = given.as_slice() else { panic!("{given:?}") };
    let Ok(Frame::Message { message, .. }) = Frame::decode(frame) else { panic!("{frame:?}") };
    assert_eq!(MessageHeader::peek(message).map(|header| header.sequence), Some(2));

    for unknown in [[7; 16], Message::decode(message.to_vec()).unwrap().as_predecessor().name()] {
        say(&mut net, &Frame::PredecessorUnknown { predecessor: unknown });
        assert_eq!(told(&mut net, &[kind::MESSAGE]).len(), 0);
    }
    let credit = SERVED_BYTES / message.len() - 1;
    for _ in 0..credit + 9 {
        say(&mut net, &Frame::PredecessorUnknown { predecessor: first });
    }
    assert_eq!(told(&mut net, &[kind::MESSAGE]).len(), credit, "one was given before");
}

#[test]
fn who_has_lacked_one_is_sent_each_for_itself() {
    let mut net = with_neighbour(1);
    follows(&mut net, "text-0");
    let predecessor = follows(&mut net, "text-1").unwrap();
    say(&mut net, &Frame::PredecessorUnknown { predecessor });
    assert_eq!(told(&mut net, &[kind::MESSAGE]).len(), 1);
    for text in ["text-2", "text-3"] {
        assert_eq!(follows(&mut net, text), None);
    }
}

#[test]
fn what_follows_an_announced_body_stands_for_itself() {
    let mut net = with_neighbour(1);
    assert_eq!(follows(&mut net, "text-0"), None);
    assert!(follows(&mut net, &"large".repeat(10_000)).is_some());
    assert_eq!(follows(&mut net, "text-2"), None, "who does not hold the register has not kept that one");
    assert!(follows(&mut net, "text-3").is_some());
}

#[test]
fn what_overtakes_a_message_whose_body_is_not_here_stands_for_itself() {
    let mut net = with_two_neighbours();
    let mut previous = [0; 32];
    let entries = [
        Entry::Inline(Bytes::from_static(b"text-1")),
        Entry::Announced { id: TransactionId::from_bytes([7; 32]), size: 100_000 },
        Entry::Inline(Bytes::from_static(b"text-3")),
    ];
    for (sequence, entry) in (1..).zip(entries) {
        let body = MessageBody { previous, entries: vec![entry], ..authored(&net, sequence) };
        let message = MessageBody { created_at_micros: net.now.0, ..body }.sign(&author()).unwrap();
        previous = message.id();
        say(&mut net, &Frame::Message { hops: 5, message: message.encoded() });
        net.run(SECOND / 10);
    }
    let packed = told(&mut net, &[kind::PACKED]);
    let follows = |frame: &Bytes| match Frame::decode(frame) {
        Ok(Frame::Packed { packed, .. }) => Packed::read(packed).unwrap().follows().copied(),
        _ => panic!("{frame:?}"),
    };
    assert_eq!(packed.iter().map(follows).collect::<Vec<_>>(), [None, None], "the first and the third");
}

#[test]
fn what_follows_an_unknown_message_is_asked_for() {
    let mut net = with_neighbour(1);
    let messages = written(&net, 4);
    let following = |number: usize| packed(&messages[number], &messages[number - 1]);
    say(&mut net, &Frame::Packed { hops: 5, packed: &following(1) });
    net.run(SECOND / 100);
    let unknown = Frame::PredecessorUnknown { predecessor: messages[0].as_predecessor().name() };
    assert_eq!(told(&mut net, &[kind::PREDECESSOR_UNKNOWN]), [unknown.encode()]);
    assert_eq!(delivered(&net), 0);

    say(&mut net, &Frame::Message { hops: 5, message: messages[0].encoded() });
    net.run(SECOND / 100);
    // The third comes while the second is being verified.
    say(&mut net, &Frame::Packed { hops: 5, packed: &following(1) });
    say(&mut net, &Frame::Packed { hops: 5, packed: &following(2) });
    net.run(SECOND / 100);
    say(&mut net, &Frame::Packed { hops: 5, packed: &messages[3].pack(None) });
    net.run(SECOND / 100);
    assert_eq!((delivered(&net), told(&mut net, &[kind::PREDECESSOR_UNKNOWN]).len()), (4, 0));
    say(&mut net, &Frame::Packed { hops: 5, packed: &following(3) });
    assert_eq!(net.engine(0).statistics().gossip.duplicates, 1);
}

#[test]
fn a_packed_message_that_cannot_be_read_closes_the_link_and_an_unknown_form_does_not() {
    let is_open = |net: &Net| net.engine(0).peers().iter().any(|view| view.link == HOSTILE);
    let mut net = with_stranger(1);
    say(&mut net, &Frame::Packed { hops: 5, packed: &[0x80] });
    let unsupported =
        |event: &Event| matches!(event, Event::UnsupportedFrame { version: VERSION, kind: kind::PACKED, .. });
    assert!(is_open(&net) && net.events(0).any(unsupported));

    let first = &written(&net, 1)[0];
    assert_eq!(first.body().origin, author().public());
    let packed = first.pack(None);
    say(&mut net, &Frame::Packed { hops: 5, packed: &packed[..packed.len() - 1] });
    assert!(!is_open(&net));
}

//! Peers that do not keep to the rules.

use super::net::{HOSTILE, Net, OwnedInput, REGISTER, SECOND, author, authored, say, texts, with_stranger};
use crate::{CloseReason, Event, HeartbeatFault, Held, Input, MessageRange, frame::Frame};
use bytes::Bytes;
use peerwright_ledger::{Message, MessageBody, RegisterId};
use peerwright_secure::PeerId;
use proptest::prelude::*;

fn signed(net: &Net, sequence: u64, register_sequence: u64) -> Message {
    MessageBody { register_sequence, ..authored(net, sequence) }.sign(&author()).unwrap()
}

fn forged(message: &Message) -> Bytes {
    let mut bytes = message.encoded().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    bytes.into()
}

fn is_open(net: &Net) -> bool {
    net.engine(0).peers().iter().any(|view| view.link == HOSTILE)
}

fn closed_because(net: &Net, because: CloseReason) -> bool {
    net.events(0).any(|event| matches!(event, Event::LinkClosed { link: HOSTILE, reason, .. } if *reason == because))
}

#[test]
fn a_bad_signature_convicts_the_link_and_is_neither_stored_nor_passed_on() {
    let mut net = with_stranger(2);
    let bytes = forged(&signed(&net, 1, 1));
    say(&mut net, &Frame::Message { hops: 5, message: &bytes });
    net.run(SECOND);
    assert!(!is_open(&net) && closed_because(&net, CloseReason::BadSignature));
    let convicted = Event::BadSignature { peer: PeerId::from_bytes([0xee; 32]), origin: Some(author().public()) };
    assert!(net.events(0).any(|event| *event == convicted));
    assert!((0..2).all(|node| net.nodes[node].store.messages.is_empty()));
    assert_eq!(net.engine(1).statistics().gossip.received, 0);
}

#[test]
fn a_forged_copy_does_not_suppress_the_real_message() {
    let mut net = with_stranger(2);
    let real = signed(&net, 1, 1);
    say(&mut net, &Frame::Message { hops: 5, message: &forged(&real) });
    let honest = net.engine(0).peers().iter().find(|view| view.link != HOSTILE).unwrap().link;
    let frame = Frame::Message { hops: 5, message: real.encoded() }.encode();
    net.give(0, OwnedInput::Frame { link: honest, bytes: frame });
    net.run(SECOND);
    assert!(net.holds_exactly(0, &texts("text", 1)));
    assert!(net.are_linked(0, 1) && !is_open(&net));
}

#[test]
fn a_replayed_message_is_neither_stored_nor_passed_on_again() {
    let mut net = with_stranger(2);
    let bytes = signed(&net, 1, 1).encoded().clone();
    for _ in 0..100 {
        say(&mut net, &Frame::Message { hops: 5, message: &bytes });
        net.run(SECOND / 100);
    }
    net.assert_stored_once();
    let statistics = net.engine(0).statistics().gossip;
    assert_eq!((statistics.delivered, statistics.duplicates, statistics.sent), (1, 99, 1));
    net.start(0);
    net.run(SECOND * 5);
    let up = Input::LinkUp {
        link: HOSTILE,
        peer: PeerId::from_bytes([0xee; 32]),
        incarnation: 1,
        outbound: false,
        address: None,
    };
    net.give(0, OwnedInput::Plain(up));
    say(&mut net, &Frame::Message { hops: 5, message: &bytes });
    net.run(SECOND);
    assert_eq!(net.engine(0).statistics().gossip.delivered, 0, "what is held is known after a restart, too");
}

#[test]
fn a_message_that_claims_to_live_for_ever_is_not_believed() {
    let mut net = with_stranger(1);
    let eternal = MessageBody { expires_at_micros: u64::MAX, ..authored(&net, 1) }.sign(&author()).unwrap();
    say(&mut net, &Frame::Message { hops: 5, message: eternal.encoded() });
    net.run(SECOND);
    assert!(is_open(&net) && net.nodes[0].store.messages.is_empty());
}

#[test]
fn messages_with_huge_numbers_and_holes_are_survived() {
    let mut net = with_stranger(2);
    for sequence in [u64::MAX, 3, u64::MAX / 2, u64::MAX - 1] {
        let huge = signed(&net, sequence, sequence);
        say(&mut net, &Frame::Message { hops: 5, message: huge.encoded() });
    }
    net.run(SECOND * 120);
    assert!(net.are_linked(0, 1));
    assert_eq!(net.nodes[1].store.messages.len(), 4);
    assert_eq!(net.engine(0).statistics().sync.missing, 0);
}

#[test]
fn advertising_what_one_does_not_have_keeps_nobody_from_the_rest() {
    let mut net = with_stranger(2);
    let row = |register: RegisterId| crate::frame::DigestRow { register, messages: 5, hash: [1; 16] };
    for _ in 0..20 {
        say(&mut net, &Frame::Digest { reply: false, last: true, rows: vec![row(REGISTER)] });
        let rows =
            vec![Held { register: REGISTER, origin: author().public(), incarnation: 1, ranges: vec![(1, u64::MAX)] }];
        say(&mut net, &Frame::HeldPage { more: true, rows });
        net.run(SECOND);
    }
    net.submit(1, "text-0");
    net.run(SECOND);
    assert!(net.holds_exactly(0, &texts("text", 1)));
    net.run(SECOND * 30);
    assert_eq!(net.engine(0).statistics().sync.missing, 0, "what is not answered is given up");
}

#[test]
fn frames_that_cannot_be_read_end_the_link_and_unknown_ones_do_not() {
    let mut net = with_stranger(1);
    for bytes in [&[1u8, 99, 1, 2][..], &[9, 1][..]] {
        net.give(0, OwnedInput::Frame { link: HOSTILE, bytes: Bytes::copy_from_slice(bytes) });
    }
    let mut newer = signed(&net, 1, 1).encoded().to_vec();
    newer[0] = 2;
    say(&mut net, &Frame::Message { hops: 5, message: &newer });
    assert!(is_open(&net));
    assert_eq!(net.engine(0).statistics().links.frames_unsupported, 3);
    net.give(0, OwnedInput::Frame { link: HOSTILE, bytes: Bytes::from_static(&[1, 1, 0]) });
    assert!(closed_because(&net, CloseReason::Malformed));
    assert_eq!(net.engine(0).statistics().links.frames_malformed, 1);
}

#[test]
fn unrequested_answers_are_dropped() {
    let mut net = with_stranger(1);
    let bytes = signed(&net, 1, 1).encoded().clone();
    say(&mut net, &Frame::Pulled { request: 1, message: &bytes });
    say(&mut net, &Frame::PullEnd { request: 1 });
    say(&mut net, &Frame::HeldPage { more: false, rows: Vec::new() });
    let id = peerwright_ledger::TransactionId::from_bytes([1; 32]);
    say(&mut net, &Frame::Chunk { id, offset: 0, bytes: b"chunk" });
    say(&mut net, &Frame::ChunkGone { id });
    net.run(SECOND);
    assert!(is_open(&net) && net.nodes[0].store.messages.is_empty());
    let dropped = net.events(0).filter(|event| **event == Event::Dropped { what: "unrequested" }).count();
    assert_eq!(dropped, 3);
}

#[test]
fn a_second_pull_while_one_is_served_is_ignored() {
    let mut net = with_stranger(1);
    net.submit(0, "text-0");
    net.run(SECOND / 10);
    let origin = net.nodes[0].key.public();
    let range =
        MessageRange { register: REGISTER, origin, incarnation: net.nodes[0].incarnation, from: 1, to: u64::MAX };
    for request in 1..=50 {
        say(&mut net, &Frame::Pull { request, ranges: vec![range] });
    }
    net.run(SECOND / 10);
    assert_eq!(net.engine(0).statistics().sync.served, 1);
    assert!(net.events(0).any(|event| *event == Event::Dropped { what: "pull_overlap" }));
}

#[test]
fn a_flood_of_different_messages_of_one_link_is_bounded() {
    let mut net = with_stranger(2);
    net.nodes[0].verifier_is_dead = true;
    for sequence in 1..=3_000 {
        let forged = forged(&signed(&net, sequence, sequence));
        say(&mut net, &Frame::Message { hops: 5, message: &forged });
    }
    assert_eq!(net.engine(0).statistics().gossip.verifying, crate::bounds::MAX_VERIFYING_PER_LINK as u64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_frames_make_the_engine_panic(
        frames in prop::collection::vec((0..15u8, prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(0xaa), any::<u8>()], 0..120)), 0..40),
    ) {
        let mut net = with_stranger(1);
        for (kind, fields) in frames {
            if !is_open(&net) {
                let up = Input::LinkUp { link: HOSTILE, peer: PeerId::from_bytes([0xee; 32]), incarnation: 1, outbound: false, address: None };
                net.give(0, OwnedInput::Plain(up));
            }
            let bytes = [[1, kind].as_slice(), &fields].concat();
            net.give(0, OwnedInput::Frame { link: HOSTILE, bytes: bytes.into() });
        }
        net.run(SECOND * 40);
    }
}

#[test]
fn heartbeats_that_are_not_taken_are_told_with_the_reason() {
    let mut net = with_stranger(1);
    let rejected = |net: &Net| {
        let reasons = net.events(0).filter_map(|event| match event {
            Event::HeartbeatRejected { peer, reason } if *peer == PeerId::from_bytes([0xee; 32]) => Some(*reason),
            _ => None,
        });
        reasons.collect::<Vec<_>>()
    };
    let later = (net.now + SECOND).0;
    say(&mut net, &Frame::Echo { sent: later });
    assert_eq!(rejected(&net), [HeartbeatFault::Unasked]);
    assert_eq!(net.engine(0).statistics().links.round_trips.count, 0);
    let mut newer = Frame::Keepalive { sent: 1 }.encode().to_vec();
    newer.push(0);
    net.give(0, OwnedInput::Frame { link: HOSTILE, bytes: newer.into() });
    let shorter = Frame::Keepalive { sent: 1 }.encode().slice(..5);
    net.give(0, OwnedInput::Frame { link: HOSTILE, bytes: shorter });
    assert_eq!(rejected(&net)[1..], [HeartbeatFault::Unsupported, HeartbeatFault::Malformed]);
    assert!(!is_open(&net), "what cannot be read ends the link");
}

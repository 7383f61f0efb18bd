//! Origins that sign two histories.

use super::net::{HOSTILE, Net, SECOND, author, authored, say, with_stranger};
use crate::{CloseReason, Event, frame::Frame};
use bytes::Bytes;
use peerwright_ledger::{Entry, EquivocationProof, Message, MessageBody};

fn signed(net: &Net, sequence: u64, previous: [u8; 32], text: &'static str) -> Message {
    let body = MessageBody {
        previous,
        created_at_micros: net.now.0,
        entries: vec![Entry::Inline(Bytes::from_static(text.as_bytes()))],
        ..authored(net, sequence)
    };
    body.sign(&author()).unwrap()
}

fn spread(net: &mut Net, message: &Message) {
    say(net, &Frame::Message { hops: 5, message: message.encoded() });
    net.run(SECOND);
}

fn is_convicted(net: &Net, node: usize) -> bool {
    let proofs = net.events(node).filter_map(|event| match event {
        Event::Equivocation { proof, .. } => Some(EquivocationProof::decode(proof).unwrap()),
        _ => None,
    });
    let proofs: Vec<EquivocationProof> = proofs.collect();
    assert!(proofs.iter().all(|proof| proof.origin() == author().public() && proof.verify().is_ok()));
    assert!(proofs.len() <= 1, "one proof of an origin is enough");
    proofs.len() == 1
}

#[test]
fn two_bodies_with_one_name_are_a_proof_that_reaches_everybody_and_ends_the_spreading() {
    let mut net = with_stranger(3);
    let first = signed(&net, 1, [0; 32], "text-0");
    spread(&mut net, &first);
    assert!((0..3).all(|node| !is_convicted(&net, node) && net.nodes[node].store.messages.len() == 1));
    let rival = signed(&net, 1, [0; 32], "text-1");
    spread(&mut net, &rival);
    assert!((0..3).all(|node| is_convicted(&net, node)));
    let next = signed(&net, 2, first.id(), "text-2");
    spread(&mut net, &next);
    assert!((0..3).all(|node| net.nodes[node].store.messages.len() == 1), "it is spread no more");
    assert!(net.engine(0).peers().iter().any(|view| view.link == HOSTILE), "who passes it on is not to blame");
}

#[test]
fn of_two_bodies_with_one_name_that_come_together_one_is_stored() {
    let mut net = with_stranger(2);
    let rivals = ["text-0", "text-1"].map(|text| signed(&net, 1, [0; 32], text));
    for rival in &rivals {
        say(&mut net, &Frame::Message { hops: 5, message: rival.encoded() });
    }
    net.run(SECOND);
    net.assert_stored_once();
    assert!((0..2).all(|node| is_convicted(&net, node) && net.nodes[node].store.messages.len() == 1));
}

#[test]
fn a_message_that_does_not_name_the_one_before_it_is_a_proof_too() {
    let mut net = with_stranger(3);
    let first = signed(&net, 1, [0; 32], "text-0");
    spread(&mut net, &first);
    let breach = signed(&net, 2, [7; 32], "text-1");
    spread(&mut net, &breach);
    assert!((0..3).all(|node| is_convicted(&net, node)));
}

#[test]
fn an_honest_history_is_no_proof_in_whatever_order_it_comes() {
    let mut net = with_stranger(3);
    let first = signed(&net, 1, [0; 32], "text-0");
    let second = signed(&net, 2, first.id(), "text-1");
    let third = signed(&net, 3, second.id(), "text-2");
    for message in [&third, &first, &second, &first] {
        spread(&mut net, message);
    }
    assert!((0..3).all(|node| !is_convicted(&net, node) && net.nodes[node].store.messages.len() == 3));
}

#[test]
fn a_newcomer_is_told_of_proofs() {
    let mut net = with_stranger(3);
    let messages = [signed(&net, 1, [0; 32], "text-0"), signed(&net, 1, [0; 32], "text-1")];
    for message in &messages {
        spread(&mut net, message);
    }
    net.start(2);
    net.nodes[2].events.clear();
    net.run(SECOND * 3);
    assert!(is_convicted(&net, 2));
}

#[test]
fn a_proof_that_does_not_verify_convicts_its_sender_and_nobody_else() {
    let mut net = with_stranger(3);
    let forged = {
        let mut bytes = signed(&net, 1, [0; 32], "text-1").encoded().to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        Message::decode(bytes).unwrap()
    };
    let proof = EquivocationProof::of(signed(&net, 1, [0; 32], "text-0"), forged).unwrap().encode();
    say(&mut net, &Frame::Equivocation { proof: &proof });
    net.run(SECOND);
    assert!((0..3).all(|node| !is_convicted(&net, node)));
    assert_eq!(net.engine(0).statistics().gossip.proofs_refused, 1);
    let closed =
        |event: &Event| matches!(event, Event::LinkClosed { link: HOSTILE, reason: CloseReason::BadSignature, .. });
    assert!(net.events(0).any(closed));
}

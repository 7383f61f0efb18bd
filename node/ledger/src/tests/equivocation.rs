//! Two histories of one origin, and what is none.

use super::samples::{any_message, author, inline, message, origin, plain};
use crate::{Contradiction, EquivocationProof, MAX_PROOF_BYTES, Message, MessageBody, ProofRefused};
use bytes::Bytes;
use proptest::prelude::*;

const PROOF: &str = include_str!("../../vectors/equivocation-v1.hex");

fn signed(data: &[u8], change: impl Fn(MessageBody) -> MessageBody) -> Message {
    change(message(vec![inline(&plain(data).sign(&author()).unwrap())])).sign(&origin()).unwrap()
}

fn same(body: MessageBody) -> MessageBody {
    body
}

#[test]
fn a_proof_has_its_version_1_bytes() {
    let proof = EquivocationProof::of(signed(b"one", same), signed(b"two", same)).unwrap();
    assert_eq!(hex::encode(proof.encode()), PROOF.trim());
    let read = EquivocationProof::decode(&Bytes::from(hex::decode(PROOF.trim()).unwrap())).unwrap();
    assert_eq!(read, proof);
    assert_eq!(
        (read.verify(), read.origin(), read.contradiction()),
        (Ok(()), origin().public(), Contradiction::Rivals)
    );
}

#[test]
fn one_pair_makes_one_proof_in_whatever_order_it_is_given() {
    let (one, other) = (signed(b"one", same), signed(b"two", same));
    let proof = EquivocationProof::of(one.clone(), other.clone()).unwrap();
    assert_eq!(EquivocationProof::of(other, one).unwrap().encode(), proof.encode());
}

#[test]
fn a_successor_that_names_another_previous_is_a_breach() {
    let next = |previous| move |body| MessageBody { sequence: 3, register_sequence: 2, previous, ..body };
    let first = signed(b"one", same);
    let proof = EquivocationProof::of(signed(b"two", next([7; 32])), first.clone()).unwrap();
    assert_eq!((proof.contradiction(), proof.verify()), (Contradiction::Breach, Ok(())));
    let honest = signed(b"two", next(first.id()));
    assert_eq!(EquivocationProof::of(first, honest), Err(ProofRefused::NoContradiction));
}

#[test]
fn what_an_honest_origin_may_sign_is_no_proof() {
    let one = signed(b"one", same);
    let later = |body| MessageBody { sequence: 9, ..body };
    let reborn = |body: MessageBody| MessageBody { incarnation: body.incarnation + 1, ..body };
    for other in [one.clone(), signed(b"two", later), signed(b"two", reborn)] {
        assert_eq!(EquivocationProof::of(one.clone(), other), Err(ProofRefused::NoContradiction));
    }
}

#[test]
fn a_proof_out_of_order_or_with_a_forged_message_is_refused() {
    let proof = EquivocationProof::of(signed(b"one", same), signed(b"two", same)).unwrap();
    let [first, second] = proof.messages();
    let mut writer = peerwright_encoding::Writer::new();
    writer.u8(1).bytes(second.encoded()).bytes(first.encoded());
    let turned = Bytes::from(writer.finish());
    assert!(matches!(EquivocationProof::decode(&turned), Err(ProofRefused::Malformed(_))));
    let mut forged = proof.encode().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let forged = EquivocationProof::decode(&Bytes::from(forged)).map(|proof| proof.verify().is_ok());
    assert_ne!(forged, Ok(true));
}

#[test]
fn two_of_the_longest_messages_fit_a_proof() {
    let longest = |data: u8| {
        let transaction = super::samples::of_length(crate::message::MAX_INLINE_BYTES);
        let body = message(vec![inline(&transaction)]);
        MessageBody { created_at_micros: body.created_at_micros + u64::from(data), ..body }.sign(&origin()).unwrap()
    };
    let proof = EquivocationProof::of(longest(1), longest(2)).unwrap();
    assert!(proof.encode().len() <= MAX_PROOF_BYTES);
}

proptest! {
    #[test]
    fn a_proof_is_read_back_as_it_was_written(body in any_message()) {
        let other = MessageBody { created_at_micros: body.created_at_micros / 2, ..body.clone() };
        prop_assume!(other != body);
        let proof = EquivocationProof::of(body.sign(&origin()).unwrap(), other.sign(&origin()).unwrap()).unwrap();
        prop_assert_eq!(EquivocationProof::decode(&proof.encode()), Ok(proof.clone()));
        prop_assert_eq!(proof.verify(), Ok(()));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        drop(EquivocationProof::decode(&Bytes::from(bytes)));
    }
}

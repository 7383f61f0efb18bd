//! Messages: what rides together, and who vouches for it.

use super::samples::{CREATED, any_message, author, inline, message, of_length, origin, plain};
use crate::message::{MAX_ENTRIES, MAX_GATHERED_BYTES, MAX_INLINE_BYTES, MAX_MESSAGE_BYTES};
use crate::{
    Entry, Message, MessageBody, MessageHeader, MessageRefused, Refusal, RegisterId, TransactionBody, TransactionId,
};
use bytes::Bytes;
use peerwright_encoding::DecodeError;
use peerwright_secure::sha256;
use proptest::prelude::*;

fn sign(entries: Vec<Entry>) -> Result<Message, MessageRefused> {
    message(entries).sign(&origin())
}

fn announce(size: u32) -> Entry {
    Entry::Announced { id: TransactionId::from_bytes([5; 32]), size }
}

fn one_byte() -> Entry {
    Entry::Inline(Bytes::from_static(b"x"))
}

#[test]
fn a_message_is_named_by_its_bytes_and_read_in_place() {
    let transaction = plain(b"data").sign(&author()).unwrap();
    let sent = sign(vec![inline(&transaction)]).unwrap();
    let read = Message::decode(sent.encoded().clone()).unwrap();
    assert_eq!(read, sent);
    assert_eq!(read.id(), sha256(sent.encoded()));
    assert_eq!(read.verify(), Ok(()));
    let Entry::Inline(bytes) = &read.body().entries[0] else { panic!("inline") };
    assert!(sent.encoded().as_ptr_range().contains(&bytes.as_ptr()));
    assert_eq!(read.transactions().collect::<Vec<_>>(), [Ok(transaction)]);
}

#[test]
fn only_the_origin_signs() {
    let refused = message(vec![one_byte()]).sign(&author()).unwrap_err();
    assert_eq!((refused.code(), refused), ("origin_mismatch", MessageRefused::OriginMismatch));
}

#[test]
fn any_altered_byte_is_refused() {
    let transaction = plain(b"data").sign(&author()).unwrap();
    let encoded = sign(vec![inline(&transaction), one_byte()]).unwrap().encoded().clone();
    for place in 0..encoded.len() {
        for mask in [0x01, 0x80] {
            let mut altered = encoded.to_vec();
            altered[place] ^= mask;
            let taken = Message::decode(altered).and_then(|message| message.verify());
            assert!(taken.is_err(), "byte {place} ^ {mask:#x}");
        }
    }
}

#[test]
fn sixty_four_small_ones_a_large_one_or_an_announcement_ride() {
    let half = Entry::Inline(vec![0; MAX_GATHERED_BYTES / 2].into());
    let accepted = [
        vec![one_byte(); MAX_ENTRIES],
        vec![half.clone(), half.clone()],
        vec![Entry::Inline(vec![0; MAX_INLINE_BYTES].into())],
        vec![announce(32_769)],
        vec![announce(10_485_760)],
    ];
    for entries in accepted {
        assert!(sign(entries).unwrap().encoded().len() <= MAX_MESSAGE_BYTES);
    }
    let refused = [
        vec![],
        vec![one_byte(); MAX_ENTRIES + 1],
        vec![half.clone(), half, one_byte()],
        vec![Entry::Inline(vec![0; MAX_INLINE_BYTES + 1].into())],
        vec![announce(32_768)],
        vec![announce(10_485_761)],
        vec![announce(40_000), one_byte()],
        vec![announce(40_000), announce(40_000)],
    ];
    for (number, entries) in refused.into_iter().enumerate() {
        assert_eq!(sign(entries).unwrap_err().code(), "malformed", "{number}");
    }
    let long = Message::decode(vec![1; MAX_MESSAGE_BYTES + 1]).unwrap_err();
    assert!(matches!(long, MessageRefused::Malformed(DecodeError::TooLong { what: "message", .. })));
}

#[test]
fn numbers_that_contradict_each_other_are_refused() {
    let first = |body: MessageBody| MessageBody { sequence: 1, previous: [0; 32], ..body };
    assert!(first(message(vec![one_byte()])).sign(&origin()).is_ok());

    let changes: [fn(&mut MessageBody); 6] = [
        |body| body.floor = 3,
        |body| body.register_sequence = 0,
        |body| body.register_sequence = 3,
        |body| body.sequence = 0,
        |body| body.sequence = 1,
        |body| body.expires_at_micros = CREATED,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut body = message(vec![one_byte()]);
        change(&mut body);
        assert_eq!(body.sign(&origin()).unwrap_err().code(), "malformed", "{number}");
    }
}

#[test]
fn a_transaction_of_another_register_does_not_ride_along() {
    let other = RegisterId::from_bytes([1; 16]);
    let stray = TransactionBody { register: other, ..plain(b"data") }.sign(&author()).unwrap();
    let transaction = plain(b"data").sign(&author()).unwrap();
    let sent = sign(vec![inline(&transaction), inline(&stray)]).unwrap();
    assert_eq!(sent.transactions().collect::<Vec<_>>(), [Ok(transaction), Err(Refusal::OtherRegister(other))]);
}

#[test]
fn the_announced_transaction_is_recognised() {
    let large = of_length(MAX_INLINE_BYTES + 1);
    let size = u32::try_from(large.encoded().len()).unwrap();
    let sent = sign(vec![Entry::Announced { id: large.id(), size }]).unwrap();
    assert_eq!(sent.transactions().count(), 0);
    assert_eq!(sent.announced(large.encoded().clone()), Ok(large.clone()));

    let other = of_length(MAX_INLINE_BYTES + 2);
    let refused = sent.announced(other.encoded().clone()).unwrap_err();
    assert_eq!((refused.code(), refused), ("other_transaction", Refusal::OtherTransaction(other.id())));
    let wrong_size = sign(vec![Entry::Announced { id: large.id(), size: size + 1 }]).unwrap();
    assert_eq!(wrong_size.announced(large.encoded().clone()), Err(Refusal::OtherTransaction(large.id())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_message_is_read_as_it_was_written(body in any_message()) {
        let sent = body.clone().sign(&origin()).unwrap();
        let read = Message::decode(sent.encoded().clone()).unwrap();
        prop_assert_eq!(read.body(), &body);
        prop_assert_eq!(read.id(), sha256(sent.encoded()));
        prop_assert_eq!(read.verify(), Ok(()));
    }

    #[test]
    fn what_is_accepted_encodes_to_the_same_bytes(
        body in any_message(),
        changes in prop::collection::vec((33usize..150, any::<u8>()), 1..4),
    ) {
        let mut bytes = body.sign(&origin()).unwrap().encoded().to_vec();
        let signed_length = bytes.len() - 64;
        for (place, value) in changes {
            bytes[place] = value;
        }
        if let Ok(read) = Message::decode(bytes.clone()) {
            let again = read.body().clone().sign(&origin()).unwrap();
            prop_assert_eq!(&again.encoded()[..signed_length], &bytes[..signed_length]);
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Message::decode([&[1], bytes.as_slice()].concat()).is_err());
    }

    #[test]
    fn the_header_is_what_the_whole_message_says(body in any_message()) {
        let sent = body.clone().sign(&origin()).unwrap();
        let header = MessageHeader::peek(sent.encoded()).unwrap();
        prop_assert_eq!(header.origin, body.origin);
        prop_assert_eq!((header.incarnation, header.sequence), (body.incarnation, body.sequence));
        prop_assert_eq!((header.register, header.register_sequence), (body.register, body.register_sequence));
        prop_assert_eq!(header.expires_at_micros, body.expires_at_micros);
        prop_assert_eq!(MessageHeader::peek(&sent.encoded()[..100]), None);
    }
}

//! One transaction, one encoding, one id.

use super::samples::{any_body, author, full, of_length, origin, plain};
use crate::{MAX_LIST_ITEMS, MAX_NAME_BYTES, MAX_PAYLOADS, MAX_TRANSACTION_BYTES, Payload, Refusal, Transaction};
use crate::{MAX_TRACKING_VALUE_BYTES, TransactionBody};
use bytes::Bytes;
use peerwright_encoding::DecodeError;
use peerwright_secure::sha256;
use proptest::prelude::*;

fn decode(bytes: &[u8]) -> Result<Transaction, Refusal> {
    Transaction::decode(bytes.to_vec())
}

#[test]
fn a_signed_transaction_is_read_as_it_was_written() {
    let signed = full().sign(&author()).unwrap();
    let read = Transaction::decode(signed.encoded().clone()).unwrap();
    assert_eq!(read, signed);
    assert_eq!(read.body(), &full());
    assert_eq!(read.verify_signature(), Ok(()));
}

#[test]
fn the_id_is_the_hash_of_everything_but_the_signature() {
    let signed = full().sign(&author()).unwrap();
    let (body, signature) = signed.encoded().split_last_chunk::<64>().unwrap();
    assert_eq!(signed.id().as_bytes(), &sha256(body));
    assert_eq!(signed.signature().as_bytes(), signature);
}

#[test]
fn data_stays_in_the_bytes_that_were_received() {
    let encoded = full().sign(&author()).unwrap().encoded().clone();
    let read = Transaction::decode(encoded.clone()).unwrap();
    let data = read.body().payloads[0].data();
    assert!(encoded.as_ptr_range().contains(&data.as_ptr()));
    assert_eq!(read.encoded().as_ptr(), encoded.as_ptr());
}

#[test]
fn only_the_author_signs() {
    assert_eq!(full().sign(&origin()).unwrap_err(), Refusal::AuthorMismatch);
}

#[test]
fn any_altered_byte_is_refused() {
    let encoded = full().sign(&author()).unwrap().encoded().clone();
    for place in 0..encoded.len() {
        for mask in [0x01, 0x80] {
            let mut altered = encoded.to_vec();
            altered[place] ^= mask;
            let taken = Transaction::decode(altered).and_then(|transaction| transaction.verify_signature());
            assert!(taken.is_err(), "byte {place} ^ {mask:#x}");
        }
    }
}

#[test]
fn data_that_is_not_what_its_hash_says_is_refused() {
    let mut encoded = plain(b"find me").sign(&author()).unwrap().encoded().to_vec();
    let place = encoded.windows(7).position(|window| window == b"find me").unwrap();
    encoded[place] = b'F';
    let refused = decode(&encoded).unwrap_err();
    assert_eq!(refused, Refusal::PayloadHashMismatch(0));
    assert_eq!(refused.code(), "payload_hash_mismatch");
}

#[test]
fn names_out_of_order_or_repeated_are_refused() {
    let encoded = full().sign(&author()).unwrap().encoded().clone();
    let ordered = b"\0\0\0\x05carol\0\0\0\x04dave";
    let place = encoded.windows(ordered.len()).position(|window| window == ordered).unwrap();
    for names in [b"\0\0\0\x04dave\0\0\0\x05carol", b"\0\0\0\x05carol\0\0\0\x04caro"] {
        let mut altered = encoded.to_vec();
        altered[place..place + names.len()].copy_from_slice(names);
        let refused = decode(&altered).unwrap_err();
        assert_eq!(refused, DecodeError::Invalid("the names in a list are not in ascending order").into());
    }
}

#[test]
fn the_longest_transaction_is_taken_and_a_longer_one_is_not_signed() {
    let limit = usize::try_from(MAX_TRANSACTION_BYTES).unwrap();
    let longest = of_length(limit);
    assert_eq!(longest.encoded().len(), limit);
    assert_eq!(Transaction::decode(longest.encoded().clone()).unwrap(), longest);
    let refused = plain(&vec![0; limit]).sign(&author()).unwrap_err();
    assert!(matches!(refused, Refusal::TooLarge { limit: MAX_TRANSACTION_BYTES, .. }));
    assert_eq!(refused.code(), "too_large");
}

#[test]
fn what_every_reader_would_refuse_is_not_signed() {
    let long = || "n".repeat(MAX_NAME_BYTES + 1);
    let many = || (0..=MAX_LIST_ITEMS).map(|number| number.to_string());
    let changes: [&dyn Fn(&mut TransactionBody); 12] = [
        &|body| body.subject = Some(long()),
        &|body| body.recipients = [long()].into(),
        &|body| body.recipients = many().collect(),
        &|body| body.metadata.blueprint = Some(long()),
        &|body| body.metadata.next_action = Some(long()),
        &|body| body.metadata.tracking = [(long(), String::new())].into(),
        &|body| body.metadata.tracking = [(String::new(), "v".repeat(MAX_TRACKING_VALUE_BYTES + 1))].into(),
        &|body| body.metadata.tracking = many().map(|key| (key, String::new())).collect(),
        &|body| body.payloads = vec![Payload::new(""); MAX_PAYLOADS + 1],
        &|body| body.payloads[0].access = many().collect(),
        &|body| body.payloads[0].content_type = long(),
        &|body| body.payloads[0].challenge = Some(Bytes::from(long())),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut body = full();
        change(&mut body);
        let refused = body.sign(&author()).unwrap_err();
        assert!(matches!(refused, Refusal::Malformed(DecodeError::TooLong { .. })), "{number}: {refused}");
        assert_eq!(refused.code(), "malformed");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_transaction_is_read_as_it_was_written(body in any_body()) {
        let signed = body.clone().sign(&author()).unwrap();
        let read = Transaction::decode(signed.encoded().clone()).unwrap();
        prop_assert_eq!(read.body(), &body);
        prop_assert_eq!(read.id(), signed.id());
        prop_assert_eq!(read.verify_signature(), Ok(()));
    }

    #[test]
    fn what_is_accepted_encodes_to_the_same_bytes(
        body in any_body(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        // Behind the author's key: who signs stays the same.
        const BEHIND_AUTHOR: usize = 1 + 16 + 33 + 32;
        let mut bytes = body.sign(&author()).unwrap().encoded().to_vec();
        let signed_length = bytes.len() - 64;
        for (place, value) in changes {
            let place = BEHIND_AUTHOR + place.index(bytes.len() - BEHIND_AUTHOR);
            bytes[place] = value;
        }
        if let Ok(read) = decode(&bytes) {
            let again = read.body().clone().sign(&author()).unwrap();
            prop_assert_eq!(&again.encoded()[..signed_length], &bytes[..signed_length]);
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(decode(&[&[1], bytes.as_slice()].concat()).is_err());
    }
}

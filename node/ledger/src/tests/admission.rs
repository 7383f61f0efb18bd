//! What may be taken now.

use super::samples::{CREATED, HOUR, author, of_length, origin, plain};
use crate::{DEFAULT_LIFETIME_MICROS, Limits, Refusal, Transaction, TransactionBody};
use peerwright_secure::SignatureRefused;

const SECOND: u64 = 1_000_000;

fn valid_for(micros: u64) -> Transaction {
    TransactionBody { valid_until_micros: CREATED + micros, ..plain(b"data") }.sign(&author()).unwrap()
}

#[test]
fn a_transaction_is_valid_from_a_minute_before_its_creation_to_its_end() {
    let transaction = valid_for(DEFAULT_LIFETIME_MICROS);
    let at = |now| transaction.verify(now, &Limits::default());
    assert_eq!(at(CREATED - 60 * SECOND), Ok(()));
    assert_eq!(at(CREATED - 60 * SECOND - 1), Err(Refusal::CreatedInFuture { seconds: 61 }));
    assert_eq!(at(CREATED + HOUR - 1), Ok(()));
    assert_eq!(at(CREATED + HOUR), Err(Refusal::Expired { seconds: 0 }));
    assert_eq!(at(CREATED + HOUR + SECOND), Err(Refusal::Expired { seconds: 1 }));
}

#[test]
fn a_transaction_lives_for_a_day_at_most() {
    assert_eq!(valid_for(24 * HOUR).verify(CREATED, &Limits::default()), Ok(()));
    let refused = valid_for(24 * HOUR + 1).verify(CREATED, &Limits::default()).unwrap_err();
    assert_eq!(refused, Refusal::LifetimeTooLong { seconds: 86_401, limit: 86_400 });
    assert_eq!(valid_for(0).verify(CREATED, &Limits::default()), Err(Refusal::NeverValid));
}

#[test]
fn the_networks_own_limit_counts() {
    let limits = Limits { max_transaction_bytes: 1000, ..Limits::default() };
    assert_eq!(of_length(1000).verify(CREATED, &limits), Ok(()));
    let refused = of_length(1001).verify(CREATED, &limits).unwrap_err();
    assert_eq!(refused.to_string(), "the transaction has 1001 bytes, at most 1000 are accepted");
}

#[test]
fn the_authors_signature_is_asked_for_last() {
    let mut encoded = valid_for(HOUR).encoded().to_vec();
    let another = plain(b"data").sign(&author()).unwrap();
    let place = encoded.len() - 64;
    encoded[place..]
        .copy_from_slice(origin().sign(peerwright_secure::Context::Transaction, another.id().as_bytes()).as_bytes());
    let forged = Transaction::decode(encoded).unwrap();
    let refused = forged.verify(CREATED, &Limits::default()).unwrap_err();
    assert_eq!(refused, Refusal::Signature(SignatureRefused::SignatureInvalid));
    assert_eq!(refused.code(), "signature_invalid");
    assert!(matches!(forged.verify(CREATED + HOUR, &Limits::default()), Err(Refusal::Expired { .. })));
}

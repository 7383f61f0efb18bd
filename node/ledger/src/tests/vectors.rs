//! The version-1 bytes, which are stored and hashed for ever.

use super::samples::{author, full, inline, message, origin, plain};
use crate::{Entry, Message, Transaction};

const TRANSACTION: &str = include_str!("../../vectors/transaction-v1.hex");
const MESSAGE: &str = include_str!("../../vectors/message-v1.hex");
const ANNOUNCEMENT: &str = include_str!("../../vectors/announcement-v1.hex");

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex.trim()).unwrap()
}

#[test]
fn a_transaction_has_its_version_1_bytes_and_id() {
    let signed = full().sign(&author()).unwrap();
    assert_eq!(hex::encode(signed.encoded()), TRANSACTION.trim());
    assert_eq!(signed.id().to_string(), "55deb4ca064d64b912b3f924845abb9880bf387a1f394a393a4c644ba058074d");
    let read = Transaction::decode(bytes(TRANSACTION)).unwrap();
    assert_eq!(read, signed);
    assert_eq!(read.verify_signature(), Ok(()));
}

#[test]
fn a_message_has_its_version_1_bytes_and_id() {
    let entries = vec![inline(&plain(b"one").sign(&author()).unwrap()), inline(&full().sign(&author()).unwrap())];
    let signed = message(entries).sign(&origin()).unwrap();
    assert_eq!(hex::encode(signed.encoded()), MESSAGE.trim());
    assert_eq!(hex::encode(signed.id()), "88e3005a62dd29ef33f93bee35bcadb798528788eec26ec275432b6b2216c093");
    let read = Message::decode(bytes(MESSAGE)).unwrap();
    assert_eq!(read.verify(), Ok(()));
    assert!(read.transactions().all(|transaction| transaction.unwrap().verify_signature().is_ok()));
}

#[test]
fn an_announcement_has_its_version_1_bytes_and_id() {
    let id = full().sign(&author()).unwrap().id();
    let signed = message(vec![Entry::Announced { id, size: 65_536 }]).sign(&origin()).unwrap();
    assert_eq!(hex::encode(signed.encoded()), ANNOUNCEMENT.trim());
    assert_eq!(hex::encode(signed.id()), "7a9c868e0e9bea129761a6cd617d38d138763d724af27ac7f6933f59aefb3097");
    assert_eq!(Message::decode(bytes(ANNOUNCEMENT)).unwrap().verify(), Ok(()));
}

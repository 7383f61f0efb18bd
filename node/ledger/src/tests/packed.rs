//! Packed messages: shorter, and the same bytes again.

use super::samples::{CREATED, HOUR, any_body, any_message, author, full, inline, message, origin, plain};
use crate::message::{Opened, Packed, Predecessor};
use crate::{Entry, Message, MessageBody, MessageHeader, Payload, RegisterId, TransactionBody};
use bytes::Bytes;
use peerwright_encoding::DecodeError;
use peerwright_secure::NodeKey;
use proptest::prelude::*;

fn sign(body: MessageBody) -> Message {
    body.sign(&origin()).unwrap()
}

/// The next message of an origin, a while later.
fn next(before: &Message, entries: Vec<Entry>) -> MessageBody {
    let body = before.body();
    MessageBody {
        sequence: body.sequence + 1,
        previous: before.id(),
        register_sequence: body.register_sequence + 1,
        created_at_micros: body.created_at_micros + 2_500_000,
        expires_at_micros: body.expires_at_micros + 2_500_000,
        entries,
        ..body.clone()
    }
}

fn restored(packed: &[u8], before: Option<&Predecessor>) -> Bytes {
    let opened = Packed::read(packed).unwrap().open(before).unwrap();
    let header = opened.header();
    let encoded = opened.unpack().unwrap();
    assert_eq!(MessageHeader::peek(&encoded), Some(header));
    encoded
}

#[test]
fn what_the_one_before_says_and_what_is_said_twice_is_left_out() {
    let own = TransactionBody { author: origin().public(), ..plain(&[7; 256]) }.sign(&origin()).unwrap();
    let before = sign(message(vec![inline(&own)]));
    let following = sign(next(&before, vec![inline(&own)]));
    let known = before.as_predecessor();

    let packed = following.pack(Some(&known));
    assert_eq!(restored(&packed, Some(&known)), following.encoded());
    assert_eq!(Packed::read(&packed).unwrap().follows(), Some(&before.as_predecessor().name()));
    // Payload, two signatures, what stands for the message before, and 33 bytes.
    assert_eq!((packed.len(), following.encoded().len()), (256 + 2 * 64 + 16 + 33, 655));

    let again = Vec::from(restored(&packed, Some(&known)));
    assert_eq!(again.capacity(), again.len(), "it is kept for long");

    let alone = following.pack(None);
    assert_eq!(restored(&alone, None), following.encoded());
    assert_eq!(alone.len(), 512);
}

#[test]
fn another_author_is_named_and_every_field_survives() {
    let signed = full().sign(&author()).unwrap();
    let before = sign(message(vec![inline(&signed)]));
    let following = sign(next(&before, vec![inline(&signed), inline(&signed)]));
    let known = before.as_predecessor();
    let packed = following.pack(Some(&known));
    assert_eq!(restored(&packed, Some(&known)), following.encoded());
    assert!(packed.len() + 2 * 120 < following.encoded().len(), "{}", packed.len());
}

#[test]
fn who_does_not_follow_is_packed_alone() {
    let before = sign(message(vec![Entry::Inline(Bytes::from_static(b"x"))]));
    let known = before.as_predecessor();
    let entries = before.body().entries.clone();
    let strangers = [
        MessageBody { previous: [1; 32], ..next(&before, entries.clone()) },
        MessageBody { sequence: 4, ..next(&before, entries.clone()) },
        MessageBody { incarnation: CREATED + 1, ..next(&before, entries.clone()) },
    ];
    for stranger in strangers {
        let packed = sign(stranger).pack(Some(&known));
        assert_eq!(Packed::read(&packed).unwrap().follows(), None);
    }
    let other = NodeKey::from_seed([9; 32]);
    let stranger = MessageBody { origin: other.public(), ..next(&before, entries.clone()) }.sign(&other).unwrap();
    assert_eq!(Packed::read(&stranger.pack(Some(&known))).unwrap().follows(), None);

    let changes = [
        MessageBody { register: RegisterId::from_bytes([1; 16]), ..next(&before, entries.clone()) },
        MessageBody { register_sequence: 1, ..next(&before, entries.clone()) },
        MessageBody { expires_at_micros: CREATED + HOUR, ..next(&before, entries.clone()) },
        MessageBody { created_at_micros: CREATED - 1, floor: 3, ..next(&before, entries) },
    ];
    for follower in changes.map(sign) {
        let packed = follower.pack(Some(&known));
        assert!(Packed::read(&packed).unwrap().follows().is_some());
        assert_eq!(restored(&packed, Some(&known)), follower.encoded());
    }
}

#[test]
fn a_transaction_that_belies_its_payload_travels_as_it_is() {
    let encoded = |body: TransactionBody| body.sign(&author()).unwrap().encoded().to_vec();
    let stray = TransactionBody { register: RegisterId::from_bytes([1; 16]), ..plain(b"data") };
    let mut lying = encoded(plain(b"data"));
    let data = lying.windows(4).position(|window| window == b"data").unwrap();
    lying[data] = b'D';
    for transaction in [lying, encoded(stray), encoded(plain(&[7; 4096])), b"none at all".to_vec()] {
        let sent = sign(message(vec![Entry::Inline(transaction.clone().into())]));
        let packed = sent.pack(None);
        assert!(packed.windows(transaction.len()).any(|window| window == transaction));
        assert_eq!(restored(&packed, None), sent.encoded());
    }
}

#[test]
fn only_whom_it_follows_unpacks_it() {
    let before = sign(message(vec![Entry::Inline(Bytes::from_static(b"x"))]));
    let packed = sign(next(&before, before.body().entries.clone())).pack(Some(&before.as_predecessor()));
    let other = sign(MessageBody { floor: 2, ..before.body().clone() });
    for wrong in [None, Some(other.as_predecessor())] {
        let refused = Packed::read(&packed).unwrap().open(wrong.as_ref()).map(drop);
        assert!(matches!(refused, Err(DecodeError::Invalid(_))), "{refused:?}");
    }
    let header = MessageHeader { sequence: u64::MAX, ..before.as_predecessor().header };
    let last = Predecessor { header, id: before.id() };
    assert!(Packed::read(&packed).unwrap().open(Some(&last)).is_err());
}

#[test]
fn what_ends_too_soon_or_has_an_unknown_form_is_refused() {
    let sent = sign(message(vec![Entry::Inline(vec![0; 100].into())]));
    let packed = sent.pack(None).to_vec();
    for length in 0..packed.len() {
        let read = Packed::read(&packed[..length]).and_then(|packed| packed.open(None)?.unpack());
        assert!(read.is_err(), "{length}");
    }
    assert!(matches!(Packed::read(&[8]), Err(DecodeError::Unknown { .. })));
    assert!(Packed::read(&[2]).is_err());
}

#[test]
fn a_transaction_that_grows_beyond_what_is_packed_is_refused() {
    // Without data, so that a hash is restored for every few bytes.
    let payloads = vec![Payload::new(b"".to_vec()); 64];
    let small = TransactionBody { subject: Some("s".repeat(500)), payloads, ..plain(b"") }.sign(&author()).unwrap();
    let sent = sign(message(vec![inline(&small)]));
    let packed = sent.pack(None).to_vec();
    assert_eq!(restored(&packed, None), sent.encoded());

    let unpack = |subject: usize, length: [u8; 2]| {
        let mut grown = packed.clone();
        let at = grown.windows(500).position(|window| window == [b's'; 500]).unwrap();
        grown.splice(at - 2..at + 500, [length.as_slice(), &vec![b's'; subject]].concat());
        Packed::read(&grown).unwrap().open(None).unwrap().unpack()
    };
    assert!(unpack(500, [0xf4, 0x03]).is_ok());
    let grown = unpack(1_500, [0xdc, 0x0b]);
    assert!(matches!(grown, Err(DecodeError::TooLong { what: "packed transaction", .. })), "{grown:?}");
    let long = unpack(5_000, [0x88, 0x27]);
    assert!(matches!(long, Err(DecodeError::Truncated(_))), "{long:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_message_is_the_same_unpacked(
        body in any_message(),
        transactions in prop::collection::vec((any_body(), any::<bool>()), 0..4),
    ) {
        let before = body.sign(&origin()).unwrap();
        let mut entries = before.body().entries.clone();
        if !transactions.is_empty() {
            entries = transactions
                .into_iter()
                .map(|(transaction, is_own)| {
                    let key = if is_own { origin() } else { author() };
                    let register = before.body().register;
                    inline(&TransactionBody { author: key.public(), register, ..transaction }.sign(&key).unwrap())
                })
                .collect();
        }
        prop_assume!(before.body().sequence < u64::MAX);
        let known = before.as_predecessor();
        let following = sign(MessageBody {
            sequence: before.body().sequence + 1,
            previous: before.id(),
            created_at_micros: CREATED,
            expires_at_micros: CREATED + 1,
            entries,
            ..before.body().clone()
        });
        for before in [None, Some(&known)] {
            prop_assert_eq!(&restored(&following.pack(before), before), following.encoded());
        }
    }

    #[test]
    fn no_bytes_make_an_unpacker_panic(form in 0u8..8, bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let before = sign(message(vec![Entry::Inline(Bytes::from_static(b"x"))])).as_predecessor();
        let mut packed = vec![form];
        if form & 1 == 1 {
            packed.extend_from_slice(&before.name());
        }
        packed.extend_from_slice(&bytes);
        if let Ok(read) = Packed::read(&packed) {
            let before = read.follows().map(|_| &before);
            drop(read.clone().open(before).and_then(Opened::unpack));
        }
    }
}

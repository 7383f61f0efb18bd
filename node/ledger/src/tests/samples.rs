//! Transactions and messages to work with.

use crate::{Entry, Kind, MessageBody, Metadata, Payload, RegisterId, Transaction, TransactionBody, TransactionId};
use bytes::Bytes;
use peerwright_secure::NodeKey;
use proptest::prelude::*;

pub(super) const REGISTER: RegisterId = RegisterId::from_bytes([0xaa; 16]);

/// 2026-01-01 in unix microseconds: when the samples were made.
pub(super) const CREATED: u64 = 1_767_225_600_000_000;

pub(super) const HOUR: u64 = 3_600_000_000;

pub(super) fn author() -> NodeKey {
    NodeKey::from_seed([3; 32])
}

pub(super) fn origin() -> NodeKey {
    NodeKey::from_seed([4; 32])
}

/// A transaction with nothing in it but `data`.
pub(super) fn plain(data: &[u8]) -> TransactionBody {
    TransactionBody {
        register: REGISTER,
        previous: None,
        author: author().public(),
        subject: None,
        recipients: [].into(),
        created_at_micros: CREATED,
        valid_until_micros: CREATED + HOUR,
        kind: Kind::Action,
        metadata: Metadata::default(),
        payloads: vec![Payload::new(data.to_vec())],
    }
}

/// A signed transaction of exactly `length` bytes.
pub(super) fn of_length(length: usize) -> Transaction {
    let overhead = plain(b"").sign(&author()).unwrap().encoded().len();
    plain(&vec![7; length - overhead]).sign(&author()).unwrap()
}

/// A transaction with something in every place.
pub(super) fn full() -> TransactionBody {
    let mut sealed = Payload::new(b"\x00\x01\x02sealed".to_vec());
    sealed.access = ["alice".to_owned(), "bob".to_owned()].into();
    sealed.content_type = "application/json".into();
    sealed.content_encoding = "aes-256-gcm".into();
    sealed.challenge = Some(Bytes::from_static(b"twelve bytes"));
    TransactionBody {
        previous: Some(TransactionId::from_bytes([0xbb; 32])),
        subject: Some("system:serviceaccount:default:demo-client".into()),
        recipients: ["carol".to_owned(), "dave".to_owned()].into(),
        metadata: Metadata {
            blueprint: Some("invoice-v1".into()),
            instance: Some("2026-0001".into()),
            action: Some("submit".into()),
            next_action: Some("approve".into()),
            tracking: [("amount".to_owned(), "12.50".to_owned()), ("order".to_owned(), "№ 7".to_owned())].into(),
        },
        payloads: vec![sealed, Payload::new(b"hello".to_vec())],
        ..plain(b"")
    }
}

/// The second message of an origin, with these entries.
pub(super) fn message(entries: Vec<Entry>) -> MessageBody {
    MessageBody {
        origin: origin().public(),
        incarnation: CREATED,
        sequence: 2,
        floor: 1,
        previous: [0xcc; 32],
        register: REGISTER,
        register_sequence: 1,
        created_at_micros: CREATED,
        expires_at_micros: CREATED + HOUR,
        entries,
    }
}

pub(super) fn inline(transaction: &Transaction) -> Entry {
    Entry::Inline(transaction.encoded().clone())
}

pub(super) fn any_body() -> impl Strategy<Value = TransactionBody> {
    let addressing = (
        any::<[u8; 16]>(),
        any::<Option<[u8; 32]>>(),
        prop::option::of(".{0,12}"),
        prop::collection::btree_set(".{0,12}", 0..4),
    );
    let kind = prop::sample::select(vec![Kind::Control, Kind::Action, Kind::Docket, Kind::Participant]);
    let payloads = prop::collection::vec(any_payload(), 0..3);
    (addressing, any::<[u64; 2]>(), kind, any_metadata(), payloads).prop_map(
        |((register, previous, subject, recipients), [created, until], kind, metadata, payloads)| TransactionBody {
            register: RegisterId::from_bytes(register),
            previous: previous.map(TransactionId::from_bytes),
            author: author().public(),
            subject,
            recipients,
            created_at_micros: created,
            valid_until_micros: until,
            kind,
            metadata,
            payloads,
        },
    )
}

fn any_metadata() -> impl Strategy<Value = Metadata> {
    let name = || prop::option::of(".{0,12}");
    let tracking = prop::collection::btree_map(".{0,12}", ".{0,12}", 0..4);
    (name(), name(), name(), name(), tracking).prop_map(|(blueprint, instance, action, next_action, tracking)| {
        Metadata { blueprint, instance, action, next_action, tracking }
    })
}

fn any_payload() -> impl Strategy<Value = Payload> {
    let access = prop::collection::btree_set(".{0,12}", 0..3);
    let challenge = prop::option::of(prop::collection::vec(any::<u8>(), 0..16));
    (access, ".{0,12}", ".{0,12}", prop::collection::vec(any::<u8>(), 0..40), challenge).prop_map(
        |(access, content_type, content_encoding, data, challenge)| {
            let mut payload = Payload::new(data);
            (payload.access, payload.challenge) = (access, challenge.map(Bytes::from));
            (payload.content_type, payload.content_encoding) = (content_type, content_encoding);
            payload
        },
    )
}

pub(super) fn any_message() -> impl Strategy<Value = MessageBody> {
    let gathered = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..8)
        .prop_map(|entries| entries.into_iter().map(|bytes| Entry::Inline(bytes.into())).collect());
    let announced = (any::<[u8; 32]>(), 32_769u32..=10_485_760)
        .prop_map(|(id, size)| vec![Entry::Announced { id: TransactionId::from_bytes(id), size }]);
    let numbers = (2u64.., any::<u64>(), any::<u64>())
        .prop_map(|(sequence, floor, register)| (sequence, floor % sequence, register % sequence + 1));
    (numbers, any::<u64>(), any::<[u8; 32]>(), any::<[u8; 16]>(), 0..u64::MAX, prop_oneof![gathered, announced])
        .prop_map(|((sequence, floor, register_sequence), incarnation, previous, register, created, entries)| {
            MessageBody {
                origin: origin().public(),
                incarnation,
                sequence,
                floor,
                previous,
                register: RegisterId::from_bytes(register),
                register_sequence,
                created_at_micros: created,
                expires_at_micros: created + 1,
                entries,
            }
        })
}

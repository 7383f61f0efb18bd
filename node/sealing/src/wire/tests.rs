//! Every message is read as it was written, and what is no message is refused.

use super::{
    Answer, Request, SignedDocket, decode_ballot, decode_entry, decode_membership, encode_ballot, encode_entry,
    encode_membership, in_generation, out_of_generation,
};
use crate::{
    command::Command,
    raft::{Entry, Kept, LogId, Membership, SealerId, SnapshotMeta, StoredMembership, Vote},
    settled::Settled,
    snapshot::{Head, Heads},
    tests::register::genesis,
};
use bytes::Bytes;
use openraft::{
    CommittedLeaderId, EntryPayload,
    raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest, VoteResponse},
};
use peerwright_encoding::to_lower_hex;
use peerwright_ledger::{DocketHash, RegisterId};
use peerwright_secure::{NodeKey, NodePublicKey, Signature};
use proptest::prelude::*;

fn sealer(number: u8) -> SealerId {
    SealerId::from_bytes([number; 32])
}

fn id(index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(3, sealer(1)), index)
}

fn membership() -> StoredMembership {
    let voters = vec![[sealer(1), sealer(2)].into(), [sealer(2), sealer(3)].into()];
    let nodes: std::collections::BTreeSet<_> = [1, 2, 3, 4].map(sealer).into();
    StoredMembership::new(Some(id(4)), Membership::new(voters, nodes))
}

fn docket_entry() -> Entry {
    let (header, body) = genesis([NodeKey::from_seed([1; 32]).public()].into(), 1, 100);
    Entry { log_id: id(7), payload: EntryPayload::Normal(Command { header, body }) }
}

fn requests() -> Vec<Request> {
    let vote = Vote::new_committed(3, sealer(1));
    let entries = vec![
        Entry { log_id: id(5), payload: EntryPayload::Blank },
        Entry { log_id: id(6), payload: EntryPayload::Membership(membership().membership().clone()) },
        docket_entry(),
    ];
    let docket = SignedDocket {
        register: RegisterId::from_bytes([1; 16]),
        number: 9,
        hash: DocketHash::from_bytes([2; 32]),
        signature: Some(Signature::from_bytes([3; 64])),
    };
    let head = Head { register: docket.register, number: 9, hash: docket.hash };
    let meta = SnapshotMeta { last_log_id: Some(id(9)), last_membership: membership(), snapshot_id: "3-9".to_owned() };
    vec![
        Request::Vote(VoteRequest::new(Vote::new(4, sealer(2)), None)),
        Request::Append(AppendEntriesRequest { vote, prev_log_id: Some(id(4)), entries, leader_commit: Some(id(5)) }),
        Request::Snapshot { vote, meta, heads: Heads(vec![head]) },
        Request::Signatures(vec![docket, SignedDocket { signature: None, ..docket }]),
        Request::Dockets { register: docket.register, from: 4, max_bytes: 1 << 20 },
        Request::Elect,
        Request::Begun,
        Request::MayStand(Some(id(3))),
    ]
}

fn answers() -> Vec<Answer> {
    let vote = Vote::new_committed(3, sealer(1));
    let signature = (NodePublicKey::from_bytes([1; 32]), Signature::from_bytes([2; 64]));
    vec![
        Answer::Vote(VoteResponse::new(vote, Some(id(1)), true)),
        Answer::Append(AppendEntriesResponse::Success),
        Answer::Append(AppendEntriesResponse::PartialSuccess(Some(id(2)))),
        Answer::Append(AppendEntriesResponse::Conflict),
        Answer::Append(AppendEntriesResponse::HigherVote(vote)),
        Answer::Snapshot(vote),
        Answer::Signatures(vec![Vec::new(), vec![signature]]),
        Answer::Dockets(vec![Bytes::from_static(b"docket")]),
        Answer::Elect,
        Answer::Begun(true),
        Answer::MayStand(false),
        Answer::Refused("malformed".to_owned()),
    ]
}

#[test]
fn every_request_and_answer_is_read_as_it_was_written() {
    for request in requests() {
        let encoded = request.encode();
        assert_eq!(Request::decode(&encoded).unwrap().encode(), encoded, "{request:?}");
    }
    for answer in answers() {
        let encoded = answer.encode();
        assert_eq!(Answer::decode(&encoded).unwrap().encode(), encoded, "{answer:?}");
    }
}

#[test]
fn what_is_stored_is_read_as_it_was_written() {
    let entry = docket_entry();
    assert_eq!(decode_entry(&encode_entry(&entry)).unwrap(), entry);
    assert_eq!(decode_membership(&encode_membership(&membership())).unwrap(), membership());
    let settled = Settled { id: id(7), membership: membership() };
    assert_eq!(Settled::decode(&settled.encode()).unwrap(), settled);
}

#[test]
fn a_ballot_of_the_first_group_is_written_as_before_there_were_others() {
    let vote = Vote::new_committed(5, sealer(7));
    let first = Kept { vote, is_behind: true, generation: 0 };
    let expected = format!("01{:016x}{}0101", 5, "07".repeat(32));
    assert_eq!(to_lower_hex(&encode_ballot(&first)), expected);
    let later = Kept { generation: 3, ..first };
    assert_eq!(to_lower_hex(&encode_ballot(&later)), format!("{expected}{:016x}", 3));
    for kept in [first, later] {
        assert_eq!(decode_ballot(&encode_ballot(&kept)).unwrap(), kept);
    }
}

#[test]
fn a_request_of_a_later_group_names_it_and_one_of_the_first_is_as_it_was() {
    let request = Request::Elect.encode();
    assert_eq!(in_generation(request.clone(), 0), request);
    assert_eq!(out_of_generation(request.clone()).unwrap(), (0, request.clone()));
    let later = in_generation(request.clone(), 3);
    assert_eq!(to_lower_hex(&later), format!("02{:016x}0106", 3));
    assert_eq!(out_of_generation(later.clone()).unwrap(), (3, request));
    assert!(Request::decode(&later).is_err(), "a sealer that knows of no generations refuses it");
    for broken in [&[2_u8, 0][..], &[2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 6]] {
        assert!(out_of_generation(Bytes::copy_from_slice(broken)).is_err());
    }
}

#[test]
fn the_bytes_are_those_of_version_1() {
    let vote = Request::Vote(VoteRequest::new(Vote::new(4, sealer(2)), Some(id(1)))).encode();
    let expected = format!("0101{:016x}{}00{}{:016x}{}{:016x}", 4, "02".repeat(32), "01", 3, "01".repeat(32), 1);
    assert_eq!(to_lower_hex(&vote), expected);
    let answer = Answer::Append(AppendEntriesResponse::HigherVote(Vote::new_committed(5, sealer(7)))).encode();
    assert_eq!(to_lower_hex(&answer), format!("010203{:016x}{}01", 5, "07".repeat(32)));
    assert_eq!(to_lower_hex(&Request::Elect.encode()), "0106");
    let blank = encode_entry(&Entry { log_id: id(2), payload: EntryPayload::Blank });
    assert_eq!(to_lower_hex(&blank), format!("01{:016x}{}{:016x}00", 3, "01".repeat(32), 2));
}

#[test]
fn a_later_version_and_bytes_behind_the_end_are_refused() {
    assert!(Request::decode(&Bytes::from_static(&[2, 6])).is_err());
    assert!(Request::decode(&Bytes::from_static(&[1, 6, 0])).is_err());
    assert!(Request::decode(&Bytes::from_static(&[1, 9])).is_err());
    assert!(Answer::decode(&Bytes::from_static(&[1, 8])).is_err());
    assert!(Answer::decode(&Bytes::from(vec![1; super::MAX_MESSAGE_BYTES + 1])).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic_and_what_is_read_was_canonical(
        kind in 0u8..9,
        rest in prop::collection::vec(any::<u8>(), 0..200),
        cut in 0usize..4_000,
        place in 0usize..4_000,
        flip: u8,
    ) {
        let random = Bytes::from([&[1, kind], rest.as_slice()].concat());
        for message in requests().iter().map(Request::encode).chain([random]) {
            let mut bent = message.to_vec();
            bent.truncate(cut.max(2));
            if let Some(byte) = bent.get_mut(place) {
                *byte ^= flip;
            }
            let bent = Bytes::from(bent);
            if let Ok(request) = Request::decode(&bent) {
                prop_assert_eq!(request.encode(), bent.clone());
            }
            if let Ok(answer) = Answer::decode(&bent) {
                prop_assert_eq!(answer.encode(), bent);
            }
        }
    }
}

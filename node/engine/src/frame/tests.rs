use super::{
    Contact, Cursor, DEFINITION_BYTES, Definition, DigestRow, Frame, FrameRefused, Graft, MAX_FRAME_BYTES, Moved,
    ROW_BYTES,
};
use crate::{
    Advertisement, Held, HolderState, MessageRange, bounds,
    detector::ProbeAnswer,
    membership::{Item, MAX_STATEMENT_BYTES},
};
use peerwright_ledger::{RegisterId, TransactionId};
use peerwright_secure::{NodePublicKey, PeerId};
use proptest::prelude::*;
use std::net::SocketAddr;

const REGISTER: RegisterId = RegisterId::from_bytes([1; 16]);
const TRANSACTION: TransactionId = TransactionId::from_bytes([2; 32]);

fn origin() -> NodePublicKey {
    NodePublicKey::from_bytes([3; 32])
}

fn contacts(count: u16) -> Vec<Contact> {
    let address = |number: u16| match number % 2 {
        0 => SocketAddr::from(([192, 0, 2, 1], number)),
        _ => SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], number)),
    };
    (0..count).map(|number| Contact { peer: PeerId::from_bytes([8; 32]), address: address(number) }).collect()
}

/// With texts as long as they may be.
fn advertisement(state: HolderState) -> Advertisement {
    Advertisement {
        register: REGISTER,
        first: 3,
        dockets: u64::MAX,
        state,
        name: "n".repeat(bounds::MAX_ADVERTISED_NAME_BYTES),
        description: "d".repeat(bounds::MAX_ADVERTISED_DESCRIPTION_BYTES),
    }
}

fn one_of_each() -> Vec<Frame<'static>> {
    let cursor = Cursor { register: REGISTER, origin: origin(), incarnation: 4, register_sequence: 5 };
    let held = Held { register: REGISTER, origin: origin(), incarnation: 4, ranges: vec![(1, 2), (4, u64::MAX)] };
    let range = MessageRange { register: REGISTER, origin: origin(), incarnation: 4, from: 1, to: 9 };
    vec![
        Frame::Keepalive { sent: 7 },
        Frame::Echo { sent: 7 },
        Frame::State { ready: true, registers: 2, messages: 3 },
        Frame::Digest {
            reply: true,
            last: false,
            rows: vec![DigestRow { register: REGISTER, messages: 5, hash: [9; 16] }],
        },
        Frame::HeldRequest { registers: vec![REGISTER], after: Some(cursor) },
        Frame::HeldRequest { registers: vec![], after: None },
        Frame::HeldPage { more: true, rows: vec![held] },
        Frame::Message { hops: 3, message: b"message" },
        Frame::Packed { hops: 3, packed: b"packed" },
        Frame::PredecessorUnknown { predecessor: [6; 16] },
        Frame::Pull { request: 1, ranges: vec![range] },
        Frame::Pulled { request: 1, message: b"message" },
        Frame::PullEnd { request: 1 },
        Frame::ChunkRequest { register: REGISTER, id: TRANSACTION, offset: 65_536, length: 10 },
        Frame::Chunk { id: TRANSACTION, offset: 65_536, bytes: b"chunk" },
        Frame::ChunkGone { id: TRANSACTION },
        Frame::Announce {
            definitions: vec![Definition { name: 9, origin: origin(), incarnation: 4 }],
            rows: vec![moved(9, 77), Moved { name: u16::MAX, through: u64::MAX, age: Moved::LONG_AGO }],
        },
        Frame::Announce { definitions: vec![], rows: vec![] },
        Frame::Prune { origin: origin() },
        Frame::Graft(Graft { origin: origin(), incarnation: 4, from: 1, through: 9, messages: 256, bytes: 65_536 }),
        Frame::GraftEnd { origin: origin(), incarnation: 4, floor: 3 },
        Frame::Equivocation { proof: b"proof" },
        Frame::Neighbour { priority: true },
        Frame::NeighbourAnswer { accepted: false },
        Frame::Demote,
        Frame::Shuffle { contacts: contacts(2) },
        Frame::ShuffleReply { contacts: contacts(0) },
        Frame::Introduction { address: contacts(1)[0].address },
        Frame::AddressRequest,
        Frame::AddressAnswer { contacts: contacts(3) },
        Frame::FindHolders { register: REGISTER },
        Frame::Holders { register: REGISTER, holders: contacts(2), nearer: contacts(20) },
        Frame::Hold { registers: vec![REGISTER] },
        Frame::Advertisements {
            whole: true,
            last: false,
            rows: [
                HolderState::Syncing,
                HolderState::FullReplica,
                HolderState::ForwardOnly,
                HolderState::Sealing,
                HolderState::Frozen,
            ]
            .map(advertisement)
            .into(),
            gone: vec![REGISTER],
        },
        Frame::Records { statements: vec![b"one", b""] },
        Frame::Accusations { statements: vec![&[9; 160]] },
        Frame::TableRoot { answer: true, sum: 1, members: 2 },
        Frame::TableSums { first: None, sums: [3; 16] },
        Frame::TableSums { first: Some(15), sums: [3; 16] },
        Frame::TableItems {
            first: 1,
            mask: 3,
            items: vec![Item { id: 1, fingerprint: 2 }, Item { id: 4, fingerprint: 0 }],
        },
        Frame::TableWant { ids: vec![4, 1] },
        Frame::RecordOffer { fingerprints: vec![] },
        Frame::RecordOffer { fingerprints: vec![7, 7, u64::MAX] },
        Frame::RecordWant { fingerprints: vec![1] },
        Frame::Probe { number: 1, subject: PeerId::from_bytes([5; 32]) },
        Frame::Probed { number: 1, answer: ProbeAnswer::Unknown },
    ]
}

#[test]
fn what_is_encoded_is_decoded() {
    for frame in one_of_each() {
        assert_eq!(Frame::decode(&frame.encode()), Ok(frame.clone()));
    }
}

#[test]
fn a_frame_has_one_encoding() {
    for frame in one_of_each() {
        let mut longer = frame.encode().to_vec();
        longer.push(0);
        assert!(matches!(Frame::decode(&longer), Err(FrameRefused::Malformed(_))), "{frame:?}");
        let shorter = &longer[..longer.len() - 2];
        assert!(matches!(Frame::decode(shorter), Err(FrameRefused::Malformed(_))), "{frame:?}");
    }
}

#[test]
fn a_keepalive_is_of_the_sixteen_byte_class() {
    assert_eq!(*Frame::Keepalive { sent: 258 }.encode(), [1, 1, 0, 0, 0, 0, 0, 0, 1, 2]);
}

#[test]
fn an_unknown_version_or_kind_is_unsupported_and_not_malformed() {
    assert_eq!(Frame::decode(&[2, 1, 0]), Err(FrameRefused::Unsupported { version: 2, kind: 1 }));
    assert_eq!(Frame::decode(&[1, 200, 0]), Err(FrameRefused::Unsupported { version: 1, kind: 200 }));
    assert!(matches!(Frame::decode(&[1]), Err(FrameRefused::Malformed(_))));
}

#[test]
fn lists_are_bounded() {
    let row = DigestRow { register: REGISTER, messages: 5, hash: [9; 16] };
    let fits = Frame::Digest { reply: false, last: true, rows: vec![row; bounds::MAX_DIGEST_ROWS] };
    assert!(Frame::decode(&fits.encode()).is_ok());
    let above = Frame::Digest { reply: false, last: true, rows: vec![row; bounds::MAX_DIGEST_ROWS + 1] };
    assert!(matches!(Frame::decode(&above.encode()), Err(FrameRefused::Malformed(_))));
}

#[test]
fn an_introduction_is_family_address_and_port() {
    let bytes = Frame::Introduction { address: SocketAddr::from(([192, 0, 2, 7], 5000)) }.encode();
    assert_eq!(*bytes, [1, 48, 4, 192, 0, 2, 7, 0x13, 0x88]);
    let mapped = SocketAddr::from(([0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0207], 5000));
    assert_eq!(Frame::Introduction { address: mapped }.encode(), bytes, "an address has one form");
    let mut doubled = vec![1, 48, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7];
    doubled.extend([0x13, 0x88]);
    assert!(matches!(Frame::decode(&doubled), Err(FrameRefused::Malformed(_))));
    assert!(matches!(Frame::decode(&[1, 48, 5, 0, 0]), Err(FrameRefused::Malformed(_))));
}

#[test]
fn the_largest_of_each_list_fits_a_frame() {
    let ranges: Vec<(u64, u64)> =
        (1..=bounds::MAX_ROW_RANGES as u64).map(|number| (number * 3, number * 3 + 1)).collect();
    let full = bounds::MAX_PAGE_RANGES / bounds::MAX_ROW_RANGES;
    let row = |index| Held {
        register: REGISTER,
        origin: origin(),
        incarnation: 1,
        ranges: if index < full { ranges.clone() } else { Vec::new() },
    };
    let page = Frame::HeldPage { more: true, rows: (0..bounds::MAX_PAGE_ROWS).map(row).collect() };
    let registers = vec![REGISTER; bounds::MAX_ASKED_REGISTERS];
    let chunk = vec![0; bounds::CHUNK_BYTES as usize];
    for frame in [
        page,
        Frame::HeldRequest { registers, after: None },
        Frame::Chunk { id: TRANSACTION, offset: 0, bytes: &chunk },
        Frame::Records { statements: vec![&[1; MAX_STATEMENT_BYTES]; bounds::MAX_FRAME_STATEMENTS] },
        Frame::TableItems { first: 0, mask: 1, items: vec![Item { id: 1, fingerprint: 1 }; bounds::MAX_FRAME_ITEMS] },
        Frame::TableWant { ids: vec![1; bounds::MAX_FRAME_ITEMS] },
        Frame::Advertisements {
            whole: false,
            last: false,
            rows: vec![advertisement(HolderState::Sealing); bounds::MAX_ADVERTISEMENT_ROWS],
            gone: vec![REGISTER; bounds::MAX_ADVERTISEMENTS_OF_A_PEER],
        },
        Frame::RecordOffer { fingerprints: vec![1; bounds::MAX_FRAME_ITEMS] },
        Frame::RecordWant { fingerprints: vec![1; bounds::MAX_FRAME_ITEMS] },
    ] {
        let bytes = frame.encode();
        assert!(bytes.len() <= MAX_FRAME_BYTES, "{}", bytes.len());
        assert!(Frame::decode(&bytes).is_ok());
    }
}

#[test]
fn an_advertisement_of_no_docket_is_malformed() {
    let nothing = Advertisement { first: 3, dockets: 3, ..advertisement(HolderState::Syncing) };
    let frame = Frame::Advertisements { whole: true, last: true, rows: vec![nothing], gone: vec![] };
    assert!(matches!(Frame::decode(&frame.encode()), Err(FrameRefused::Malformed(_))));
}

fn moved(name: u16, through: u64) -> Moved {
    Moved { name, through, age: 5 }
}

#[test]
fn an_announcement_is_as_long_as_its_parts() {
    let empty = Frame::Announce { definitions: vec![], rows: vec![] }.encode().len();
    let definition = Definition { name: 9, origin: origin(), incarnation: 4 };
    let announcement = |row| Frame::Announce { definitions: vec![definition; 2], rows: vec![row; 3] }.encode().len();
    let longest = Moved { name: u16::MAX, through: u64::MAX, age: Moved::LONG_AGO };
    assert_eq!((empty, announcement(longest)), (10, 10 + 2 * DEFINITION_BYTES + 3 * ROW_BYTES));
    assert_eq!(announcement(moved(9, 77)), 10 + 2 * DEFINITION_BYTES + 3 * 3);
}

#[test]
fn ranges_that_overlap_touch_or_end_before_they_begin_are_malformed() {
    for ranges in [vec![(1, 2), (3, 4)], vec![(5, 6), (1, 2)], vec![(2, 1)], vec![(0, 1)], vec![(1, u64::MAX), (1, 2)]]
    {
        let row = Held { register: REGISTER, origin: origin(), incarnation: 1, ranges };
        let bytes = Frame::HeldPage { more: false, rows: vec![row] }.encode();
        assert!(matches!(Frame::decode(&bytes), Err(FrameRefused::Malformed(_))));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(Frame::decode(&bytes));
    }

    #[test]
    fn no_fields_of_a_known_kind_make_the_decoder_panic(
        kind in 0..64u8,
        fields in prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255), any::<u8>()], 0..200),
    ) {
        let bytes = [[1, kind].as_slice(), &fields].concat();
        if let Ok(frame) = Frame::decode(&bytes) {
            prop_assert_eq!(frame.encode(), bytes);
        }
    }
}

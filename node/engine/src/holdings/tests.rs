use super::{Holdings, Stream};
use crate::{Held, bounds, frame::Cursor, ranges::Ranges};
use peerwright_ledger::RegisterId;
use peerwright_secure::NodePublicKey;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn register(number: u8) -> RegisterId {
    RegisterId::from_bytes([number; 16])
}

fn stream(register_number: u8, origin: u8, incarnation: u64) -> Stream {
    Stream { register: register(register_number), origin: NodePublicKey::from_bytes([origin; 32]), incarnation }
}

fn held(stream: Stream, ranges: &[(u64, u64)]) -> Held {
    Held { register: stream.register, origin: stream.origin, incarnation: stream.incarnation, ranges: ranges.to_vec() }
}

#[test]
fn two_nodes_that_hold_the_same_have_the_same_digest_whatever_the_order() {
    let (mut first, mut second) = (Holdings::default(), Holdings::default());
    for holdings in [&mut first, &mut second] {
        holdings.subscribe(register(1));
        assert!(holdings.digest(&register(1)).is_none(), "the store has not told yet");
        holdings.load(&[register(1)], &[]);
    }
    first.add(&stream(1, 1, 1), 1);
    first.add(&stream(1, 2, 1), 7);
    second.add(&stream(1, 2, 1), 7);
    assert_ne!(first.digest(&register(1)), second.digest(&register(1)));
    second.add(&stream(1, 1, 1), 1);
    assert_eq!(first.digest(&register(1)), second.digest(&register(1)));
    assert_eq!(first.digest(&register(1)).unwrap().messages, 2);
}

#[test]
fn what_is_stored_while_the_store_tells_is_kept() {
    let mut holdings = Holdings::default();
    holdings.subscribe(register(1));
    assert!(holdings.add(&stream(1, 1, 1), 5));
    holdings.load(&[register(1)], &[held(stream(1, 1, 1), &[(1, 5)]), held(stream(2, 1, 1), &[(1, 9)])]);
    assert_eq!(holdings.messages(&register(1)), 5);
    assert_eq!(holdings.messages(&register(2)), 0, "a register that is not subscribed is left out");
    assert!(!holdings.add(&stream(1, 1, 1), 5));
}

#[test]
fn a_stream_with_too_many_holes_takes_only_what_closes_one() {
    let mut holdings = Holdings::default();
    holdings.subscribe(register(1));
    let last = 2 * bounds::MAX_STREAM_RANGES as u64;
    for sequence in (2..=last).step_by(2) {
        holdings.add(&stream(1, 1, 1), sequence);
    }
    assert_eq!(holdings.has_room_for(&stream(1, 1, 1), last + 2), Err("ranges_full"));
    assert_eq!(holdings.has_room_for(&stream(1, 1, 1), 3), Ok(()));
}

#[test]
fn what_is_gone_counts_as_held_and_is_not_told_of() {
    let (mut one, mut other) = (Holdings::default(), Holdings::default());
    for holdings in [&mut one, &mut other] {
        holdings.subscribe(register(1));
        holdings.load(&[register(1)], &[held(stream(1, 1, 1), &[(1, 9)]), held(stream(1, 2, 1), &[(1, 2)])]);
    }

    one.let_go(vec![held(stream(1, 1, 1), &[(1, 3), (5, 5)]), held(stream(1, 2, 1), &[(1, 2)])]);
    one.let_go(vec![held(stream(1, 1, 1), &[(4, 4)]), held(stream(2, 1, 1), &[(1, 1)])]);

    assert_eq!(one.digest(&register(1)), other.digest(&register(1)));
    assert!(one.contains(&stream(1, 1, 1), 4) && !one.add(&stream(1, 1, 1), 4));
    assert_eq!(all_pages(&one, &[register(1)]), [held(stream(1, 1, 1), &[(6, 9)])]);
    assert_eq!(all_pages(&other, &[register(1)]).len(), 2);
}

#[test]
fn what_goes_while_the_store_tells_is_gone_as_well() {
    let mut holdings = Holdings::default();
    holdings.subscribe(register(1));
    holdings.let_go(vec![held(stream(1, 1, 1), &[(2, 3)])]);
    holdings.load(&[register(1)], &[held(stream(1, 1, 1), &[(1, 5)])]);
    assert_eq!(all_pages(&holdings, &[register(1)]), [held(stream(1, 1, 1), &[(1, 1), (4, 5)])]);
    assert_eq!(holdings.messages(&register(1)), 5);
}

#[test]
fn what_would_leave_too_many_holes_is_told_of_all_the_same() {
    let mut holdings = Holdings::default();
    holdings.subscribe(register(1));
    let last = 3 * bounds::MAX_STREAM_RANGES as u64;
    holdings.load(&[register(1)], &[held(stream(1, 1, 1), &[(1, last)])]);
    let every_other: Vec<(u64, u64)> = (2..last).step_by(2).map(|number| (number, number)).collect();
    holdings.let_go(vec![held(stream(1, 1, 1), &every_other)]);
    let told: usize = all_pages(&holdings, &[register(1)]).iter().map(|row| row.ranges.len()).sum();
    assert_eq!(told, bounds::MAX_STREAM_RANGES);
}

fn all_pages(holdings: &Holdings, registers: &[RegisterId]) -> Vec<Held> {
    let (mut all, mut after) = (Vec::new(), None);
    for _ in 0..1_000 {
        let (rows, more) = holdings.page(registers, after.as_ref());
        assert!(rows.len() <= bounds::MAX_PAGE_ROWS);
        assert!(rows.iter().all(|row| row.ranges.len() <= bounds::MAX_ROW_RANGES));
        assert!(rows.iter().map(|row| row.ranges.len()).sum::<usize>() <= bounds::MAX_PAGE_RANGES);
        after = rows.last().map(Cursor::behind);
        all.extend(rows);
        if !more {
            return all;
        }
    }
    panic!("the pages never end");
}

#[test]
fn pages_split_streams_with_many_ranges_and_lose_none() {
    let mut holdings = Holdings::default();
    holdings.subscribe(register(1));
    holdings.load(&[register(1)], &[]);
    for origin in 1..=3 {
        for sequence in (2..=3_000).step_by(2) {
            holdings.add(&stream(1, origin, 1), sequence);
        }
    }
    let rows = all_pages(&holdings, &[register(1)]);
    assert_eq!(rows.iter().map(|row| row.ranges.len()).sum::<usize>(), 4_500);
}

proptest! {
    #[test]
    fn pages_give_everything_once(
        adds in prop::collection::vec((1..4u8, 1..40u8, 1..8u64, 1..30u64), 0..900),
    ) {
        let mut holdings = Holdings::default();
        let mut model: BTreeMap<Stream, Ranges> = BTreeMap::new();
        for number in 1..4 {
            holdings.subscribe(register(number));
            holdings.load(&[register(number)], &[]);
        }
        for (register, origin, incarnation, sequence) in adds {
            let stream = stream(register, origin, incarnation);
            holdings.add(&stream, sequence);
            if register != 2 {
                model.entry(stream).or_default().insert(sequence);
            }
        }
        let mut listed: BTreeMap<Stream, Ranges> = BTreeMap::new();
        for row in all_pages(&holdings, &[register(3), register(1), register(9)]) {
            let stream = Stream { register: row.register, origin: row.origin, incarnation: row.incarnation };
            let ranges = listed.entry(stream).or_default();
            for (from, to) in row.ranges {
                prop_assert_eq!(Ranges::of(from, to).count(), to - from + 1);
                ranges.insert_range(from, to);
            }
        }
        prop_assert_eq!(listed, model);
    }
}

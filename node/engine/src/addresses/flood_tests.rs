//! What becomes of the book when somebody floods it.

use super::{AddressBook, Backoff, Group, Place, Standing};
use crate::{
    DialFailure, LinkId, Micros,
    bounds::{NEW_BUCKETS_PER_SOURCE, TABLE_SLOTS},
    random::Random,
};
use peerwright_secure::PeerId;
use proptest::prelude::*;
use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

const START: Micros = Micros(1_000_000_000);
const SECOND: Duration = Duration::from_secs(1);

fn book(seed: u64) -> (AddressBook, Random) {
    let mut random = Random::new(seed);
    let backoff = Backoff::new(SECOND, SECOND * 60);
    (AddressBook::new(backoff, 5, Vec::new(), &mut random), random)
}

fn group(first: u8, second: u8) -> Group {
    Group::of(IpAddr::from([first, second, 0, 1]), &[])
}

fn socket(number: u32) -> SocketAddr {
    SocketAddr::from(((0x0800_0000 + number).to_be_bytes(), 5000))
}

fn peer(number: u8) -> PeerId {
    PeerId::from_bytes([number; 32])
}

fn free(_: &PeerId) -> Standing {
    Standing::Free
}

fn places(buckets: u64) -> usize {
    usize::try_from(buckets * TABLE_SLOTS).unwrap()
}

#[test]
fn one_source_fills_only_its_share_however_many_it_names() {
    let (mut book, _) = book(1);
    for number in 0..20_000 {
        // Every address in another neighbourhood, all named by one.
        book.learn(START, socket(number << 16 | 1), &group(9, 9));
    }
    assert!(book.table_counts().0 <= places(NEW_BUCKETS_PER_SOURCE), "{}", book.table_counts().0);
}

#[test]
fn a_flood_does_not_push_out_what_others_have_named() {
    let (mut book, _) = book(1);
    let honest: Vec<_> = (0..150).map(|number| socket(number << 16 | 1)).collect();
    let known: Vec<_> = honest
        .iter()
        .enumerate()
        .filter(|(number, address)| book.learn(START, **address, &group(20, u8::try_from(*number).unwrap())))
        .map(|(_, address)| *address)
        .collect();
    for number in 0..20_000 {
        book.learn(START, socket(number << 8 | 7), &group(9, u8::try_from(number % 200).unwrap()));
    }
    let views = book.views();
    assert!(known.len() > 100);
    assert!(known.iter().all(|address| views.iter().any(|view| view.socket == *address)));
}

/// Two addresses that want one place among the tried ones, both linked, the second last.
fn colliding() -> (AddressBook, Random, [SocketAddr; 2]) {
    let (mut book, mut random) = book(1);
    let mut links = 0..;
    let mut places = std::collections::BTreeMap::new();
    // All in one /16, so in one bucket of 16 places.
    for number in 1..200 {
        let address = socket(number);
        if !book.learn(START, address, &group(9, u8::try_from(number).unwrap())) {
            continue;
        }
        let place = book.tables.tried_place(&address, &book.group(&address));
        let link = LinkId(links.next().unwrap());
        let before = places.insert(place, address);
        book.begin_dial(START, address);
        book.linked(START, address, link, peer(u8::try_from(number).unwrap()));
        book.link_ended(START, link, &peer(u8::try_from(number).unwrap()), true, &mut random);
        if let Some(before) = before {
            return (book, random, [before, address]);
        }
    }
    panic!("nobody collides");
}

fn is_tried(book: &AddressBook, address: &SocketAddr) -> bool {
    book.entries[address].place.is_some_and(Place::is_tried)
}

#[test]
fn a_tried_address_is_tested_before_it_gives_way() {
    let (mut book, mut random, [older, newer]) = colliding();
    assert!(is_tried(&book, &older) && !is_tried(&book, &newer));
    let later = START + SECOND * 100;
    assert_eq!(book.to_test(later, &mut random, free), Some(older));
    book.begin_dial(later, older);
    book.failed(later, older, DialFailure::Unreachable, &mut random);
    assert!(is_tried(&book, &newer));
    assert!(book.entries.get(&older).is_none_or(|entry| !entry.is_in_book()));
}

#[test]
fn a_tried_address_that_answers_keeps_its_place() {
    let (mut book, mut random, [older, newer]) = colliding();
    let later = START + SECOND * 100;
    book.begin_dial(later, older);
    book.reached(later, older, peer(1));
    assert!(is_tried(&book, &older) && !is_tried(&book, &newer));
    assert_ne!(book.to_test(later + SECOND * 400, &mut random, free), Some(older), "nobody waits for it any more");
}

#[test]
fn an_anchor_comes_first_and_other_neighbourhoods_before_crowded_ones() {
    let (mut book, mut random) = book(1);
    let [anchor, crowded, other] = [socket(1), socket(2 << 16), socket(3 << 16)];
    book.learn(START, crowded, &group(9, 1));
    book.learn(START, other, &group(9, 2));
    book.add_anchor(START, anchor);
    let crowded_groups = BTreeSet::from([book.group(&crowded), book.group(&anchor)]);
    let taken: Vec<_> = std::iter::repeat_with(|| book.take_due(START, 1, &mut random, &crowded_groups, free))
        .take(3)
        .flatten()
        .map(|address| address.socket)
        .collect();
    assert_eq!(taken, [anchor, other, crowded]);
}

/// A node that knows 60 honest nodes is flooded for a day by 1000 in four neighbourhoods, who answer every trial. Then it
/// chooses eight anew, one after the other.
fn honest_of_eight(seed: u64) -> usize {
    let (mut book, mut random) = book(seed);
    let honest: BTreeSet<_> = (0..60).map(|number| socket((number + 10) << 16 | 1)).collect();
    let hostile: Vec<_> = (0..1_000).map(|number| socket((number % 4) << 16 | (number + 1))).collect();
    for (number, address) in (0..).zip(&honest) {
        book.learn(START, *address, &group(20, number));
    }
    let mut now = START;
    let mut next = hostile.iter().cycle();
    for round in 0..720u16 {
        now = now + SECOND * 120;
        let source = group(8, u8::try_from(round % 4).unwrap());
        for address in next.by_ref().take(20) {
            book.learn(now, *address, &source);
        }
        if let Some(address) = book.to_test(now, &mut random, free) {
            book.begin_dial(now, address);
            book.reached(now, address, PeerId::from_bytes([0; 32]));
            book.entries.get_mut(&address).unwrap().peer = None;
        }
    }
    let mut crowded = BTreeSet::new();
    let mut chosen = Vec::new();
    for _ in 0..8 {
        for address in book.take_due(now + SECOND * 60, 1, &mut random, &crowded, free) {
            crowded.insert(book.group(&address.socket));
            chosen.push(address.socket);
        }
    }
    chosen.iter().filter(|address| honest.contains(address)).count()
}

#[test]
fn a_thousand_addresses_in_four_neighbourhoods_get_at_most_half_of_the_choice() {
    for seed in 0..20 {
        let honest = honest_of_eight(seed);
        assert!(honest >= 4, "seed {seed}: {honest} of 8");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Learn(u32, u8),
    Dial(u32),
    Fail,
    Link(u8),
    Reach(u8),
    End(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_000u32, 0..40u8).prop_map(|(number, source)| Step::Learn(number, source)),
        4 => (0..4_000u32).prop_map(Step::Dial),
        1 => Just(Step::Fail),
        2 => any::<u8>().prop_map(Step::Link),
        1 => any::<u8>().prop_map(Step::Reach),
        1 => any::<u8>().prop_map(Step::End),
    ]
}

proptest! {
    #[test]
    fn every_place_has_one_address_and_every_address_at_most_one_place(
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 0..2_000),
    ) {
        let (mut book, mut random) = book(seed);
        for step in steps {
            let dialled = book.dials.keys().next().copied();
            match (step, dialled) {
                (Step::Learn(number, source), _) => {
                    book.learn(START, socket(number), &group(9, source));
                }
                (Step::Dial(number), _) => {
                    let is_idle = book.entries.get(&socket(number)).is_some_and(|entry| entry.state == super::State::Idle);
                    if is_idle && book.dialling() < 10 {
                        book.begin_dial(START, socket(number));
                    }
                }
                (Step::Fail, Some(address)) => {
                    book.failed(START, address, DialFailure::Unreachable, &mut random);
                }
                (Step::Link(number), Some(address)) => book.linked(START, address, LinkId(number.into()), peer(number)),
                (Step::Reach(number), Some(address)) => book.reached(START, address, peer(number)),
                (Step::End(number), _) => {
                    book.link_ended(START, LinkId(number.into()), &peer(number), false, &mut random);
                }
                _ => {}
            }
        }
        let placed: Vec<_> =
            book.entries.iter().filter_map(|(address, entry)| Some((*address, entry.place?))).collect();
        for (address, place) in &placed {
            prop_assert_eq!(book.tables.occupant(*place), Some(*address));
        }
        let (new, tried) = book.table_counts();
        prop_assert_eq!(placed.len(), new + tried);
        prop_assert!(book.entries.len() <= crate::bounds::MAX_ADDRESSES);
    }
}

use super::{AddressBook, Backoff, Standing};
use crate::{Address, DialFailure, LinkId, Micros, bounds::MAX_ADDRESSES, random::Random};
use peerwright_secure::PeerId;
use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

const SECOND: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(20);
const START: Micros = Micros(1_000_000_000);

fn book() -> (AddressBook, Random) {
    let mut random = Random::new(3);
    let backoff = Backoff::new(SECOND, Duration::from_secs(60));
    (AddressBook::new(backoff, 5, Vec::new(), &mut random), random)
}

fn address(number: u8) -> Address {
    Address { host: format!("node-{number}"), socket: socket(number) }
}

fn socket(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 5000))
}

fn peer(number: u8) -> PeerId {
    PeerId::from_bytes([number; 32])
}

fn free(_: &PeerId) -> Standing {
    Standing::Free
}

#[test]
fn a_new_address_is_dialled_at_once_and_only_once() {
    let (mut book, mut random) = book();
    book.replace(START, &[address(1), address(2), address(1)]);
    assert_eq!(book.take_due(START, 10, &mut random, &BTreeSet::new(), free), [address(1), address(2)]);
    assert_eq!(book.take_due(START, 10, &mut random, &BTreeSet::new(), free), []);
    assert_eq!(book.dialling(), 2);
}

#[test]
fn waits_double_up_to_the_limit() {
    let (mut book, mut random) = book();
    book.replace(START, &[address(1)]);
    let mut now = START;
    for expected in [1u64, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(book.take_due(now, 10, &mut random, &BTreeSet::new(), free).len(), 1);
        book.failed(now, socket(1), DialFailure::Unreachable, &mut random);
        let due = book.next_due(free).unwrap();
        let waited = due.since(now);
        assert!(waited >= SECOND * 3 / 4 * u32::try_from(expected).unwrap(), "{waited:?} of {expected}");
        assert!(waited <= SECOND * 5 / 4 * u32::try_from(expected).unwrap(), "{waited:?} of {expected}");
        now = due;
    }
}

#[test]
fn a_dial_that_nobody_answers_is_found() {
    let (mut book, mut random) = book();
    book.replace(START, &[address(1)]);
    book.take_due(START, 10, &mut random, &BTreeSet::new(), free);
    assert_eq!(book.next_overdue(TIMEOUT), Some(START + TIMEOUT));
    assert_eq!(book.overdue(START + TIMEOUT, TIMEOUT), [socket(1)]);
    assert_eq!(book.failed(START + TIMEOUT, socket(1), DialFailure::Unreachable, &mut random), Some(1));
    assert_eq!(
        book.failed(START + TIMEOUT, socket(1), DialFailure::Unreachable, &mut random),
        None,
        "it is not being dialled any more"
    );
}

#[test]
fn an_address_whose_peer_is_linked_elsewhere_is_left_alone_for_some_minutes() {
    let (mut book, mut random) = book();
    book.replace(START, &[address(1)]);
    book.take_due(START, 10, &mut random, &BTreeSet::new(), free);
    book.reached(START, socket(1), peer(1));
    let linked = |_: &PeerId| Standing::Linked;
    assert_eq!(book.take_due(START + SECOND * 299, 10, &mut random, &BTreeSet::new(), linked), []);
    assert_eq!(book.take_due(START + SECOND * 300, 10, &mut random, &BTreeSet::new(), linked), [address(1)]);
}

#[test]
fn a_banned_peers_address_waits_for_the_end_of_the_ban() {
    let (mut book, mut random) = book();
    book.replace(START, &[address(1)]);
    book.take_due(START, 10, &mut random, &BTreeSet::new(), free);
    book.linked(START, socket(1), LinkId(1), peer(1));
    book.link_ended(START, LinkId(1), &peer(1), false, &mut random);
    assert_eq!(book.take_due(START + SECOND * 900, 10, &mut random, &BTreeSet::new(), |_| Standing::Banned), []);
    assert_eq!(book.next_due(|_| Standing::Banned), None);
    book.unbanned(START + SECOND * 901, Some(&peer(1)), true, &mut random);
    assert_eq!(book.take_due(START + SECOND * 901, 10, &mut random, &BTreeSet::new(), free), [address(1)]);
}

#[test]
fn an_address_that_met_a_ban_is_dialled_when_any_ban_ends() {
    for ended in [Some(peer(9)), None] {
        let (mut book, mut random) = book();
        book.replace(START, &[address(1)]);
        let mut now = START;
        for _ in 0..6 {
            now = book.next_due(free).unwrap();
            book.take_due(now, 10, &mut random, &BTreeSet::new(), free);
            book.failed(now, socket(1), DialFailure::Banned, &mut random);
        }
        let now = now + SECOND;
        assert_eq!(book.take_due(now, 10, &mut random, &BTreeSet::new(), free), []);
        book.unbanned(now, ended.as_ref(), false, &mut random);
        assert_eq!(book.take_due(now, 10, &mut random, &BTreeSet::new(), free), [address(1)]);
    }
}

#[test]
fn an_unlisted_address_is_only_remembered_once_its_link_ends() {
    let (mut book, mut random) = book();
    book.replace(START, &[address(1), address(2)]);
    book.take_due(START, 10, &mut random, &BTreeSet::new(), free);
    book.linked(START, socket(1), LinkId(1), peer(1));
    book.failed(START, socket(2), DialFailure::Unreachable, &mut random);
    book.replace(START, &[]);
    book.link_ended(START, LinkId(1), &peer(1), true, &mut random);
    assert_eq!(book.next_due(free), None);
    // How often it failed is remembered for a while.
    book.replace(START + SECOND * 62, &[]);
    assert!(book.views().is_empty());
}

#[test]
fn an_address_that_others_name_again_and_again_is_dialled_after_longer_and_longer_waits() {
    let (mut book, mut random) = book();
    let mut now = START;
    for expected in [1u64, 2, 4, 8, 16, 32, 60] {
        assert!(book.is_due(now, &socket(1), free));
        assert!(book.begin_dial(now, socket(1)).is_some());
        book.failed(now, socket(1), DialFailure::Unreachable, &mut random);
        assert!(!book.is_due(now, &socket(1), free));
        assert_eq!(book.next_due(free), None, "it is not the book's to dial");
        let forgiven = book.next_forgiven(now).unwrap();
        assert!(forgiven.since(now) >= SECOND * 3 / 4 * u32::try_from(expected).unwrap());
        now = forgiven;
    }
    // Who is listed is dialled at once, whatever was before.
    book.begin_dial(now, socket(1));
    book.failed(now, socket(1), DialFailure::Unreachable, &mut random);
    book.replace(now, &[address(1)]);
    assert_eq!(book.take_due(now, 10, &mut random, &BTreeSet::new(), free), [address(1)]);
}

#[test]
fn what_is_remembered_gives_way_to_what_is_new() {
    let (mut book, mut random) = book();
    for number in 0..=u16::try_from(MAX_ADDRESSES).unwrap() {
        let [high, low] = number.to_be_bytes();
        let socket = SocketAddr::from(([10, 1, high, low], 5000));
        assert!(book.begin_dial(START, socket).is_some(), "{number}");
        book.failed(START, socket, DialFailure::Unreachable, &mut random);
    }
    assert!(book.views().len() <= MAX_ADDRESSES);
}

#[test]
fn this_nodes_own_address_is_not_dialled_again_on_others_word() {
    let (mut book, _) = book();
    book.begin_dial(START, socket(1));
    book.own(START, socket(1));
    assert!(!book.is_due(START + SECOND * 59, &socket(1), free));
}

#[test]
fn an_own_address_is_not_dialled_again_until_it_is_listed_anew() {
    let (mut book, mut random) = book();
    book.replace(START, &[address(1)]);
    book.take_due(START, 10, &mut random, &BTreeSet::new(), free);
    book.own(START, socket(1));
    assert_eq!(book.take_due(START + SECOND * 900, 10, &mut random, &BTreeSet::new(), free), []);
    assert!(book.all_attempted(free));
    book.replace(START, &[]);
    book.replace(START, &[address(1)]);
    assert_eq!(book.take_due(START, 10, &mut random, &BTreeSet::new(), free), [address(1)]);
}

#[test]
fn two_addresses_of_one_peer_are_not_dialled_together() {
    let (mut book, mut random) = book();
    book.replace(START, &[address(1), address(2)]);
    book.take_due(START, 10, &mut random, &BTreeSet::new(), free);
    book.linked(START, socket(1), LinkId(1), peer(1));
    book.reached(START, socket(2), peer(1));
    book.link_ended(START + SECOND, LinkId(1), &peer(1), true, &mut random);
    assert_eq!(book.take_due(START + SECOND * 10, 10, &mut random, &BTreeSet::new(), free).len(), 1);
}

#[test]
fn a_settled_link_starts_the_waits_anew_and_a_short_one_does_not() {
    let (mut book, mut random) = book();
    book.replace(START, &[address(1)]);
    for round in 0..5 {
        let now = book.next_due(free).unwrap();
        book.take_due(now, 10, &mut random, &BTreeSet::new(), free);
        book.linked(now, socket(1), LinkId(round), peer(1));
        book.link_ended(now, LinkId(round), &peer(1), false, &mut random);
    }
    assert_eq!(book.views()[0].failures, 5);
    let now = book.next_due(free).unwrap();
    book.take_due(now, 10, &mut random, &BTreeSet::new(), free);
    book.linked(now, socket(1), LinkId(9), peer(1));
    book.link_ended(now, LinkId(9), &peer(1), true, &mut random);
    assert!(book.next_due(free).unwrap().since(now) <= SECOND * 5 / 4);
}

#[test]
fn the_book_is_bounded() {
    let (mut book, _) = book();
    let many: Vec<Address> = (0..2_000u16)
        .map(|number| Address { host: String::new(), socket: SocketAddr::from(([10, 0, 0, 1], 1_000 + number)) })
        .collect();
    book.replace(START, &many);
    assert_eq!(book.views().len(), crate::bounds::MAX_LISTED);
}

use super::{Heard, Taken, Told, told::Changes};
use crate::{
    Advertisement, HolderState, LinkId, Micros, Token,
    bounds::{
        MAX_ADVERTISED_DESCRIPTION_BYTES, MAX_ADVERTISED_NAME_BYTES, MAX_ADVERTISEMENTS_HEARD,
        MAX_ADVERTISEMENTS_OF_A_PEER,
    },
};
use peerwright_ledger::RegisterId;
use peerwright_secure::PeerId;
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

const NOW: Micros = Micros(1_000_000_000);
const EXPIRY: Duration = Duration::from_secs(300);
const ONE: PeerId = PeerId::from_bytes([1; 32]);
const OTHER: PeerId = PeerId::from_bytes([2; 32]);

fn register(number: usize) -> RegisterId {
    RegisterId::from_bytes((number as u128).to_be_bytes())
}

fn row(number: usize, dockets: u64) -> Advertisement {
    Advertisement {
        register: register(number),
        first: 0,
        dockets,
        state: HolderState::FullReplica,
        name: "orders".to_owned(),
        description: String::new(),
    }
}

/// Something that the first life of a peer says.
fn take(heard: &mut Heard, now: Micros, peer: PeerId, row: Advertisement, whole: bool) -> Taken {
    heard.take(now, (peer, 1), row, whole)
}

fn told(heard: &Heard, now: Micros) -> Vec<(PeerId, RegisterId, u64)> {
    let views = heard.views(now, EXPIRY);
    views.map(|view| (view.peer, view.advertisement.register, view.advertisement.dockets)).collect()
}

#[test]
fn what_a_peer_says_is_kept_changed_and_withdrawn_and_of_others_nothing_is_touched() {
    let mut heard = Heard::default();
    assert_eq!(take(&mut heard, NOW, ONE, row(1, 5), false), Taken::New);
    assert_eq!(take(&mut heard, NOW, OTHER, row(1, 3), false), Taken::New);
    assert_eq!(take(&mut heard, NOW, ONE, row(1, 5), false), Taken::Repeated);
    assert_eq!(take(&mut heard, NOW, ONE, row(1, 6), false), Taken::Changed);
    assert_eq!(told(&heard, NOW), [(ONE, register(1), 6), (OTHER, register(1), 3)]);

    assert!(!heard.withdraw(ONE, register(2)), "it never said so");
    assert!(heard.withdraw(ONE, register(1)) && !heard.withdraw(ONE, register(1)));
    assert_eq!((told(&heard, NOW), heard.peers()), (vec![(OTHER, register(1), 3)], 1));
    assert_eq!((heard.forget(OTHER), heard.len(), heard.peers()), (vec![register(1)], 0, 0));
}

#[test]
fn what_a_whole_list_leaves_out_is_withdrawn_and_a_list_that_broke_off_counts_as_none() {
    let mut heard = Heard::default();
    (1..=3).for_each(|number| assert_eq!(take(&mut heard, NOW, ONE, row(number, 1), true), Taken::New));
    take(&mut heard, NOW, OTHER, row(3, 1), false);
    assert_eq!(heard.list_ended(ONE), []);

    take(&mut heard, NOW, ONE, row(1, 1), true);
    take(&mut heard, NOW, ONE, row(4, 1), true);
    assert_eq!(heard.list_ended(ONE), [register(2), register(3)]);

    // What the first of these named is not in the second.
    take(&mut heard, NOW, ONE, row(1, 1), true);
    heard.list_broke_off(&ONE);
    take(&mut heard, NOW, ONE, row(4, 1), true);
    assert_eq!(heard.list_ended(ONE), [register(1)]);
    assert_eq!(told(&heard, NOW), [(ONE, register(4), 1), (OTHER, register(3), 1)]);
    assert_eq!((heard.list_ended(ONE), heard.list_ended(ONE)), (vec![register(4)], vec![]));
}

#[test]
fn what_is_not_said_again_in_time_counts_no_longer() {
    let mut heard = Heard::default();
    take(&mut heard, NOW, ONE, row(1, 1), false);
    take(&mut heard, NOW, ONE, row(2, 1), false);
    take(&mut heard, NOW + EXPIRY / 2, ONE, row(2, 1), false);
    assert_eq!(told(&heard, NOW + EXPIRY), [(ONE, register(2), 1)], "before it is swept");
    assert_eq!(heard.sweep(NOW + EXPIRY, EXPIRY), [(ONE, register(1))]);
    assert_eq!((heard.len(), heard.peers()), (1, 1));
    assert_eq!(heard.sweep(NOW + EXPIRY * 2, EXPIRY), [(ONE, register(2))]);
    assert_eq!((heard.len(), heard.peers()), (0, 0));
}

#[test]
fn what_a_former_life_of_a_peer_said_counts_no_longer() {
    let mut heard = Heard::default();
    take(&mut heard, NOW, ONE, row(1, 1), true);
    take(&mut heard, NOW, OTHER, row(2, 1), true);
    assert_eq!((heard.link_up(ONE, 1), heard.len()), (vec![], 2), "another link with the same life");
    assert_eq!((heard.link_up(ONE, 2), heard.link_up(ONE, 3)), (vec![register(1)], vec![]));
    assert_eq!(told(&heard, NOW), [(OTHER, register(2), 1)]);
    heard.take(NOW, (ONE, 3), row(3, 1), true);
    assert_eq!((heard.link_up(ONE, 3), heard.len()), (vec![], 2));
}

#[test]
fn one_peer_and_all_together_have_their_bounds() {
    let mut heard = Heard::default();
    let peer = |number: usize| PeerId::from_bytes([u8::try_from(number).unwrap(); 32]);
    for number in 0..MAX_ADVERTISEMENTS_HEARD {
        let of = peer(number / MAX_ADVERTISEMENTS_OF_A_PEER);
        assert_eq!(take(&mut heard, NOW, of, row(number, 1), true), Taken::New);
    }
    assert_eq!(take(&mut heard, NOW, peer(0), row(MAX_ADVERTISEMENTS_HEARD, 1), true), Taken::Full);
    assert_eq!(take(&mut heard, NOW, peer(200), row(1, 1), true), Taken::Full);
    assert_eq!(heard.peers(), MAX_ADVERTISEMENTS_HEARD / MAX_ADVERTISEMENTS_OF_A_PEER);
    assert_eq!(take(&mut heard, NOW, peer(0), row(1, 2), true), Taken::Changed, "what is known is kept up to date");
    heard.withdraw(peer(0), register(1));
    assert_eq!(take(&mut heard, NOW, peer(200), row(1, 1), true), Taken::New);
    assert_eq!(take(&mut heard, NOW, peer(1), row(1, 1), true), Taken::Full);
}

#[test]
fn the_store_is_asked_one_question_at_a_time_and_only_when_something_is_due() {
    let mut told = Told::default();
    assert!(!told.has_begun() && !told.is_due(NOW) && told.next().is_none());
    told.owe_all(NOW, vec![LinkId(1)], NOW + EXPIRY);
    assert!(told.is_due(NOW) && told.next() == Some(NOW));
    told.begin_reading(Token(7));
    assert_eq!(told.next(), Some(NOW + EXPIRY));
    told.owe(NOW, LinkId(2));
    assert!(!told.is_due(NOW), "it is being asked");
    assert!(!told.has_read(Token(6)) && told.has_read(Token(7)) && !told.has_read(Token(7)));
    assert!(told.is_due(NOW));
    told.link_ended(LinkId(2));
    assert!(told.take_owed(LinkId(1)) && !told.take_owed(LinkId(1)) && !told.take_owed(LinkId(2)));
    assert!(!told.is_time_again(NOW) && told.is_time_again(NOW + EXPIRY));
}

#[test]
fn only_what_differs_is_new_and_what_holds_nothing_is_not_told() {
    let mut told = Told::default();
    assert_eq!(
        told.replace(NOW, vec![row(1, 5), row(2, 1)]),
        Changes { rows: vec![row(1, 5), row(2, 1)], gone: vec![] }
    );
    assert!(told.replace(NOW, vec![row(2, 1), row(1, 5)]).is_empty());
    let renamed = Advertisement { name: "sales".to_owned(), ..row(2, 1) };
    let empty = Advertisement { first: 5, ..row(1, 5) };
    let changes = told.replace(NOW, vec![empty, renamed.clone()]);
    assert_eq!(changes, Changes { rows: vec![renamed.clone()], gone: vec![register(1)] });
    assert_eq!((told.all(), told.len()), (vec![renamed], 1));
    assert_eq!(told.replace(NOW, vec![]).gone, [register(2)]);
}

#[test]
fn that_there_is_nothing_is_said_as_long_as_somebody_may_remember_that_there_was_something() {
    let mut told = Told::default();
    assert!(told.replace(NOW, vec![]).is_empty() && told.is_silent(NOW, EXPIRY));
    told.replace(NOW, vec![row(1, 1)]);
    assert!(!told.is_silent(NOW + EXPIRY, EXPIRY), "there is something to say");
    told.replace(NOW + EXPIRY, vec![]);
    told.replace(NOW + EXPIRY * 3 / 2, vec![]);
    assert!(!told.is_silent(NOW + EXPIRY * 3 / 2, EXPIRY) && told.is_silent(NOW + EXPIRY * 2, EXPIRY));
}

#[test]
fn long_texts_are_cut_between_two_characters() {
    let mut told = Told::default();
    let long = |bytes: usize| "é".repeat(bytes);
    let row = Advertisement { name: format!("x{}", long(200)), description: long(600), ..row(1, 1) };
    told.replace(NOW, vec![row]);
    let [row] = told.all().try_into().unwrap();
    assert_eq!(row.name.len(), MAX_ADVERTISED_NAME_BYTES - 1, "the last character does not fit");
    assert_eq!(row.description.len(), MAX_ADVERTISED_DESCRIPTION_BYTES);
}

/// Something that a peer does.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Take { register: usize, dockets: u64, whole: bool },
    Withdraw(usize),
    ListEnded,
    ListBrokeOff,
    Forget,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        5 => (0..5usize, 1..3u64, any::<bool>())
            .prop_map(|(register, dockets, whole)| Deed::Take { register, dockets, whole }),
        2 => (0..5usize).prop_map(Deed::Withdraw),
        2 => Just(Deed::ListEnded),
        1 => Just(Deed::ListBrokeOff),
        1 => Just(Deed::Forget),
    ]
}

proptest! {
    #[test]
    fn what_is_kept_is_what_was_said_last_whatever_peers_do(deeds in prop::collection::vec((1..4u8, deed()), 0..100)) {
        let mut heard = Heard::default();
        let mut expected: BTreeMap<(PeerId, RegisterId), u64> = BTreeMap::new();
        // What each peer's list has named so far.
        let mut lists: BTreeMap<PeerId, BTreeSet<RegisterId>> = BTreeMap::new();
        for (peer, deed) in deeds {
            let peer = PeerId::from_bytes([peer; 32]);
            let list = lists.entry(peer).or_default();
            match deed {
                Deed::Take { register: number, dockets, whole } => {
                    let before = expected.insert((peer, register(number)), dockets);
                    if whole {
                        list.insert(register(number));
                    }
                    let taken = match before {
                        None => Taken::New,
                        Some(before) if before == dockets => Taken::Repeated,
                        Some(_) => Taken::Changed,
                    };
                    prop_assert_eq!(take(&mut heard, NOW, peer, row(number, dockets), whole), taken);
                }
                Deed::Withdraw(number) => {
                    list.remove(&register(number));
                    let was_there = expected.remove(&(peer, register(number))).is_some();
                    prop_assert_eq!(heard.withdraw(peer, register(number)), was_there);
                }
                Deed::ListEnded => {
                    let named = std::mem::take(list);
                    let left_out: Vec<_> =
                        expected.extract_if(.., |(of, register), _| *of == peer && !named.contains(register)).collect();
                    let left_out: Vec<_> = left_out.into_iter().map(|((_, register), _)| register).collect();
                    prop_assert_eq!(heard.list_ended(peer), left_out);
                }
                Deed::ListBrokeOff => {
                    list.clear();
                    heard.list_broke_off(&peer);
                }
                Deed::Forget => {
                    list.clear();
                    expected.retain(|(of, _), _| *of != peer);
                    heard.forget(peer);
                }
            }
            let rows: Vec<_> = expected.iter().map(|((peer, register), dockets)| (*peer, *register, *dockets)).collect();
            prop_assert_eq!(told(&heard, NOW), rows);
            let peers: BTreeSet<PeerId> = expected.keys().map(|(peer, _)| *peer).collect();
            prop_assert_eq!((heard.len(), heard.peers()), (expected.len(), peers.len()));
        }
    }
}

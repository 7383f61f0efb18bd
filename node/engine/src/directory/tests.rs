//! Searches in networks of many nodes, some of which lie.

use super::{Buckets, Holders, Lookup, Place, Step};
use crate::{
    Micros,
    bounds::{
        BUCKET_CONTACTS, HOLDER_KEPT, LOOKUP_PATHS, MAX_HOLDERS_OF_A_REGISTER, MAX_REGISTERS_OF_A_HOLDER,
        PATH_QUESTIONS,
    },
    frame::Contact,
};
use peerwright_ledger::RegisterId;
use peerwright_secure::{PeerId, sha256};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn contact(number: u32) -> Contact {
    let [_, a, b, c] = number.to_be_bytes();
    Contact { peer: PeerId::from_bytes(sha256(&number.to_be_bytes())), address: ([10, a, b, c], 5000).into() }
}

/// Nodes and what each knows; of every `liars`th node a lie is told.
struct World {
    nodes: BTreeMap<PeerId, (Contact, Buckets)>,
    liars: BTreeSet<PeerId>,
}

impl World {
    fn new(count: u32, is_liar: impl Fn(u32) -> bool) -> Self {
        let all: Vec<Contact> = (0..count).map(contact).collect();
        let mut nodes = BTreeMap::new();
        for own in &all {
            let mut buckets = Buckets::new(&own.peer);
            all.iter().for_each(|other| buckets.add(*other));
            nodes.insert(own.peer, (*own, buckets));
        }
        let liars = (0..count).filter(|number| is_liar(*number)).map(|number| contact(number).peer).collect();
        Self { nodes, liars }
    }

    fn nearest(&self, place: &Place, count: usize) -> Vec<PeerId> {
        let mut peers: Vec<PeerId> = self.nodes.keys().copied().collect();
        peers.sort_by_key(|peer| place.distance(peer));
        peers.truncate(count);
        peers
    }

    /// Searches from one node; the holders are known to those who were `told`. Gives the search and its questions.
    fn search(&self, from: u32, place: Place, told: &BTreeSet<PeerId>, holder: Contact) -> (Lookup, usize) {
        let own = contact(from).peer;
        let mut lookup = Lookup::new(place, own, &self.nodes[&own].1.nearest(&place, BUCKET_CONTACTS));
        let (mut asked, mut waiting) = (Vec::new(), Vec::new());
        loop {
            match lookup.step() {
                Step::Ask(contact) => {
                    asked.push(contact.peer);
                    waiting.push(contact.peer);
                    assert!(waiting.len() <= LOOKUP_PATHS);
                }
                Step::Wait => {
                    let peer = waiting.remove(0);
                    self.answer(&mut lookup, &peer, place, told, holder);
                }
                Step::Done => break,
            }
        }
        let different: BTreeSet<&PeerId> = asked.iter().collect();
        assert_eq!(different.len(), asked.len(), "nobody is asked twice");
        (lookup, asked.len())
    }

    fn answer(&self, lookup: &mut Lookup, peer: &PeerId, place: Place, told: &BTreeSet<PeerId>, holder: Contact) {
        if self.liars.contains(peer) {
            // Nodes that are not there, nearer than any that is.
            let lies: Vec<Contact> = (0..20u8).map(|last| ghost(&place, peer, last)).collect();
            return lookup.answered(peer, &lies, &lies);
        }
        match self.nodes.get(peer) {
            Some((_, buckets)) => {
                let holders: Vec<Contact> = told.contains(peer).then_some(holder).into_iter().collect();
                lookup.answered(peer, &holders, &buckets.nearest(&place, BUCKET_CONTACTS));
            }
            None => lookup.failed(peer),
        }
    }
}

fn ghost(place: &Place, liar: &PeerId, last: u8) -> Contact {
    let mut id = place.distance(&PeerId::from_bytes([0; 32]));
    id[30] ^= liar.as_bytes()[0];
    id[31] ^= last.wrapping_add(1);
    Contact { peer: PeerId::from_bytes(id), address: ([10, 255, 0, last], 5000).into() }
}

#[test]
fn a_search_ends_at_the_nodes_that_are_nearest_of_all() {
    let world = World::new(600, |_| false);
    for number in 0..20 {
        let place = Place::of_register(&RegisterId::from_bytes([number; 16]));
        let told: BTreeSet<PeerId> = world.nearest(&place, 8).into_iter().collect();
        let (lookup, questions) = world.search(u32::from(number), place, &told, contact(1_000));
        let found: BTreeSet<PeerId> = lookup.nearest(8).into_iter().map(|contact| contact.peer).collect();
        let own = contact(number.into()).peer;
        assert!(found.intersection(&told).count() + usize::from(told.contains(&own)) >= 7, "{found:?}");
        assert!(questions <= LOOKUP_PATHS * PATH_QUESTIONS);
        let holders = lookup.holders();
        assert!(holders.len() == 1 && holders[0].0 >= 7 && holders[0].1 == contact(1_000), "{holders:?}");
    }
}

#[test]
fn a_fifth_of_liars_spoil_few_searches() {
    let world = World::new(600, |number| number % 5 == 4);
    let (mut found, mut first) = (0, 0);
    for number in 0..100u8 {
        let place = Place::of_register(&RegisterId::from_bytes([number; 16]));
        let told: BTreeSet<PeerId> = world.nearest(&place, 8).into_iter().collect();
        let (lookup, questions) = world.search(u32::from(number) * 5, place, &told, contact(1_000));
        assert!(questions <= LOOKUP_PATHS * PATH_QUESTIONS);
        let holders = lookup.holders();
        found += usize::from(holders.iter().any(|(_, holder)| *holder == contact(1_000)));
        first += usize::from(holders.first().is_some_and(|(_, holder)| *holder == contact(1_000)));
    }
    assert!(found >= 95, "{found} of 100 searches found the holder");
    assert!(first >= 85, "{first} of 100 put it before all lies");
}

#[test]
fn a_full_bucket_keeps_whom_it_has() {
    let own = contact(0).peer;
    let mut buckets = Buckets::new(&own);
    let far: Vec<Contact> =
        (1..400).map(contact).filter(|contact| Place::of_peer(&own).shared_bits(&contact.peer) == 0).collect();
    far.iter().for_each(|contact| buckets.add(*contact));
    assert_eq!(buckets.len(), BUCKET_CONTACTS);
    assert!(!buckets.has_room_for(&far[30].peer));
    buckets.unreachable(&far[3].address);
    buckets.unreachable(&far[5].address);
    buckets.add(far[30]);
    let kept: BTreeSet<PeerId> = buckets.nearest(&Place::of_peer(&own), 100).iter().map(|known| known.peer).collect();
    let expected = (0..BUCKET_CONTACTS).filter(|index| ![3, 5].contains(index)).chain([30]);
    assert_eq!(kept, expected.map(|index| far[index].peer).collect());
}

#[test]
fn holders_are_kept_for_an_hour_after_their_last_word() {
    let (mut holders, register) = (Holders::default(), RegisterId::from_bytes([1; 16]));
    let start = Micros(1_000_000);
    assert!(holders.add(start, register, contact(1)) && holders.add(start, register, contact(2)));
    let later = start + HOLDER_KEPT / 2;
    assert!(holders.add(later, register, contact(1)));
    let end = start + HOLDER_KEPT;
    assert_eq!(holders.find(end, &register).collect::<Vec<_>>(), [contact(1)]);
    holders.sweep(end);
    assert_eq!(holders.len(), 1);
    holders.sweep(later + HOLDER_KEPT);
    assert_eq!(holders.len(), 0);
}

#[test]
fn neither_one_holder_nor_one_register_takes_all_room() {
    let (mut holders, now) = (Holders::default(), Micros(1));
    let register = |number: usize| RegisterId::from_bytes((number as u128).to_be_bytes());
    let kept = (0..MAX_REGISTERS_OF_A_HOLDER + 5).filter(|number| holders.add(now, register(*number), contact(1)));
    assert_eq!(kept.count(), MAX_REGISTERS_OF_A_HOLDER);
    let kept = (0..100).filter(|number| holders.add(now, register(usize::MAX), contact(10 + number)));
    assert_eq!(kept.count(), MAX_HOLDERS_OF_A_REGISTER);
    assert!(holders.add(now, register(3), contact(1)), "who is known may say so again");
}

proptest! {
    #[test]
    fn whatever_is_answered_a_search_ends(answers in prop::collection::vec((any::<bool>(), prop::collection::vec(0u32..500, 0..25)), 0..200)) {
        let place = Place::of_register(&RegisterId::from_bytes([9; 16]));
        let known: Vec<Contact> = (0..20).map(contact).collect();
        let mut lookup = Lookup::new(place, contact(0).peer, &known);
        let (mut answers, mut waiting, mut asked) = (answers.into_iter(), Vec::new(), BTreeSet::new());
        loop {
            match lookup.step() {
                Step::Ask(contact) => {
                    prop_assert!(asked.insert(contact.peer));
                    waiting.push(contact.peer);
                }
                Step::Wait => {
                    let peer = waiting.remove(0);
                    match answers.next() {
                        Some((true, named)) => {
                            let named: Vec<Contact> = named.into_iter().map(contact).collect();
                            lookup.answered(&peer, &named, &named);
                        }
                        Some((false, _)) | None => lookup.failed(&peer),
                    }
                }
                Step::Done => break,
            }
        }
        prop_assert!(asked.len() <= LOOKUP_PATHS * PATH_QUESTIONS && waiting.is_empty());
    }
}

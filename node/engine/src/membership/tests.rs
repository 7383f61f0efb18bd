use super::{
    Item, MAX_STATEMENT_BYTES, MemberIndex, MemberRecord, MemberState, Members, MembershipSettings, Sight, Spread,
    Status, Table, fingerprint, halves, record::Edition, unequal,
};
use crate::{LinkId, Micros, Role, bounds::SPREAD_WHOLE, random::Random};
use bytes::Bytes;
use peerwright_secure::{NodeKey, PeerId};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn key(number: u64) -> NodeKey {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    NodeKey::from_seed(seed)
}

fn record(number: u64, version: u32) -> (MemberRecord, Bytes) {
    let key = key(number);
    let record = MemberRecord {
        key: key.public(),
        edition: Edition { incarnation: 1, version },
        role: Role::Peer,
        status: Status::Alive,
        address: Some(([10, 0, 0, 1], 5000).into()),
    };
    (record, record.sign(&key))
}

fn put(table: &mut Table, number: u64, version: u32) -> u32 {
    let (record, bytes) = record(number, version);
    table.put(record, &bytes, fingerprint(&bytes)).0
}

fn table() -> Table {
    Table::new(MemberIndex::new(), 100)
}

fn sight(table: &Table, bytes: &[u8]) -> Sight {
    let index = table.index().lock();
    table.sight(&index, bytes, index.number_of_subject(bytes))
}

#[test]
fn the_newest_edition_wins_and_what_is_known_is_told_at_a_look() {
    let mut table = table();
    let ((_, first), (_, second)) = (record(1, 1), record(1, 2));
    assert_eq!(sight(&table, &first), Sight::Newer);
    let number = put(&mut table, 1, 1);
    assert_eq!(sight(&table, &first), Sight::Known(number));
    assert_eq!(sight(&table, &second), Sight::Newer);
    assert_eq!(put(&mut table, 1, 2), number);
    assert_eq!(sight(&table, &first), Sight::Older(number));
    assert_eq!(table.present(), 1);
}

#[test]
fn of_two_records_of_one_edition_the_smaller_encoding_stays_whichever_came_first() {
    let (mut one, _) = record(1, 1);
    let other = MemberRecord { role: Role::Hub, ..one };
    one.role = Role::Edge;
    let mut encodings = [one.sign(&key(1)), other.sign(&key(1))];
    encodings.sort();
    let [smaller, larger] = encodings;
    let mut table = table();
    table.put(MemberRecord::decode(&smaller).unwrap(), &smaller, 1);
    assert_eq!(sight(&table, &larger), Sight::Conflict);
    table.put(MemberRecord::decode(&larger).unwrap(), &larger, 1);
    assert_eq!(sight(&table, &smaller), Sight::Newer);
}

#[test]
fn who_is_gone_comes_back_by_a_newer_record_only() {
    let mut table = table();
    let number = put(&mut table, 1, 1);
    let empty = Table::new(MemberIndex::new(), 100).root();
    assert_ne!(table.root(), empty);
    assert_eq!(table.set_state(number, MemberState::Dead), Some(MemberState::Alive));
    assert_eq!((table.root(), table.present()), (empty, 0));
    assert_eq!(sight(&table, &record(1, 1).1), Sight::Gone(number));
    assert_eq!(sight(&table, &record(1, 2).1), Sight::Newer);
    put(&mut table, 1, 2);
    assert_eq!((table.count(MemberState::Alive), table.count(MemberState::Dead)), (1, 0));
}

#[test]
fn who_left_stays_gone_and_its_farewell_is_known() {
    let mut table = table();
    let (alive, _) = record(1, 2);
    let farewell = MemberRecord { status: Status::Leaving, ..alive };
    let other = MemberRecord { role: Role::Hub, ..farewell };
    let (bytes, other) = (farewell.sign(&key(1)), other.sign(&key(1)));
    let (number, _) = table.put(farewell, &bytes, 1);
    assert_eq!(table.count(MemberState::Left), 1);
    assert_eq!(sight(&table, &record(1, 1).1), Sight::Gone(number));
    assert_eq!(sight(&table, &bytes), Sight::Known(number));
    for of_its_edition in [&other, &alive.sign(&key(1))] {
        assert_eq!(sight(&table, of_its_edition), Sight::Conflict);
    }
    assert_eq!(sight(&table, &record(1, 3).1), Sight::Newer);
}

#[test]
fn another_format_is_unsupported_and_a_stump_is_malformed() {
    let table = table();
    let mut bytes = record(1, 1).1.to_vec();
    assert_eq!(sight(&table, &bytes[..40]), Sight::Malformed);
    bytes[0] = 2;
    assert_eq!(sight(&table, &bytes), Sight::Unsupported);
}

#[test]
fn a_record_takes_at_most_sixty_four_bytes_of_each_node() {
    let index = MemberIndex::new();
    let mut tables: Vec<Table> = (0..3).map(|_| Table::new(index.clone(), 16_384)).collect();
    for number in 0..1_000 {
        for table in &mut tables {
            put(table, number, 1);
        }
    }
    for table in &tables {
        let per_record = table.resident_bytes() / 1_000;
        assert!(per_record <= 64, "{per_record} bytes a record");
    }
    assert_eq!(index.lock().counts(), (1_000, 1_000), "each record is kept once for all");
    drop(tables);
    assert_eq!(index.lock().counts(), (0, 0));
    const { assert!(MAX_STATEMENT_BYTES <= 160) };
}

/// What each of the links lacks of what may be passed on now.
fn lacks(spread: &Spread, links: &[LinkId], limit: usize) -> Vec<Vec<u32>> {
    (0..links.len()).map(|place| spread.records_for(Micros(0), links, place, limit)).collect()
}

/// Sends each link its share.
fn send(spread: &mut Spread, table: &mut Table, links: &[LinkId], limit: usize) -> Vec<Vec<u32>> {
    let shares = (0..links.len()).map(|place| {
        let share = spread.records_for(Micros(0), links, place, limit);
        spread.sent(table, links, place, &share);
        share
    });
    let shares = shares.collect();
    spread.settle(table, links);
    shares
}

#[test]
fn what_is_spread_goes_to_each_link_that_is_not_known_to_have_it() {
    let (mut table, mut spread) = (table(), Spread::default());
    let links = [LinkId(1), LinkId(2), LinkId(3)];
    for link in links {
        spread.link_up(link);
    }
    let numbers = [put(&mut table, 1, 1), put(&mut table, 2, 1)];
    let has = spread.mask(Some(links[0]));
    spread.record(&mut table, numbers[0], 0, has, false);
    spread.record(&mut table, numbers[1], 0, 0, false);
    spread.has(&table, &numbers[1..2], links[2]);
    assert_eq!(lacks(&spread, &links, 9), [vec![numbers[1]], numbers.to_vec(), vec![numbers[0]]]);
    // Something newer: what the links had is old.
    put(&mut table, 2, 2);
    let has = spread.mask(Some(links[1]));
    spread.record(&mut table, numbers[1], 0, has, false);
    assert_eq!(spread.link_down(links[1]), has);
    spread.link_up(LinkId(4));
    assert_eq!(lacks(&spread, &[LinkId(4)], 9), [numbers]);
    spread.forget(&mut table, numbers[0]);
    table.forget(numbers[0]);
    assert_eq!(send(&mut spread, &mut table, &[links[0], links[2], LinkId(4)], 9), [[numbers[1]]; 3]);
    assert!(spread.is_empty());
}

#[test]
fn much_is_spread_in_shares_each_link_beginning_with_another_part_and_what_is_urgent_first() {
    let mut table = Table::new(MemberIndex::new(), 2_000);
    let mut spread = Spread::default();
    let links = [LinkId(1), LinkId(2)];
    for link in links {
        spread.link_up(link);
    }
    let numbers: Vec<u32> = (0..1_000).map(|number| put(&mut table, number, 1)).collect();
    for number in &numbers {
        spread.record(&mut table, *number, 0, 0, *number == numbers[500]);
    }
    let shares = send(&mut spread, &mut table, &links, 100);
    assert_eq!(shares[0], [&numbers[500..501], &numbers[..99]].concat());
    assert_eq!(shares[1], [&numbers[500..501], &numbers[501..600]].concat());
    assert_eq!(spread.waiting(), 999, "the urgent one has gone to both");
    // What one link has sent meanwhile is not sent back to it.
    spread.has(&table, &numbers[99..100], links[0]);
    assert_eq!(lacks(&spread, &links, 1)[0], [numbers[100]]);
    while spread.waiting() > 0 {
        assert!(send(&mut spread, &mut table, &links, 100).iter().any(|share| !share.is_empty()));
    }
    spread.not_before = Micros(1);
    spread.record(&mut table, numbers[7], 0, 0, false);
    spread.record(&mut table, numbers[8], 0, 0, true);
    assert_eq!(lacks(&spread, &links, 9), vec![vec![numbers[8]]; 2], "the rest has its time");
}

#[test]
fn a_link_whose_peer_takes_offers_is_sent_few_records_and_offered_many() {
    let mut table = Table::new(MemberIndex::new(), 2_000);
    let mut spread = Spread::default();
    let links = [LinkId(1), LinkId(2)];
    for link in links {
        spread.link_up(link);
    }
    spread.takes_offers(links[0]);
    let numbers: Vec<u32> = (0..100).map(|number| put(&mut table, number, 1)).collect();
    let (few, more) = numbers.split_at(SPREAD_WHOLE);
    let mut record = |spread: &mut Spread, number: &u32, is_urgent| {
        spread.record(&mut table, *number, u64::from(*number) + 1_000, 0, is_urgent);
    };
    few.iter().for_each(|number| record(&mut spread, number, false));
    assert!(spread.offers_for(Micros(0), links[0], 999).is_empty());
    assert!(lacks(&spread, &links, 999).iter().all(|share| share.len() == SPREAD_WHOLE));
    more.iter().for_each(|number| record(&mut spread, number, *number == numbers[99]));
    assert_eq!(lacks(&spread, &links, 999)[0], [numbers[99]], "what is urgent is sent whole");
    assert!(spread.offers_for(Micros(0), links[1], 999).is_empty(), "its peer knows no offers");
    let offered = spread.offers_for(Micros(0), links[0], 50);
    let first: Vec<u64> = numbers[..50].iter().map(|number| u64::from(*number) + 1_000).collect();
    assert_eq!(offered, first);
    assert_eq!(spread.offers_for(Micros(0), links[0], 999).len(), 49, "the rest, and nothing again");
    assert_eq!(lacks(&spread, &links, 999)[1].len(), 100);
    spread.link_down(links[0]);
    spread.link_up(LinkId(3));
    assert_eq!(lacks(&spread, &[LinkId(3)], 999)[0].len(), 100, "the next to have its bit is a stranger");
}

#[test]
fn links_without_a_bit_are_all_sent_everything() {
    let (mut table, mut spread) = (table(), Spread::default());
    // More links than there are bits: the last three share one.
    let links: Vec<LinkId> = (0..66).map(LinkId).collect();
    for link in &links {
        spread.link_up(*link);
    }
    let numbers: Vec<u32> = (0..4).map(|number| put(&mut table, number, 1)).collect();
    for number in &numbers {
        spread.record(&mut table, *number, 0, 0, false);
    }
    let mut came: BTreeMap<LinkId, BTreeSet<u32>> = BTreeMap::new();
    while spread.waiting() > 0 {
        for (link, share) in links.iter().zip(send(&mut spread, &mut table, &links, 3)) {
            came.entry(*link).or_default().extend(share);
        }
    }
    assert!(came.values().all(|came| came.iter().eq(&numbers)) && came.len() == 66, "{came:?}");
}

#[test]
fn members_are_drawn_by_lot_whatever_order_they_came_in() {
    let settings = MembershipSettings::default();
    let drawn = |order: &[u64]| {
        let mut members = Members::new(MemberIndex::new(), &settings);
        members.declare(record(0, 1).0, &key(0));
        for number in order {
            put(&mut members.table, *number, 1);
        }
        let gone = members.table.of_peer(&key(5).peer_id()).unwrap().number;
        members.table.set_state(gone, MemberState::Left);
        let mut random = Random::new(3);
        let accepts = |sample: &super::Sample| sample.peer != key(7).peer_id();
        (0..120).map(|_| members.random_members(&mut random, 3, accepts)).collect::<Vec<_>>()
    };
    let ascending: Vec<u64> = (1..40).collect();
    let descending: Vec<u64> = (1..40).rev().collect();
    let all = drawn(&ascending);
    assert_eq!(all, drawn(&descending));
    let peers: BTreeSet<PeerId> = all.iter().flatten().map(|sample| sample.peer).collect();
    assert_eq!(peers.len(), 37, "everybody but this node, who left, and who is not accepted");
    assert!(all.iter().all(|sample| sample.len() == 3));
}

/// Two nodes compare, as the frames let them; gives how many records and how many list items went over.
fn compare(smaller: &mut Table, larger: &mut Table) -> (usize, usize) {
    let (mut records, mut listed) = (0, 0);
    for first in halves(unequal(&smaller.first_sums(), &larger.first_sums())) {
        let mask = unequal(&smaller.second_sums(first), &larger.second_sums(first));
        let (mask, items) = smaller.items(&smaller.index().lock(), first, mask, 4_000);
        listed += items.len();
        let found = larger.differences(&larger.index().lock(), first, mask, &items);
        let wanted: Vec<u32> = {
            let index = smaller.index().lock();
            found.want.iter().flat_map(|id| smaller.with_prefix(&index, *id)).collect()
        };
        records += found.send.len() + wanted.len();
        give(larger, smaller, &found.send);
        give(smaller, larger, &wanted);
    }
    (records, listed)
}

fn give(from: &Table, to: &mut Table, numbers: &[u32]) {
    for number in numbers {
        let bytes = Bytes::copy_from_slice(from.bytes(&from.index().lock(), *number).unwrap());
        if sight(to, &bytes) == Sight::Newer {
            to.put(MemberRecord::decode(&bytes).unwrap(), &bytes, fingerprint(&bytes));
        }
    }
}

#[test]
fn few_differences_among_many_cost_little() {
    let (mut one, mut other) = (Table::new(MemberIndex::new(), 2_000), Table::new(MemberIndex::new(), 2_000));
    for number in 0..1_000 {
        put(&mut one, number, 1);
        put(&mut other, number, 1);
    }
    put(&mut one, 17, 2);
    put(&mut other, 2_000, 1);
    let (records, listed) = compare(&mut one, &mut other);
    assert!(records <= 3, "{records}");
    assert!(listed <= 30, "{listed}");
    assert_eq!(one.root(), other.root());
}

#[test]
fn a_newcomer_lists_nothing_and_is_given_everything_once() {
    let (mut one, mut other) = (table(), Table::new(MemberIndex::new(), 2_000));
    for number in 0..500 {
        put(&mut other, number, 1);
    }
    assert_eq!(compare(&mut one, &mut other), (500, 0));
    assert_eq!(one.root(), other.root());
}

#[test]
fn who_is_gone_is_named_to_who_lists_it() {
    let (mut one, mut other) = (table(), table());
    put(&mut one, 1, 1);
    let number = put(&mut other, 1, 1);
    other.set_state(number, MemberState::Dead);
    let [first_byte, ..] = *key(1).peer_id().as_bytes();
    let (mask, items) = one.items(&one.index().lock(), first_byte >> 4, u16::MAX, 100);
    let found = other.differences(&other.index().lock(), first_byte >> 4, mask, &items);
    assert_eq!((found.gone, found.send.len(), found.want.len()), (vec![number], 0, 0));
}

#[test]
fn a_list_is_cut_at_whole_ranges() {
    let mut table = Table::new(MemberIndex::new(), 2_000);
    for number in 0..400 {
        put(&mut table, number, 1);
    }
    let (mask, items) = table.items(&table.index().lock(), 3, u16::MAX, 5);
    let ranges = halves(mask).map(|second| table.bucket(0x30 | second).1 as usize);
    assert_eq!(items.len(), ranges.sum::<usize>());
    assert!(items.len() <= 5 && items.is_sorted_by_key(|item: &Item| item.id));
}

proptest! {
    #[test]
    fn after_a_comparison_both_know_the_newest_of_everything(
        editions in prop::collection::btree_map(0..60u64, (0..3u32, 0..3u32), 0..40),
    ) {
        let (mut one, mut other) = (table(), table());
        let mut newest = BTreeMap::new();
        for (number, (here, there)) in &editions {
            for (table, version) in [(&mut one, here), (&mut other, there)] {
                if *version > 0 {
                    put(table, *number, *version);
                    newest.insert(key(*number).peer_id(), *here.max(there));
                }
            }
        }
        if one.present() <= other.present() { compare(&mut one, &mut other); } else { compare(&mut other, &mut one); }
        for table in [&one, &other] {
            let known: BTreeMap<PeerId, u32> =
                table.iter(&table.index().lock()).map(|(peer, known)| (peer, known.record.edition.version)).collect();
            prop_assert_eq!(&known, &newest);
        }
        prop_assert_eq!(one.root(), other.root());
    }

    #[test]
    fn sums_and_counts_follow_any_history(
        steps in prop::collection::vec((0..12u64, 0..5u8), 0..80),
    ) {
        let mut table = table();
        let mut versions = BTreeMap::new();
        for (number, step) in steps {
            let version = versions.entry(number).or_insert(0u32);
            let known = table.of_peer(&key(number).peer_id());
            match (step, known) {
                (0 | 1, _) => {
                    *version += 1;
                    put(&mut table, number, *version);
                }
                (2, Some(known)) => { table.set_state(known.number, MemberState::Unreachable); }
                (3, Some(known)) => { table.set_state(known.number, MemberState::Dead); }
                (4, Some(known)) => table.forget(known.number),
                _ => {}
            }
        }
        let index = table.index().lock();
        let expected = table.iter(&index).fold((0u64, 0), |(sum, count), (_, known)| {
            (sum.wrapping_add(fingerprint(table.bytes(&index, known.number).unwrap())), count + 1)
        });
        prop_assert_eq!(table.root(), expected);
        prop_assert_eq!(table.present(), expected.1 as usize);
    }
}

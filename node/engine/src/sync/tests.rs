use super::{Gaps, Incoming, LinkSync, Overdue, PullAnswer, Sync, Wants};
use crate::{LinkId, MessageRange, Micros, bounds, frame::Cursor, holdings::Stream, ranges::Ranges};
use bytes::Bytes;
use peerwright_ledger::{Entry, MessageBody, RegisterId};
use peerwright_secure::NodePublicKey;
use std::collections::BTreeMap;

const NOW: Micros = Micros(1_000_000_000);
const SOON: Micros = Micros(1_001_000_000);
const LATER: Micros = Micros(1_005_000_000);

fn register(number: u8) -> RegisterId {
    RegisterId::from_bytes([number; 16])
}

fn stream(origin: u8) -> Stream {
    Stream { register: register(1), origin: NodePublicKey::from_bytes([origin; 32]), incarnation: 1 }
}

fn message(origin: u8, register_sequence: u64) -> MessageBody {
    MessageBody {
        origin: NodePublicKey::from_bytes([origin; 32]),
        incarnation: 1,
        sequence: register_sequence,
        floor: 1,
        previous: [0; 32],
        register: register(1),
        register_sequence,
        created_at_micros: 0,
        expires_at_micros: 1,
        entries: vec![Entry::Inline(Bytes::new())],
    }
}

fn pairs(ranges: &[MessageRange]) -> Vec<(u64, u64)> {
    ranges.iter().map(|range| (range.from, range.to)).collect()
}

fn cursor(register_sequence: u64) -> Cursor {
    Cursor { register: register(1), origin: NodePublicKey::from_bytes([1; 32]), incarnation: 1, register_sequence }
}

fn with_links(count: u64) -> Sync {
    let mut sync = Sync::default();
    for link in 1..=count {
        sync.links.insert(LinkId(link), LinkSync::new(Micros::default(), LATER));
    }
    sync
}

fn want(sync: &mut Sync, link: u64, origin: u8, ranges: &[(u64, u64)]) {
    let wants = &mut sync.links.get_mut(&LinkId(link)).unwrap().wants;
    wants.add(stream(origin), &Ranges::from_unordered(ranges));
}

#[test]
fn several_links_share_what_is_pulled() {
    let mut sync = with_links(2);
    for link in [1, 2] {
        want(&mut sync, link, 1, &[(1, 3_000)]);
    }
    assert_eq!(sync.missing(), 3_000, "each message is counted once");
    assert_eq!(pairs(&sync.next_pull(LinkId(1), NOW, LATER).unwrap().1), [(1, 1_024)]);
    assert_eq!(pairs(&sync.next_pull(LinkId(2), NOW, LATER).unwrap().1), [(1_025, 2_048)]);
    assert!(sync.next_pull(LinkId(1), NOW, LATER).is_none(), "one pull is under way");
}

#[test]
fn what_is_on_its_way_is_not_pulled() {
    let mut sync = with_links(1);
    want(&mut sync, 1, 1, &[(1, 5)]);
    sync.incoming.begin(stream(1), 3);
    assert_eq!(pairs(&sync.next_pull(LinkId(1), NOW, LATER).unwrap().1), [(1, 2), (4, 5)]);
}

#[test]
fn a_pull_that_gives_nothing_ends_the_wish_and_one_that_gives_something_does_not() {
    let mut sync = with_links(1);
    want(&mut sync, 1, 1, &[(1, 5)]);
    let (request, _) = sync.next_pull(LinkId(1), NOW, LATER).unwrap();
    let link = sync.links.get_mut(&LinkId(1)).unwrap();
    assert!(!link.pulled(request, &message(1, 6), 10, LATER), "not asked for");
    assert!(!link.pulled(request + 1, &message(1, 1), 10, LATER), "for another pull");
    assert!(link.pulled(request, &message(1, 1), 10, LATER));
    let answer = PullAnswer { messages: 1, bytes: 10, since: NOW, was_promised: true, in_vain: BTreeMap::new() };
    assert_eq!(link.pull_ended(request), Some(answer));
    sync.arrived(&stream(1), 1);
    let (request, ranges) = sync.next_pull(LinkId(1), NOW, LATER).unwrap();
    assert_eq!(pairs(&ranges), [(2, 5)]);
    let link = sync.links.get_mut(&LinkId(1)).unwrap();
    assert_eq!(link.pull_ended(request + 1), None);
    assert_eq!(link.pull_ended(request).map(|answer| answer.messages), Some(0));
    assert!(sync.next_pull(LinkId(1), NOW, LATER).is_none());
    assert_eq!(sync.missing(), 0);
}

#[test]
fn what_was_only_hoped_for_is_not_held_against_a_peer_that_lacks_it() {
    let mut sync = with_links(1);
    sync.links.get_mut(&LinkId(1)).unwrap().hope_for(stream(1), &Ranges::of(1, 5));
    let (request, ranges) = sync.next_pull(LinkId(1), NOW, LATER).unwrap();
    assert_eq!(pairs(&ranges), [(1, 5)]);
    let link = sync.links.get_mut(&LinkId(1)).unwrap();
    let answer = link.pull_ended(request).unwrap();
    assert_eq!((answer.messages, answer.was_promised, answer.in_vain), (0, false, [(stream(1), 5)].into()));

    link.hope_for(stream(1), &Ranges::of(1, 5));
    link.want(stream(1), &Ranges::of(3, 5));
    let (request, _) = sync.next_pull(LinkId(1), NOW, LATER).unwrap();
    let answer = sync.links.get_mut(&LinkId(1)).unwrap().pull_ended(request).unwrap();
    assert_eq!((answer.messages, answer.was_promised, answer.in_vain), (0, true, BTreeMap::new()));
}

#[test]
fn pages_are_asked_for_one_after_the_other_and_must_advance() {
    let mut link = LinkSync::new(Micros::default(), LATER);
    link.digest_ended();
    link.differs(register(1));
    link.differs(register(2));
    assert_eq!(link.next_ask(LATER, |_| false), None, "what is held here is not known yet");
    assert_eq!(link.next_ask(LATER, |known| *known == register(1)), Some((vec![register(1)], None)));
    assert_eq!(link.next_ask(LATER, |_| true), None, "one is under way");
    assert!(link.page_came(true, Some(cursor(5))));
    assert!(!link.page_came(true, Some(cursor(6))), "it was not asked for");
    assert_eq!(link.next_ask(LATER, |_| true), Some((vec![register(1)], Some(cursor(5)))));
    assert!(link.page_came(true, Some(cursor(5))), "it goes round in a circle");
    assert_eq!(link.next_ask(LATER, |_| true), Some((vec![register(2)], None)));
    assert!(link.page_came(false, None));
    assert!(link.is_level(NOW, 0));
}

#[test]
fn what_was_compared_and_lacks_nothing_is_compared_again_only_when_something_has_changed() {
    let (own, theirs) = (Some([1; 16]), [2; 16]);
    let mut link = LinkSync::new(Micros::default(), LATER);
    let compare = |link: &mut LinkSync, lacks: bool| {
        link.differs(register(1));
        link.next_ask(LATER, |_| true).unwrap();
        if lacks {
            link.lacks_some(register(1));
        }
        assert!(link.page_came(false, None));
        let level = link.take_level();
        level.iter().for_each(|register| link.level_with(register, [1; 16]));
        level
    };
    assert!(link.is_news(register(1), own, theirs));
    assert!(compare(&mut link, true).is_empty());
    assert!(link.is_news(register(1), own, theirs));
    assert_eq!(compare(&mut link, false), [register(1)]);
    assert!(!link.is_news(register(1), own, theirs));
    assert!(link.is_news(register(1), Some([3; 16]), theirs), "more is held here");
    assert!(link.is_news(register(1), own, [3; 16]), "more is held there");
    assert!(link.is_news(register(1), own, theirs), "that was another comparison");
}

#[test]
fn what_is_told_of_anew_during_a_comparison_is_compared_again() {
    let mut link = LinkSync::new(Micros::default(), LATER);
    link.differs(register(1));
    link.next_ask(LATER, |_| true).unwrap();
    link.differs(register(1));
    assert!(link.page_came(false, None));
    assert!(link.take_level().is_empty());
}

#[test]
fn the_next_page_waits_while_too_much_is_wanted() {
    let mut link = LinkSync::new(Micros::default(), LATER);
    link.differs(register(1));
    for number in 0..bounds::MAX_WANTED_STREAMS as u64 {
        link.wants.add(Stream { incarnation: number, ..stream(1) }, &Ranges::of(1, 1));
    }
    assert_eq!(link.next_ask(LATER, |_| true), None);
    link.wants.remove(&Stream { incarnation: 7, ..stream(1) }, 1);
    assert!(link.next_ask(LATER, |_| true).is_some());
}

#[test]
fn what_is_not_answered_is_given_up() {
    let mut sync = with_links(1);
    want(&mut sync, 1, 1, &[(1, 5)]);
    sync.next_pull(LinkId(1), NOW, SOON).unwrap();
    let link = sync.links.get_mut(&LinkId(1)).unwrap();
    link.digest_ended();
    link.differs(register(1));
    link.next_ask(LATER, |_| true).unwrap();
    assert_eq!(link.next_deadline(), Some(SOON));
    assert_eq!(link.take_overdue(SOON), [Overdue::Pull]);
    assert_eq!(link.take_overdue(LATER), [Overdue::Page]);
    assert_eq!(link.next_deadline(), None);
    assert!(link.is_level(LATER, 0) && !link.is_level(LATER, 1));
}

#[test]
fn a_peer_that_sends_no_digest_counts_as_level_after_a_while() {
    let link = LinkSync::new(Micros::default(), LATER);
    assert!(!link.is_level(NOW, 0));
    assert_eq!(link.next_deadline(), Some(LATER));
    assert!(link.is_level(LATER, 0));
}

#[test]
fn wants_are_bounded() {
    let mut wants = Wants::default();
    let holes: Vec<(u64, u64)> = (1..=5_000).map(|number| (number * 2, number * 2)).collect();
    wants.add(stream(1), &Ranges::from_unordered(&holes));
    assert_eq!(wants.count(), bounds::MAX_WANTED_RANGES as u64);
    wants.retain(|_| false);
    assert!(wants.is_empty());
}

#[test]
fn a_message_is_on_its_way_until_all_that_claim_its_place_are_judged() {
    let mut incoming = Incoming::default();
    incoming.begin(stream(1), 1);
    incoming.begin(stream(1), 1);
    incoming.pulled(stream(1), 1, LinkId(4));
    incoming.pulled(stream(1), 1, LinkId(4));
    assert_eq!(incoming.of_link(LinkId(4)), 1);
    assert!(incoming.end(stream(1), 1).is_empty());
    assert!(incoming.contains(&stream(1), 1));
    assert_eq!(incoming.end(stream(1), 1), [LinkId(4)]);
    assert!(!incoming.contains(&stream(1), 1));
    assert_eq!(incoming.of_link(LinkId(4)), 0);
}

#[test]
fn a_hole_is_pulled_after_a_moment_and_then_left_alone_for_a_while() {
    let mut gaps = Gaps::default();
    gaps.note(NOW, stream(1), LinkId(1), 5);
    gaps.note(NOW, stream(1), LinkId(2), 7);
    assert_eq!(gaps.next_due(), Some(NOW + bounds::GAP_PATIENCE));
    assert!(gaps.take_due(NOW).is_empty());
    let due = NOW + bounds::GAP_PATIENCE;
    assert_eq!(gaps.take_due(due), [(stream(1), LinkId(2), 7)]);
    gaps.asked(due, stream(1), LinkId(2), 7);
    gaps.note(due, stream(1), LinkId(2), 9);
    assert!(gaps.take_due(due + bounds::GAP_PATIENCE).is_empty());
    assert!(gaps.take_due(due + bounds::GAP_RETRY).is_empty(), "it may be noticed anew");
    assert_eq!(gaps.next_due(), None);
}

#[test]
fn what_nobody_was_found_to_have_stays_bygone() {
    let mut gaps = Gaps::default();
    assert_eq!(gaps.bygone(&stream(1)), 0);
    gaps.give_up(stream(1), 9);
    gaps.give_up(stream(1), 4);
    assert_eq!((gaps.bygone(&stream(1)), gaps.bygone(&stream(2))), (9, 0));
}

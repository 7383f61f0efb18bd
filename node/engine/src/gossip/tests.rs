use super::{Candidates, Inserted, Meaning, Offered, Origins, Path, Place, Slot, Standing, Trees, Untracked};
use crate::{LinkId, Micros, Token, bounds};
use bytes::Bytes;
use peerwright_ledger::{Entry, Message, MessageBody, RegisterId};
use peerwright_secure::{NodeKey, NodePublicKey};
use proptest::prelude::*;
use std::collections::BTreeSet;

pub(super) fn message(incarnation: u64, sequence: u64, floor: u64) -> MessageBody {
    MessageBody {
        origin: NodeKey::from_seed([1; 32]).public(),
        incarnation,
        sequence,
        floor,
        previous: [0; 32],
        register: RegisterId::from_bytes([1; 16]),
        register_sequence: 1,
        created_at_micros: 0,
        expires_at_micros: 1_000_000,
        entries: vec![Entry::Inline(Bytes::from_static(b"transaction"))],
    }
}

/// A message of about so many bytes.
pub(super) fn sized(sequence: u64, bytes: usize) -> MessageBody {
    MessageBody { entries: vec![Entry::Inline(vec![b'.'; bytes].into())], ..message(1, sequence, 1) }
}

fn signed(text: &'static [u8]) -> Message {
    let entries = vec![Entry::Inline(Bytes::from_static(text))];
    MessageBody { entries, ..message(1, 1, 1) }.sign(&NodeKey::from_seed([1; 32])).unwrap()
}

fn standing(seen: &Origins, incarnation: u64, sequence: u64) -> Standing {
    seen.standing(&Place::of(&message(incarnation, sequence, 1)))
}

/// Remembers a message; says whether it is new.
fn insert(seen: &mut Origins, message: &MessageBody) -> Result<bool, Untracked> {
    seen.insert(message, 0).map(|Inserted { is_new, .. }| is_new)
}

const SEEN: Standing = Standing::Seen(Slot(0));

#[test]
fn what_was_seen_is_exact_and_never_slides_past_a_hole() {
    let mut seen = Origins::default();
    for sequence in [1, 2, 5, 100_000] {
        assert_eq!(insert(&mut seen, &message(1, sequence, 1)), Ok(true));
        assert_eq!(insert(&mut seen, &message(1, sequence, 1)), Ok(false));
    }
    for (sequence, expected) in [(2, SEEN), (3, Standing::Unseen), (99_999, Standing::Unseen)] {
        assert_eq!(standing(&seen, 1, sequence), expected);
    }
    assert_eq!(insert(&mut seen, &message(1, 3, 1)), Ok(true), "a hole closes by arrival, however late");
}

#[test]
fn a_hole_closes_by_the_origins_floor() {
    let mut seen = Origins::default();
    insert(&mut seen, &message(1, 1, 1)).unwrap();
    insert(&mut seen, &message(1, 9, 6)).unwrap();
    assert_eq!(standing(&seen, 1, 5), SEEN);
    assert_eq!(standing(&seen, 1, 6), Standing::Unseen);
}

#[test]
fn a_newcomer_starts_at_the_floor() {
    let mut seen = Origins::default();
    insert(&mut seen, &message(1, 500, 400)).unwrap();
    assert_eq!(standing(&seen, 1, 399), SEEN);
    assert_eq!(standing(&seen, 1, 400), Standing::Unseen);
}

#[test]
fn too_many_holes_make_an_origin_behind_and_forget_nothing() {
    let mut seen = Origins::default();
    let last = 2 * bounds::MAX_SEEN_RANGES as u64;
    for sequence in (2..=last).step_by(2) {
        assert_eq!(insert(&mut seen, &message(1, sequence, 1)), Ok(true));
    }
    assert_eq!(insert(&mut seen, &message(1, last + 2, 1)), Err(Untracked::Behind));
    assert_eq!(standing(&seen, 1, last + 2), Standing::Unseen);
    assert_eq!(insert(&mut seen, &message(1, 3, 1)), Ok(true), "closing a hole needs no room");
    assert_eq!(insert(&mut seen, &message(1, last + 2, 1)), Ok(true));
}

#[test]
fn the_two_newest_incarnations_are_followed() {
    let mut seen = Origins::default();
    for incarnation in [5, 7] {
        insert(&mut seen, &message(incarnation, 1, 1)).unwrap();
    }
    assert_eq!(standing(&seen, 4, 1), Standing::Stale);
    assert_eq!(insert(&mut seen, &message(4, 1, 1)), Err(Untracked::Stale));
    assert_eq!(standing(&seen, 6, 1), Standing::Unseen);
    insert(&mut seen, &message(6, 1, 1)).unwrap();
    assert_eq!(standing(&seen, 5, 1), Standing::Stale, "6 and 7 are the newest now");
}

#[test]
fn an_origin_is_forgotten_once_its_messages_have_expired() {
    let mut seen = Origins::default();
    insert(&mut seen, &message(1, 1, 1)).unwrap();
    seen.sweep(Micros(1_000_000) + bounds::CLOCK_SKEW * 2 - std::time::Duration::from_micros(1));
    assert_eq!(seen.count(), 1);
    seen.sweep(Micros(1_000_000) + bounds::CLOCK_SKEW * 2);
    assert_eq!(seen.count(), 0);
}

#[test]
fn a_full_table_refuses_further_origins() {
    let mut seen = Origins::default();
    let of = |number: usize| {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        MessageBody { origin: NodePublicKey::from_bytes(key), ..message(1, 1, 1) }
    };
    for number in 0..bounds::MAX_SEEN_ORIGINS {
        insert(&mut seen, &of(number)).unwrap();
    }
    assert_eq!(insert(&mut seen, &of(bounds::MAX_SEEN_ORIGINS)), Err(Untracked::Full));
    assert_eq!(insert(&mut seen, &of(3)), Ok(false));
}

#[test]
fn the_same_bytes_are_verified_once_and_rivals_at_most_three_times() {
    let mut candidates = Candidates::default();
    let gossip = Path::Gossip { hops: 2 };
    assert_eq!(candidates.offer(Micros(0), Token(1), &signed(b"a"), LinkId(1), gossip), Offered::Verify);
    assert_eq!(
        candidates.offer(Micros(0), Token(2), &signed(b"a"), LinkId(2), Path::Gossip { hops: 5 }),
        Offered::Joined
    );
    assert_eq!(candidates.offer(Micros(0), Token(3), &signed(b"a"), LinkId(3), Path::Sync), Offered::Joined);
    assert_eq!(candidates.offer(Micros(0), Token(4), &signed(b"b"), LinkId(1), gossip), Offered::Verify);
    assert_eq!(candidates.offer(Micros(0), Token(5), &signed(b"c"), LinkId(1), gossip), Offered::Verify);
    assert_eq!(candidates.offer(Micros(0), Token(6), &signed(b"d"), LinkId(1), gossip), Offered::Full);
    let candidate = candidates.take(Token(1)).unwrap();
    assert_eq!(candidate.links, [LinkId(1), LinkId(2), LinkId(3)]);
    assert_eq!((candidate.hops, candidate.pulled_from), (Some(5), Some(LinkId(3))));
    assert!(candidates.take(Token(1)).is_none());
    assert_eq!(candidates.offer(Micros(0), Token(7), &signed(b"d"), LinkId(1), gossip), Offered::Verify);
}

#[test]
fn a_verdict_that_never_comes_is_not_waited_for() {
    let mut candidates = Candidates::default();
    let limit = std::time::Duration::from_micros(10);
    candidates.offer(Micros(5), Token(1), &signed(b"a"), LinkId(1), Path::Sync);
    assert!(candidates.overdue(Micros(14), limit).is_empty());
    assert_eq!(candidates.overdue(Micros(15), limit), [Token(1)]);
}

#[test]
fn a_link_takes_4_kib_and_16_bytes_for_each_origin_that_was_active_on_it_in_the_last_minute() {
    let known = u16::try_from(bounds::MAX_SEEN_ORIGINS).unwrap();
    for active in [0, 64, 1_000, 10_000, known] {
        let mut trees = Trees::default();
        trees.add_link(LinkId(1));
        // All origins were active once; some are still.
        for slot in (0..known).map(Slot) {
            trees.prune(LinkId(1), slot, 1);
        }
        for _ in 0..4 {
            for slot in (0..active).map(Slot) {
                let sweep = trees.sweep;
                trees.announce(LinkId(1), slot);
                let link = trees.link_mut(LinkId(1)).unwrap();
                link.said.say(slot, 1, sweep);
                link.heard.define(slot.0, Meaning::Known { slot, generation: 1 }, sweep);
            }
            trees.age();
        }
        let bytes = trees.link(LinkId(1)).unwrap().bytes();
        assert!(bytes <= 4 * 1024 + 512 + 16 * usize::from(active), "{bytes} bytes for {active} origins");
    }
}

proptest! {
    #[test]
    fn seen_is_the_set_that_a_tree_would_be(sequences in prop::collection::vec(1..120u64, 0..200), probe in 1..130u64) {
        let (mut seen, mut model) = (Origins::default(), BTreeSet::new());
        for sequence in sequences {
            prop_assert_eq!(insert(&mut seen, &message(1, sequence, 1)), Ok(model.insert(sequence)));
        }
        let expected = if model.contains(&probe) { SEEN } else { Standing::Unseen };
        prop_assert_eq!(standing(&seen, 1, probe), expected);
    }
}

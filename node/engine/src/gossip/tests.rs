use super::{Candidates, Offered, Path, Place, Seen, Standing, seen::Untracked};
use crate::{LinkId, Micros, Token, bounds};
use bytes::Bytes;
use peerwright_ledger::{Entry, Message, MessageBody, RegisterId};
use peerwright_secure::{NodeKey, NodePublicKey};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn message(incarnation: u64, sequence: u64, floor: u64) -> MessageBody {
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

fn signed(text: &'static [u8]) -> Message {
    let entries = vec![Entry::Inline(Bytes::from_static(text))];
    MessageBody { entries, ..message(1, 1, 1) }.sign(&NodeKey::from_seed([1; 32])).unwrap()
}

fn standing(seen: &Seen, incarnation: u64, sequence: u64) -> Standing {
    seen.standing(&Place::of(&message(incarnation, sequence, 1)))
}

#[test]
fn what_was_seen_is_exact_and_never_slides_past_a_hole() {
    let mut seen = Seen::default();
    for sequence in [1, 2, 5, 100_000] {
        assert_eq!(seen.insert(&message(1, sequence, 1)), Ok(true));
        assert_eq!(seen.insert(&message(1, sequence, 1)), Ok(false));
    }
    for (sequence, expected) in [(2, Standing::Seen), (3, Standing::Unseen), (99_999, Standing::Unseen)] {
        assert_eq!(standing(&seen, 1, sequence), expected);
    }
    assert_eq!(seen.insert(&message(1, 3, 1)), Ok(true), "a hole closes by arrival, however late");
}

#[test]
fn a_hole_closes_by_the_origins_floor() {
    let mut seen = Seen::default();
    seen.insert(&message(1, 1, 1)).unwrap();
    seen.insert(&message(1, 9, 6)).unwrap();
    assert_eq!(standing(&seen, 1, 5), Standing::Seen);
    assert_eq!(standing(&seen, 1, 6), Standing::Unseen);
}

#[test]
fn a_newcomer_starts_at_the_floor() {
    let mut seen = Seen::default();
    seen.insert(&message(1, 500, 400)).unwrap();
    assert_eq!(standing(&seen, 1, 399), Standing::Seen);
    assert_eq!(standing(&seen, 1, 400), Standing::Unseen);
}

#[test]
fn too_many_holes_make_an_origin_behind_and_forget_nothing() {
    let mut seen = Seen::default();
    let last = 2 * bounds::MAX_SEEN_RANGES as u64;
    for sequence in (2..=last).step_by(2) {
        assert_eq!(seen.insert(&message(1, sequence, 1)), Ok(true));
    }
    assert_eq!(seen.insert(&message(1, last + 2, 1)), Err(Untracked::Behind));
    assert_eq!(standing(&seen, 1, last + 2), Standing::Unseen);
    assert_eq!(seen.insert(&message(1, 3, 1)), Ok(true), "closing a hole needs no room");
    assert_eq!(seen.insert(&message(1, last + 2, 1)), Ok(true));
}

#[test]
fn the_two_newest_incarnations_are_followed() {
    let mut seen = Seen::default();
    for incarnation in [5, 7] {
        seen.insert(&message(incarnation, 1, 1)).unwrap();
    }
    assert_eq!(standing(&seen, 4, 1), Standing::Stale);
    assert_eq!(seen.insert(&message(4, 1, 1)), Err(Untracked::Stale));
    assert_eq!(standing(&seen, 6, 1), Standing::Unseen);
    seen.insert(&message(6, 1, 1)).unwrap();
    assert_eq!(standing(&seen, 5, 1), Standing::Stale, "6 and 7 are the newest now");
}

#[test]
fn an_origin_is_forgotten_once_its_messages_have_expired() {
    let mut seen = Seen::default();
    seen.insert(&message(1, 1, 1)).unwrap();
    seen.sweep(Micros(1_000_000) + bounds::CLOCK_SKEW * 2 - std::time::Duration::from_micros(1));
    assert_eq!(seen.origins(), 1);
    seen.sweep(Micros(1_000_000) + bounds::CLOCK_SKEW * 2);
    assert_eq!(seen.origins(), 0);
}

#[test]
fn a_full_table_refuses_further_origins() {
    let mut seen = Seen::default();
    let of = |number: usize| {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        MessageBody { origin: NodePublicKey::from_bytes(key), ..message(1, 1, 1) }
    };
    for number in 0..bounds::MAX_SEEN_ORIGINS {
        seen.insert(&of(number)).unwrap();
    }
    assert_eq!(seen.insert(&of(bounds::MAX_SEEN_ORIGINS)), Err(Untracked::Full));
    assert_eq!(seen.insert(&of(3)), Ok(false));
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

proptest! {
    #[test]
    fn seen_is_the_set_that_a_tree_would_be(sequences in prop::collection::vec(1..120u64, 0..200), probe in 1..130u64) {
        let (mut seen, mut model) = (Seen::default(), BTreeSet::new());
        for sequence in sequences {
            prop_assert_eq!(seen.insert(&message(1, sequence, 1)), Ok(model.insert(sequence)));
        }
        let expected = if model.contains(&probe) { Standing::Seen } else { Standing::Unseen };
        prop_assert_eq!(standing(&seen, 1, probe), expected);
    }
}

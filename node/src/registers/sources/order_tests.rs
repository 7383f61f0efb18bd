use super::{AS_FAR, Candidate, LeftSources, order};
use peerwright_engine::{
    HolderState::{self, ForwardOnly, Frozen, FullReplica, Sealing, Syncing},
    HolderWord,
};
use peerwright_secure::PeerId;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// What is needed next.
const NEXT: u64 = 100;

const fn says(first: u64, dockets: u64, state: HolderState) -> Option<HolderWord> {
    Some(HolderWord::Advertised { first, dockets, state })
}

/// Named by its number, which is also its lot.
fn candidate(number: u8, word: Option<HolderWord>) -> Candidate {
    Candidate { peer: peer(number), word, drawn: [number; 32] }
}

fn peer(number: u8) -> PeerId {
    PeerId::from_bytes([number; 32])
}

/// Candidates with these words, numbered from the last on: by lot they would come the other way round.
fn against_the_lot(words: &[Option<HolderWord>]) -> Vec<Candidate> {
    let numbers = (0..u8::try_from(words.len()).unwrap_or(u8::MAX)).rev();
    numbers.zip(words).map(|(number, word)| candidate(number, *word)).collect()
}

fn peers(candidates: &[Candidate]) -> Vec<PeerId> {
    candidates.iter().map(|candidate| candidate.peer).collect()
}

fn ordered(candidates: &[Candidate]) -> Vec<PeerId> {
    order(candidates.to_vec(), NEXT, &mut LeftSources::default())
}

#[test]
fn who_says_that_it_holds_what_is_needed_comes_before_the_silent_and_who_lacks_it_last() {
    let from_best = against_the_lot(&[
        says(0, NEXT + 1, FullReplica),
        says(NEXT, NEXT + 1, ForwardOnly),
        says(0, NEXT + 1, Syncing),
        says(0, NEXT, FullReplica),
        says(NEXT, NEXT, ForwardOnly),
        says(0, NEXT, Syncing),
        Some(HolderWord::Named),
        None,
        says(0, NEXT - 1, FullReplica),
    ]);
    assert_eq!(ordered(&from_best), peers(&from_best));
}

#[test]
fn who_begins_later_or_takes_nothing_more_comes_behind_those_of_whom_nothing_is_known() {
    for word in [says(NEXT + 1, NEXT + 900, FullReplica), says(0, NEXT + 900, Frozen)] {
        let from_best = against_the_lot(&[None, word]);
        assert_eq!(ordered(&from_best), peers(&from_best), "{word:?}");
    }
}

#[test]
fn of_those_who_hold_all_the_farthest_come_first_and_the_lot_decides_among_those_that_are_as_far() {
    let far = NEXT + 10 * AS_FAR;
    let from_best = [
        candidate(2, says(0, far - AS_FAR, FullReplica)),
        candidate(3, says(0, far, Sealing)),
        candidate(4, says(0, far - 1, FullReplica)),
        candidate(1, says(0, far - AS_FAR - 1, FullReplica)),
    ];
    assert_eq!(ordered(&from_best), peers(&from_best));
}

#[test]
fn who_did_not_serve_comes_last_the_longest_ago_first_until_it_promises_something_else() {
    let mut candidates: Vec<_> = (1..=4).map(|number| candidate(number, None)).collect();
    let mut left = LeftSources::default();
    let mut asked = |candidates: &[Candidate], failing: &[u8]| {
        let order = order(candidates.to_vec(), NEXT, &mut left);
        failing.iter().for_each(|number| left.add(peer(*number)));
        order
    };
    assert_eq!(asked(&candidates, &[1, 2]), [1, 2, 3, 4].map(peer));
    assert_eq!(asked(&candidates, &[3]), [3, 4, 1, 2].map(peer));
    assert_eq!(asked(&candidates, &[1]), [4, 1, 2, 3].map(peer));

    candidates[2].word = says(0, NEXT + 1, Syncing);
    assert_eq!(asked(&candidates, &[]), [3, 4, 2, 1].map(peer));
    assert_eq!(asked(&candidates, &[3]), [3, 4, 2, 1].map(peer));
    candidates[2].word = says(0, NEXT + 2, Syncing);
    assert_eq!(asked(&candidates, &[]), [4, 2, 1, 3].map(peer), "it promises what it did before");

    let without_first = &candidates[1..];
    assert_eq!(asked(without_first, &[]), [4, 2, 3].map(peer));
    assert_eq!(asked(&candidates, &[]), [1, 4, 2, 3].map(peer), "who was away begins anew");
}

fn words() -> impl Strategy<Value = Option<HolderWord>> {
    let state = prop::sample::select(vec![Syncing, FullReplica, ForwardOnly, Sealing, Frozen]);
    prop_oneof![
        Just(None),
        Just(Some(HolderWord::Named)),
        (0..NEXT * 2, 1..NEXT * 2, state).prop_map(|(first, more, state)| says(first, first + more, state)),
    ]
}

proptest! {
    /// Whatever sources say, and though only one of them serves and only a few are asked at once: it is found.
    #[test]
    fn everybody_is_asked_some_day(words in prop::collection::vec(words(), 1..30), serving in 0usize..30) {
        let candidates = against_the_lot(&words);
        let serving = candidates[serving % candidates.len()].peer;
        let (mut left, mut asked) = (LeftSources::default(), BTreeSet::new());
        for _ in 0..candidates.len() {
            let sources = order(candidates.clone(), NEXT, &mut left);
            prop_assert_eq!(sources.iter().collect::<BTreeSet<_>>().len(), candidates.len(), "each is there once");
            for source in sources.into_iter().take(3) {
                asked.insert(source);
                if source != serving {
                    left.add(source);
                }
            }
        }
        prop_assert!(asked.contains(&serving));
    }
}

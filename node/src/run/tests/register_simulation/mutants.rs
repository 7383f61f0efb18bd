//! Known bugs, put back: a seed breaks an invariant. Without the bug the same seeds break none, as every build shows.

use super::run;
use crate::mutant::Mutant;

/// Seeds that are tried; a bug that none of them finds counts as not found.
const SEEDS: std::ops::Range<u64> = 2..6;

/// Asserts that a seed finds the bug by this invariant.
fn is_caught(mutant: Mutant, invariant: &str) {
    let breaks = |seed| run(seed, Some(mutant)).err().filter(|broken| broken.invariant == invariant);
    let mut seeds = SEEDS;
    let found = seeds.find_map(|seed| Some((seed, breaks(seed)?)));
    let (seed, broken) = found.unwrap_or_else(|| panic!("seeds {SEEDS:?} do not find {mutant:?}"));
    println!("{mutant:?} is found by seed {seed}: {broken}");
}

#[test]
fn an_answer_before_the_store_has_it_is_caught() {
    is_caught(Mutant::AnswersUnstored, "acknowledged");
}

#[test]
fn the_word_of_the_leader_in_place_of_a_verified_docket_is_caught() {
    is_caught(Mutant::TrustsTheLeader, "acknowledged");
}

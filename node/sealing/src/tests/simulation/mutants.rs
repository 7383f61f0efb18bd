//! Known bugs, put back: some seed breaks an invariant, and the same seed without the bug breaks none.

use super::run;
use crate::mutant::Mutant;

/// Seeds that are tried; a bug that none of them finds counts as not found.
const SEEDS: std::ops::Range<u64> = 15..36;

/// Asserts that a seed finds the bug by one of these invariants.
fn is_caught(mutant: Mutant, invariants: &[&str]) {
    let breaks = |seed| run(seed, Some(mutant)).err().filter(|broken| invariants.contains(&broken.invariant));
    let mut seeds = SEEDS;
    let found = seeds.find_map(|seed| Some((seed, breaks(seed)?)));
    let (seed, broken) = found.unwrap_or_else(|| panic!("seeds {SEEDS:?} do not find {mutant:?}"));
    println!("{mutant:?} is found by seed {seed}: {broken}");
    if let Err(broken) = run(seed, None) {
        panic!("seed {seed} breaks {broken}, and has no bug");
    }
}

#[test]
fn a_sealer_that_forgets_that_it_forgot_is_caught() {
    is_caught(Mutant::ForgetsThatItForgot, &["certified", "prefixes", "acknowledged"]);
}

#[test]
fn an_answer_before_the_certificate_is_caught() {
    is_caught(Mutant::AnswersUncertified, &["acknowledged"]);
}

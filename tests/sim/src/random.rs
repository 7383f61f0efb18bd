//! The simulation's choices: every one comes from the seed.

use std::time::Duration;

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// A stream of choices; different `purpose`s of one seed have nothing in common.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        Self { state: mix(seed, purpose) }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scramble(self.state)
    }

    /// A number below `bound`, zero when `bound` is zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// A place in a list of `length`.
    pub(crate) fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// True `parts` times of a million.
    pub(crate) fn chance(&mut self, parts: u32) -> bool {
        self.below(1_000_000) < u64::from(parts)
    }

    /// A duration from a range, both ends inclusive.
    pub(crate) fn between(&mut self, from: Duration, to: Duration) -> Duration {
        let span = micros(to).saturating_sub(micros(from));
        from + Duration::from_micros(self.below(span + 1))
    }
}

/// A number that depends on both and looks like neither.
pub(crate) fn mix(one: u64, other: u64) -> u64 {
    scramble(scramble(one.wrapping_add(0x9e37_79b9_7f4a_7c15)) ^ other.wrapping_mul(0xd6e8_feb8_6659_fd93))
}

fn scramble(mut mixed: u64) -> u64 {
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Whole microseconds; simulated durations fit by far.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Random, mix};
    use std::time::Duration;

    #[test]
    fn one_seed_gives_one_sequence_for_each_purpose() {
        let draw = |seed, purpose| {
            let mut random = Random::new(seed, purpose);
            (0..8).map(|_| random.next()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, 1), draw(1, 1));
        assert_ne!(draw(1, 1), draw(1, 2));
        assert_ne!(draw(1, 1), draw(2, 1));
        assert_ne!(mix(1, 2), mix(2, 1));
    }

    #[test]
    fn draws_stay_within_their_range() {
        let mut random = Random::new(7, 0);
        let (from, to) = (Duration::from_millis(10), Duration::from_millis(50));
        for _ in 0..1_000 {
            assert!((from..=to).contains(&random.between(from, to)));
        }
        assert!(!random.chance(0) && random.chance(1_000_000));
    }
}

//! The engine's own choices: deterministic, from the seed in its configuration.

use std::time::Duration;

/// SplitMix64 (Steele, Lea, Flood 2014): good enough to spread timers, and no secret.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, zero when `bound` is zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// A place in a list of `length` things, zero when there is none.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// Puts a list into an order drawn by lot (Fisher, Yates; Durstenfeld 1964).
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for behind in (1..list.len()).rev() {
            list.swap(behind, self.index(behind + 1));
        }
    }

    /// `duration` give or take a quarter of it.
    pub(crate) fn around(&mut self, duration: Duration) -> Duration {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let quarter = micros / 4;
        Duration::from_micros((micros - quarter).saturating_add(self.below(quarter * 2 + 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::Random;
    use std::time::Duration;

    #[test]
    fn one_seed_gives_one_sequence() {
        let (mut first, mut second) = (Random::new(7), Random::new(7));
        assert!((0..100).all(|_| first.next() == second.next()));
        assert_ne!(Random::new(7).next(), Random::new(8).next());
    }

    #[test]
    fn around_stays_within_a_quarter() {
        let mut random = Random::new(1);
        for _ in 0..1_000 {
            let drawn = random.around(Duration::from_secs(4));
            assert!((Duration::from_secs(3)..=Duration::from_secs(5)).contains(&drawn), "{drawn:?}");
        }
        assert_eq!(random.around(Duration::ZERO), Duration::ZERO);
    }
}

//! Numbers that follow from a seed, for whatever a test leaves to chance.

use std::{
    cell::RefCell,
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

/// splitmix64.
#[derive(Debug)]
struct Numbers(u64);

/// A stream of numbers, shared by those who have a copy of it.
#[derive(Debug, Clone)]
pub(crate) struct Chance(Arc<Mutex<Numbers>>);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Numbers(seed))))
    }

    /// Another stream that follows from this one.
    pub(crate) fn fork(&self) -> Self {
        Self::new(self.below(u64::MAX))
    }

    pub(crate) fn below(&self, limit: u64) -> u64 {
        let mut numbers = self.0.lock().unwrap();
        numbers.0 = numbers.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (numbers.0 ^ (numbers.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// One time in so many.
    pub(crate) fn one_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<T: Copy>(&self, among: &[T]) -> Option<T> {
        let count = u64::try_from(among.len()).unwrap();
        (count > 0).then(|| among[usize::try_from(self.below(count)).unwrap()])
    }

    /// At most so many milliseconds.
    pub(crate) fn millis(&self, most: u64) -> Duration {
        Duration::from_millis(self.below(most + 1))
    }
}

thread_local! {
    static PATIENCE: RefCell<Option<Chance>> = const { RefCell::new(None) };
}

/// From now on the sealers of this thread draw from here how long they wait to be elected, and not from the system.
pub(crate) fn draw_patience_from(chance: &Chance) {
    PATIENCE.set(Some(chance.fork()));
}

/// The consensus library draws from a range; a range of one leaves it no choice. Whoever leads is stood by for the end of the
/// range, so only its upper half is drawn from.
pub(crate) fn drawn_patience(range: Range<u64>) -> Range<u64> {
    PATIENCE.with_borrow(|chance| match chance {
        Some(chance) => {
            let middle = range.start.midpoint(range.end);
            let drawn = middle + chance.below(range.end - middle);
            drawn..drawn + 1
        }
        None => range,
    })
}

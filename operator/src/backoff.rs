//! How long to wait before an object whose reconciliation failed is tried again: 1 s, twice as long each time, at most
//! 5 min, each spread so that objects that failed together do not come back together.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
    time::Duration,
};

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);

/// Failures in a row of each object, by UID.
#[derive(Debug, Default)]
pub struct Backoffs {
    failures: Mutex<HashMap<String, u32>>,
    spread: RandomState,
}

impl Backoffs {
    /// Counts a failure and says how long to wait.
    pub fn failed(&self, uid: &str) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(uid.to_owned()).or_default();
        let doublings = (*count).min(16);
        *count = count.saturating_add(1);
        let wait = FIRST.saturating_mul(1 << doublings).min(LONGEST);
        // Between 80 % and 100 % of it.
        wait.saturating_sub(wait / 1000 * u32::try_from(self.spread.hash_one((uid, *count)) % 200).unwrap_or(0))
    }

    /// Forgets the failures of an object: it succeeded, or it is gone.
    pub fn reset(&self, uid: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_minutes_and_are_spread() {
        let backoffs = Backoffs::default();
        for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            let wait = backoffs.failed("a");
            let expected = Duration::from_secs(expected);
            assert!(wait <= expected && wait >= expected * 4 / 5, "{wait:?} is not about {expected:?}");
        }
    }

    #[test]
    fn success_starts_over_and_objects_do_not_share_a_wait() {
        let backoffs = Backoffs::default();
        backoffs.failed("a");
        backoffs.failed("a");
        assert!(backoffs.failed("b") <= FIRST);
        backoffs.reset("a");
        assert!(backoffs.failed("a") <= FIRST);
    }
}

//! How often a status is written: at once when something turned, and otherwise a step in two seconds.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use peerwright_crds::RegisterSubscriptionStatus;
use tokio::time::Instant;

use crate::conditions::transitions;

/// Between two writes of a status in which nothing turned.
const STEP: Duration = Duration::from_secs(2);

/// Whether somebody may wait for this change: a condition turned, or it speaks of another spec.
pub(super) fn is_urgent(before: &RegisterSubscriptionStatus, after: &RegisterSubscriptionStatus) -> bool {
    before.observed_generation != after.observed_generation
        || before.conditions.len() != after.conditions.len()
        || transitions(&before.conditions, &after.conditions).next().is_some()
}

/// When each status was written last, by the UID of its object. Bounded by the writes of one step's time.
#[derive(Debug, Default)]
pub(in crate::controllers) struct Pace {
    written: Mutex<HashMap<String, Instant>>,
}

impl Pace {
    /// Takes note of a write, or says when to come again.
    pub(super) fn admit(&self, uid: &str, is_urgent: bool, now: Instant) -> Result<(), Instant> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.retain(|_, at| now < *at + STEP);
        if let Some(at) = written.get(uid).filter(|_| !is_urgent) {
            return Err(*at + STEP);
        }
        written.insert(uid.to_owned(), now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;
    use crate::conditions::{Verdict, settle};

    fn status(reason: &str, percent: i32) -> RegisterSubscriptionStatus {
        let verdict = Verdict::new("Synced", false, reason, format!("{percent}"));
        RegisterSubscriptionStatus {
            progress_percent: Some(percent),
            conditions: settle(&[], vec![verdict], None, Timestamp::from_second(1).unwrap()),
            ..RegisterSubscriptionStatus::default()
        }
    }

    #[test]
    fn a_step_of_progress_is_written_every_two_seconds_and_what_turned_at_once() {
        let (pace, start) = (Pace::default(), Instant::now());
        assert_eq!(pace.admit("one", false, start), Ok(()));
        assert_eq!(pace.admit("other", false, start), Ok(()));
        let soon = start + Duration::from_millis(500);
        assert_eq!(pace.admit("one", false, soon), Err(start + STEP));
        assert_eq!(pace.admit("one", true, soon), Ok(()));
        assert_eq!(pace.admit("one", false, start + STEP), Err(soon + STEP));
        assert_eq!(pace.admit("one", false, soon + STEP), Ok(()));
        assert_eq!(pace.written.lock().unwrap().len(), 1, "what is old is forgotten");
    }

    #[test]
    fn progress_and_messages_are_not_urgent_and_reasons_are() {
        let before = status("Syncing", 10);
        assert!(!is_urgent(&before, &status("Syncing", 20)));
        assert!(is_urgent(&before, &status("Behind", 10)));
        let respec = RegisterSubscriptionStatus { observed_generation: Some(2), ..before.clone() };
        assert!(is_urgent(&before, &respec));
        assert!(is_urgent(&RegisterSubscriptionStatus::default(), &before));
    }
}

//! Dockets that the disk has changed, from whoever has met them to who fetches them again.

use peerwright_ledger::RegisterId;
use peerwright_store::StoreError;
use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};
use tokio::sync::Notify;

/// Dockets that wait to be fetched again. Full: the audit finds the others later.
const MAX_WAITING: usize = 1_024;

/// What is to be fetched again, by register and number.
#[derive(Debug, Default)]
pub(crate) struct Repairs {
    waiting: Mutex<BTreeSet<(RegisterId, u64)>>,
    told: Notify,
}

impl Repairs {
    /// Takes note of a docket that was met on reading; anything else is none of its business.
    pub(crate) fn note(&self, error: &StoreError) {
        if let StoreError::CorruptDocket { register, number } = error {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.len() < MAX_WAITING {
                waiting.insert((*register, *number));
            }
            self.told.notify_one();
        }
    }

    /// Waits for what is to be fetched again. The highest first: what a docket is compared with lies above it.
    pub(crate) async fn next(&self) -> (RegisterId, u64) {
        loop {
            if let Some(next) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_last() {
                return next;
            }
            self.told.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_WAITING, Repairs};
    use peerwright_ledger::RegisterId;
    use peerwright_store::StoreError;

    const REGISTER: RegisterId = RegisterId::from_bytes([1; 16]);

    #[tokio::test]
    async fn each_corrupt_docket_waits_once_and_the_highest_is_next() {
        let repairs = Repairs::default();
        for number in [3, 7, 3] {
            repairs.note(&StoreError::CorruptDocket { register: REGISTER, number });
        }
        repairs.note(&StoreError::Busy);
        assert_eq!(repairs.next().await, (REGISTER, 7));
        assert_eq!(repairs.next().await, (REGISTER, 3));
        assert!(repairs.waiting.lock().unwrap().is_empty());
    }

    #[test]
    fn no_more_wait_than_there_is_room_for() {
        let repairs = Repairs::default();
        (0..5_000).for_each(|number| repairs.note(&StoreError::CorruptDocket { register: REGISTER, number }));
        assert_eq!(repairs.waiting.lock().unwrap().len(), MAX_WAITING);
    }
}

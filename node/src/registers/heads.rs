//! How far the registers have come on this node: who waits for more hears of it.

use peerwright_ledger::RegisterId;
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::watch;

/// For each register that this node holds or follows, how many certified dockets it has from 0 on. Bounded by both: who
/// asks from outside about another adds nothing.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    watched: Mutex<BTreeMap<RegisterId, watch::Sender<u64>>>,
    /// Those of which there are dockets. Changes with them, and is read by every keepalive.
    held: AtomicU64,
}

impl Heads {
    /// The register has come as far as `count` dockets; never back. Says how many that are more than before.
    pub(crate) fn advance(&self, register: RegisterId, count: u64) -> u64 {
        let mut more = 0;
        self.sender(register).send_if_modified(|known| {
            more = count.saturating_sub(*known);
            if *known == 0 && more > 0 {
                self.held.fetch_add(1, Ordering::Relaxed);
            }
            *known = (*known).max(count);
            more > 0
        });
        more
    }

    /// Nothing of the register is here any more. Who watches it goes on watching.
    pub(crate) fn reset(&self, register: RegisterId) {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = watched.get(&register) {
            sender.send_if_modified(|known| {
                let is_held = std::mem::take(known) > 0;
                self.held.fetch_sub(u64::from(is_held), Ordering::Relaxed);
                is_held
            });
        }
    }

    /// Of how many registers there are dockets.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// How many dockets of the register there are; asking leaves nothing behind.
    pub(crate) fn count(&self, register: RegisterId) -> u64 {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.get(&register).map_or(0, |sender| *sender.borrow())
    }

    /// How many dockets there are of each register.
    pub(crate) fn counts(&self) -> BTreeMap<RegisterId, u64> {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.iter().map(|(register, sender)| (*register, *sender.borrow())).collect()
    }

    /// Hears of every further docket. What was said last is there at once.
    pub(crate) fn watch(&self, register: RegisterId) -> watch::Receiver<u64> {
        self.sender(register).subscribe()
    }

    fn sender(&self, register: RegisterId) -> watch::Sender<u64> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.entry(register).or_insert_with(|| watch::Sender::new(0)).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::Heads;
    use peerwright_ledger::RegisterId;

    #[tokio::test]
    async fn a_watcher_hears_of_further_dockets_and_of_no_step_back() {
        let heads = Heads::default();
        let register = RegisterId::from_bytes([1; 16]);
        assert_eq!(heads.advance(register, 3), 3);
        let mut watching = heads.watch(register);

        assert_eq!(heads.advance(register, 2), 0);
        assert_eq!(*watching.borrow_and_update(), 3);
        assert!(!watching.has_changed().expect("the sender lives"));

        assert_eq!(heads.advance(register, 4), 1);
        watching.changed().await.expect("the sender lives");
        assert_eq!((*watching.borrow(), heads.count(register)), (4, 4));
        assert_eq!(heads.count(RegisterId::from_bytes([2; 16])), 0);
        assert_eq!(heads.held(), 1);

        heads.reset(register);
        watching.changed().await.expect("the sender lives");
        assert_eq!((*watching.borrow(), heads.count(register), heads.held()), (0, 0, 0));
        heads.reset(register);
        assert_eq!(heads.held(), 0);
    }
}

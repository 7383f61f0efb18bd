//! Who waits to hear what becomes of a transaction.
//!
//! ```text
//! wait(id) ─▶ table ─▶ look up ─▶ ... ◀── ids of each certified docket, read once for all who wait
//! ```
//!
//! Whoever waits enters the table first and looks the transaction up then, so a docket that is stored in between is not
//! missed. A node that ends lets those be told who wait, for a time, and then sends the others away.

use super::NotTold;
use peerwright_ledger::{RegisterId, TransactionId};
use peerwright_store::TransactionPlace;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, oneshot};

/// Most who wait at once. Full: the next is told so and does not wait.
pub(crate) const MAX_WAITERS: usize = 65_536;

/// What has become of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It is in this certified docket.
    Committed(TransactionPlace),
    /// No docket will hold it, for this reason: a dead letter.
    Dead(String),
}

/// All who wait.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    table: Mutex<Table>,
    /// Told when the last one has left.
    left: Notify,
}

#[derive(Debug, Default)]
struct Table {
    registers: BTreeMap<RegisterId, BTreeMap<TransactionId, BTreeMap<u64, oneshot::Sender<Settled>>>>,
    count: usize,
    next: u64,
    has_ended: bool,
}

/// A place in the table, given up when this is dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    waiters: Arc<Waiters>,
    register: RegisterId,
    id: TransactionId,
    number: u64,
    told: oneshot::Receiver<Settled>,
}

impl Waiters {
    /// A place in the table, unless it is full or the node ends.
    pub(crate) fn wait(self: &Arc<Self>, register: RegisterId, id: TransactionId) -> Result<Waiting, NotTold> {
        let mut table = self.table();
        if table.has_ended {
            return Err(NotTold::Ending);
        }
        if table.count >= MAX_WAITERS {
            return Err(NotTold::TooMany);
        }
        let (sender, told) = oneshot::channel();
        let number = table.next;
        table.next += 1;
        table.count += 1;
        let waiting = table.registers.entry(register).or_default().entry(id).or_default();
        waiting.insert(number, sender);
        Ok(Waiting { waiters: self.clone(), register, id, number, told })
    }

    /// Whether anybody waits for a transaction of this register.
    pub(crate) fn has(&self, register: RegisterId) -> bool {
        self.table().registers.contains_key(&register)
    }

    /// A certified docket holds these.
    pub(crate) fn tell_docket(&self, register: RegisterId, number: u64, ids: &[TransactionId]) {
        self.change(|table| {
            for (position, id) in (0..).zip(ids) {
                if !table.registers.contains_key(&register) {
                    return;
                }
                table.tell(register, *id, &Settled::Committed(TransactionPlace { number, position }));
            }
        });
    }

    /// This has become of a transaction.
    pub(crate) fn tell(&self, register: RegisterId, id: TransactionId, settled: &Settled) {
        self.change(|table| table.tell(register, id, settled));
    }

    /// Resolves when nobody waits.
    pub(crate) async fn all_told(&self) {
        loop {
            // From before the look on, so that whoever leaves in between is noticed.
            let left = self.left.notified();
            if self.table().count == 0 {
                return;
            }
            left.await;
        }
    }

    /// The node ends: what those waited for who are still here it will not hear of, and nobody waits from now on.
    pub(crate) fn end(&self) {
        self.change(|table| *table = Table { has_ended: true, ..Table::default() });
    }

    fn change(&self, change: impl FnOnce(&mut Table)) {
        let mut table = self.table();
        change(&mut table);
        if table.count == 0 {
            self.left.notify_waiters();
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn tell(&mut self, register: RegisterId, id: TransactionId, settled: &Settled) {
        let Some(row) = self.registers.get_mut(&register) else { return };
        for waiter in row.remove(&id).unwrap_or_default().into_values() {
            self.count -= 1;
            // Whoever waited may have gone.
            drop(waiter.send(settled.clone()));
        }
        if row.is_empty() {
            self.registers.remove(&register);
        }
    }

    fn leave(&mut self, register: RegisterId, id: TransactionId, number: u64) {
        let Some(row) = self.registers.get_mut(&register) else { return };
        let Some(waiting) = row.get_mut(&id) else { return };
        self.count -= usize::from(waiting.remove(&number).is_some());
        if waiting.is_empty() {
            row.remove(&id);
        }
        if row.is_empty() {
            self.registers.remove(&register);
        }
    }
}

impl Waiting {
    /// Resolves when it is told; `None` when the node is ending.
    pub(crate) async fn settled(mut self) -> Option<Settled> {
        (&mut self.told).await.ok()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.waiters.change(|table| table.leave(self.register, self.id, self.number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    const REGISTER: RegisterId = RegisterId::from_bytes([1; 16]);

    fn id(number: u8) -> TransactionId {
        TransactionId::from_bytes([number; 32])
    }

    #[tokio::test]
    async fn all_who_wait_for_a_transaction_hear_its_place_and_nobody_else_does() {
        let waiters = Arc::new(Waiters::default());
        let (one, other) = (waiters.wait(REGISTER, id(2)).unwrap(), waiters.wait(REGISTER, id(2)).unwrap());
        let third = waiters.wait(REGISTER, id(3)).unwrap();

        waiters.tell_docket(RegisterId::from_bytes([2; 16]), 7, &[id(2)]);
        waiters.tell_docket(REGISTER, 8, &[id(1), id(2)]);

        let place = Settled::Committed(TransactionPlace { number: 8, position: 1 });
        assert_eq!((one.settled().await, other.settled().await), (Some(place.clone()), Some(place)));
        waiters.tell(REGISTER, id(3), &Settled::Dead("expired".to_owned()));
        assert_eq!(third.settled().await, Some(Settled::Dead("expired".to_owned())));
        assert!(!waiters.has(REGISTER));
    }

    #[tokio::test]
    async fn there_is_room_for_so_many_and_who_leaves_makes_room() {
        let waiters = Arc::new(Waiters::default());
        let mut all: Vec<_> = (0..MAX_WAITERS).map(|_| waiters.wait(REGISTER, id(1)).unwrap()).collect();
        assert!(matches!(waiters.wait(REGISTER, id(2)), Err(NotTold::TooMany)));

        drop(all.pop());

        assert!(waiters.wait(REGISTER, id(2)).is_ok());
        all.clear();
        assert!(!waiters.has(REGISTER));
        assert_eq!(waiters.table().count, 0);
    }

    #[tokio::test]
    async fn a_node_that_ends_hears_that_the_last_has_left_and_sends_away_who_stays() {
        let waiters = Arc::new(Waiters::default());
        let (told, leaves) = (waiters.wait(REGISTER, id(1)).unwrap(), waiters.wait(REGISTER, id(2)).unwrap());
        let mut all_told = Box::pin(waiters.all_told());
        assert!((&mut all_told).now_or_never().is_none());
        waiters.tell_docket(REGISTER, 1, &[id(1)]);
        assert!((&mut all_told).now_or_never().is_none());
        drop(leaves);
        all_told.await;
        assert!(told.settled().await.is_some());

        let stays = waiters.wait(REGISTER, id(3)).unwrap();
        waiters.end();
        assert_eq!(stays.settled().await, None);
        assert!(matches!(waiters.wait(REGISTER, id(4)), Err(NotTold::Ending)));
        waiters.all_told().await;
    }
}

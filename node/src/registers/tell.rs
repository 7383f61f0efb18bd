//! Reads the transaction ids of each certified docket once, and tells all who want to know.
//!
//! ```text
//! replica, sealing group ─▶ advance ─▶ ids from where was told last to the head ─▶ Waiters, Outbox
//! ```
//!
//! Of a register that nobody asks about nothing is read.

use super::Registers;
use peerwright_ledger::RegisterId;
use peerwright_store::StoreError;
use std::time::Duration;
use tokio::time::sleep;

/// Ids read at once, or those of one docket.
const IDS: usize = 16_384;
/// After a failure of the store.
const PAUSE: Duration = Duration::from_millis(200);

impl Registers {
    /// Runs until it is dropped.
    pub(crate) async fn tell(self) {
        // What is there already, whoever asks finds by looking it up.
        let mut told = self.heads.counts();
        loop {
            let mut is_whole = true;
            for register in self.advances.take().await {
                let told = told.entry(register).or_default();
                if let Err(error) = self.tell_of(register, told).await {
                    tracing::debug!(%register, %error, "who waits for a transaction waits longer");
                    self.advances.add(register);
                    is_whole = false;
                }
            }
            if !is_whole {
                sleep(PAUSE).await;
            }
        }
    }

    async fn first(&self, register: RegisterId) -> Result<Option<u64>, StoreError> {
        Ok(self.store.held_dockets(register).await?.map(|held| held.first))
    }

    async fn tell_of(&self, register: RegisterId, told: &mut u64) -> Result<(), StoreError> {
        // In this order: who asks from here on finds all below `count` by looking it up.
        let count = self.heads.count(register);
        if !(self.waiters.has(register) || self.outbox.has(register)) {
            *told = count;
            return Ok(());
        }
        if *told > count {
            // It was purged, and begins anew.
            *told = 0;
        }
        while *told < count {
            let dockets = self.store.transaction_ids(register, *told, IDS).await?;
            let dockets: Vec<_> = dockets.into_iter().filter(|docket| docket.number < count).collect();
            for docket in &dockets {
                self.waiters.tell_docket(register, docket.number, &docket.transactions);
                self.outbox.tell_docket(register, &docket.transactions);
            }
            *told = match dockets.last() {
                Some(last) => last.number + 1,
                // What this node does not hold it tells nobody of.
                None => self.first(register).await?.filter(|first| *first > *told).unwrap_or(count).min(count),
            };
        }
        Ok(())
    }
}

//! Registers to which something has come since somebody last looked.

use peerwright_ledger::RegisterId;
use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};
use tokio::sync::Notify;

/// Each register once, however often something came. Bounded by the registers that this node holds.
#[derive(Debug, Default)]
pub(crate) struct Advances {
    registers: Mutex<BTreeSet<RegisterId>>,
    added: Notify,
}

impl Advances {
    /// Something has come to the register.
    pub(crate) fn add(&self, register: RegisterId) {
        self.registers.lock().unwrap_or_else(PoisonError::into_inner).insert(register);
        self.added.notify_one();
    }

    /// Waits for registers to which something has; there is one who asks.
    pub(crate) async fn take(&self) -> BTreeSet<RegisterId> {
        loop {
            let taken = std::mem::take(&mut *self.registers.lock().unwrap_or_else(PoisonError::into_inner));
            if !taken.is_empty() {
                return taken;
            }
            self.added.notified().await;
        }
    }
}

//! A register's dockets for a client, from a number on: what is there, then each as soon as it is certified.
//!
//! ```text
//! store ─▶ a few dockets ─▶ Filter ─▶ step, step, ...      read when the client asks for the next, and not before
//!   ▲ heads: there is more
//! ```
//!
//! REST and gRPC serve it alike. A slow client costs what it has not taken yet of one reading, and nothing else.

mod filter;
#[cfg(test)]
mod tests;

pub(crate) use filter::{Filter, Matched, MatchedDocket, kind_name};

use super::Registers;
use peerwright_ledger::RegisterId;
use peerwright_store::{HeldDockets, Seen, StoreError, StoredDocket};
use std::{collections::VecDeque, sync::Arc};
use thiserror::Error;
use tokio::sync::watch;

/// Read from the store at once.
const READ_BYTES: usize = 64 * 1024;
const READ_DOCKETS: usize = 64;

/// Why nothing more comes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Ended {
    /// Nothing of the register is committed here.
    #[error("this node holds no committed docket of register {0}")]
    NotHeld(RegisterId),
    /// The next docket is not held any more.
    #[error("this node holds the register from docket {first} on")]
    Trimmed {
        /// The first that is.
        first: u64,
    },
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A docket of the store cannot be read.
    #[error("a docket of the store cannot be read: {0}")]
    Damaged(String),
}

impl Ended {
    /// On the wire.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NotHeld(_) => "nothing_committed",
            Self::Trimmed { .. } => "trimmed",
            Self::Store(error) => error.code(),
            Self::Damaged(_) => "store_damaged",
        }
    }
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Step {
    /// At the beginning: the dockets that are held.
    Held { first: u64, through: u64 },
    /// The next docket.
    Docket(MatchedDocket),
}

/// One client's way along a register.
pub(crate) struct Tail {
    registers: Registers,
    register: RegisterId,
    filter: Arc<Filter>,
    /// What is said first.
    held: Option<(u64, u64)>,
    next: u64,
    read: VecDeque<StoredDocket>,
    heads: watch::Receiver<u64>,
}

impl Tail {
    /// Begins at a docket, or behind the newest when none is named.
    pub(crate) async fn begin(
        registers: &Registers,
        register: RegisterId,
        from: Option<u64>,
        filter: Filter,
    ) -> Result<Self, Ended> {
        let held = registers.store.held_dockets(register).await?;
        let through = |held: HeldDockets| held.certified_through.map(|through| (held.first, through));
        let (first, through) = held.and_then(through).ok_or(Ended::NotHeld(register))?;
        if from.is_some_and(|from| from < first) {
            return Err(Ended::Trimmed { first });
        }
        let heads = registers.heads.watch(register);
        Ok(Self {
            registers: registers.clone(),
            register,
            filter: Arc::new(filter),
            held: Some((first, through)),
            next: from.unwrap_or(through.saturating_add(1)),
            read: VecDeque::new(),
            heads,
        })
    }

    /// The next step; waits for it. Nothing is lost when this is dropped while it waits.
    pub(crate) async fn next(&mut self) -> Result<Step, Ended> {
        if let Some((first, through)) = self.held.take() {
            return Ok(Step::Held { first, through });
        }
        loop {
            if let Some(docket) = self.read.front().cloned() {
                let filter = self.filter.clone();
                // Reading and hashing megabytes takes long enough to keep off the threads that serve everybody.
                let applying = tokio::task::spawn_blocking(move || filter.apply(docket));
                let applied = applying.await.map_err(|_| Ended::Damaged("reading it failed".to_owned()))?;
                let matched = applied.map_err(|refusal| Ended::Damaged(refusal.to_string()))?;
                self.next = matched.header.number.saturating_add(1);
                self.read.pop_front();
                return Ok(Step::Docket(matched));
            }
            let count = *self.heads.borrow_and_update();
            if self.next < count {
                let (store, register) = (&self.registers.store, self.register);
                let read = store.dockets(register, self.next, Seen::Certified, READ_DOCKETS, READ_BYTES).await?;
                self.read = read.into();
                if !self.read.is_empty() {
                    continue;
                }
                let held = store.held_dockets(register).await?.ok_or(Ended::NotHeld(register))?;
                if held.first > self.next {
                    return Err(Ended::Trimmed { first: held.first });
                }
            }
            // Its sender lives as long as the node.
            self.heads.changed().await.map_err(|_| StoreError::Closed)?;
        }
    }
}

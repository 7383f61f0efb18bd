//! The blueprints of the network: published workflow definitions, which are transactions of the system register.
//!
//! ```text
//! snapshot: which register ─▶ BlueprintKeeper ─▶ Tail of the register ─▶ Catalogue ─▶ REST
//! ```
//!
//! The register itself is one like others: begun, sealed, followed and read as they are. What is kept here is what its
//! dockets say, read again from the first one at every start.

mod catalogue;
mod keeper;

pub use catalogue::MAX_BLUEPRINTS;
pub(crate) use catalogue::{Act, Blueprint, Change, MAX_BLUEPRINT_NAME, Told, is_name, told};
pub(crate) use keeper::BlueprintKeeper;

use catalogue::Catalogue;
use peerwright_ledger::RegisterId;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// What is known of blueprints on this node.
#[derive(Debug)]
pub struct Blueprints {
    known: Mutex<Known>,
    /// The docket that is read next.
    read: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Known {
    system: Option<RegisterId>,
    catalogue: Catalogue,
}

/// How many blueprints there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BlueprintFigures {
    /// Those that are active.
    pub active: usize,
    /// Those that are deprecated.
    pub deprecated: usize,
    /// Those that are too many to be shown.
    pub passed_over: u64,
}

impl Default for Blueprints {
    fn default() -> Self {
        Self { known: Mutex::default(), read: watch::Sender::new(0) }
    }
}

impl Blueprints {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// They are in this register from now on.
    pub(crate) fn begin(&self, system: Option<RegisterId>) {
        let mut known = self.known();
        if known.system != system {
            *known = Known { system, catalogue: Catalogue::default() };
            self.read.send_replace(0);
        }
    }

    /// A docket of the register was read.
    pub(crate) fn take(&self, number: u64, told: Vec<Told>) {
        let mut known = self.known();
        known.catalogue.take(number, told);
        self.read.send_replace(known.catalogue.next);
    }

    /// The docket that is to be read next.
    pub(crate) fn next(&self) -> u64 {
        self.known().catalogue.next
    }

    /// The register that they are in, if the network names one.
    pub(crate) fn system(&self) -> Option<RegisterId> {
        self.known().system
    }

    /// One of them.
    pub(crate) fn get(&self, name: &str) -> Option<Blueprint> {
        self.known().catalogue.get(name).cloned()
    }

    /// Those that are newer than a version, the oldest first, about so many.
    pub(crate) fn newer(&self, than: Option<u64>, limit: usize) -> Vec<Blueprint> {
        self.known().catalogue.newer(than, limit)
    }

    /// How many there are.
    #[must_use]
    pub fn figures(&self) -> BlueprintFigures {
        let known = self.known();
        let (active, deprecated) = known.catalogue.count();
        BlueprintFigures { active, deprecated, passed_over: known.catalogue.passed_over }
    }

    /// What a docket has changed; waits until it was read here.
    pub(crate) async fn changes(&self, docket: u64, told: &[Told]) -> Vec<(Change, Told)> {
        let mut read = self.read.subscribe();
        // Its sender lives as long as this.
        let _ = read.wait_for(|next| docket < *next).await;
        self.known().catalogue.changes(told)
    }
}

//! How far this node has come with the registers that it follows.
//!
//! ```text
//! Subscribing ──a source answers──▶ Syncing ──all that the source holds──▶ FullyReplicated
//!      │                              ▲  ▲                                       │ rows lost, a longer source
//!      └───── 10 failures in a row ───┼──┴───────────────────────────────────────┘
//!                      Error ─────────┘ the next success; tries go on meanwhile
//! ```

use peerwright_ledger::RegisterId;
use peerwright_secure::PeerId;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// So many failures in a row make an error of a subscription.
pub(crate) const FAILURES_TO_ERROR: u32 = 10;

/// What a node does with a register that it follows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReplicaState {
    /// No source has answered yet.
    #[default]
    Subscribing,
    /// It lacks dockets that its source holds.
    Syncing,
    /// It holds all that its source holds, and follows.
    FullyReplicated,
    /// Ten failures in a row; it goes on trying.
    Error,
}

impl ReplicaState {
    /// As REST and conditions show it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Subscribing => "Subscribing",
            Self::Syncing => "Syncing",
            Self::FullyReplicated => "FullyReplicated",
            Self::Error => "Error",
        }
    }
}

/// How far a register has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// What the node does with it.
    pub state: ReplicaState,
    /// Certified dockets held, from 0 on.
    pub held: u64,
    /// Dockets that the source holds.
    pub total: u64,
    /// Who is followed.
    pub source: Option<PeerId>,
    /// Failures in a row.
    pub failures: u32,
    /// Why the last one failed.
    pub message: Option<String>,
    /// When a docket was stored last, unix microseconds.
    pub stored_at: Option<u64>,
}

impl Progress {
    /// How much of the source's dockets is held, 0 to 100; 0 while it is not known how many there are.
    #[must_use]
    pub fn percent(&self) -> u8 {
        let percent = self.held.saturating_mul(100).checked_div(self.total).unwrap_or(0);
        u8::try_from(percent.min(100)).unwrap_or(100)
    }

    fn heard(&mut self, source: PeerId, total: u64) {
        self.source = Some(source);
        self.total = total;
        self.failures = 0;
        self.message = None;
        self.settle();
    }

    fn stored(&mut self, held: u64, now: u64) {
        self.held = held;
        self.total = self.total.max(held);
        self.stored_at = Some(now);
        self.settle();
    }

    fn failed(&mut self, message: String) {
        self.failures = self.failures.saturating_add(1);
        self.message = Some(message);
        self.source = None;
        if self.failures >= FAILURES_TO_ERROR {
            self.state = ReplicaState::Error;
        }
    }

    fn settle(&mut self) {
        let has_all = self.held >= self.total && self.total > 0;
        self.state = if has_all { ReplicaState::FullyReplicated } else { ReplicaState::Syncing };
    }
}

/// Every followed register's progress. Bounded by the subscriptions of the network.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    rows: Mutex<BTreeMap<RegisterId, Progress>>,
}

impl Standing {
    /// The register is followed from now on; so many dockets are there already.
    pub(crate) fn begin(&self, register: RegisterId, held: u64) {
        self.rows().entry(register).or_default().held = held;
    }

    /// A source answers, and holds so many dockets.
    pub(crate) fn heard(&self, register: RegisterId, source: PeerId, total: u64) {
        self.rows().entry(register).or_default().heard(source, total);
    }

    /// So many dockets are stored.
    pub(crate) fn stored(&self, register: RegisterId, held: u64, now: u64) {
        self.rows().entry(register).or_default().stored(held, now);
    }

    /// No source served; says how often in a row.
    pub(crate) fn failed(&self, register: RegisterId, message: String) -> u32 {
        let mut rows = self.rows();
        let row = rows.entry(register).or_default();
        row.failed(message);
        row.failures
    }

    /// The register is followed no longer.
    pub(crate) fn forget(&self, register: RegisterId) {
        self.rows().remove(&register);
    }

    /// How far the register has come; `None` when it is not followed.
    pub(crate) fn of(&self, register: RegisterId) -> Option<Progress> {
        self.rows().get(&register).cloned()
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<RegisterId, Progress>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{FAILURES_TO_ERROR, Progress, ReplicaState};
    use peerwright_secure::PeerId;

    const SOURCE: PeerId = PeerId::from_bytes([1; 32]);

    #[test]
    fn a_register_is_replicated_when_it_holds_what_its_source_holds() {
        let mut progress = Progress::default();
        assert_eq!((progress.state, progress.percent()), (ReplicaState::Subscribing, 0));

        progress.heard(SOURCE, 8);
        assert_eq!((progress.state, progress.percent()), (ReplicaState::Syncing, 0));
        progress.stored(2, 1);
        assert_eq!((progress.state, progress.percent()), (ReplicaState::Syncing, 25));
        progress.stored(8, 2);
        assert_eq!((progress.state, progress.percent()), (ReplicaState::FullyReplicated, 100));

        progress.heard(SOURCE, 9);
        assert_eq!(progress.state, ReplicaState::Syncing);
    }

    #[test]
    fn a_source_without_dockets_makes_no_replica() {
        let mut progress = Progress::default();
        progress.heard(SOURCE, 0);
        assert_eq!((progress.state, progress.percent()), (ReplicaState::Syncing, 0));
    }

    #[test]
    fn exactly_ten_failures_in_a_row_are_an_error_and_a_success_ends_it() {
        let mut progress = Progress::default();
        progress.heard(SOURCE, 8);
        for _ in 1..FAILURES_TO_ERROR {
            progress.failed("broken".to_owned());
        }
        assert_eq!((progress.state, progress.failures), (ReplicaState::Syncing, 9));

        progress.failed("broken".to_owned());
        assert_eq!((progress.state, progress.message.as_deref()), (ReplicaState::Error, Some("broken")));

        progress.heard(SOURCE, 8);
        assert_eq!((progress.state, progress.failures, progress.message), (ReplicaState::Syncing, 0, None));
    }
}

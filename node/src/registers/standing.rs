//! How far this node has come with the registers that it follows.
//!
//! ```text
//! Subscribing ──a source answers──▶ Syncing ──all that the source holds──▶ FullyReplicated, ForwardOnly: Active
//!      │                              │  ▲                                       │
//!      │                              │  └── rows lost, a longer source ─────────┘
//!      ├── 10 failures in a row ──────┤
//!      ▼                              ▼ or 30 minutes without a docket
//!    Error ── the next docket, or all that a source holds ──▶ Syncing, FullyReplicated: tries go on meanwhile
//!
//! any ── two certified dockets with one number ──▶ Frozen, until people purge the register here
//! ```
//!
//! That a source answers is no success yet: one whose dockets are refused each time would hide that nothing comes.

use super::Advertised;
use peerwright_ledger::RegisterId;
use peerwright_secure::PeerId;
use peerwright_snapshot::ReplicaMode;
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// The problem of a register that stays behind without a further docket.
const DEADLINE: &str = "deadline";
/// The problem of a register that has two histories.
const FORK: &str = "fork";

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
    /// It holds all that has been committed since it was subscribed, and follows.
    Active,
    /// Too many failures in a row, or too long without a docket; it goes on trying.
    Error,
    /// Two certified dockets have one number; nothing more is taken.
    Frozen,
}

impl ReplicaState {
    /// As REST and conditions show it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Subscribing => "Subscribing",
            Self::Syncing => "Syncing",
            Self::FullyReplicated => "FullyReplicated",
            Self::Active => "Active",
            Self::Error => "Error",
            Self::Frozen => "Frozen",
        }
    }
}

/// How far a register has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// What the node does with it.
    pub state: ReplicaState,
    /// How much of the register it is to hold.
    pub mode: ReplicaMode,
    /// The lowest docket held; what lies before is a gap.
    pub first: u64,
    /// The number behind the highest certified docket held.
    pub held: u64,
    /// Dockets that the source holds.
    pub total: u64,
    /// Who is followed.
    pub source: Option<PeerId>,
    /// Failures in a row.
    pub failures: u32,
    /// Why the last try failed, in a word.
    pub problem: Option<&'static str>,
    /// The same at length.
    pub message: Option<String>,
    /// When a docket was stored last, unix microseconds.
    pub stored_at: Option<u64>,
    /// Since when it lacks what its source holds, unix microseconds.
    pub behind_since: Option<u64>,
    /// When it came nearer to the source, or fell behind.
    moved: Option<Instant>,
    /// No docket has come in time.
    is_late: bool,
    /// As many failures in a row as make an error.
    is_failing: bool,
}

impl Progress {
    fn new(mode: ReplicaMode, held: u64) -> Self {
        Self { mode, held, ..Self::default() }
    }

    /// The dockets that it does not hold and will not fetch: those before it was subscribed.
    #[must_use]
    pub fn gap(&self) -> Option<Range<u64>> {
        (self.held > self.first && self.first > 0).then_some(0..self.first)
    }

    /// How much of the source's dockets is held, 0 to 100; 0 while it is not known how many there are. Who holds only
    /// what comes has all of it, or nothing.
    #[must_use]
    pub fn percent(&self) -> u8 {
        if self.mode == ReplicaMode::ForwardOnly {
            return if self.state == ReplicaState::Active { 100 } else { 0 };
        }
        let percent = self.held.saturating_mul(100).checked_div(self.total).unwrap_or(0);
        u8::try_from(percent.min(100)).unwrap_or(100)
    }

    /// Whether it holds all that its source holds.
    pub(super) fn has_all(&self) -> bool {
        self.held >= self.total && self.total > 0
    }

    /// Whether it lacks fewer dockets than these of what its source holds.
    pub(super) fn is_within(&self, dockets: u64) -> bool {
        self.total > 0 && self.total.saturating_sub(self.held) < dockets
    }

    fn heard(&mut self, source: PeerId, total: u64, now: u64) {
        self.source = Some(source);
        self.total = total;
        if self.has_all() {
            self.succeed();
        }
        self.settle(now);
    }

    fn stored(&mut self, held: u64, now: u64) {
        self.held = held;
        self.total = self.total.max(held);
        self.stored_at = Some(now);
        self.moved = Some(Instant::now());
        self.succeed();
        self.settle(now);
    }

    /// Dockets that were held are there no longer.
    fn lost(&mut self, held: u64, now: u64) {
        self.held = held;
        self.settle(now);
    }

    fn succeed(&mut self) {
        if self.state != ReplicaState::Frozen {
            (self.failures, self.problem, self.message) = (0, None, None);
            (self.is_late, self.is_failing) = (false, false);
        }
    }

    fn failed(&mut self, problem: &'static str, message: String, failures_to_error: u32, now: u64) {
        self.is_failing = self.failures.saturating_add(1) >= failures_to_error;
        self.left(problem, message, now);
    }

    fn late(&mut self, deadline: Duration, now: u64) {
        self.is_late = true;
        let minutes = deadline.as_secs() / 60;
        self.left(DEADLINE, format!("no docket has come for {minutes} minutes although there are more"), now);
    }

    /// Nobody serves it any more: why.
    fn left(&mut self, problem: &'static str, message: String, now: u64) {
        self.failures = self.failures.saturating_add(1);
        (self.problem, self.message) = (Some(problem), Some(message));
        self.source = None;
        self.settle(now);
    }

    fn frozen(&mut self, message: String) {
        self.state = ReplicaState::Frozen;
        (self.problem, self.message) = (Some(FORK), Some(message));
        self.source = None;
    }

    fn is_stalled(&self, deadline: Duration) -> bool {
        self.behind_since.is_some() && self.moved.is_some_and(|moved| moved.elapsed() >= deadline)
    }

    fn settle(&mut self, now: u64) {
        if self.state == ReplicaState::Frozen {
            return;
        }
        let has_all = self.has_all();
        if has_all || self.total <= self.held {
            self.behind_since = None;
        } else if self.behind_since.is_none() {
            self.behind_since = Some(now);
            self.moved = Some(Instant::now());
        }
        let is_error = self.is_failing || self.is_late;
        self.state = match self.source {
            _ if is_error => ReplicaState::Error,
            _ if has_all && self.mode == ReplicaMode::ForwardOnly => ReplicaState::Active,
            _ if has_all => ReplicaState::FullyReplicated,
            Some(_) => ReplicaState::Syncing,
            // As it was, until another source answers.
            None => self.state,
        };
    }
}

type Rows = BTreeMap<RegisterId, Progress>;

/// Every followed register's progress. Bounded by the subscriptions of the network.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    rows: Mutex<Rows>,
    /// Hears of each register that comes to another state.
    advertised: Arc<Advertised>,
}

impl Standing {
    pub(super) fn new(advertised: Arc<Advertised>) -> Self {
        Self { rows: Mutex::default(), advertised }
    }

    /// The register is followed from now on, anew; so many dockets are there already.
    pub(crate) fn begin(&self, register: RegisterId, mode: ReplicaMode, held: u64) {
        self.change_rows(register, |rows| rows.insert(register, Progress::new(mode, held)));
    }

    /// What is held begins with this docket.
    pub(crate) fn begins_at(&self, register: RegisterId, first: u64) {
        self.change(register, |row| row.first = first);
    }

    /// A source answers, and holds so many dockets.
    pub(crate) fn heard(&self, register: RegisterId, source: PeerId, total: u64, now: u64) {
        self.change(register, |row| row.heard(source, total, now));
    }

    /// So many dockets are stored.
    pub(crate) fn stored(&self, register: RegisterId, held: u64, now: u64) {
        self.change(register, |row| row.stored(held, now));
    }

    /// Of the dockets stored, so many are left.
    pub(crate) fn lost(&self, register: RegisterId, held: u64, now: u64) {
        self.change(register, |row| row.lost(held, now));
    }

    /// A source did not serve: why, in a word and at length. So many failures in a row are an error.
    pub(crate) fn failed(
        &self,
        register: RegisterId,
        problem: &'static str,
        message: String,
        failures_to_error: u32,
        now: u64,
    ) {
        self.change(register, |row| row.failed(problem, message, failures_to_error, now));
    }

    /// The register has two histories: nothing more of it is taken.
    pub(crate) fn frozen(&self, register: RegisterId, message: String) {
        self.change(register, |row| row.frozen(message));
    }

    /// Whether it is behind and no further docket has come for so long: then it is in error.
    pub(crate) fn stalls(&self, register: RegisterId, deadline: Duration, now: u64) -> bool {
        self.change_rows(register, |rows| {
            let Some(row) = rows.get_mut(&register).filter(|row| row.is_stalled(deadline)) else { return false };
            row.late(deadline, now);
            true
        })
    }

    /// The register is followed no longer.
    pub(crate) fn forget(&self, register: RegisterId) {
        self.change_rows(register, |rows| rows.remove(&register));
    }

    /// How far the register has come; `None` when it is not followed.
    pub(crate) fn of(&self, register: RegisterId) -> Option<Progress> {
        self.rows().get(&register).cloned()
    }

    /// What is heard of a register that is followed no longer leaves nothing behind.
    fn change(&self, register: RegisterId, change: impl FnOnce(&mut Progress)) {
        self.change_rows(register, |rows| rows.get_mut(&register).map(change));
    }

    /// Another state is what this node says to everybody of a public register.
    fn change_rows<T>(&self, register: RegisterId, change: impl FnOnce(&mut Rows) -> T) -> T {
        let mut rows = self.rows();
        let state = |rows: &Rows| rows.get(&register).map(|row| row.state);
        let before = state(&rows);
        let changed = change(&mut rows);
        let is_another = state(&rows) != before;
        drop(rows);
        if is_another {
            self.advertised.look_again(&register);
        }
        changed
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Progress, ReplicaState, Standing};
    use peerwright_ledger::RegisterId;
    use peerwright_secure::PeerId;
    use peerwright_snapshot::ReplicaMode;
    use std::time::Duration;

    const SOURCE: PeerId = PeerId::from_bytes([1; 32]);
    const REGISTER: RegisterId = RegisterId::from_bytes([2; 16]);
    const FAILURES: u32 = 10;

    fn begun() -> Progress {
        Progress::new(ReplicaMode::FullReplica, 0)
    }

    #[test]
    fn a_register_is_replicated_when_it_holds_what_its_source_holds() {
        let mut progress = begun();
        assert_eq!((progress.state, progress.percent()), (ReplicaState::Subscribing, 0));

        progress.heard(SOURCE, 8, 100);
        assert_eq!((progress.state, progress.percent(), progress.behind_since), (ReplicaState::Syncing, 0, Some(100)));
        progress.stored(2, 101);
        assert_eq!((progress.state, progress.percent(), progress.behind_since), (ReplicaState::Syncing, 25, Some(100)));
        progress.stored(8, 102);
        assert_eq!((progress.state, progress.percent()), (ReplicaState::FullyReplicated, 100));
        assert_eq!(progress.behind_since, None);

        progress.heard(SOURCE, 9, 103);
        assert_eq!((progress.state, progress.behind_since), (ReplicaState::Syncing, Some(103)));
    }

    #[test]
    fn who_holds_what_comes_is_active_and_shows_what_it_lacks_as_a_gap() {
        let mut progress = Progress::new(ReplicaMode::ForwardOnly, 0);
        progress.heard(SOURCE, 8, 1);
        assert_eq!((progress.state, progress.percent(), progress.gap()), (ReplicaState::Syncing, 0, None));
        progress.first = 7;
        progress.stored(8, 2);
        assert_eq!((progress.state, progress.percent(), progress.gap()), (ReplicaState::Active, 100, Some(0..7)));
    }

    #[test]
    fn a_source_without_dockets_makes_no_replica() {
        let mut progress = begun();
        progress.heard(SOURCE, 0, 1);
        assert_eq!((progress.state, progress.percent()), (ReplicaState::Syncing, 0));
    }

    #[test]
    fn exactly_ten_failures_in_a_row_are_an_error_and_a_success_ends_it() {
        let mut progress = begun();
        progress.heard(SOURCE, 8, 1);
        for _ in 1..FAILURES {
            progress.failed("refused", "broken".to_owned(), FAILURES, 2);
            // Its dockets are refused again and again: an answer is no success.
            progress.heard(SOURCE, 8, 3);
        }
        assert_eq!((progress.state, progress.failures), (ReplicaState::Syncing, 9));

        progress.failed("refused", "broken".to_owned(), FAILURES, 4);
        assert_eq!((progress.state, progress.problem), (ReplicaState::Error, Some("refused")));
        assert_eq!(progress.message.as_deref(), Some("broken"));

        progress.heard(SOURCE, 8, 5);
        progress.stored(1, 6);
        assert_eq!((progress.state, progress.failures, progress.message), (ReplicaState::Syncing, 0, None));
    }

    #[test]
    fn how_many_failures_are_an_error_may_be_set_otherwise_meanwhile() {
        let mut progress = begun();
        for (failures_to_error, state) in
            [(3, ReplicaState::Subscribing), (2, ReplicaState::Error), (4, ReplicaState::Error)]
        {
            progress.failed("silent", "nothing came".to_owned(), failures_to_error, 1);
            assert_eq!(progress.state, state, "{failures_to_error}");
        }
        progress.heard(SOURCE, 8, 2);
        assert_eq!((progress.state, progress.failures), (ReplicaState::Syncing, 3));
    }

    #[test]
    fn rows_that_are_lost_make_a_replica_sync_again() {
        let mut progress = begun();
        progress.heard(SOURCE, 8, 1);
        progress.stored(8, 2);
        progress.lost(3, 3);
        assert_eq!((progress.state, progress.held, progress.behind_since), (ReplicaState::Syncing, 3, Some(3)));
    }

    #[tokio::test(start_paused = true)]
    async fn half_an_hour_behind_without_a_docket_is_an_error_of_its_own() {
        let (standing, deadline) = (Standing::default(), Duration::from_secs(1_800));
        standing.begin(REGISTER, ReplicaMode::FullReplica, 0);
        standing.heard(REGISTER, SOURCE, 8, 1);
        tokio::time::advance(deadline / 2).await;
        standing.stored(REGISTER, 4, 2);
        tokio::time::advance(deadline / 2).await;
        assert!(!standing.stalls(REGISTER, deadline, 3), "a docket came meanwhile");

        tokio::time::advance(deadline / 2).await;
        assert!(standing.stalls(REGISTER, deadline, 4));
        let progress = standing.of(REGISTER).unwrap();
        assert_eq!((progress.state, progress.problem), (ReplicaState::Error, Some("deadline")));

        standing.heard(REGISTER, SOURCE, 8, 5);
        standing.stored(REGISTER, 8, 6);
        tokio::time::advance(deadline * 2).await;
        assert!(!standing.stalls(REGISTER, deadline, 7), "who lacks nothing may be quiet");
        assert_eq!(standing.of(REGISTER).unwrap().state, ReplicaState::FullyReplicated);
    }

    #[test]
    fn a_fork_freezes_a_register_whatever_is_heard_afterwards() {
        let standing = Standing::default();
        standing.begin(REGISTER, ReplicaMode::FullReplica, 5);
        standing.frozen(REGISTER, "two dockets 4".to_owned());
        standing.heard(REGISTER, SOURCE, 9, 1);
        standing.stored(REGISTER, 6, 2);
        let progress = standing.of(REGISTER).unwrap();
        assert_eq!((progress.state, progress.problem), (ReplicaState::Frozen, Some("fork")));
    }

    #[test]
    fn what_is_heard_of_a_register_that_is_forgotten_leaves_nothing() {
        let standing = Standing::default();
        standing.begin(REGISTER, ReplicaMode::FullReplica, 0);
        standing.forget(REGISTER);
        standing.stored(REGISTER, 6, 2);
        assert_eq!(standing.of(REGISTER), None);
    }
}

//! Which of its hubs a node takes dockets from. Pure: time comes from outside.
//!
//! ```text
//!                 one answers, and at the start all before it have failed
//!  searching ─────────────────────────────────────────────────────────────▶ active, and one that stands by
//!   ▲   │ all have failed                                                    │   │
//!   │   ▼                                                                    │   └── one before it has answered for
//!   │ isolated ── one answers ──▶ active                                     │       long, and nodes go back: that one
//!   │                                                                        ▼
//!   └──────────────────────────────── nobody stands by ──────────────────── lost ── the one that stands by ──▶ active
//! ```
//!
//! The hubs have an order. At the start the first that can be reached is wanted; after a loss, whoever answers. While
//! nobody stands by all others are asked, and the first that answers does; of several the next behind the active one,
//! around the end of the order. Who is active stays so until it is lost, unless nodes go back.

use super::{HubState, settings::HubSettings};
use peerwright_secure::PeerId;
use std::{collections::BTreeSet, time::Duration};

/// Hubs that a node goes between: the first of them. Those behind are nobody's.
pub(super) const MAX_UPSTREAMS: usize = 16;

/// The hubs of a node, and which of them is active.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    settings: HubSettings,
    rows: Vec<Row>,
    active: Option<usize>,
    /// Where the search begins.
    first: usize,
    /// No hub has been active yet: the order counts.
    is_first_search: bool,
    lacking_since: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    hub: PeerId,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is asked of it.
    Idle,
    /// It is asked for an answer.
    Trying {
        /// Since that began, it gave none.
        has_failed: bool,
    },
    /// It answers.
    Up {
        since: Duration,
        /// Keepalives in a row that it did not answer.
        missed: u32,
    },
}

impl Choice {
    /// A node that knows of no hub.
    pub(super) fn new(settings: HubSettings) -> Self {
        Self { settings, rows: Vec::new(), active: None, first: 0, is_first_search: true, lacking_since: None }
    }

    /// Other settings hold.
    pub(super) fn tune(&mut self, now: Duration, settings: HubSettings) {
        self.settings = settings;
        self.settle(now);
    }

    /// These are the hubs, in their order; what is known of those that are still among them is kept.
    pub(super) fn rank(&mut self, now: Duration, hubs: &[PeerId]) {
        let active = self.active();
        let before = std::mem::take(&mut self.rows);
        let state = |hub| before.iter().find(|row| row.hub == hub).map_or(State::Idle, |row| row.state);
        self.rows = hubs.iter().take(MAX_UPSTREAMS).map(|hub| Row { hub: *hub, state: state(*hub) }).collect();
        self.active = active.and_then(|active| self.rows.iter().position(|row| row.hub == active));
        if self.active.is_none() {
            self.first = 0;
        }
        self.settle(now);
    }

    /// The hub has answered.
    pub(super) fn answered(&mut self, now: Duration, hub: PeerId) {
        self.change(now, hub, |state| match state {
            State::Idle => State::Idle,
            State::Trying { .. } => State::Up { since: now, missed: 0 },
            State::Up { since, .. } => State::Up { since, missed: 0 },
        });
    }

    /// The hub has not answered a keepalive in time.
    pub(super) fn missed(&mut self, now: Duration, hub: PeerId) {
        let limit = self.settings.missed;
        self.change(now, hub, |state| match state {
            State::Up { since, missed } if missed + 1 < limit => State::Up { since, missed: missed + 1 },
            State::Idle => State::Idle,
            State::Up { .. } | State::Trying { .. } => State::Trying { has_failed: true },
        });
    }

    /// The hub is not reached, its connection has ended, or it says that it does not serve.
    pub(super) fn lost(&mut self, now: Duration, hub: PeerId) {
        self.change(now, hub, |state| match state {
            State::Idle => State::Idle,
            State::Up { .. } | State::Trying { .. } => State::Trying { has_failed: true },
        });
    }

    /// Time has passed.
    pub(super) fn pass(&mut self, now: Duration) {
        self.settle(now);
    }

    /// When time alone changes something.
    pub(super) fn next_turn(&self) -> Option<Duration> {
        let (active, stable) = self.active.zip(self.settings.failback)?;
        let before = self.rows.get(..active)?;
        before.iter().filter_map(Row::up_since).map(|since| since + stable).min()
    }

    /// Whom dockets come from.
    pub(super) fn active(&self) -> Option<PeerId> {
        self.rows.get(self.active?).map(|row| row.hub)
    }

    /// Whom they come from next.
    pub(super) fn standby(&self) -> Option<PeerId> {
        let standby = self.first_up(self.active? + 1)?;
        self.rows.get(standby).map(|row| row.hub)
    }

    /// Since when no hub is active, while none is reached at all.
    pub(super) fn isolated_since(&self) -> Option<Duration> {
        let has_failed = |row: &Row| row.state == State::Trying { has_failed: true };
        self.lacking_since.filter(|_| self.rows.iter().all(has_failed))
    }

    /// The hubs that are to be connected, and asked for answers.
    pub(super) fn wanted(&self) -> BTreeSet<PeerId> {
        let (active, standby) = (self.active(), self.standby());
        let before_active = self.active.filter(|_| self.settings.failback.is_some()).unwrap_or(0);
        let is_wanted = |place: usize, row: &Row| {
            let is_chosen = Some(row.hub) == active || Some(row.hub) == standby;
            is_chosen || standby.is_none() || place < before_active
        };
        let rows = self.rows.iter().enumerate();
        rows.filter(|(place, row)| is_wanted(*place, row)).map(|(_, row)| row.hub).collect()
    }

    /// The hubs in their order, what is known of each, and how many keepalives in a row it has not answered.
    pub(super) fn rows(&self) -> impl Iterator<Item = (PeerId, HubState, u32)> {
        let (active, standby) = (self.active(), self.standby());
        self.rows.iter().map(move |row| match row.state {
            State::Idle => (row.hub, HubState::Idle, 0),
            State::Trying { has_failed: false } => (row.hub, HubState::Trying, 0),
            State::Trying { has_failed: true } => (row.hub, HubState::Lost, 0),
            State::Up { missed, .. } if Some(row.hub) == active => (row.hub, HubState::Active, missed),
            State::Up { missed, .. } if Some(row.hub) == standby => (row.hub, HubState::Standby, missed),
            State::Up { missed, .. } => (row.hub, HubState::Reached, missed),
        })
    }

    fn change(&mut self, now: Duration, hub: PeerId, change: impl FnOnce(State) -> State) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.hub == hub) {
            row.state = change(row.state);
        }
        self.settle(now);
    }

    /// Draws the conclusions.
    fn settle(&mut self, now: Duration) {
        if let Some(lost) = self.active.filter(|active| !self.is_up(*active)) {
            self.active = None;
            self.first = lost + 1;
        }
        if self.active.is_none() {
            self.active = self.search();
            self.is_first_search &= self.active.is_none();
        }
        if let Some(better) = self.better(now) {
            self.active = Some(better);
        }
        self.lacking_since = match self.active {
            None if !self.rows.is_empty() => self.lacking_since.or(Some(now)),
            _ => None,
        };
        let wanted = self.wanted();
        for row in &mut self.rows {
            row.state = match row.state {
                State::Idle if wanted.contains(&row.hub) => State::Trying { has_failed: false },
                _ if !wanted.contains(&row.hub) => State::Idle,
                state => state,
            };
        }
    }

    /// A hub to begin with.
    fn search(&self) -> Option<usize> {
        let found = self.first_up(self.first)?;
        let may_still_answer = |row: &Row| matches!(row.state, State::Idle | State::Trying { has_failed: false });
        let is_early = self.is_first_search && self.rows.get(..found)?.iter().any(may_still_answer);
        (!is_early).then_some(found)
    }

    /// A hub before the active one that has answered for long enough.
    fn better(&self, now: Duration) -> Option<usize> {
        let (active, stable) = self.active.zip(self.settings.failback)?;
        let is_stable = |row: &Row| row.up_since().is_some_and(|since| since + stable <= now);
        self.rows.get(..active)?.iter().position(is_stable)
    }

    /// The first that answers from a place on, around the end; the active one is not meant.
    fn first_up(&self, from: usize) -> Option<usize> {
        let count = self.rows.len();
        let mut places = (0..count).map(|step| (from + step) % count);
        places.find(|place| Some(*place) != self.active && self.is_up(*place))
    }

    fn is_up(&self, place: usize) -> bool {
        self.rows.get(place).is_some_and(|row| row.up_since().is_some())
    }
}

impl Row {
    fn up_since(&self) -> Option<Duration> {
        match self.state {
            State::Up { since, .. } => Some(since),
            State::Idle | State::Trying { .. } => None,
        }
    }
}

#[cfg(test)]
#[path = "choice_tests.rs"]
mod tests;

//! What this node has accepted stays its matter until it is known what became of it.
//!
//! ```text
//! submit ─▶ admit ─▶ own message, durable ─▶ read back ─▶ open ──── id in a certified docket ─────▶ gone
//!             │ full: outbox_full                          │ 2 s          refused for good, expired ─▶ dead letter
//!                                                          └─▶ handed straight to the sealers' leader
//! ```
//!
//! Nothing is written twice: what is open follows from this node's own messages behind a mark, and from the dockets. Only
//! registers that have dockets here are watched; of others nothing would ever be settled.

mod hand_in;
mod keeper;
mod lane;
mod settings;

pub(crate) use hand_in::{HandIn, Handed};
pub(crate) use keeper::OutboxKeeper;
pub use settings::{HAND_IN_AFTER, OUTBOX_CAPACITY, OutboxSettings, OutboxSettingsRefused};

use arc_swap::ArcSwap;
use lane::{Lane, Mark, Place};
use peerwright_ledger::{RegisterId, TransactionId};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use thiserror::Error;
use tokio::{sync::Notify, time::Instant};

/// A transaction of a register.
type Key = (RegisterId, TransactionId);

/// So much waits already that nothing more is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{0} transactions of this node wait for the sealers; try again when some are committed, or ask another node")]
pub struct OutboxFull(pub u32);

/// What waits, and what came to nothing.
#[derive(Debug)]
pub(crate) struct Outbox {
    settings: ArcSwap<OutboxSettings>,
    state: Mutex<State>,
    /// Something is to be read, or to be let go.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Being handed in, or durable and not read back yet.
    handed: BTreeMap<Key, HandedHere>,
    lanes: BTreeMap<RegisterId, Lane>,
    /// How many are open, over all lanes.
    open: usize,
    to_read: BTreeSet<RegisterId>,
    dead: BTreeSet<Key>,
    /// Dead letters that a docket holds all the same.
    risen: BTreeSet<Key>,
}

#[derive(Debug, Default)]
struct HandedHere {
    /// Calls that hand it in now.
    calls: u32,
    is_durable: bool,
    /// A docket holds it.
    is_settled: bool,
    /// It was read back.
    is_read: bool,
}

/// What a transaction of an own message turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// It was told of before it was read back, or is known.
    Nothing,
    /// It is open; a docket would have been told of.
    Open,
    /// It is open unless a docket holds it, which is to be looked up.
    Unknown,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutboxFigures {
    /// Transactions that wait for what becomes of them.
    pub open: usize,
    /// Dead letters.
    pub dead: usize,
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new(OutboxSettings::default())
    }
}

impl Outbox {
    pub(crate) fn new(settings: OutboxSettings) -> Self {
        Self { settings: ArcSwap::from_pointee(settings), state: Mutex::default(), changed: Notify::new() }
    }

    /// What it goes by now.
    pub(crate) fn settings(&self) -> OutboxSettings {
        **self.settings.load()
    }

    /// Goes by other numbers from now on. What waits already stays, however many there may be.
    pub(crate) fn tune(&self, settings: OutboxSettings) {
        self.settings.store(Arc::new(settings));
    }

    /// Room for a transaction that is handed in; `None` when it waits here already, durable.
    pub(crate) fn admit(
        self: &Arc<Self>,
        register: RegisterId,
        id: TransactionId,
    ) -> Result<Option<Admission>, OutboxFull> {
        let mut state = self.state();
        let (key, outbox) = ((register, id), self.clone());
        let Some(lane) = state.lanes.get(&register) else {
            return Ok(Some(Admission { key, outbox, is_watched: false }));
        };
        if lane.contains(&id) {
            return Ok(None);
        }
        if !state.handed.contains_key(&key) && state.len() >= self.capacity() {
            return Err(OutboxFull(self.settings().capacity));
        }
        state.handed.entry(key).or_default().calls += 1;
        Ok(Some(Admission { key, outbox, is_watched: true }))
    }

    /// Why nothing new of the register is taken now: known before anything of it is checked.
    pub(crate) fn refusal(&self, register: RegisterId) -> Option<OutboxFull> {
        let state = self.state();
        let is_full = state.lanes.contains_key(&register) && state.len() >= self.capacity();
        is_full.then(|| OutboxFull(self.settings().capacity))
    }

    /// Whether it matters here which transactions a docket of the register holds.
    pub(crate) fn has(&self, register: RegisterId) -> bool {
        let state = self.state();
        let lowest = (register, TransactionId::from_bytes([0; 32]));
        let of_register = |key: Option<&Key>| key.is_some_and(|(of, _)| *of == register);
        state.lanes.get(&register).is_some_and(|lane| lane.len() > 0)
            || of_register(state.handed.range(lowest..).next().map(|(key, _)| key))
            || of_register(state.dead.range(lowest..).next())
    }

    /// A certified docket holds these.
    pub(crate) fn tell_docket(&self, register: RegisterId, ids: &[TransactionId]) {
        let mut state = self.state();
        for id in ids {
            let key = (register, *id);
            state.settle(key);
            if let Some(handed) = state.handed.get_mut(&key) {
                handed.is_settled = true;
            }
            if state.dead.remove(&key) {
                state.risen.insert(key);
            }
        }
        if !state.risen.is_empty() {
            self.changed.notify_one();
        }
    }

    /// How much there is.
    pub(crate) fn figures(&self) -> OutboxFigures {
        let state = self.state();
        OutboxFigures { open: state.len(), dead: state.dead.len() }
    }

    /// Whether the transaction is a dead letter.
    pub(crate) fn is_dead(&self, register: RegisterId, id: TransactionId) -> bool {
        self.state().dead.contains(&(register, id))
    }

    /// As when the sealers have refused it.
    #[cfg(test)]
    pub(crate) fn tell_dead(&self, register: RegisterId, id: TransactionId) {
        self.buried([(register, id)], &[]);
    }

    /// These are dead letters from now on, and those are none any more.
    fn buried(&self, buried: impl IntoIterator<Item = Key>, gone: &[Key]) {
        let mut state = self.state();
        for key in buried {
            state.settle(key);
            state.dead.insert(key);
        }
        for key in gone {
            state.dead.remove(key);
        }
    }

    /// A docket holds this dead letter all the same.
    fn rise(&self, key: Key) {
        let mut state = self.state();
        if state.dead.remove(&key) {
            state.risen.insert(key);
            self.changed.notify_one();
        }
    }

    /// Whether this message of this node's own, and all before it, were read back and wait no longer.
    pub(crate) fn is_done_with(&self, register: RegisterId, incarnation: u64, sequence: u64) -> bool {
        self.lane(register, |lane| Mark { incarnation, sequence } <= lane.mark()).unwrap_or_default()
    }

    /// The transaction is no dead letter any more.
    pub(crate) fn exhumed(&self, register: RegisterId, id: TransactionId) {
        self.state().dead.remove(&(register, id));
    }

    /// An own message of the register is durable.
    fn is_to_be_read(&self, register: RegisterId) {
        self.state().to_read.insert(register);
        self.changed.notify_one();
    }

    /// Takes in a transaction of an own message.
    fn take(&self, register: RegisterId, id: TransactionId, place: Place, valid_until: u64, due: Instant) -> Taken {
        let (mut state, key) = (self.state(), (register, id));
        let handed = state.handed.get_mut(&key).map(|handed| {
            handed.is_read = true;
            (handed.calls, handed.is_settled)
        });
        if handed.is_some_and(|(calls, _)| calls == 0) {
            state.handed.remove(&key);
        }
        // Of a dead letter that is handed in anew, what is said then is what counts.
        let is_over = handed.map_or_else(|| state.dead.contains(&key), |(_, is_settled)| is_settled);
        let Some(lane) = state.lanes.get_mut(&register).filter(|_| !is_over) else { return Taken::Nothing };
        if !lane.take(id, place, valid_until, due) {
            return Taken::Nothing;
        }
        state.open += 1;
        if handed.is_some() { Taken::Open } else { Taken::Unknown }
    }

    fn settle(&self, register: RegisterId, id: TransactionId) {
        self.state().settle((register, id));
    }

    fn is_full(&self) -> bool {
        self.state().len() >= self.capacity()
    }

    fn capacity(&self) -> usize {
        usize::try_from(self.settings().capacity).unwrap_or(usize::MAX)
    }

    /// What a lane answers; `None` when the register is not watched.
    fn lane<T>(&self, register: RegisterId, ask: impl FnOnce(&mut Lane) -> T) -> Option<T> {
        self.state().lanes.get_mut(&register).map(ask)
    }

    fn watched(&self) -> BTreeSet<RegisterId> {
        self.state().lanes.keys().copied().collect()
    }

    fn watch(&self, register: RegisterId, lane: Lane, dead: impl IntoIterator<Item = TransactionId>) {
        let mut state = self.state();
        state.dead.extend(dead.into_iter().map(|id| (register, id)));
        state.lanes.insert(register, lane);
        state.to_read.insert(register);
    }

    fn forget(&self, register: RegisterId) {
        let mut state = self.state();
        state.open -= state.lanes.remove(&register).map_or(0, |lane| lane.len());
        state.handed.retain(|(of, _), _| *of != register);
        state.dead.retain(|(of, _)| *of != register);
    }

    fn marks(&self) -> BTreeMap<RegisterId, Mark> {
        self.state().lanes.iter().map(|(register, lane)| (*register, lane.mark())).collect()
    }

    /// The register is to be read when there is room again.
    fn read_later(&self, register: RegisterId) {
        self.state().to_read.insert(register);
    }

    fn take_to_read(&self) -> BTreeSet<RegisterId> {
        std::mem::take(&mut self.state().to_read)
    }

    fn take_risen(&self) -> Vec<Key> {
        std::mem::take(&mut self.state().risen).into_iter().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn len(&self) -> usize {
        self.handed.len() + self.open
    }

    fn settle(&mut self, (register, id): Key) {
        if self.lanes.get_mut(&register).is_some_and(|lane| lane.settle(&id)) {
            self.open -= 1;
        }
    }
}

/// Room in the outbox for one transaction while it is handed in.
#[derive(Debug)]
pub(crate) struct Admission {
    outbox: Arc<Outbox>,
    key: Key,
    is_watched: bool,
}

impl Admission {
    /// The transaction is durable: its room is kept until it is read back.
    pub(crate) fn accepted(self) {
        if self.is_watched {
            if let Some(handed) = self.outbox.state().handed.get_mut(&self.key) {
                handed.is_durable = true;
            }
            self.outbox.is_to_be_read(self.key.0);
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if !self.is_watched {
            return;
        }
        let mut state = self.outbox.state();
        if let Some(handed) = state.handed.get_mut(&self.key) {
            handed.calls = handed.calls.saturating_sub(1);
            if handed.calls == 0 && (handed.is_read || !handed.is_durable) {
                state.handed.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests;

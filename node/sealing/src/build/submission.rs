//! Transactions that are handed in together, and the room that they take until each has its outcome.

use super::Outcome;
use crate::{GroupRefused, SealingSettings};
use bytes::Bytes;
use peerwright_ledger::{Kind, RegisterId, TransactionId, TransactionView, docket::SEALED_HORIZON_MICROS};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

const MICROS_PER_SECOND: u64 = 1_000_000;

/// What comes of a submission.
pub(crate) type Answer = Result<Vec<Outcome>, GroupRefused>;

/// Transactions that are handed in together.
#[derive(Debug)]
pub(crate) struct Submission {
    state: Mutex<State>,
    _room: [OwnedSemaphorePermit; 2],
}

#[derive(Debug)]
struct State {
    outcomes: Vec<Option<Outcome>>,
    missing: usize,
    answer: Option<oneshot::Sender<Answer>>,
}

/// One of its transactions.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    submission: Arc<Submission>,
    position: usize,
    pub(crate) id: TransactionId,
    pub(crate) valid_until_micros: u64,
    pub(crate) is_control: bool,
    pub(crate) encoded: Bytes,
}

/// The way into the builder.
#[derive(Debug)]
pub(crate) struct Queue {
    sender: mpsc::Sender<(RegisterId, Vec<Item>)>,
    capacity: u32,
    transactions: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

impl Queue {
    pub(crate) fn new(settings: &SealingSettings) -> (Self, mpsc::Receiver<(RegisterId, Vec<Item>)>) {
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        // Every submission holds room for a transaction at least, so the channel is never full before the room is.
        let (sender, receiver) = mpsc::channel(size(settings.queued_transactions));
        let transactions = Arc::new(Semaphore::new(size(settings.queued_transactions)));
        let bytes = Arc::new(Semaphore::new(size(settings.queued_bytes)));
        (Self { sender, capacity: settings.queued_transactions, transactions, bytes }, receiver)
    }

    /// Resolves when all that was pushed has its outcome. Meanwhile there is no room for more.
    pub(crate) async fn emptied(&self) {
        // It is never closed.
        drop(self.transactions.acquire_many(self.capacity).await);
    }

    /// Queues transactions of a register as of `now`; the answer comes when each has its outcome.
    pub(crate) fn push(
        &self,
        register: RegisterId,
        transactions: Vec<Bytes>,
        now_micros: u64,
    ) -> Result<oneshot::Receiver<Answer>, GroupRefused> {
        let (sender, answer) = oneshot::channel();
        if transactions.is_empty() {
            drop(sender.send(Ok(Vec::new())));
            return Ok(answer);
        }
        let bytes: usize = transactions.iter().map(Bytes::len).sum();
        let room = |semaphore: &Arc<Semaphore>, wanted: usize| {
            let wanted = u32::try_from(wanted).map_err(|_| GroupRefused::QueueFull)?;
            Arc::clone(semaphore).try_acquire_many_owned(wanted).map_err(|_| GroupRefused::QueueFull)
        };
        let room = [room(&self.transactions, transactions.len())?, room(&self.bytes, bytes)?];
        let state =
            State { outcomes: vec![None; transactions.len()], missing: transactions.len(), answer: Some(sender) };
        let submission = Arc::new(Submission { state: Mutex::new(state), _room: room });
        let items = transactions.into_iter().enumerate();
        let items = items.filter_map(|(position, encoded)| submission.item(position, encoded, register, now_micros));
        let items: Vec<Item> = items.collect();
        if !items.is_empty() {
            self.sender.try_send((register, items)).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => GroupRefused::QueueFull,
                mpsc::error::TrySendError::Closed(_) => GroupRefused::Stopped,
            })?;
        }
        Ok(answer)
    }
}

impl Submission {
    /// A transaction as it waits; `None` when it has its outcome at once.
    fn item(self: &Arc<Self>, position: usize, encoded: Bytes, register: RegisterId, now_micros: u64) -> Option<Item> {
        let view = match TransactionView::read(&encoded) {
            Ok(view) => view,
            Err(error) => {
                self.set(position, Outcome::Refused(error.into()));
                return None;
            }
        };
        let refusal = refusal(&view, register, now_micros);
        let (id, valid_until_micros, is_control) = (view.id(), view.valid_until_micros, view.kind == Kind::Control);
        match refusal {
            Some(refusal) => {
                self.set(position, Outcome::Refused(refusal));
                None
            }
            None => Some(Item { submission: Arc::clone(self), position, id, valid_until_micros, is_control, encoded }),
        }
    }

    fn set(&self, position: usize, outcome: Outcome) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = state.outcomes.get_mut(position).filter(|place| place.is_none()) else { return };
        *place = Some(outcome);
        state.missing -= 1;
        if state.missing == 0
            && let Some(answer) = state.answer.take()
        {
            // Whoever handed them in may have gone.
            drop(answer.send(Ok(std::mem::take(&mut state.outcomes).into_iter().flatten().collect())));
        }
    }

    fn fail(&self, refused: GroupRefused) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = state.answer.take() {
            drop(answer.send(Err(refused)));
        }
    }
}

impl Item {
    /// This is what became of the transaction.
    pub(crate) fn settle(self, outcome: Outcome) {
        self.submission.set(self.position, outcome);
    }

    /// What became of the transaction is not known here: the whole submission ends so.
    pub(crate) fn fail(self, refused: GroupRefused) {
        self.submission.fail(refused);
    }
}

/// Why no docket of the register may take the transaction at `now_micros`; signatures were checked before.
fn refusal(view: &TransactionView<'_>, register: RegisterId, now_micros: u64) -> Option<peerwright_ledger::Refusal> {
    use peerwright_ledger::Refusal;
    if view.register != register {
        return Some(Refusal::OtherRegister(view.register));
    }
    if view.valid_until_micros <= view.created_at_micros {
        return Some(Refusal::NeverValid);
    }
    let ahead = view.valid_until_micros.saturating_sub(now_micros);
    if ahead == 0 {
        return Some(expired(view.valid_until_micros, now_micros));
    }
    let limit = SEALED_HORIZON_MICROS / MICROS_PER_SECOND;
    (ahead > SEALED_HORIZON_MICROS)
        .then(|| Refusal::LifetimeTooLong { seconds: ahead.div_ceil(MICROS_PER_SECOND), limit })
}

/// The transaction's time is over.
pub(crate) fn expired(valid_until_micros: u64, now_micros: u64) -> peerwright_ledger::Refusal {
    let seconds = now_micros.saturating_sub(valid_until_micros).div_ceil(MICROS_PER_SECOND);
    peerwright_ledger::Refusal::Expired { seconds }
}

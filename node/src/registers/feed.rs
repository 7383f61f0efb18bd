//! Brings what gossip has brought to the sealers' leader, in the order in which this node stored it.
//!
//! ```text
//! stored messages:  1 2 3 4 5 6 7 8 9
//!                         ▲ mark      below it everything is sealed, or expired unsealed
//!                           └──────── on the leader: handed in
//! ```
//!
//! Every sealer hears every transaction and moves its mark; the leader alone hands in. So whoever leads next begins where
//! the dockets end, and what is handed in twice is sealed once.

use super::{Registers, marks::MarksDocument};
use crate::driver::Clock;
use bytes::Bytes;
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, FuturesUnordered},
};
use peerwright_ledger::{RegisterId, TransactionView, docket::SEALED_HORIZON_MICROS};
use peerwright_sealing::{Group, GroupRefused};
use peerwright_store::{ListedTransaction, Seen, Store, StoreError};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout};

/// Transactions handed in at once.
const CHUNK: usize = 512;
/// Chunks of a register that wait for their outcome. Full: the next waits.
const UNDER_WAY: usize = 16;
/// Transactions that are read at once.
const READS: usize = 8;
/// Looked again without a word that something came.
const LOOK: Duration = Duration::from_secs(1);
/// A group that has no room is asked again.
const FULL: Duration = Duration::from_millis(50);
/// Between two times that the marks are written down: a start looks at what was stored since.
const KEEP: Duration = Duration::from_secs(10);
/// Where the marks are kept.
const MARKS: MarksDocument = MarksDocument { name: "sealing-marks", max_marks: peerwright_sealing::MAX_REGISTERS };

/// The way from messages to dockets.
pub(super) struct Feed {
    messages: Arc<dyn Store>,
    registers: Registers,
    group: Arc<Group>,
    marks: BTreeMap<RegisterId, u64>,
}

#[derive(Debug, Error)]
enum Stopped {
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    #[error("the group: {0}")]
    Group(#[from] GroupRefused),
}

/// What a row behind the mark is to a leader.
enum Row {
    /// In a docket, or no docket may hold it any more.
    Settled,
    /// To be sealed.
    Open(Bytes),
    /// A large one, whose body is on its way.
    Announced,
}

impl Feed {
    pub(super) fn new(messages: Arc<dyn Store>, registers: Registers, group: Arc<Group>) -> Self {
        Self { messages, registers, group, marks: BTreeMap::new() }
    }

    /// Runs until it is dropped.
    pub(super) async fn run(mut self) {
        match MARKS.load(&*self.messages).await {
            Ok(marks) => self.marks = marks,
            Err(error) => tracing::warn!(%error, "what was sealed before is looked at anew"),
        }
        let mut kept = (self.marks.clone(), Instant::now());
        loop {
            let is_leading = self.group.status().is_leading;
            match self.turn(is_leading).await {
                // Whatever came meanwhile is seen in the next turn.
                Ok(()) if is_leading => drop(timeout(LOOK, self.registers.arrived.notified()).await),
                Ok(()) => drop(timeout(LOOK, self.group.wait_until(|status| status.is_leading)).await),
                Err(Stopped::Group(GroupRefused::NotLeader { .. })) => {}
                Err(stopped) => {
                    tracing::debug!(%stopped, "handing in pauses");
                    sleep(FULL).await;
                }
            }
            if kept.1.elapsed() >= KEEP && kept.0 != self.marks {
                if let Err(error) = MARKS.keep(&*self.messages, &self.marks).await {
                    tracing::debug!(%error, "the marks are not kept");
                }
                kept = (self.marks.clone(), Instant::now());
            }
        }
    }

    async fn turn(&mut self, is_leading: bool) -> Result<(), Stopped> {
        for held in self.registers.store.registers().await? {
            let mark = self.marks.get(&held.register).copied().unwrap_or_default();
            let reached = if is_leading {
                self.hand_in(held.register, mark).await?
            } else {
                self.skip_settled(held.register, mark).await?
            };
            self.marks.insert(held.register, reached);
        }
        Ok(())
    }

    /// Moves past what is settled, and no further.
    async fn skip_settled(&self, register: RegisterId, mut mark: u64) -> Result<u64, StoreError> {
        loop {
            let rows = self.messages.list(register, Some(mark), CHUNK).await?;
            let begun = mark;
            let found = self.find(register, &rows).await?;
            for (row, is_sealed) in rows.iter().zip(found) {
                let Row::Settled = self.look(register, row, is_sealed).await? else { return Ok(mark) };
                mark = row.position;
            }
            if mark == begun {
                return Ok(mark);
            }
        }
    }

    /// Hands in all that lies behind the mark; gives the mark as far as nothing is missing.
    async fn hand_in(&self, register: RegisterId, mark: u64) -> Result<u64, Stopped> {
        let mut under_way = FuturesUnordered::new();
        let (mut next, mut reached, mut is_whole) = (mark, mark, true);
        loop {
            if under_way.len() < UNDER_WAY {
                let rows = self.messages.list(register, Some(next), CHUNK).await?;
                let mut chunk = Vec::with_capacity(rows.len());
                let found = self.find(register, &rows).await?;
                let looks: Vec<_> = rows
                    .iter()
                    .zip(found)
                    .map(|(row, is_sealed)| async move {
                        let look = self.look(register, row, is_sealed).await?;
                        Ok::<_, StoreError>((row.position, look))
                    })
                    .collect();
                let mut looks = stream::iter(looks).buffered(READS);
                while let Some((position, look)) = looks.try_next().await? {
                    next = position;
                    match look {
                        Row::Settled => {}
                        Row::Open(bytes) => chunk.push(bytes),
                        Row::Announced => is_whole = false,
                    }
                    if is_whole {
                        reached = position;
                    }
                }
                if !chunk.is_empty() {
                    under_way.push(self.submit(register, chunk));
                    continue;
                }
            }
            match under_way.next().await {
                Some(outcome) => outcome?,
                None => return Ok(reached),
            }
        }
    }

    /// Which of the rows are in a docket.
    async fn find(&self, register: RegisterId, rows: &[ListedTransaction]) -> Result<Vec<bool>, StoreError> {
        let ids = rows.iter().map(|row| row.id).collect();
        let places = self.registers.store.find_all(register, ids, Seen::Certified).await;
        let places = places.inspect_err(|error| self.registers.repairs.note(error))?;
        Ok(places.iter().map(Option::is_some).collect())
    }

    async fn look(&self, register: RegisterId, row: &ListedTransaction, is_sealed: bool) -> Result<Row, StoreError> {
        if is_sealed {
            return Ok(Row::Settled);
        }
        let now = Clock::wall().0;
        let Some(transaction) = self.messages.transaction(register, row.id).await? else {
            let is_over = now.saturating_sub(row.stored_at) > SEALED_HORIZON_MICROS;
            return Ok(if is_over { Row::Settled } else { Row::Announced });
        };
        match TransactionView::read(&transaction.bytes) {
            Ok(view) if view.valid_until_micros > now => Ok(Row::Open(transaction.bytes)),
            _ => Ok(Row::Settled),
        }
    }

    async fn submit(&self, register: RegisterId, chunk: Vec<Bytes>) -> Result<(), GroupRefused> {
        loop {
            match self.group.submit(register, chunk.clone()).await {
                Ok(_) => return Ok(()),
                Err(GroupRefused::QueueFull | GroupRefused::MemoryFull) => sleep(FULL).await,
                Err(refused) => return Err(refused),
            }
        }
    }
}

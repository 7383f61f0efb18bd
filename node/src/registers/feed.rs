//! Brings what gossip has brought to the sealers' leader, in the order in which this node stored it.
//!
//! ```text
//! stored messages:  1 2 3 4 5 6 7 8 9
//!                         ▲ mark      below it everything is sealed, or expired unsealed
//!                           └──────── on the leader: handed in
//! ```
//!
//! Every sealer hears every transaction and moves its mark; the leader alone hands in. So whoever leads next begins where
//! the dockets end, and what is handed in twice is sealed once. Each register is handed in by itself: a busy one, or one
//! that waits, holds up no other.

use super::{Registers, marks::MarksDocument};
use crate::driver::Clock;
use bytes::Bytes;
use futures::{
    StreamExt,
    stream::{FuturesOrdered, FuturesUnordered},
};
use peerwright_ledger::{RegisterId, TransactionId, TransactionView, docket::SEALED_HORIZON_MICROS};
use peerwright_sealing::{Group, GroupRefused};
use peerwright_store::{CarriedTransactions, ListedTransaction, Seen, Store, StoreError};
use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use thiserror::Error;
use tokio::{
    sync::Notify,
    time::{Instant, interval_at, sleep, timeout},
};

/// Transactions handed in at once.
const CHUNK: usize = 512;
/// Chunks of a register that wait for their outcome. Full: the next waits.
const UNDER_WAY: usize = 32;
/// Registers of which something is handed in at once. Full: the next waits.
const AT_ONCE: usize = 64;
/// A chunk of more bytes than this has one transaction.
const CHUNK_BYTES: u64 = 4 * 1024 * 1024;
/// From a word that something came to the look at it: what comes with it is handed in with it.
const GATHER: Duration = Duration::from_millis(10);
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
    marks: Mutex<BTreeMap<RegisterId, u64>>,
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

/// What lies behind a position, up to a bound.
struct Looked {
    rows: Vec<(u64, Row)>,
    /// Nothing lay behind these.
    is_end: bool,
}

impl Feed {
    pub(super) fn new(messages: Arc<dyn Store>, registers: Registers, group: Arc<Group>) -> Self {
        Self { messages, registers, group, marks: Mutex::default() }
    }

    /// Runs until it is dropped.
    pub(super) async fn run(self) {
        match MARKS.load(&*self.messages).await {
            Ok(marks) => *self.marks() = marks,
            Err(error) => tracing::warn!(%error, "what was sealed before is looked at anew"),
        }
        tokio::join!(self.hand_in_or_stand_by(), self.keep());
    }

    async fn hand_in_or_stand_by(&self) {
        loop {
            let turned = if self.group.status().is_leading { self.hand_in_all().await } else { self.stand_by().await };
            match turned {
                Ok(()) => {}
                Err(stopped) => {
                    tracing::debug!(%stopped, "handing in pauses");
                    sleep(FULL).await;
                }
            }
        }
    }

    /// Writes the marks down from time to time.
    async fn keep(&self) {
        let mut kept = self.marks().clone();
        loop {
            sleep(KEEP).await;
            let marks = self.marks().clone();
            if marks == kept {
                continue;
            }
            match MARKS.keep(&*self.messages, &marks).await {
                Ok(()) => kept = marks,
                Err(error) => tracing::debug!(%error, "the marks are not kept"),
            }
        }
    }

    fn marks(&self) -> MutexGuard<'_, BTreeMap<RegisterId, u64>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mark(&self, register: RegisterId) -> u64 {
        self.marks().get(&register).copied().unwrap_or_default()
    }

    async fn all(&self) -> Result<BTreeSet<RegisterId>, StoreError> {
        Ok(self.registers.store.registers().await?.into_iter().map(|held| held.register).collect())
    }

    /// Moves the marks, until this node may lead.
    async fn stand_by(&self) -> Result<(), Stopped> {
        for register in self.all().await? {
            self.skip_settled(register).await?;
        }
        drop(timeout(LOOK, self.group.wait_until(|status| status.is_leading)).await);
        Ok(())
    }

    /// Hands in while this node leads: each register by itself, so that none waits for another's dockets.
    async fn hand_in_all(&self) -> Result<(), Stopped> {
        let mut wanted = self.all().await?;
        let mut busy: BTreeMap<RegisterId, Arc<Notify>> = BTreeMap::new();
        let mut under_way = FuturesUnordered::new();
        let mut look = interval_at(Instant::now() + LOOK, LOOK);
        while self.group.status().is_leading {
            while busy.len() < AT_ONCE
                && let Some(register) = wanted.iter().find(|register| !busy.contains_key(register)).copied()
            {
                wanted.remove(&register);
                let more = busy.entry(register).or_default().clone();
                under_way.push(async move { (register, self.hand_in(register, &more).await) });
            }
            tokio::select! {
                biased;
                Some((register, handed)) = under_way.next(), if !under_way.is_empty() => {
                    busy.remove(&register);
                    match handed {
                        Err(Stopped::Group(GroupRefused::NotLeader { .. })) => return Ok(()),
                        // The next look tries it again; the others are not to wait for it.
                        Err(stopped) => tracing::debug!(%register, %stopped, "handing in pauses"),
                        Ok(()) => {}
                    }
                }
                arrived = self.registers.arrived.take() => {
                    arrived.iter().filter_map(|register| busy.get(register)).for_each(|more| more.notify_one());
                    // What was told as the last look ended is looked at again afterwards.
                    wanted.extend(arrived);
                }
                _ = look.tick() => wanted.extend(self.all().await?),
            }
        }
        Ok(())
    }

    /// Moves past what is settled, and no further.
    async fn skip_settled(&self, register: RegisterId) -> Result<(), StoreError> {
        let mut mark = self.mark(register);
        loop {
            let Looked { rows, is_end } = self.look(register, mark).await?;
            let settled = rows.iter().take_while(|(_, row)| matches!(row, Row::Settled)).count();
            let Some((position, _)) = settled.checked_sub(1).and_then(|last| rows.get(last)) else { return Ok(()) };
            mark = *position;
            self.marks().insert(register, mark);
            if is_end || settled < rows.len() {
                return Ok(());
            }
        }
    }

    /// Hands in all that lies behind the mark, which follows as far as nothing is missing. What comes meanwhile, of which
    /// `more` tells, does not wait for the dockets of what came before.
    async fn hand_in(&self, register: RegisterId, more: &Notify) -> Result<(), Stopped> {
        let mut under_way = FuturesOrdered::new();
        let mut next = self.mark(register);
        let (mut reached, mut is_whole) = (next, true);
        let mut may_be_more = true;
        let mut told = pin!(gathered(more));
        loop {
            if may_be_more && under_way.len() < UNDER_WAY {
                let looked = self.look(register, next).await?;
                may_be_more = !looked.is_end;
                let mut chunk = Vec::new();
                for (position, row) in looked.rows {
                    next = position;
                    match row {
                        Row::Settled => {}
                        Row::Open(bytes) => chunk.push(bytes),
                        Row::Announced => is_whole = false,
                    }
                    if is_whole {
                        reached = position;
                    }
                }
                if !chunk.is_empty() {
                    under_way.push_back(async move { self.submit(register, chunk).await.map(|()| reached) });
                }
                continue;
            }
            if under_way.is_empty() {
                self.marks().insert(register, reached);
                return Ok(());
            }
            tokio::select! {
                Some(handed) = under_way.next() => drop(self.marks().insert(register, handed?)),
                () = &mut told, if !may_be_more => {
                    may_be_more = true;
                    told.set(gathered(more));
                }
            }
        }
    }

    /// The next rows behind a position: mostly by one read, and by four at the most, however many readers wait beside this one.
    async fn look(&self, register: RegisterId, behind: u64) -> Result<Looked, StoreError> {
        let CarriedTransactions { rows, is_end } =
            self.messages.list_carried(register, Some(behind), CHUNK, CHUNK_BYTES).await?;
        let mut suspects: Vec<TransactionId> = rows.iter().map(|(row, _)| row.id).collect();
        // What has come just now hardly ever is sealed, and the group knows that without a look at the index.
        if let Some(may_be) = self.group.may_have_sealed(register, &suspects) {
            let mut may_be = may_be.into_iter();
            suspects.retain(|_| may_be.next().unwrap_or_default());
        }
        let mut sealed = self.sealed(register, suspects).await?;
        let is_apart =
            |(row, bytes): &&(ListedTransaction, Option<Bytes>)| bytes.is_none() && !sealed.contains(&row.id);
        let apart: Vec<TransactionId> = rows.iter().filter(is_apart).map(|(row, _)| row.id).collect();
        let mut bodies = self.bodies(register, &apart).await?;
        // Of a large one without a body nobody knows until when it was valid.
        let bodiless = apart.into_iter().filter(|id| !bodies.contains_key(id));
        sealed.extend(self.sealed(register, bodiless.collect()).await?);
        let now = Clock::wall().0;
        let looked = rows.into_iter().map(|(row, bytes)| {
            let is_sealed = sealed.contains(&row.id);
            let bytes = bytes.or_else(|| bodies.remove(&row.id));
            (row.position, if is_sealed { Row::Settled } else { unsettled(&row, bytes, now) })
        });
        Ok(Looked { rows: looked.collect(), is_end })
    }

    /// The bytes of these, of those that are held.
    async fn bodies(
        &self,
        register: RegisterId,
        ids: &[TransactionId],
    ) -> Result<BTreeMap<TransactionId, Bytes>, StoreError> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let found = self.messages.transactions(register, ids.to_vec()).await?;
        Ok(found.into_iter().flatten().map(|found| (found.id, found.bytes)).collect())
    }

    /// Which of these are in certified dockets.
    async fn sealed(
        &self,
        register: RegisterId,
        ids: Vec<TransactionId>,
    ) -> Result<BTreeSet<TransactionId>, StoreError> {
        if ids.is_empty() {
            return Ok(BTreeSet::new());
        }
        let places = self.registers.store.find_all(register, ids.clone(), Seen::Certified).await;
        let places = places.inspect_err(|error| self.registers.repairs.note(error))?;
        Ok(ids.into_iter().zip(places).filter(|(_, place)| place.is_some()).map(|(id, _)| id).collect())
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

/// Resolves some time after a word that more has come.
async fn gathered(more: &Notify) {
    more.notified().await;
    sleep(GATHER).await;
}

/// What a row is that no docket holds.
fn unsettled(row: &ListedTransaction, bytes: Option<Bytes>, now: u64) -> Row {
    let Some(bytes) = bytes else {
        let is_over = now.saturating_sub(row.stored_at) > SEALED_HORIZON_MICROS;
        return if is_over { Row::Settled } else { Row::Announced };
    };
    match TransactionView::read(&bytes) {
        Ok(view) if view.valid_until_micros > now => Row::Open(bytes),
        _ => Row::Settled,
    }
}

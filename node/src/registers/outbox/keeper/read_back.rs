//! Reads back what this node has published, into the outbox.

use super::{OutboxKeeper, TICK};
use crate::registers::{
    marks::MarksDocument,
    outbox::{Mark, Place, Taken, lane::Lane},
};
use peerwright_ledger::{Entry, Message, RegisterId, TransactionId, TransactionView};
use peerwright_secure::NodePublicKey;
use peerwright_store::{MessageRange, Seen, StoreError};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout};

/// Messages read at once.
const MESSAGES: usize = 256;
const MESSAGE_BYTES: usize = 1024 * 1024;
/// Dead letters read at once.
const DEAD_LETTERS: usize = 1_000;
/// Between word that something came and its reading.
const GATHER: Duration = Duration::from_millis(20);
/// Everything is read again without a word that something came.
const LOOK: Duration = Duration::from_secs(5);
/// Between two times that the marks are written down: a start looks at what was accepted since.
const KEEP: Duration = Duration::from_secs(10);
/// Where the marks are kept.
const MARKS: MarksDocument = MarksDocument { name: "outbox-marks", max_marks: 65_536 };

impl OutboxKeeper {
    /// Reads back, for ever.
    pub(super) async fn read(&self) {
        let kept = MARKS.load(&*self.messages).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "what was accepted before is looked at anew");
            BTreeMap::new()
        });
        let (mut marks, mut written, mut looked) = (kept, Instant::now(), Instant::now());
        let mut watched = None::<Instant>;
        loop {
            let is_due = watched.is_none_or(|watched| watched.elapsed() >= TICK);
            if is_due {
                watched = Some(Instant::now());
            }
            if let Err(error) = self.read_round(is_due.then_some(&marks)).await {
                tracing::debug!(%error, "the outbox is read again in a moment");
                sleep(TICK).await;
            }
            if written.elapsed() >= KEEP {
                written = Instant::now();
                self.keep(&mut marks).await;
            }
            let outbox = &self.registers.outbox;
            if timeout(TICK, outbox.changed.notified()).await.is_ok() {
                // One reading serves all that comes meanwhile.
                sleep(GATHER).await;
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                outbox.watched().into_iter().for_each(|register| outbox.read_later(register));
            }
        }
    }

    /// Reads what has changed; with `marks`, it looks as well which registers are to be watched.
    async fn read_round(&self, marks: Option<&BTreeMap<RegisterId, Mark>>) -> Result<(), StoreError> {
        let outbox = &self.registers.outbox;
        if let Some(marks) = marks {
            self.watch(marks).await?;
        }
        let risen = outbox.take_risen();
        if !risen.is_empty() {
            tracing::info!(transactions = risen.len(), "dead letters were committed all the same");
            self.messages.exhume(risen).await?;
        }
        for register in outbox.take_to_read() {
            if let Err(error) = self.read_back(register).await {
                outbox.read_later(register);
                return Err(error);
            }
        }
        Ok(())
    }

    async fn keep(&self, marks: &mut BTreeMap<RegisterId, Mark>) {
        let before = marks.clone();
        // Of a register that is not watched any more, the mark stays.
        marks.extend(self.registers.outbox.marks());
        if *marks != before
            && let Err(error) = MARKS.keep(&*self.messages, marks).await
        {
            tracing::debug!(%error, "the marks are not kept");
            *marks = before;
        }
    }

    /// Watches the registers that are subscribed and have dockets here.
    async fn watch(&self, marks: &BTreeMap<RegisterId, Mark>) -> Result<(), StoreError> {
        let outbox = &self.registers.outbox;
        let (wanted, watched) = (self.wanted(), outbox.watched());
        watched.difference(&wanted).for_each(|register| outbox.forget(*register));
        let new: Vec<RegisterId> = wanted.difference(&watched).copied().collect();
        if new.is_empty() {
            return Ok(());
        }
        let held = self.messages.held(new.clone()).await?;
        for register in new {
            let own = held.iter().filter(|held| (held.register, held.origin) == (register, self.own()));
            let lives: BTreeSet<u64> = own.map(|held| held.incarnation).collect();
            let mark = marks.get(&register).copied().unwrap_or_default();
            let dead = self.dead_letters(register).await?;
            outbox.watch(register, Lane::new(mark, lives, self.incarnation), dead);
        }
        Ok(())
    }

    fn own(&self) -> NodePublicKey {
        self.membership.key().public()
    }

    fn wanted(&self) -> BTreeSet<RegisterId> {
        let Some(current) = self.membership.snapshot() else { return BTreeSet::new() };
        let (node, peer) = (self.membership.spiffe().node(), self.membership.peer_id());
        let heard = current.snapshot.content.gossiped_by(node, &peer).map(|register| RegisterId::from_bytes(*register));
        heard.filter(|register| self.registers.heads.count(*register) > 0).collect()
    }

    async fn dead_letters(&self, register: RegisterId) -> Result<Vec<TransactionId>, StoreError> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.messages.dead_letters(register, after, DEAD_LETTERS).await?;
            let Some(last) = page.last() else { return Ok(all) };
            after = Some(last.position);
            for row in page {
                let (id, store) = (row.letter.id, &self.registers.store);
                if store.find(register, id, Seen::Certified).await?.is_some() {
                    self.messages.exhume(vec![(register, id)]).await?;
                } else {
                    all.push(id);
                }
            }
        }
    }

    /// Reads what this node has published in the register since it was last read.
    async fn read_back(&self, register: RegisterId) -> Result<(), StoreError> {
        let outbox = &self.registers.outbox;
        while let Some((cursor, is_current)) = outbox.lane(register, |lane| (lane.cursor(), lane.is_current())) {
            if !is_current && outbox.is_full() {
                outbox.read_later(register);
                return Ok(());
            }
            let Mark { incarnation, sequence } = cursor;
            let (from, to) = (sequence.saturating_add(1), u64::MAX);
            let range = MessageRange { register, origin: self.own(), incarnation, from, to };
            let page = self.messages.read(vec![range], MESSAGES, MESSAGE_BYTES).await?;
            if page.is_empty() && is_current {
                return Ok(());
            }
            if page.is_empty() {
                outbox.lane(register, Lane::next_life);
            }
            for encoded in page {
                let message = Message::decode(encoded).map_err(|error| StoreError::Damaged(error.to_string()))?;
                let through = Mark { incarnation, sequence: message.body().register_sequence };
                self.take(register, &message, through).await?;
                outbox.lane(register, |lane| lane.set_read(through));
            }
        }
        Ok(())
    }

    async fn take(&self, register: RegisterId, message: &Message, at: Mark) -> Result<(), StoreError> {
        let outbox = &self.registers.outbox;
        let due = Instant::now() + outbox.settings().hand_in_after;
        for (number, entry) in message.body().entries.iter().enumerate() {
            let bytes = match entry {
                Entry::Inline(bytes) => Some(bytes.clone()),
                Entry::Announced { id, .. } => self.messages.transaction(register, *id).await?.map(|found| found.bytes),
            };
            let Some(Ok(view)) = bytes.as_deref().map(TransactionView::read) else { continue };
            let (id, place) = (view.id(), Place { message: at, entry: number });
            let taken = outbox.take(register, id, place, view.valid_until_micros, due);
            let store = &self.registers.store;
            if taken == Taken::Unknown && store.find(register, id, Seen::Certified).await?.is_some() {
                outbox.settle(register, id);
            }
        }
        Ok(())
    }
}

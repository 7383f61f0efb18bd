//! Settles what is open: what has expired, and what the sealers say when it is handed in.

use super::{OutboxKeeper, TICK};
use crate::{
    driver::Clock,
    mutant::{Mutant, is_mutant},
    registers::{
        Settled,
        outbox::{OutboxSettings, hand_in::Handed},
    },
};
use bytes::Bytes;
use futures::{StreamExt, stream};
use peerwright_ledger::{DocketHeader, RegisterId, TransactionId};
use peerwright_store::{DeadLetter, Seen, StoreError};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Transactions handed in at once, and their bytes.
const HAND_IN_TRANSACTIONS: usize = 64;
const HAND_IN_BYTES: usize = crate::transport::MAX_MESSAGE_BYTES;
/// How long the leader is given to seal what is handed in last.
const SEAL_WITHIN: Duration = Duration::from_secs(1);
/// Registers of which something is handed in at once.
const AT_ONCE: usize = 8;

impl OutboxKeeper {
    /// Settles and hands in, for ever.
    pub(super) async fn settle(&self) {
        loop {
            sleep(TICK).await;
            let watched = self.registers.outbox.watched();
            stream::iter(watched)
                .for_each_concurrent(AT_ONCE, async |register| {
                    let settled = async {
                        self.settle_expired(register).await?;
                        self.hand_in_due(register).await
                    };
                    if let Err(error) = settled.await {
                        tracing::debug!(%register, %error, "the outbox waits for the store");
                    }
                })
                .await;
        }
    }

    /// Those whose time was over before the newest docket was sealed no docket will hold: dockets' times never go back.
    async fn settle_expired(&self, register: RegisterId) -> Result<(), StoreError> {
        let (outbox, store) = (&self.registers.outbox, &self.registers.store);
        let expired = outbox.lane(register, |lane| lane.expired(Clock::wall().0)).unwrap_or_default();
        if expired.is_empty() {
            return Ok(());
        }
        let held = store.held_dockets(register).await?;
        // Where dockets are missing here, one of them may hold it: the leader is asked.
        let Some(through) = held.filter(|held| held.first == 0).and_then(|held| held.certified_through) else {
            return Ok(());
        };
        let newest = store.headers(register, through, Seen::Certified, 1).await?.pop();
        let Some(Ok(newest)) = newest.map(|newest| DocketHeader::decode(&newest.header)) else { return Ok(()) };
        let over = expired.into_iter().filter(|(_, until)| *until <= newest.sealed_at_micros);
        let over = over.map(|(id, _)| (id, "expired".to_owned())).collect();
        self.bury(register, over).await
    }

    async fn hand_in_due(&self, register: RegisterId) -> Result<(), StoreError> {
        let outbox = &self.registers.outbox;
        loop {
            let OutboxSettings { hand_in_after, .. } = outbox.settings();
            let due = outbox.lane(register, |lane| lane.due(Instant::now(), HAND_IN_TRANSACTIONS + 1));
            let due = due.unwrap_or_default();
            let (ids, batch) = self.batch(register, &due).await?;
            if ids.is_empty() {
                return Ok(());
            }
            let is_last = ids.len() == due.len();
            let wait = if is_last { SEAL_WITHIN } else { Duration::ZERO };
            let answers = self.hand_in.hand_in(register, batch, wait).await;
            let answers = match answers {
                Ok(answers) => answers,
                Err(unhanded) => {
                    tracing::debug!(%register, %unhanded, "the sealers' leader is not reached");
                    self.registers.telemetry.handed_in("failed", ids.len());
                    outbox.lane(register, |lane| lane.failed(Instant::now(), hand_in_after));
                    return Ok(());
                }
            };
            outbox.lane(register, |lane| lane.postpone(&ids, Instant::now(), hand_in_after));
            self.take_answers(register, ids, answers).await?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// The first of these, with their bytes, as many as go in one call.
    async fn batch(
        &self,
        register: RegisterId,
        due: &[TransactionId],
    ) -> Result<(Vec<TransactionId>, Vec<Bytes>), StoreError> {
        let (mut ids, mut batch, mut bytes) = (Vec::new(), Vec::new(), 0);
        for id in due.iter().take(HAND_IN_TRANSACTIONS) {
            let Some(found) = self.messages.transaction(register, *id).await? else {
                // The register was purged, or a docket holds it.
                self.registers.outbox.settle(register, *id);
                continue;
            };
            bytes += found.bytes.len();
            if bytes > HAND_IN_BYTES && !batch.is_empty() {
                break;
            }
            ids.push(*id);
            batch.push(found.bytes);
        }
        Ok((ids, batch))
    }

    async fn take_answers(
        &self,
        register: RegisterId,
        ids: Vec<TransactionId>,
        answers: Vec<Handed>,
    ) -> Result<(), StoreError> {
        let (outbox, store) = (&self.registers.outbox, &self.registers.store);
        let mut refused = Vec::new();
        for (id, answer) in ids.into_iter().zip(answers) {
            self.registers.telemetry.handed_in(answer.label(), 1);
            match answer {
                Handed::Sealed(place) => {
                    if is_mutant(Mutant::TrustsTheLeader) {
                        self.registers.waiters.tell(register, id, &Settled::Committed(place));
                    }
                    let first = store.held_dockets(register).await?.map_or(0, |held| held.first);
                    // What is not held here nobody will tell of.
                    if place.number < first || store.find(register, id, Seen::Certified).await?.is_some() {
                        outbox.settle(register, id);
                    }
                }
                Handed::Taken => {}
                Handed::Refused(reason) => refused.push((id, reason)),
            }
        }
        self.bury(register, refused).await
    }

    /// Makes dead letters of those that no docket here holds.
    async fn bury(&self, register: RegisterId, dead: Vec<(TransactionId, String)>) -> Result<(), StoreError> {
        let (outbox, store) = (&self.registers.outbox, &self.registers.store);
        let mut letters = Vec::new();
        for (id, reason) in dead {
            if store.find(register, id, Seen::Certified).await?.is_some() {
                outbox.settle(register, id);
            } else {
                letters.push(DeadLetter { register, id, reason, died_at: Clock::wall().0 });
            }
        }
        if letters.is_empty() {
            return Ok(());
        }
        let gone = self.messages.bury(letters.clone()).await?;
        outbox.buried(letters.iter().map(|letter| (register, letter.id)), &gone);
        for DeadLetter { id, reason, .. } in letters {
            tracing::warn!(%register, %id, reason, "a transaction that was accepted here will not be committed");
            self.registers.telemetry.dead_letter(if reason == "expired" { "expired" } else { "refused" });
            self.registers.waiters.tell(register, id, &Settled::Dead(reason));
            // A docket may have come meanwhile, before there was a dead letter to tell of.
            if store.find(register, id, Seen::Certified).await?.is_some() {
                outbox.rise((register, id));
            }
        }
        Ok(())
    }
}

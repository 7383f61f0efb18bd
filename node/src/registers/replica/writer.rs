//! Stores what is verified: whatever has come while the last commit synced goes into the next one.
//!
//! ```text
//! Verified, Verified, ... ─▶ one extension ─▶ store: dockets and checkpoint, one commit ─▶ heads, credit, room
//!                              two under way, so that the disk never waits for this node
//! ```

use super::{Ended, Replica, stretch::Verified};
use crate::{driver::Clock, registers::Registers};
use futures::{StreamExt, stream::FuturesOrdered};
use peerwright_ledger::RegisterId;
use peerwright_proto::v1::{FollowRequest, follow_request::Kind};
use peerwright_store::{Extension, StoreError};
use std::pin::pin;
use tokio::sync::{OwnedRwLockReadGuard, mpsc};

/// One commit begins no further piece above so many bytes of bodies.
const COMMIT_BYTES: usize = 8 * 1024 * 1024;
/// Commits that are under way at once.
const UNDER_WAY: usize = 2;

/// Writes dockets of one register in their order.
struct Writer<'a> {
    registers: &'a Registers,
    register: RegisterId,
    /// Where credit goes back to.
    credits: Option<mpsc::Sender<FollowRequest>>,
}

/// What a commit stores.
struct Group {
    first: Verified,
    others: Vec<Verified>,
}

/// What is known once it is stored.
struct Written {
    held: u64,
    credit: u32,
}

impl Replica {
    /// Writes what is fetched, until that ends, writing fails, or the register stalls. What the writer has is stored by then,
    /// unless that is what failed: the next round begins where the store is.
    pub(super) async fn write_while<T>(
        &self,
        verified: mpsc::Receiver<Verified>,
        credits: Option<mpsc::Sender<FollowRequest>>,
        fetching: impl Future<Output = Result<T, Ended>>,
    ) -> Result<T, Ended> {
        let writer = Writer { registers: &self.registers, register: self.register, credits };
        let (mut writing, mut stalled) = (pin!(writer.run(verified)), pin!(self.stalled()));
        let fetched = tokio::select! {
            biased;
            written = &mut writing => return Err(written.err().unwrap_or(Ended::Stopped)),
            fetched = fetching => fetched,
            () = &mut stalled => Err(Ended::Stalled),
        };
        tokio::select! {
            biased;
            written = &mut writing => written?,
            // It is the store that stalls: people are told, and it is waited for all the same.
            () = stalled, if !matches!(fetched, Err(Ended::Stalled)) => writing.await?,
        }
        fetched
    }
}

impl Writer<'_> {
    /// Writes until nothing more comes.
    async fn run(self, mut verified: mpsc::Receiver<Verified>) -> Result<(), Ended> {
        let mut under_way = FuturesOrdered::new();
        let (mut next, mut is_open, mut owed) = (None, true, 0u32);
        while is_open || next.is_some() || !under_way.is_empty() {
            tokio::select! {
                biased;
                Some(written) = under_way.next(), if !under_way.is_empty() => {
                    let Written { held, credit } = written?;
                    self.registers.advance(self.register, held);
                    self.registers.standing.stored(self.register, held, Clock::wall().0);
                    owed = self.pay(owed.saturating_add(credit));
                }
                // Where this node seals meanwhile, it waits for the end of that, and then begins where the store is.
                guard = self.registers.writing.clone().read_owned(), if next.is_some() => {
                    if let Some(group) = next.take() {
                        under_way.push_back(self.store(group, guard));
                    }
                }
                group = gather(&mut verified), if is_open && next.is_none() && under_way.len() < UNDER_WAY => {
                    is_open = group.is_some();
                    next = group;
                }
            }
        }
        Ok(())
    }

    /// Hands the group to the store at once, so that the order of calls is the order of writes.
    fn store(
        &self,
        group: Group,
        guard: OwnedRwLockReadGuard<()>,
    ) -> impl Future<Output = Result<Written, StoreError>> + Send {
        let Group { first, others } = group;
        let mut credit = first.credit;
        let mut rooms = vec![first.room];
        let (mut dockets, mut checkpoint) = (first.dockets, first.checkpoint);
        for piece in others {
            credit = credit.saturating_add(piece.credit);
            rooms.push(piece.room);
            dockets.extend(piece.dockets);
            checkpoint = piece.checkpoint;
        }
        let held = dockets.last().map_or(0, |last| last.number + 1);
        let extension = Extension { register: self.register, dockets, checkpoint };
        let storing = self.registers.store.extend(vec![extension]);
        async move {
            let stored = storing.await;
            drop((guard, rooms));
            stored.map(|()| Written { held, credit })
        }
    }

    /// Gives credit back; what is still owed goes with the next.
    fn pay(&self, owed: u32) -> u32 {
        match &self.credits {
            Some(credits) if owed > 0 => {
                let paid = credits.try_send(FollowRequest { kind: Some(Kind::Credit(owed)) }).is_ok();
                if paid { 0 } else { owed }
            }
            _ => 0,
        }
    }
}

/// Waits for a piece, and takes with it what is there already.
async fn gather(verified: &mut mpsc::Receiver<Verified>) -> Option<Group> {
    let first = verified.recv().await?;
    let mut bytes = first.bytes();
    let mut others: Vec<Verified> = Vec::new();
    while bytes < COMMIT_BYTES {
        let Ok(piece) = verified.try_recv() else { break };
        bytes += piece.bytes();
        others.push(piece);
    }
    Some(Group { first, others })
}

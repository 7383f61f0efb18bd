//! The newest certified dockets, in the order in which they were stored, for whoever follows.
//!
//! ```text
//! recorded ─▶ [ 7 8 9 ] ─▶ follower at 8
//!               └ the oldest go when there is no more room: a follower that was at 5 hears that it has missed some
//! ```

use peerwright_ledger::Docket;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};
use thiserror::Error;
use tokio::sync::watch;

/// Most dockets kept for followers.
const MAX_DOCKETS: usize = 1_024;
/// Most bytes of their bodies; the newest docket is kept whatever its length.
const MAX_BYTES: usize = 32 << 20;

/// A follower was too slow, and the dockets that it would have got are no longer kept here. It reads from the store what it
/// lacks, and goes on with the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("dockets went by unread; they are in the store")]
pub struct Missed;

#[derive(Debug, Default)]
pub(crate) struct Tail {
    kept: Arc<Mutex<Kept>>,
    /// How many dockets there were.
    count: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    first: u64,
    dockets: VecDeque<Docket>,
    bytes: usize,
}

/// Gives each certified docket once, those of one register in the order of their numbers.
#[derive(Debug)]
pub struct Follower {
    kept: Arc<Mutex<Kept>>,
    count: watch::Receiver<u64>,
    next: u64,
}

impl Tail {
    /// Adds a docket that is stored.
    pub(crate) fn push(&self, docket: Docket) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += docket.body.encoded().len();
        kept.dockets.push_back(docket);
        while kept.dockets.len() > MAX_DOCKETS || (kept.bytes > MAX_BYTES && kept.dockets.len() > 1) {
            let gone = kept.dockets.pop_front();
            kept.bytes -= gone.map_or(0, |docket| docket.body.encoded().len());
            kept.first += 1;
        }
        let end = kept.first + kept.dockets.len() as u64;
        drop(kept);
        self.count.send_replace(end);
    }

    /// Follows from the next docket on.
    pub(crate) fn follow(&self) -> Follower {
        let mut count = self.count.subscribe();
        let next = *count.borrow_and_update();
        Follower { kept: Arc::clone(&self.kept), count, next }
    }
}

impl Follower {
    /// The next docket; waits for it. `None` when the group has ended.
    pub async fn next(&mut self) -> Option<Result<Docket, Missed>> {
        loop {
            if let Some(found) = self.take() {
                return Some(found);
            }
            self.count.changed().await.ok()?;
        }
    }

    fn take(&mut self) -> Option<Result<Docket, Missed>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = self.next.checked_sub(kept.first) else {
            self.next = kept.first;
            return Some(Err(Missed));
        };
        let docket = kept.dockets.get(usize::try_from(place).ok()?)?.clone();
        self.next += 1;
        Some(Ok(docket))
    }
}

//! Waiting for a store that is busy, full or away: consensus goes on from where it stood once it can be used again.

use peerwright_store::{Pending, StoreError};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// Pause after a queue had no room.
const BUSY_PAUSE: Duration = Duration::from_millis(10);
/// Pause after the volume had no room, or the database was away. A leader that waits shows no heartbeat, so that another takes over.
const LONG_PAUSE: Duration = Duration::from_millis(500);

/// How a sealer waits for its store.
#[derive(Debug, Default)]
pub(crate) struct Durable {
    pub(crate) cancelled: CancellationToken,
    is_full: AtomicBool,
    is_away: AtomicBool,
}

impl Durable {
    /// Whether the volume had no room when something was last written.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Whether the store could not be reached when it was last asked.
    pub(crate) fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Relaxed)
    }

    /// Asks again until the store has answered, has failed for good, or the sealer ends.
    pub(crate) async fn ask<'s, T>(&self, ask: impl Fn() -> Pending<'s, T>) -> Result<T, StoreError> {
        loop {
            let pause = match ask().await {
                Err(StoreError::Busy) => BUSY_PAUSE,
                Err(StoreError::DiskFull) => {
                    self.is_full.store(true, Ordering::Relaxed);
                    LONG_PAUSE
                }
                Err(StoreError::Unreachable(_)) => {
                    self.is_away.store(true, Ordering::Relaxed);
                    LONG_PAUSE
                }
                answer => {
                    self.is_away.store(false, Ordering::Relaxed);
                    return answer;
                }
            };
            tokio::select! {
                biased;
                () = self.cancelled.cancelled() => return Err(StoreError::Closed),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// As [`Durable::ask`], for what needs room on the volume.
    pub(crate) async fn write<'s, T>(&self, write: impl Fn() -> Pending<'s, T>) -> Result<T, StoreError> {
        let written = self.ask(write).await;
        if written.is_ok() {
            self.is_full.store(false, Ordering::Relaxed);
        }
        written
    }
}

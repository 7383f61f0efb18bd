//! Which replica may write.
//!
//! Every replica is warm; one holds the Lease `peerwright-operator` and writes. Leadership is a *deadline*, not a flag: a
//! renewal that was sent at `t` gives the right to write until `t + RENEW_DEADLINE`, measured on this process's monotonic
//! clock, and the others wait longer than that. A process that was frozen past its deadline therefore knows so at its
//! first look at the clock, before it has heard from anybody.
//!
//! Written here rather than taken from a crate because the deadline is the point, and because every change of the Lease
//! must carry the resource version that the decision was made on: a patch without it, sent by a thawed process, would
//! renew or clear another's lease.

mod campaign;
mod lease;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

pub use campaign::{CampaignError, campaign};

/// How long a lease that is no longer renewed keeps the others waiting. With their polls, a killed leader is replaced
/// within 15 s.
pub const LEASE_DURATION: Duration = Duration::from_secs(12);
/// How long after its last successful renewal a leader may write. Shorter than [`LEASE_DURATION`]: what is under way
/// ends before anybody else begins.
pub const RENEW_DEADLINE: Duration = Duration::from_secs(8);
/// How often the leader renews.
const RENEW_INTERVAL: Duration = Duration::from_secs(2);
/// How often the others look; a released lease is taken over this fast.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The right to write, as seen by those who would.
#[derive(Clone, Debug)]
pub struct Leadership {
    until: Arc<Mutex<Option<Instant>>>,
    leading: watch::Sender<bool>,
}

impl Leadership {
    /// Nobody's leadership yet.
    #[must_use]
    pub fn new() -> Self {
        Self { until: Arc::default(), leading: watch::Sender::new(false) }
    }

    /// A leadership that lasts: for tests of what writes.
    #[cfg(test)]
    #[must_use]
    pub fn held_for(duration: Duration) -> Self {
        let leadership = Self::new();
        leadership.extend(Instant::now() + duration);
        leadership
    }

    /// Says whether this process may write now. Ask before every write.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.lock().is_some_and(|until| Instant::now() < until)
    }

    /// Follows whether this replica leads. It turns false at the deadline at the latest when the process runs; a write
    /// asks [`Self::is_fresh`] all the same.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<bool> {
        self.leading.subscribe()
    }

    fn deadline(&self) -> Option<Instant> {
        *self.lock()
    }

    fn extend(&self, until: Instant) {
        *self.lock() = Some(until);
        self.leading.send_if_modified(|leading| !std::mem::replace(leading, true));
    }

    pub(crate) fn end(&self) {
        *self.lock() = None;
        self.leading.send_if_modified(|leading| std::mem::replace(leading, false));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Leadership {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;

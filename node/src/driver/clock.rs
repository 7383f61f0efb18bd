//! The engine's time: the wall clock when the driver started plus what a monotonic clock has counted since.

use peerwright_engine::Micros;
use std::{
    future::Future,
    time::{Duration, SystemTime},
};
use tokio::time::{Instant, sleep_until};

/// Counts from a start; never goes back.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    wall_at_start: Micros,
}

impl Clock {
    /// Starts counting now.
    #[must_use]
    pub fn start() -> Self {
        Self { started: Instant::now(), wall_at_start: Self::wall() }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Micros {
        self.wall_at_start + self.started.elapsed()
    }

    /// What the wall clock says, which may jump.
    #[must_use]
    pub fn wall() -> Micros {
        Micros(u64::try_from(since_epoch().as_micros()).unwrap_or(u64::MAX))
    }

    /// Resolves at `at`; never without one.
    pub(super) fn sleep_until(&self, at: Option<Micros>) -> impl Future<Output = ()> + use<> {
        let deadline = at.map(|at| self.started + at.since(self.wall_at_start));
        async move {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        }
    }
}

fn system_since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(not(test))]
use system_since_epoch as since_epoch;

/// On a simulated network its time, of which much passes within a second of the system's.
#[cfg(test)]
fn since_epoch() -> Duration {
    turmoil::since_epoch().unwrap_or_else(system_since_epoch)
}

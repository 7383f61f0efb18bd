//! The engine's time: the wall clock when the driver started plus what a monotonic clock has counted since.

use peerwright_engine::Micros;
use std::{future::Future, time::SystemTime};
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
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
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

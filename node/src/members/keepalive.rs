//! The health service. Keepalives are its calls; the answers say how many registers are held here, and whether too many
//! come.

use crate::registers::{HubSettings, Registers, Remark};
use std::sync::{Mutex, PoisonError};
use tokio::{sync::watch, time::Instant};
use tonic::{Request, Response, Status};
use tonic_health::{
    pb::{HealthCheckRequest, HealthCheckResponse, health_server::Health},
    server::{HealthReporter, HealthService, WatchStream},
};

/// Answers keepalives.
pub(super) struct Keepalives {
    health: HealthService,
    registers: Registers,
    settings: watch::Receiver<HubSettings>,
    begun: Instant,
    rate: Mutex<Rate>,
}

impl Keepalives {
    pub(super) fn new(reporter: HealthReporter, registers: Registers, settings: watch::Receiver<HubSettings>) -> Self {
        let health = HealthService::from_health_reporter(reporter);
        Self { health, registers, settings, begun: Instant::now(), rate: Mutex::default() }
    }

    fn remark(&self) -> Remark {
        let second = self.begun.elapsed().as_secs();
        let calls = self.rate.lock().unwrap_or_else(PoisonError::into_inner).note(second);
        let is_busy = calls > self.settings.borrow().answers_a_second;
        Remark { registers: Some(self.registers.heads.held()), is_busy }
    }
}

#[tonic::async_trait]
impl Health for Keepalives {
    type WatchStream = WatchStream;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let mut response = self.health.check(request).await?;
        self.remark().write(response.metadata_mut());
        Ok(response)
    }

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<WatchStream>, Status> {
        self.health.watch(request).await
    }
}

/// Calls of this second and of the one before it.
#[derive(Debug, Default)]
struct Rate {
    second: u64,
    now: u32,
    before: u32,
}

impl Rate {
    /// Counts one more call; gives how many a second there are.
    fn note(&mut self, second: u64) -> u32 {
        if second != self.second {
            self.before = if second == self.second + 1 { self.now } else { 0 };
            (self.second, self.now) = (second, 0);
        }
        self.now = self.now.saturating_add(1);
        self.now.max(self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::Rate;

    #[test]
    fn calls_are_counted_by_the_second_and_forgotten_after_the_next() {
        let mut rate = Rate::default();
        assert_eq!([rate.note(0), rate.note(0), rate.note(0)], [1, 2, 3]);
        assert_eq!([rate.note(1), rate.note(1)], [3, 3], "the last second had more");
        assert_eq!(rate.note(2), 2);
        assert_eq!(rate.note(9), 1, "nobody asked for long");
    }
}

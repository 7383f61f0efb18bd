//! Starts and ends one node.
//!
//! ```text
//! bind ─▶ probes answer ─▶ volume, key, store, incarnation ─▶ 5000 and 8443 serve ─▶ driver, discovery, operator
//! SIGTERM ─▶ readyz draining ─▶ engine hands over, Goodbye ─▶ commits that are waited for ─▶ ports finish ─▶ store closed
//! ```
//!
//! The sockets come first: whoever connects during the start waits in their queues. Killing the process at any point
//! loses nothing that was acknowledged.

mod parts;
mod start;

pub use parts::{Backing, Enrolment, Sockets, StartError, StartOptions};

use crate::{handle::NodeHandle, readiness::Phase, registers::Sealer, telemetry::Telemetry};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use thiserror::Error;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// What an ending node gives its ports and its store at least, however long draining took.
const LAST_MOMENTS: Duration = Duration::from_secs(1);
/// How long an ending node goes on following registers for those who wait until something is committed: as long as an
/// election and what was held up by it take. Then they are told that it is accepted.
const COMMITS_COME: Duration = Duration::from_secs(5);

/// A part of the node has ended although nobody asked it to.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{part} ended unexpectedly: {reason}")]
pub struct PartEnded {
    /// Which.
    pub part: &'static str,
    /// Why, as far as it is known.
    pub reason: String,
}

impl PartEnded {
    fn returned(part: &'static str) -> Self {
        Self { part, reason: "it returned".to_owned() }
    }
}

/// A running node. Dropped, it ends at once, as if it had been killed.
pub struct RunningNode {
    handle: Arc<NodeHandle>,
    sealer: Arc<Sealer>,
    telemetry: Arc<Telemetry>,
    peer_address: SocketAddr,
    api_address: SocketAddr,
    probe_address: SocketAddr,
    phase: watch::Sender<Phase>,
    /// The tasks without which there is no node.
    parts: JoinSet<PartEnded>,
    /// All others.
    tasks: TaskTracker,
    /// Nothing new begins.
    stop: CancellationToken,
    /// Everything ends.
    end: CancellationToken,
    _end: DropGuard,
}

impl RunningNode {
    /// What REST and gRPC work with.
    #[must_use]
    pub fn handle(&self) -> &Arc<NodeHandle> {
        &self.handle
    }

    /// The node's metrics.
    #[must_use]
    pub fn telemetry(&self) -> &Arc<Telemetry> {
        &self.telemetry
    }

    /// Where other nodes connect.
    #[must_use]
    pub fn peer_address(&self) -> SocketAddr {
        self.peer_address
    }

    /// Where applications connect.
    #[must_use]
    pub fn api_address(&self) -> SocketAddr {
        self.api_address
    }

    /// Where probes and metrics are read.
    #[must_use]
    pub fn probe_address(&self) -> SocketAddr {
        self.probe_address
    }

    /// Resolves when a part of the node ends that should not.
    pub async fn failed(&mut self) -> PartEnded {
        match self.parts.join_next().await {
            Some(Ok(ended)) => ended,
            Some(Err(error)) => PartEnded { part: "a task", reason: error.to_string() },
            None => PartEnded { part: "the node", reason: "nothing runs".to_owned() },
        }
    }

    /// Ends the node in order: what is accepted is handed to the peers within `limit`, requests are finished, the store
    /// is closed.
    pub async fn drain(mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        self.phase.send_replace(Phase::Draining);
        tracing::info!(seconds = limit.as_secs(), "draining");
        // They find another node while this one still answers.
        self.handle.registers.followers.end();
        // While the links are up: another sealer leads before this one is gone.
        self.sealer.hand_over().await;
        if timeout_at(deadline, self.handle.commands.drain()).await.is_err() {
            tracing::warn!("draining took too long; what was accepted is on the volume and goes out at the next start");
        }
        // What clients wait for is with the sealers, and while the node follows registers it hears of it.
        let waiters = &self.handle.registers.waiters;
        let heard = deadline.min(Instant::now() + COMMITS_COME);
        let _late = timeout_at(heard, waiters.all_told()).await.is_err();
        waiters.end();
        self.stop.cancel();
        let rest = deadline.max(Instant::now() + LAST_MOMENTS);
        // Streams that their peers keep open do not hold the node up.
        let _late = timeout_at(rest, self.ports_finish()).await.is_err();
        self.end.cancel();
        match timeout(limit, self.handle.store.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the store did not close in order"),
            Err(_) => tracing::error!("the store did not close in time"),
        }
        self.tasks.close();
        let _late = timeout(LAST_MOMENTS, self.tasks.wait()).await.is_err();
        let traces = self.telemetry.traces().clone();
        // It waits for the collector, no longer than a moment.
        let _ended = tokio::task::spawn_blocking(move || traces.finish()).await;
        tracing::info!("ended");
    }

    /// The ports end by themselves once they are told to stop; the driver ends with everything else.
    async fn ports_finish(&mut self) {
        while let Some(ended) = self.parts.join_next().await {
            if self.parts.len() <= 1 {
                return;
            }
            if let Err(error) = ended {
                tracing::error!(%error, "a part of the node failed while it was ending");
            }
        }
    }
}

#[cfg(test)]
mod tests;

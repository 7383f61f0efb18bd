//! Whether this node may serve: put together from how far the process is, where the node stands, and what the engine and
//! the sealing group say.

use crate::{
    member::{Membership, Standing},
    probes::{Readiness, Reason},
};
use peerwright_engine::Readiness as EngineReadiness;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tonic_health::server::HealthReporter;

/// Bans begin and end, and leaves expire, without anybody saying so.
const LOOK: Duration = Duration::from_millis(500);

/// How far the process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not all parts run yet.
    Starting,
    /// They do.
    Running,
    /// They end.
    Draining,
    /// One has failed; the process is about to end.
    Failed,
}

/// Keeps the readiness current.
pub(crate) struct ReadinessKeeper {
    pub(crate) membership: Arc<Membership>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) engine: watch::Receiver<Option<EngineReadiness>>,
    /// Whether the other sealers are further than this node.
    pub(crate) rejoining: watch::Receiver<bool>,
    pub(crate) readiness: watch::Sender<Readiness>,
    pub(crate) health: HealthReporter,
}

impl ReadinessKeeper {
    /// Runs until `end`.
    pub(crate) async fn run(mut self, end: CancellationToken) {
        let mut snapshots = self.membership.watch_snapshot();
        let mut certificates = self.membership.watch_certificate();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = None;
        loop {
            let phase = *self.phase.borrow_and_update();
            let engine = *self.engine.borrow_and_update();
            let rejoining = *self.rejoining.borrow_and_update();
            let now = judge(phase, self.membership.standing(), engine, rejoining);
            if self.readiness.send_replace(now) != now {
                tracing::info!(readiness = now.word(), "readiness changed");
            }
            if told != Some(now.is_ready()) {
                told = Some(now.is_ready());
                let status = if now.is_ready() {
                    tonic_health::ServingStatus::Serving
                } else {
                    tonic_health::ServingStatus::NotServing
                };
                self.health.set_service_status("", status).await;
            }
            // Whoever is watched may be gone before this task: then only the end is left to wait for.
            tokio::select! {
                biased;
                // That it drains is told even when it has ended by then.
                Ok(()) = self.phase.changed() => {}
                () = end.cancelled() => return,
                Ok(()) = self.engine.changed() => {}
                Ok(()) = self.rejoining.changed() => {}
                Ok(()) = snapshots.changed() => {}
                Ok(()) = certificates.changed() => {}
                _ = look.tick() => {}
            }
        }
    }
}

/// The most lasting reason first.
fn judge(phase: Phase, standing: Standing, engine: Option<EngineReadiness>, rejoining: bool) -> Readiness {
    match (phase, standing, engine) {
        (Phase::Failed, ..) => Readiness::Waiting(Reason::Failed),
        (Phase::Draining, ..) => Readiness::Waiting(Reason::Draining),
        (Phase::Starting, ..) => Readiness::Waiting(Reason::Starting),
        (Phase::Running, Standing::Banned, _) => Readiness::Waiting(Reason::Banned),
        (Phase::Running, Standing::Waiting, _) => Readiness::Waiting(Reason::WaitingForOperator),
        (Phase::Running, Standing::Member, Some(EngineReadiness::Ready { .. })) if rejoining => {
            Readiness::Waiting(Reason::Syncing)
        }
        (Phase::Running, Standing::Member, Some(EngineReadiness::Ready { alone })) => Readiness::Ready { alone },
        (Phase::Running, Standing::Member, Some(EngineReadiness::Waiting { .. })) => {
            Readiness::Waiting(Reason::Syncing)
        }
        (Phase::Running, Standing::Member, None) => Readiness::Waiting(Reason::Starting),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_lasting_reason_is_told() {
        let ready = Some(EngineReadiness::Ready { alone: false });
        let syncing = Some(EngineReadiness::Waiting { missing: 3 });
        for (phase, standing, engine, word) in [
            (Phase::Failed, Standing::Member, ready, "failed"),
            (Phase::Draining, Standing::Banned, ready, "draining"),
            (Phase::Starting, Standing::Member, ready, "starting"),
            (Phase::Running, Standing::Banned, ready, "banned"),
            (Phase::Running, Standing::Waiting, ready, "waiting-for-operator"),
            (Phase::Running, Standing::Member, None, "starting"),
            (Phase::Running, Standing::Member, syncing, "syncing"),
            (Phase::Running, Standing::Member, ready, "ready"),
        ] {
            assert_eq!(judge(phase, standing, engine, false).word(), word);
            let rejoining = if word == "ready" { "syncing" } else { word };
            assert_eq!(judge(phase, standing, engine, true).word(), rejoining);
        }
    }
}

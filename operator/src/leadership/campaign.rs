//! The loop that takes, renews and gives up the Lease.

use std::time::Duration;

use k8s_openapi::{api::coordination::v1::Lease, jiff::Timestamp};
use kube::{Api, Client, api::PostParams};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Leadership, POLL_INTERVAL, RENEW_DEADLINE, RENEW_INTERVAL,
    lease::{Observation, Step, first},
};

/// Name of the Lease.
const NAME: &str = "peerwright-operator";
/// Longest wait for one answer of the API server: well below the renew deadline, so that a lost call can be repeated.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);

/// Why an attempt to take or renew the Lease failed. Attempts are repeated until the campaign is stopped.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// The API server refused.
    #[error("the Lease `{NAME}` cannot be read or written: {0}")]
    Api(#[from] kube::Error),
    /// The API server did not answer.
    #[error("the API server did not answer about the Lease `{NAME}` within {CALL_TIMEOUT:?}")]
    Timeout,
}

/// Campaigns until `stop` is cancelled, then gives the Lease up. `leadership` shows the outcome at any time.
pub async fn campaign(
    client: Client,
    namespace: &str,
    identity: &str,
    leadership: Leadership,
    stop: CancellationToken,
) {
    let candidate = Candidate { api: Api::namespaced(client, namespace), identity, leadership };
    let mut seen = None;
    loop {
        // The deadline is looked at while waiting for the API server, too: work stops when the right to it ends.
        let outcome = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = candidate.deadline_passes() => {
                candidate.lose("the lease could not be renewed in time");
                continue;
            }
            outcome = candidate.attempt(seen.clone()) => outcome,
        };
        let pause = match outcome {
            Ok((observation, leads)) => {
                seen = Some(observation);
                if leads { RENEW_INTERVAL } else { POLL_INTERVAL }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot campaign for leadership");
                POLL_INTERVAL
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = candidate.deadline_passes() => candidate.lose("the lease could not be renewed in time"),
            () = sleep(pause) => {}
        }
    }
    candidate.release(seen).await;
}

struct Candidate<'a> {
    api: Api<Lease>,
    identity: &'a str,
    leadership: Leadership,
}

impl Candidate<'_> {
    /// One look at the Lease and, when that is due, one write. True when this replica leads.
    async fn attempt(&self, seen: Option<Observation>) -> Result<(Observation, bool), CampaignError> {
        let observation = match self.read().await? {
            Some(lease) => Observation::update(seen, lease, Instant::now()),
            None => {
                let lease = first(NAME, self.identity, Timestamp::now());
                return self.write(|api| async move { api.create(&PostParams::default(), &lease).await }).await;
            }
        };
        match observation.step(self.identity, Instant::now(), Timestamp::now()) {
            Step::Wait => {
                if self.leadership.deadline().is_some() {
                    self.lose("another replica holds the lease");
                }
                Ok((observation, false))
            }
            Step::Write(lease) => {
                self.write(|api| async move { api.replace(NAME, &PostParams::default(), &lease).await }).await
            }
        }
    }

    async fn read(&self) -> Result<Option<Lease>, CampaignError> {
        Ok(timeout(CALL_TIMEOUT, self.api.get_opt(NAME)).await.map_err(|_| CampaignError::Timeout)??)
    }

    /// Sends a change that makes this replica the holder. The right to write counts from before the change was sent.
    async fn write<F>(&self, send: impl FnOnce(Api<Lease>) -> F) -> Result<(Observation, bool), CampaignError>
    where
        F: Future<Output = kube::Result<Lease>>,
    {
        let sent_at = Instant::now();
        let lease = timeout(CALL_TIMEOUT, send(self.api.clone())).await.map_err(|_| CampaignError::Timeout)??;
        if self.leadership.deadline().is_none() {
            tracing::info!(identity = self.identity, "this replica leads");
        }
        self.leadership.extend(sent_at + RENEW_DEADLINE);
        Ok((Observation { lease, unchanged_since: sent_at }, true))
    }

    fn lose(&self, why: &str) {
        tracing::warn!(why, "this replica stops writing");
        self.leadership.end();
    }

    async fn deadline_passes(&self) {
        match self.leadership.deadline() {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    }

    /// Lets another replica begin at once.
    async fn release(&self, seen: Option<Observation>) {
        self.leadership.end();
        let Some(lease) = seen.and_then(|seen| seen.released(self.identity, Timestamp::now())) else { return };
        match timeout(CALL_TIMEOUT, self.api.replace(NAME, &PostParams::default(), &lease)).await {
            Ok(Ok(_)) => tracing::info!("the lease is released"),
            Ok(Err(error)) => tracing::warn!(%error, "the lease could not be released: it will run out"),
            Err(_) => tracing::warn!("the lease could not be released in time: it will run out"),
        }
    }
}

//! A snapshot that the volume did not take is tried again: the operator waits for its acknowledgement.

use super::OperatorClient;
use crate::backoff::Backoff;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

const FIRST: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(30);

impl OperatorClient {
    pub(super) async fn keep_snapshots(&self, stop: &CancellationToken) {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.keep_what_is_not_kept() => {}
        }
    }

    async fn keep_what_is_not_kept(&self) {
        let mut in_force = self.membership.watch_snapshot();
        let mut backoff = Backoff::new(FIRST, LIMIT);
        loop {
            if self.membership.is_kept() {
                backoff.reset();
                // The sender lives in the membership, which this client holds.
                drop(in_force.changed().await);
            }
            // Whoever put it in force is about to keep it.
            sleep(backoff.next()).await;
            if self.membership.is_kept() {
                continue;
            }
            let membership = self.membership.clone();
            match tokio::task::spawn_blocking(move || membership.keep_again()).await {
                Ok(Ok(())) => tracing::info!("the snapshot in force is kept"),
                Ok(Err(error)) => tracing::warn!(%error, "the snapshot in force is still not kept"),
                Err(panicked) => tracing::error!(%panicked, "keeping a snapshot failed"),
            }
        }
    }
}

//! Keeps this node's certificate in force.

use super::{OperatorClient, OperatorError};
use crate::{backoff::Backoff, tls::unix_now};
use peerwright_proto::v1::CertifyResponse;
use peerwright_secure::MemberCertificate;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::AsyncReadExt,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// The operator reviews the token with the API server before it answers.
const CERTIFY_TIMEOUT: Duration = Duration::from_secs(15);
/// The longest wait after a refusal: each costs the API server a review.
const REFUSED_LIMIT: Duration = Duration::from_secs(10);
/// The longest wait for an operator that is away.
const AWAY_LIMIT: Duration = Duration::from_secs(5);
/// A leaf that is due for renewal as soon as it is issued must not make this node ask without end.
const AFTER_SUCCESS: Duration = Duration::from_secs(5);
/// The longest token that is sent.
const LONGEST_TOKEN: u64 = 16 * 1024;
/// Wall clocks jump; a long wait is looked at again after this.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

impl OperatorClient {
    pub(super) async fn keep_certificate(&self, stop: &CancellationToken) {
        let mut backoff = Backoff::new(Duration::from_millis(500), REFUSED_LIMIT);
        let mut told = String::new();
        loop {
            let keeping = async {
                self.wait_until_due().await;
                match self.certify().await {
                    Ok(()) => {
                        (self.observer)("certify", "issued");
                        self.membership.set_refused_as_banned(false);
                        told.clear();
                        backoff.reset();
                        sleep(AFTER_SUCCESS).await;
                    }
                    Err(error) => {
                        (self.observer)("certify", error.code());
                        let is_refused = matches!(error, OperatorError::Refused { .. });
                        // Silence is no word: what the operator said last stands.
                        if is_refused {
                            self.membership.set_refused_as_banned(error.code() == "banned");
                        }
                        let text = error.to_string();
                        if text == told {
                            tracing::debug!(%error, "the operator issued no certificate");
                        } else {
                            tracing::warn!(%error, operator = %self.settings.endpoint, "the operator issued no certificate");
                            told = text;
                        }
                        let limit = if is_refused { REFUSED_LIMIT } else { AWAY_LIMIT };
                        sleep(backoff.next().min(limit)).await;
                    }
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = keeping => {}
            }
        }
    }

    /// Returns when there is no leaf, when a third of its life is over, or when the operator did not take it.
    async fn wait_until_due(&self) {
        while let Some(leaf) = self.membership.leaf().member() {
            let wait = due_in(&leaf, unix_now());
            if wait.is_zero() {
                return;
            }
            tokio::select! {
                biased;
                () = self.renew.notified() => return,
                () = sleep(wait.min(LOOK_AGAIN)) => {}
            }
        }
    }

    async fn certify(&self) -> Result<(), OperatorError> {
        let mut outcome = OperatorError::NotLeader;
        for socket in self.addresses().await? {
            match self.certify_at(socket).await {
                Ok(()) => return Ok(()),
                // A refusal is the leader's word; that another replica does not lead or answer says less.
                Err(error @ OperatorError::Refused { .. }) => outcome = error,
                Err(error) => {
                    tracing::debug!(%socket, %error, "a replica of the operator issued no certificate");
                    if matches!(outcome, OperatorError::NotLeader) {
                        outcome = error;
                    }
                }
            }
        }
        Err(outcome)
    }

    async fn certify_at(&self, socket: SocketAddr) -> Result<(), OperatorError> {
        let token = self.token().await?;
        let request = self.membership.request_certificate(token);
        let request = request.map_err(|error| OperatorError::Unusable(error.to_string()))?;
        let (mut client, cut) = self.connect(socket, &self.anonymous).await?;
        let answer = timeout(CERTIFY_TIMEOUT, client.certify(request.message().clone())).await;
        cut.cancel();
        let answer: CertifyResponse = answer.map_err(|_| OperatorError::Timeout)??.into_inner();
        let material = request.into_material(&answer.chain);
        let membership = self.membership.clone();
        let taken = tokio::task::spawn_blocking(move || {
            // Trust and snapshot first: from the moment of the leaf on, this node dials with bans in force.
            membership.adopt_trust(&answer.trust).map_err(|error| error.to_string())?;
            if !answer.snapshot.is_empty()
                && let Err(refused) = membership.adopt_snapshot(&answer.snapshot)
            {
                tracing::warn!(%refused, "the snapshot that came with the certificate was not put in force");
            }
            membership.adopt_certificate(&material).map_err(|error| error.to_string())
        });
        match taken.await {
            Ok(taken) => taken.map_err(OperatorError::Unusable),
            Err(panicked) => Err(OperatorError::Unusable(panicked.to_string())),
        }
    }

    /// Kubernetes replaces the token while the pod runs.
    async fn token(&self) -> Result<String, OperatorError> {
        let path = &self.settings.token_file;
        let unreadable = |error: std::io::Error| OperatorError::Unusable(format!("token {}: {error}", path.display()));
        let mut token = String::new();
        let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
        file.take(LONGEST_TOKEN).read_to_string(&mut token).await.map_err(unreadable)?;
        Ok(token.trim().to_owned())
    }
}

/// How long until a third of the leaf's life is over.
fn due_in(leaf: &Arc<MemberCertificate>, now: u64) -> Duration {
    let life = leaf.not_after.saturating_sub(leaf.not_before).max(0);
    let due = leaf.not_before.saturating_add(life / 3);
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    Duration::from_secs(u64::try_from(due.saturating_sub(now)).unwrap_or(0))
}

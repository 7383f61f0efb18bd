//! The stream to the operator: snapshots down, acknowledgements and digests up.

use super::{OperatorClient, OperatorError};
use crate::{
    backoff::Backoff,
    member::{AdoptionRefused, InForce},
};
use bytes::Bytes;
use peerwright_proto::v1::{
    Acknowledgement, HeartbeatDigest, WatchHello, WatchRequest, WatchResponse, watch_request, watch_response,
};
use peerwright_snapshot::SettingId;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// The operator takes a stream, and each message on it, in this time.
const PATIENCE: Duration = Duration::from_secs(10);
/// So often this node looks whether what it told the operator still holds.
const LOOK: Duration = Duration::from_secs(1);
/// A stream that lived so long was a good one: the next attempt comes at once.
const GOOD: Duration = Duration::from_secs(30);
/// Between two digests when the snapshot does not say.
const HEARTBEAT: Duration = Duration::from_secs(30);

impl OperatorClient {
    pub(super) async fn keep_watching(&self, stop: &CancellationToken) {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(5));
        loop {
            let watching = async {
                self.wait_for_leaf().await;
                let begun = Instant::now();
                let error = self.watch().await;
                (self.observer)("watch", error.code());
                tracing::debug!(%error, "no stream from the operator");
                if is_about_the_leaf(&error) {
                    self.renew.notify_one();
                }
                if begun.elapsed() > GOOD {
                    backoff.reset();
                }
                if !matches!(error, OperatorError::LeafReplaced) {
                    sleep(backoff.next()).await;
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = watching => {}
            }
        }
    }

    async fn wait_for_leaf(&self) {
        let mut certificate = self.membership.watch_certificate();
        // The sender lives in the membership, which this client holds.
        drop(certificate.wait_for(Option::is_some).await);
    }

    /// Tries every replica; returns when no stream is left.
    async fn watch(&self) -> OperatorError {
        let mut outcome = OperatorError::NotLeader;
        let addresses = match self.addresses().await {
            Ok(addresses) => addresses,
            Err(error) => return error,
        };
        for socket in addresses {
            match self.watch_at(socket).await {
                Ok(never) => match never {},
                Err(OperatorError::NotLeader) => {}
                Err(OperatorError::LeafReplaced) => return OperatorError::LeafReplaced,
                Err(error) => {
                    tracing::debug!(%socket, %error, "a stream from the operator ended");
                    outcome = error;
                }
            }
        }
        outcome
    }

    async fn watch_at(&self, socket: SocketAddr) -> Result<std::convert::Infallible, OperatorError> {
        let mut certificate = self.membership.watch_certificate();
        certificate.mark_unchanged();
        let (mut client, cut) = self.connect(socket, &self.member).await?;
        let _cut = cut.drop_guard();
        // Enforced is not enough: what the disk does not hold is gone with the process. An operator that hears of an
        // older snapshot sends the newer one again.
        let mut kept = self.membership.watch_kept();
        let current = kept.borrow_and_update().clone();
        let (sender, receiver) = mpsc::channel(8);
        let up = Upward { sender };
        up.send(watch_request::Kind::Hello(hello(current.as_deref()))).await?;
        if let Some(current) = current {
            up.acknowledge(&current).await?;
        }
        let stream = timeout(PATIENCE, client.watch(ReceiverStream::new(receiver))).await;
        let mut down = stream.map_err(|_| OperatorError::Timeout)??.into_inner();
        (self.observer)("watch", "open");
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told: Option<(Instant, HeartbeatDigest)> = None;
        loop {
            tokio::select! {
                biased;
                message = down.message() => match message? {
                    Some(message) => self.adopt(message).await,
                    None => return Err(tonic::Status::unavailable("the operator ended the stream").into()),
                },
                // The operator ends a stream that rests on a leaf which it has replaced.
                _ = certificate.changed() => return Err(OperatorError::LeafReplaced),
                changed = kept.changed() => {
                    let current = kept.borrow_and_update().clone();
                    if let (Ok(()), Some(current)) = (changed, current) {
                        up.acknowledge(&current).await?;
                    }
                }
                _ = look.tick() => {
                    let outline = self.digests.outline().await;
                    let due = told.as_ref().is_none_or(|(at, last)| {
                        at.elapsed() >= self.heartbeat() || differs(last, &outline)
                    });
                    if due {
                        let digest = self.digests.digest().await;
                        up.send(watch_request::Kind::Heartbeat(digest.clone())).await?;
                        told = Some((Instant::now(), digest));
                    }
                }
            }
        }
    }

    /// Puts a snapshot in force; the acknowledgement follows when it is kept, by whatever way it came.
    async fn adopt(&self, message: WatchResponse) {
        let Some(watch_response::Kind::Snapshot(snapshot)) = message.kind else { return };
        let membership = self.membership.clone();
        let adopted = tokio::task::spawn_blocking(move || membership.adopt_snapshot(&snapshot)).await;
        match adopted {
            Ok(Ok(adopted)) => {
                (self.observer)("snapshot", "in_force");
                tracing::debug!(version = %adopted.snapshot.version(), "the operator sent a snapshot");
            }
            Ok(Err(refused @ AdoptionRefused::NotKept(_))) => {
                (self.observer)("snapshot", refused.code());
                tracing::warn!(%refused, "a snapshot is in force, but not acknowledged before it is kept");
            }
            Ok(Err(refused)) => {
                (self.observer)("snapshot", refused.code());
                tracing::warn!(%refused, "the operator sent a snapshot that was not put in force");
            }
            Err(panicked) => tracing::error!(%panicked, "putting a snapshot in force failed"),
        }
    }

    fn heartbeat(&self) -> Duration {
        let current = self.membership.snapshot();
        let seconds = current.map(|current| current.snapshot.content.settings.value(SettingId::HeartbeatInterval));
        seconds.map_or(HEARTBEAT, Duration::from_secs)
    }
}

/// Whether the operator did not take this node's certificate: another helps then.
fn is_about_the_leaf(error: &OperatorError) -> bool {
    let code = error.code();
    matches!(code, "unauthenticated" | "leaf_ended") || code.ends_with("_by_peer")
}

/// Whether the operator should hear before the next heartbeat. Counts of transactions alone are not news.
fn differs(last: &HeartbeatDigest, now: &HeartbeatDigest) -> bool {
    let synced = |digest: &HeartbeatDigest| -> Vec<(Bytes, bool)> {
        digest.registers.iter().map(|row| (row.register_id.clone(), row.synced)).collect()
    };
    (last.links, last.ready, &last.reason, last.certificate_not_after, last.seals)
        != (now.links, now.ready, &now.reason, now.certificate_not_after, now.seals)
        || synced(last) != synced(now)
        || last.auto_bans != now.auto_bans
}

fn hello(current: Option<&InForce>) -> WatchHello {
    let version = current.map(|current| current.snapshot.version()).unwrap_or_default();
    WatchHello { epoch: version.epoch, revision: version.revision, version: env!("CARGO_PKG_VERSION").to_owned() }
}

/// The way up. An operator that does not read is left.
struct Upward {
    sender: mpsc::Sender<WatchRequest>,
}

impl Upward {
    async fn send(&self, kind: watch_request::Kind) -> Result<(), OperatorError> {
        let sent = self.sender.send_timeout(WatchRequest { kind: Some(kind) }, PATIENCE).await;
        sent.map_err(|_| OperatorError::Timeout)
    }

    async fn acknowledge(&self, current: &Arc<InForce>) -> Result<(), OperatorError> {
        let version = current.snapshot.version();
        self.send(watch_request::Kind::Acknowledgement(Acknowledgement {
            epoch: version.epoch,
            revision: version.revision,
            digest: Bytes::copy_from_slice(&current.digest),
        }))
        .await
    }
}

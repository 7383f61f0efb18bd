//! The stream to the operator: snapshots down, acknowledgements and digests up.

use super::{OperatorClient, OperatorError};
use crate::{
    backoff::Backoff,
    member::{AdoptionRefused, InForce},
    tls::unix_now,
};
use bytes::Bytes;
use peerwright_proto::v1::{
    Acknowledgement, HeartbeatDigest, RegisterDigest, ReplicaState, WatchHello, WatchRequest, WatchResponse,
    watch_request, watch_response,
};
use peerwright_snapshot::SettingId;
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};
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
/// A register that lacks something for so long is behind.
const LAG: Duration = Duration::from_secs(2);
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
                    let mut outline = self.digests.outline().await;
                    calm(told.as_ref().map(|(_, last)| last), &mut outline, unix_now());
                    let due = told.as_ref().is_none_or(|(at, last)| {
                        at.elapsed() >= self.heartbeat() || differs(last, &outline, unix_now())
                    });
                    if due {
                        let mut digest = self.digests.digest().await;
                        calm(told.as_ref().map(|(_, last)| last), &mut digest, unix_now());
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

/// Whether the operator should hear before the next heartbeat. Counts alone are not news.
fn differs(last: &HeartbeatDigest, now: &HeartbeatDigest, unix_now: u64) -> bool {
    let (told, rows) = (&last.registers, &now.registers);
    (last.links, last.ready, &last.reason, last.certificate_not_after, last.seals)
        != (now.links, now.ready, &now.reason, now.certificate_not_after, now.seals)
        || told.len() != rows.len()
        || told.iter().zip(rows).any(|(told, row)| is_news(told, row, unix_now))
        || (&last.auto_bans, &last.hub, &last.sealing) != (&now.auto_bans, &now.hub, &now.sealing)
}

/// A live register lacks a docket for a moment all the time: what held everything stays so until the lag lasts.
fn calm(last: Option<&HeartbeatDigest>, now: &mut HeartbeatDigest, unix_now: u64) {
    let whole = |row: &&RegisterDigest| matches!(row.state(), ReplicaState::FullyReplicated | ReplicaState::Active);
    let told = last.into_iter().flat_map(|last| &last.registers).filter(whole);
    let told: BTreeMap<&Bytes, i32> = told.map(|row| (&row.register_id, row.state)).collect();
    for row in &mut now.registers {
        let is_moment = row.behind_since != 0 && !lags(row, unix_now);
        if let Some(before) = told.get(&row.register_id).filter(|_| is_moment && row.state() == ReplicaState::Syncing) {
            row.state = *before;
        }
    }
}

fn lags(row: &RegisterDigest, unix_now: u64) -> bool {
    row.behind_since != 0 && unix_now.saturating_sub(row.behind_since) >= LAG.as_secs()
}

fn is_news(told: &RegisterDigest, now: &RegisterDigest, unix_now: u64) -> bool {
    (&told.register_id, told.synced, told.state, &told.problem)
        != (&now.register_id, now.synced, now.state, &now.problem)
        || tens(told) != tens(now)
        || (told.behind_since != now.behind_since && (lags(now, unix_now) || told.behind_since != 0))
}

/// How many tenths of its source's dockets a register has; all of them where it follows, for a moment's lag is no step.
fn tens(row: &RegisterDigest) -> u64 {
    let is_whole = matches!(row.state(), ReplicaState::FullyReplicated | ReplicaState::Active | ReplicaState::Sealing);
    if is_whole { 10 } else { row.dockets.saturating_mul(10).checked_div(row.dockets_of_source).unwrap_or(0) }
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

#[cfg(test)]
mod tests {
    use super::{calm, differs, is_news};
    use peerwright_proto::v1::{HeartbeatDigest, HubDigest, RegisterDigest, ReplicaState};

    fn row(dockets: u64, behind_since: u64) -> RegisterDigest {
        let state = ReplicaState::FullyReplicated.into();
        RegisterDigest { dockets, dockets_of_source: 1_000, behind_since, state, synced: true, ..Default::default() }
    }

    #[test]
    fn a_moment_s_lag_is_no_news_and_a_lasting_one_and_its_end_are() {
        let fine = row(1_000, 0);
        assert!(!is_news(&fine, &row(999, 99), 100));
        assert!(is_news(&fine, &row(999, 99), 101));
        assert!(!is_news(&row(999, 99), &row(999, 99), 500), "told already");
        assert!(is_news(&row(999, 99), &fine, 500));
    }

    #[test]
    fn what_was_fully_replicated_stays_so_for_a_moment_s_lag() {
        let digest = |row: RegisterDigest| HeartbeatDigest { registers: vec![row], ..Default::default() };
        let syncing = RegisterDigest { state: ReplicaState::Syncing.into(), ..row(999, 99) };
        let told = |last: Option<&HeartbeatDigest>, unix_now| {
            let mut now = digest(syncing.clone());
            calm(last, &mut now, unix_now);
            now.registers[0].state()
        };
        let full = digest(row(1_000, 0));
        assert_eq!(told(Some(&full), 100), ReplicaState::FullyReplicated);
        assert_eq!(told(Some(&full), 101), ReplicaState::Syncing);
        assert_eq!(told(Some(&digest(syncing.clone())), 100), ReplicaState::Syncing, "it never was");
        assert_eq!(told(None, 100), ReplicaState::Syncing);
    }

    #[test]
    fn progress_is_news_by_the_tenth_and_a_state_or_a_problem_at_once() {
        let syncing = |dockets| RegisterDigest { state: ReplicaState::Syncing.into(), ..row(dockets, 1) };
        assert!(!is_news(&syncing(100), &syncing(199), 5));
        assert!(is_news(&syncing(100), &syncing(200), 5));
        assert!(!is_news(&row(100, 1), &row(200, 1), 5), "it follows");
        let failing = RegisterDigest { problem: "refused".to_owned(), ..row(100, 1) };
        assert!(is_news(&row(100, 1), &failing, 5));
        let frozen = RegisterDigest { state: ReplicaState::Frozen.into(), ..row(100, 1) };
        assert!(is_news(&row(100, 1), &frozen, 5));
    }

    #[test]
    fn another_hub_and_the_loss_of_all_are_news() {
        let digest = |hub| HeartbeatDigest { hub, ..Default::default() };
        let by = |hub: u8| digest(Some(HubDigest { active: vec![hub; 32].into(), isolated_since: 0 }));
        assert!(!differs(&by(1), &by(1), 5));
        assert!(differs(&by(1), &by(2), 5));
        let isolated = digest(Some(HubDigest { isolated_since: 4, ..HubDigest::default() }));
        assert!(differs(&by(1), &isolated, 5));
        assert!(differs(&isolated, &digest(None), 5));
    }

    #[test]
    fn counts_of_transactions_are_no_news_and_another_register_is() {
        let digest = |rows: &[RegisterDigest]| HeartbeatDigest { registers: rows.to_vec(), ..Default::default() };
        let counted = RegisterDigest { transactions: 9, ..row(1, 0) };
        assert!(!differs(&digest(&[row(1, 0)]), &digest(&[counted]), 5));
        assert!(differs(&digest(&[row(1, 0)]), &digest(&[row(1, 0), row(1, 0)]), 5));
    }
}

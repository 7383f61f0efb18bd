//! `Watch`: one stream a node. Snapshots go down as they are published; acknowledgements and digests come up.

use std::{sync::Arc, time::Duration};

use peerwright_proto::v1::{WatchHello, WatchRequest, WatchResponse, watch_request, watch_response};
use peerwright_snapshot::{SettingId, Version};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Status, Streaming};

use super::{
    metrics::NodeMetrics,
    registry::{NodeRegistry, NodeStream},
};
use crate::{
    identity::{KnownNetwork, MemberIdentity, Refusal, unix_now},
    policy::Published,
};

/// Longest wait for the first message.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a reader that does not read.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// Heartbeats that may fail to come before a node counts as gone.
const MISSED_HEARTBEATS: u32 = 3;
/// Time between heartbeats until a snapshot says another.
const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(30);
/// How long a stream that rests on a replaced leaf may go on, so that the node dials anew first.
const REISSUE_GRACE: Duration = Duration::from_secs(5);
/// Messages that wait for the socket. Snapshots are not queued: a late reader gets the newest.
const QUEUE: usize = 1;

/// What goes to the node.
pub(super) type Outbound = mpsc::Receiver<Result<WatchResponse, Status>>;

/// One stream before its first message.
pub(super) struct Session {
    pub(super) member: Arc<MemberIdentity>,
    pub(super) network: Arc<KnownNetwork>,
    pub(super) registry: Arc<NodeRegistry>,
    pub(super) feed: watch::Receiver<Option<Arc<Published>>>,
    pub(super) metrics: NodeMetrics,
    pub(super) ending: CancellationToken,
}

impl Session {
    /// Runs the stream as one of `tasks`.
    pub(super) fn start(self, tasks: &TaskTracker, inbound: Streaming<WatchRequest>) -> Outbound {
        let (sender, outbound) = mpsc::channel(QUEUE);
        tasks.spawn(self.run(inbound, sender));
        outbound
    }

    async fn run(mut self, inbound: Streaming<WatchRequest>, sender: mpsc::Sender<Result<WatchResponse, Status>>) {
        let _counted = self.metrics.stream();
        let (pod, peer_id) = (self.member.pod.clone(), self.member.peer_id);
        if let Err(refusal) = self.converse(inbound, &sender).await {
            tracing::info!(network = self.member.network.name, pod, %peer_id, reason = refusal.code(), "stream of a node ends");
            self.metrics.refused("watch", refusal);
            // A reader that is gone needs no reason.
            let _gone = timeout(SEND_TIMEOUT, sender.send(Err(refusal.into()))).await;
        }
    }

    /// Until the node goes (`Ok`) or is sent away.
    async fn converse(
        &mut self,
        mut inbound: Streaming<WatchRequest>,
        sender: &mpsc::Sender<Result<WatchResponse, Status>>,
    ) -> Result<(), Refusal> {
        let Some(hello) = self.hello(&mut inbound).await? else { return Ok(()) };
        let mut sent = Version { epoch: hello.epoch, revision: hello.revision };
        let acknowledged = (sent != Version::default()).then_some(sent);
        let stream = self.registry.open(&self.member, acknowledged)?;
        self.feed.mark_changed();
        let mut heard = Instant::now();
        let mut leaf_ends = Instant::now() + seconds_until(self.member.not_after);
        loop {
            let silent = heard + self.heartbeat() * MISSED_HEARTBEATS;
            tokio::select! {
                biased;
                () = self.ending.cancelled() => return Err(Refusal::NotLeader),
                () = self.network.gone().cancelled() => return Err(Refusal::NetworkUnknown),
                () = stream.superseded().cancelled() => return Err(Refusal::Superseded),
                () = sender.closed() => return Ok(()),
                () = sleep_until(leaf_ends) => return Err(Refusal::LeafEnded),
                () = stream.reissued().cancelled(), if leaf_ends > Instant::now() + REISSUE_GRACE => {
                    leaf_ends = Instant::now() + REISSUE_GRACE;
                }
                changed = self.feed.changed() => {
                    if changed.is_err() {
                        return Err(Refusal::NetworkUnknown);
                    }
                    let published = self.feed.borrow_and_update().clone();
                    if let Some(published) = published.filter(|published| published.version() > sent) {
                        sent = published.version();
                        self.send(sender, &published).await?;
                    }
                }
                () = sleep_until(silent) => return Err(Refusal::Silent),
                message = inbound.message() => {
                    let Ok(Some(message)) = message else { return Ok(()) };
                    heard = Instant::now();
                    self.take(&stream, message)?;
                }
            }
        }
    }

    /// The first message; `None` when the node went before it.
    async fn hello(&self, inbound: &mut Streaming<WatchRequest>) -> Result<Option<WatchHello>, Refusal> {
        let first = tokio::select! {
            biased;
            () = self.ending.cancelled() => return Err(Refusal::NotLeader),
            first = timeout(HELLO_TIMEOUT, inbound.message()) => first.map_err(|_| Refusal::Silent)?,
        };
        match first {
            Ok(Some(WatchRequest { kind: Some(watch_request::Kind::Hello(hello)) })) => Ok(Some(hello)),
            Ok(Some(_)) => Err(Refusal::Malformed),
            Ok(None) | Err(_) => Ok(None),
        }
    }

    fn take(&self, stream: &NodeStream, message: WatchRequest) -> Result<(), Refusal> {
        match message.kind {
            Some(watch_request::Kind::Acknowledgement(acknowledgement)) => {
                let version = Version { epoch: acknowledgement.epoch, revision: acknowledgement.revision };
                let published = self.feed.borrow().clone().filter(|published| published.version() == version);
                if published.is_some_and(|published| acknowledgement.digest.as_ref() != published.digest) {
                    return Err(Refusal::Malformed);
                }
                stream.acknowledge(version)
            }
            Some(watch_request::Kind::Heartbeat(digest)) => stream.heartbeat(digest),
            Some(watch_request::Kind::Hello(_)) => Err(Refusal::Malformed),
            // A kind of a later version.
            None => Ok(()),
        }
    }

    async fn send(
        &self,
        sender: &mpsc::Sender<Result<WatchResponse, Status>>,
        published: &Published,
    ) -> Result<(), Refusal> {
        let response = WatchResponse { kind: Some(watch_response::Kind::Snapshot(published.bytes.clone())) };
        match timeout(SEND_TIMEOUT, sender.send(Ok(response))).await {
            Ok(_) => {
                self.metrics.snapshot_sent();
                Ok(())
            }
            Err(_) => Err(Refusal::Silent),
        }
    }

    fn heartbeat(&self) -> Duration {
        let published = self.feed.borrow();
        let settings = published.as_ref().map(|published| &published.snapshot.content.settings);
        let seconds = settings.and_then(|said| said.get(SettingId::HeartbeatInterval)).filter(|seconds| *seconds > 0);
        seconds.map_or(DEFAULT_HEARTBEAT, Duration::from_secs)
    }
}

fn seconds_until(unix_seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(unix_seconds.saturating_sub(unix_now())).unwrap_or_default())
}

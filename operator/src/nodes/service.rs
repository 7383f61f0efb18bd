//! The service as gRPC sees it: leadership, caller and refusals; the work is in `certify` and `watch`.

use std::sync::Arc;

use kube::Client;
use peerwright_proto::v1::{
    CertifyRequest, CertifyResponse, EndorseRequest, EndorseResponse, WatchRequest, WatchResponse,
    operator_server::{Operator, OperatorServer},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming, async_trait, service::Routes};

use super::{
    certify::Certifier, connection::Caller, duty::Duty, endorse::endorse, metrics::NodeMetrics, registry::NodeRegistry,
    watch,
};
use crate::{
    identity::{KnownNetwork, MemberIdentity, Members, Networks, Refusal},
    policy::SnapshotFeeds,
};

/// Longest message of a node: a digest of every register that a snapshot can subscribe it to.
const MAX_MESSAGE_BYTES: usize = 256 * 1024;

/// What nodes may ask of the operator.
pub struct NodeService {
    certifier: Certifier,
    members: Arc<Members>,
    registry: Arc<NodeRegistry>,
    networks: Arc<Networks>,
    feeds: Arc<SnapshotFeeds>,
    duty: Duty,
    metrics: NodeMetrics,
    streams: TaskTracker,
}

impl NodeService {
    /// A service that certifies members of `networks`, hands them what `feeds` has, and tells `registry` what it hears.
    #[must_use]
    pub fn new(
        client: Client,
        networks: Arc<Networks>,
        members: Arc<Members>,
        feeds: Arc<SnapshotFeeds>,
        registry: Arc<NodeRegistry>,
        duty: Duty,
        metrics: NodeMetrics,
    ) -> Arc<Self> {
        let certifier =
            Certifier::new(client, networks.clone(), members.clone(), feeds.clone(), registry.clone(), duty.clone());
        let streams = TaskTracker::new();
        Arc::new(Self { certifier, members, registry, networks, feeds, duty, metrics, streams })
    }

    pub(super) fn networks(&self) -> &Arc<Networks> {
        &self.networks
    }

    pub(super) const fn duty(&self) -> &Duty {
        &self.duty
    }

    pub(super) const fn metrics(&self) -> &NodeMetrics {
        &self.metrics
    }

    pub(super) fn routes(self: &Arc<Self>) -> Routes {
        let server = OperatorServer::new(Rpc(self.clone())).max_decoding_message_size(MAX_MESSAGE_BYTES);
        Routes::new(server).prepare()
    }

    /// Waits for the streams to end; none begins any more.
    pub(super) async fn drain(&self) {
        self.streams.close();
        self.streams.wait().await;
    }

    fn refuse(&self, rpc: &'static str, refusal: Refusal) -> Status {
        self.metrics.refused(rpc, refusal);
        refusal.into()
    }

    fn caller<T>(&self, request: &Request<T>) -> Result<Caller, Refusal> {
        if !self.duty.is_on() {
            return Err(Refusal::NotLeader);
        }
        request.extensions().get::<Caller>().cloned().ok_or(Refusal::CertificateRequired)
    }

    /// The member that calls, as its network knows it now.
    fn member(&self, caller: &Caller) -> Result<(Arc<MemberIdentity>, Arc<KnownNetwork>), Refusal> {
        let member = caller.member.clone().ok_or(Refusal::CertificateRequired)?;
        let network = self.networks.get(&member.network.uid).ok_or(Refusal::NetworkUnknown)?;
        // A leaf outlives what the table says: a pod that has another identity by now is not this peer any more.
        let recorded = self.members.peer_id_of(&member.network.uid, &member.pod);
        if recorded.is_some_and(|recorded| recorded != member.peer_id) {
            return Err(Refusal::IdentityChanged);
        }
        Ok((member, network))
    }

    fn open(&self, caller: &Caller, inbound: Streaming<WatchRequest>) -> Result<watch::Outbound, Refusal> {
        let (member, network) = self.member(caller)?;
        let session = watch::Session {
            feed: self.feeds.subscribe(&member.network.uid),
            member,
            network,
            registry: self.registry.clone(),
            metrics: self.metrics.clone(),
            ending: caller.ending.clone(),
        };
        Ok(session.start(&self.streams, inbound))
    }
}

/// The handlers of the generated server.
struct Rpc(Arc<NodeService>);

#[async_trait]
impl Operator for Rpc {
    async fn certify(&self, request: Request<CertifyRequest>) -> Result<Response<CertifyResponse>, Status> {
        let service = &self.0;
        let answer = match service.caller(&request) {
            Ok(caller) => service.certifier.certify(caller.address.ip(), request.into_inner()).await,
            Err(refusal) => Err(refusal),
        };
        match answer {
            Ok(answer) => {
                service.metrics.leaf_issued();
                Ok(Response::new(answer))
            }
            Err(refusal) => Err(service.refuse("certify", refusal)),
        }
    }

    async fn endorse(&self, request: Request<EndorseRequest>) -> Result<Response<EndorseResponse>, Status> {
        let service = &self.0;
        let answer = service.caller(&request).and_then(|caller| {
            let (member, network) = service.member(&caller)?;
            let published = service.feeds.current(&member.network.uid);
            endorse(&member, &network, published.as_deref(), request.into_inner())
        });
        answer.map(Response::new).map_err(|refusal| service.refuse("endorse", refusal))
    }

    type WatchStream = ReceiverStream<Result<WatchResponse, Status>>;

    async fn watch(&self, request: Request<Streaming<WatchRequest>>) -> Result<Response<Self::WatchStream>, Status> {
        let service = &self.0;
        let opened = service.caller(&request).and_then(|caller| service.open(&caller, request.into_inner()));
        match opened {
            Ok(outbound) => Ok(Response::new(ReceiverStream::new(outbound))),
            Err(refusal) => Err(service.refuse("watch", refusal)),
        }
    }
}

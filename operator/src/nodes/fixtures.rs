//! A node service on loopback with real TLS, over an API server in memory, and nodes that dial it.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use hyper_util::rt::TokioIo;
use peerwright_crds::PeerNetwork;
use peerwright_proto::v1::{
    CertifyRequest, CertifyResponse, WatchHello, WatchRequest, WatchResponse, operator_client::OperatorClient,
    watch_request, watch_response,
};
use peerwright_secure::PeerId;
use peerwright_snapshot::{Ban, Content, SignedSnapshot, Snapshot};
use prometheus_client::registry::Registry;
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    sign::{CertifiedKey, SingleCertAndKey},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{
    Status, Streaming,
    transport::{Channel, Endpoint},
};

use super::{Duty, Listener, NodeMetrics, NodeRegistry, NodeService, OnDuty, ServeError};
use crate::{
    identity::{
        Authority, InstallRoot, Members, Networks, REFUSAL_METADATA,
        fake_api::FakeApi,
        fixtures::{Keys, facts, network},
    },
    leadership::Leadership,
    policy::{Published, SnapshotFeeds},
};

/// Longest wait of a test for something that happens at once.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) struct Harness {
    pub(crate) api: FakeApi,
    pub(crate) network: PeerNetwork,
    pub(super) authority: Arc<Authority>,
    pub(crate) root: Arc<InstallRoot>,
    pub(crate) networks: Arc<Networks>,
    pub(crate) feeds: Arc<SnapshotFeeds>,
    pub(crate) registry: Arc<NodeRegistry>,
    pub(super) shutdown: CancellationToken,
    pub(super) address: SocketAddr,
    pub(crate) duty: Duty,
    pub(super) on_duty: Option<OnDuty>,
    metrics: Registry,
    server: JoinHandle<Result<(), ServeError>>,
}

impl Harness {
    /// A leader that knows the network `demo` and has published revision 1.
    pub(crate) async fn leader() -> Self {
        let mut harness = Self::fresh_leader().await;
        harness.on_duty = Some(harness.duty.begin());
        harness
    }

    /// A leader that has not looked at every network yet.
    pub(super) async fn fresh_leader() -> Self {
        Self::start(Leadership::held_for(Duration::from_secs(3600))).await
    }

    /// A replica that does not lead.
    pub(super) async fn standby() -> Self {
        Self::start(Leadership::new()).await
    }

    async fn start(leadership: Leadership) -> Self {
        let (api, network) = (FakeApi::default(), network("demo", 3));
        let root = Arc::new(InstallRoot::generate(SystemTime::now()).expect("a root"));
        let authority = Arc::new(Authority::generate("demo-uid").expect("an authority"));
        let networks = Arc::new(Networks::default());
        networks.put(facts(&network), authority.clone());
        let members = Arc::new(Members::new(api.client(), "peerwright-system", leadership.clone()));
        let (feeds, registry) = (Arc::new(SnapshotFeeds::default()), Arc::new(NodeRegistry::default()));
        let (mut metrics, duty) = (Registry::default(), Duty::new(leadership));
        let service = NodeService::new(
            api.client(),
            networks.clone(),
            members,
            feeds.clone(),
            registry.clone(),
            duty.clone(),
            NodeMetrics::register(&mut metrics),
        );
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (address, shutdown) = (socket.local_addr().expect("bound"), CancellationToken::new());
        let listener = Listener::new(socket, service, root.clone(), ("peerwright-system", "cluster.local"));
        let server = tokio::spawn(listener.serve(shutdown.clone()));
        let harness = Self {
            api,
            network,
            authority,
            root,
            networks,
            feeds,
            registry,
            shutdown,
            address,
            duty,
            on_duty: None,
            metrics,
            server,
        };
        harness.publish(1, &[]);
        harness
    }

    /// Puts a snapshot in force.
    pub(crate) fn publish(&self, revision: u64, banned: &[PeerId]) -> Arc<Published> {
        let bans = banned.iter().map(|peer| ((*peer).into(), Ban::default())).collect();
        self.publish_content(revision, Content { bans, ..Content::default() })
    }

    pub(super) fn publish_content(&self, revision: u64, content: Content) -> Arc<Published> {
        let content_digest = content.digest();
        let snapshot = Snapshot { network_uid: "demo-uid".into(), epoch: 1, revision, content };
        let signer = self.root.signer_der().to_vec();
        let signed = SignedSnapshot::sign(&snapshot, self.root.snapshot_key(), signer).expect("signed");
        let (digest, bytes) = (signed.digest(), Bytes::from(signed.encode()));
        let published = Arc::new(Published { snapshot, digest, content_digest, bytes });
        self.feeds.put("demo-uid", published.clone());
        published
    }

    /// A leaf of the network's authority for `pod`.
    pub(crate) fn leaf(&self, keys: &Keys, pod: &str) -> CertificateDer<'static> {
        keys.leaf(&self.authority, &self.network, pod, SystemTime::now())
    }

    /// A client's configuration; the server must be the operator.
    pub(super) fn client_config(
        &self,
        version: &'static SupportedProtocolVersion,
        certificate: Option<(CertificateDer<'static>, &Keys)>,
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.root_der().to_vec().into()).expect("an anchor");
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_root_certificates(roots);
        let mut config = match certificate {
            Some((leaf, keys)) => {
                let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(keys.tls.serialize_der()));
                let key = aws_lc_rs::sign::any_supported_type(&key).expect("a key");
                // Unlike the usual way, this presents a stolen certificate too.
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::new(vec![leaf], key))))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }

    /// One TLS connection.
    pub(super) async fn dial(&self, config: Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
        dial(self.address, config).await
    }

    /// A client that presents `certificate`, or none.
    pub(super) fn client(&self, certificate: Option<(CertificateDer<'static>, &Keys)>) -> OperatorClient<Channel> {
        let config = Arc::new(self.client_config(&rustls::version::TLS13, certificate));
        let address = self.address;
        let connector = tower::service_fn(move |_| {
            let config = config.clone();
            async move { dial(address, config).await.map(TokioIo::new) }
        });
        OperatorClient::new(Endpoint::from_static("http://operator").connect_with_connector_lazy(connector))
    }

    /// Opens a `Watch` stream as a member.
    pub(crate) async fn watch(
        &self,
        leaf: CertificateDer<'static>,
        keys: &Keys,
        revision: u64,
    ) -> Result<Stream, Status> {
        let (sender, requests) = mpsc::channel(8);
        let hello = WatchHello { epoch: u64::from(revision > 0), revision, version: "0.1.0".into() };
        sender.send(WatchRequest { kind: Some(watch_request::Kind::Hello(hello)) }).await.expect("room");
        let mut client = self.client(Some((leaf, keys)));
        let responses = client.watch(ReceiverStream::new(requests)).await?.into_inner();
        Ok(Stream { sender, responses })
    }

    /// Asks for a certificate for `keys` with `token`.
    pub(super) async fn certify(&self, keys: &Keys, token: &str) -> Result<CertifyResponse, Status> {
        self.certify_for(keys, token, "demo-uid").await
    }

    pub(super) async fn certify_for(&self, keys: &Keys, token: &str, uid: &str) -> Result<CertifyResponse, Status> {
        let signed = keys.request(token, uid);
        let request = CertifyRequest {
            token: token.to_owned(),
            csr: signed.csr.into(),
            node_public_key: signed.public_key.into(),
            binding_signature: signed.binding.into(),
            proof_signature: signed.proof.into(),
        };
        Ok(self.client(None).certify(request).await?.into_inner())
    }

    /// The metrics as they are scraped.
    pub(super) fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.metrics).expect("text");
        text
    }

    /// Stops the service and waits for it.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        timeout(SOON, self.server).await.expect("in time").expect("no panic").expect("no error");
    }
}

async fn dial(address: SocketAddr, config: Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("peerwright-operator.peerwright-system.svc").expect("a name");
    TlsConnector::from(config).connect(name, TcpStream::connect(address).await?).await
}

/// A member's end of a `Watch` stream.
pub(crate) struct Stream {
    pub(super) sender: mpsc::Sender<WatchRequest>,
    pub(super) responses: Streaming<WatchResponse>,
}

impl Stream {
    pub(crate) async fn send(&self, kind: watch_request::Kind) {
        self.sender.send(WatchRequest { kind: Some(kind) }).await.expect("an open stream");
    }

    /// The next snapshot that arrives.
    pub(crate) async fn snapshot(&mut self) -> Bytes {
        let message = timeout(SOON, self.responses.message()).await.expect("in time").expect("no refusal");
        let Some(watch_response::Kind::Snapshot(bytes)) = message.expect("a message").kind else {
            panic!("not a snapshot")
        };
        bytes
    }

    /// The refusal with which the stream ends.
    pub(super) async fn refusal(&mut self) -> String {
        loop {
            match timeout(SOON, self.responses.message()).await.expect("in time") {
                Ok(Some(_)) => {}
                Ok(None) => return "ended".to_owned(),
                Err(status) => return refusal_of(&status),
            }
        }
    }
}

/// The code in the metadata of a refused call.
pub(super) fn refusal_of(status: &Status) -> String {
    let code = status.metadata().get(REFUSAL_METADATA);
    code.and_then(|code| code.to_str().ok()).unwrap_or("none").to_owned()
}

/// Waits until something holds.
pub(crate) async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let waited = timeout(SOON, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never: {what}"));
}

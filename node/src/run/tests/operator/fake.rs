//! An operator that says what a test wants it to say.

use crate::{
    config::Endpoint,
    dev::{Authority, now_range},
    testing::{NETWORK_UID, content, spiffe},
    tls::unix_now,
    transport::{Limits, Listener, Security, Shield, TcpListener},
};
use futures::{Stream, StreamExt};
use peerwright_ledger::docket::DocketHeader;
use peerwright_proto::v1::{
    CertifyRequest, CertifyResponse, EndorseRequest, EndorseResponse, WatchRequest, WatchResponse,
    operator_server::{Operator, OperatorServer},
    watch_request, watch_response,
};
use peerwright_secure::{Enrollment, NodeKey, NodePublicKey, Signature};
use peerwright_snapshot::Content;
use rcgen::{CertificateSigningRequestParams, PublicKeyData};
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer};
use std::{
    net::Ipv4Addr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::{broadcast, watch};
use tokio_util::{sync::CancellationToken, sync::DropGuard};
use tonic::{Request, Response, Status, Streaming, metadata::MetadataMap, service::Routes};

/// Makes the key by which it signs for registers.
pub(super) const OVER_REGISTERS: [u8; 32] = [0x0f; 32];

/// What the fake does when it is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mood {
    Leading,
    /// Issues leaves half of whose life is over.
    LeadingWithOldLeaves,
    NotLeader,
    Refusing(&'static str),
}

struct State {
    authority: Arc<Authority>,
    content: Mutex<Content>,
    mood: Mutex<Mood>,
    certify_calls: AtomicUsize,
    streams: AtomicUsize,
    acknowledged: watch::Sender<Option<(u64, u64)>>,
    ready: watch::Sender<bool>,
    /// What is sent to every stream; an empty one ends it.
    down: broadcast::Sender<Vec<u8>>,
}

pub(super) struct FakeOperator {
    state: Arc<State>,
    port: u16,
    _end: DropGuard,
}

/// What a snapshot must say to be usable.
pub(super) fn trusting(authority: &Authority) -> Content {
    Content { trust: vec![authority.network_root().to_vec()], ..content() }
}

impl FakeOperator {
    pub(super) async fn start(authority: Arc<Authority>, mood: Mood) -> Self {
        let state = Arc::new(State {
            content: Mutex::new(trusting(&authority)),
            mood: Mutex::new(mood),
            certify_calls: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
            acknowledged: watch::Sender::new(None),
            ready: watch::Sender::new(false),
            down: broadcast::Sender::new(16),
            authority,
        });
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let end = CancellationToken::new();
        let listener = Listener {
            name: "operator",
            socket,
            security: Security::Strangers(Arc::new(server_config(&state.authority)), Shield::default()),
            router: Routes::new(OperatorServer::new(Service(state.clone()))).into_axum_router(),
            limits: Limits {
                connections: 64,
                handshakes: 64,
                streams: 64,
                silence: Duration::from_secs(60),
                first_request: Duration::from_secs(60),
            },
            observer: Arc::new(|_, _| {}),
        };
        tokio::spawn(listener.serve(end.clone(), end.clone()));
        Self { state, port, _end: end.drop_guard() }
    }

    /// By name, so that resolving and checking the name are part of the test.
    pub(super) fn endpoint(&self) -> Endpoint {
        Endpoint { host: "localhost".to_owned(), port: self.port }
    }

    pub(super) fn authority(&self) -> &Arc<Authority> {
        &self.state.authority
    }

    pub(super) fn content(&self) -> Content {
        self.state.content.lock().unwrap().clone()
    }

    pub(super) fn set_mood(&self, mood: Mood) {
        *self.state.mood.lock().unwrap() = mood;
    }

    pub(super) fn certify_calls(&self) -> usize {
        self.state.certify_calls.load(Ordering::Relaxed)
    }

    pub(super) fn streams(&self) -> usize {
        self.state.streams.load(Ordering::Relaxed)
    }

    pub(super) fn acknowledged(&self) -> Option<(u64, u64)> {
        *self.state.acknowledged.borrow()
    }

    pub(super) fn says_ready(&self) -> bool {
        *self.state.ready.borrow()
    }

    pub(super) fn publish(&self, change: impl Fn(&mut Content)) {
        change(&mut self.state.content.lock().unwrap());
        self.send(self.state.authority.publish(change).unwrap());
    }

    pub(super) fn send(&self, snapshot: Vec<u8>) {
        // Nobody watches yet, perhaps.
        let _ = self.state.down.send(snapshot);
    }

    pub(super) fn end_streams(&self) {
        self.send(Vec::new());
    }
}

fn server_config(authority: &Authority) -> ServerConfig {
    let mut members = RootCertStore::empty();
    members.add(CertificateDer::from(authority.network_root())).unwrap();
    let members = WebPkiClientVerifier::builder(Arc::new(members)).allow_unauthenticated().build().unwrap();
    let (certificate, key) = authority.serving_certificate("localhost").unwrap();
    let mut config = ServerConfig::builder()
        .with_client_cert_verifier(members)
        .with_single_cert(vec![certificate.into()], PrivateKeyDer::try_from(key).unwrap())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

struct Service(Arc<State>);

impl Service {
    fn check_mood(&self) -> Result<(), Status> {
        let refuse = |code: &'static str, status: fn(&'static str) -> Status| {
            let mut metadata = MetadataMap::new();
            metadata.insert("peerwright-refusal", code.parse().unwrap());
            let plain = status(code);
            Err(Status::with_metadata(plain.code(), code, metadata))
        };
        match *self.0.mood.lock().unwrap() {
            Mood::Leading | Mood::LeadingWithOldLeaves => Ok(()),
            Mood::NotLeader => refuse("not_leader", Status::failed_precondition),
            Mood::Refusing(code) => refuse(code, Status::permission_denied),
        }
    }
}

#[tonic::async_trait]
impl Operator for Service {
    async fn certify(&self, request: Request<CertifyRequest>) -> Result<Response<CertifyResponse>, Status> {
        self.0.certify_calls.fetch_add(1, Ordering::Relaxed);
        self.check_mood()?;
        let request = request.into_inner();
        let name = request.token.strip_prefix("token of ").unwrap();
        let csr = CertificateSigningRequestDer::from(request.csr.to_vec());
        let spki = CertificateSigningRequestParams::from_der(&csr).unwrap().public_key.subject_public_key_info();
        let proof = Enrollment { spki: &spki, token: request.token.as_bytes(), network_uid: NETWORK_UID };
        let key = NodePublicKey::from_bytes(request.node_public_key.as_ref().try_into().unwrap());
        proof.verify(&key, &Signature::from_bytes(request.proof_signature.as_ref().try_into().unwrap())).unwrap();
        let valid = match *self.0.mood.lock().unwrap() {
            Mood::LeadingWithOldLeaves => unix_now() - 1_000..unix_now() + 1_000,
            _ => now_range(),
        };
        let chain = self.0.authority.issue(&request, &spiffe(name), valid).unwrap();
        Ok(Response::new(CertifyResponse {
            chain: chain.into_iter().map(Into::into).collect(),
            trust: vec![self.0.authority.network_root().to_vec().into()],
            snapshot: bytes::Bytes::new(),
        }))
    }

    async fn endorse(&self, request: Request<EndorseRequest>) -> Result<Response<EndorseResponse>, Status> {
        self.check_mood()?;
        let header = DocketHeader::decode(&request.into_inner().header).unwrap();
        let certificate = header.hash().certify(&NodeKey::from_seed(OVER_REGISTERS)).encode().into();
        Ok(Response::new(EndorseResponse { certificate }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<WatchResponse, Status>> + Send>>;

    async fn watch(&self, request: Request<Streaming<WatchRequest>>) -> Result<Response<Self::WatchStream>, Status> {
        self.check_mood()?;
        self.0.streams.fetch_add(1, Ordering::Relaxed);
        let down = self.0.down.subscribe();
        let mut up = request.into_inner();
        let state = self.0.clone();
        tokio::spawn(async move {
            while let Ok(Some(message)) = up.message().await {
                match message.kind {
                    Some(watch_request::Kind::Acknowledgement(row)) => {
                        state.acknowledged.send_replace(Some((row.epoch, row.revision)));
                    }
                    Some(watch_request::Kind::Heartbeat(digest)) => drop(state.ready.send_replace(digest.ready)),
                    _ => {}
                }
            }
        });
        let current = self.0.authority.snapshot().unwrap();
        let news = tokio_stream::wrappers::BroadcastStream::new(down).map(Result::unwrap);
        let messages = tokio_stream::iter([current]).chain(news).map(|snapshot| {
            if snapshot.is_empty() {
                return Err(Status::unavailable("the leader changed"));
            }
            Ok(WatchResponse { kind: Some(watch_response::Kind::Snapshot(snapshot.into())) })
        });
        Ok(Response::new(Box::pin(messages)))
    }
}

//! What the tests of several modules share: an authority, nodes on loopback, patience.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub(crate) mod proxy;
pub(crate) mod sealed;
pub(crate) mod tampered;

use crate::{
    NodeHandle, RunningNode,
    api::{Access, Node},
    config::{Configuration, Endpoint},
    dev::{Authority, now_range},
    identity::{LeafMaterial, Volume, VolumeError},
    member::{Claim, InstallRoot, Membership},
    run::{Backing, Enrolment, Sockets, StartError, StartOptions},
    tls,
    transport::Connections,
};
use bytes::Bytes;
use peerwright_engine::Config;
use peerwright_ledger::{Kind, Metadata, Payload, RegisterId, Transaction, TransactionBody, TransactionId};
use peerwright_proto::v1::CertifyRequest;
use peerwright_secure::{NodeKey, NodePublicKey, SpiffeId};
use peerwright_snapshot::{Ban, Content, Subscription};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use std::{
    collections::BTreeSet,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep};

pub(crate) const NETWORK_UID: &str = "6f1f1c1e-0000-4000-8000-000000000001";
pub(crate) const TRUST_DOMAIN: &str = "demo.default.peerwright.internal";
/// How long a test's transaction is valid.
pub(crate) const HOUR_MICROS: u64 = 3_600_000_000;
pub(crate) const REGISTER: RegisterId = RegisterId::from_bytes([7; 16]);

/// What a snapshot of the tests says, unless a test changes it.
pub(crate) fn content() -> Content {
    Content {
        trust_domain: TRUST_DOMAIN.to_owned(),
        subscriptions: [(*REGISTER.as_bytes(), Subscription::default())].into(),
        ..Content::default()
    }
}

pub(crate) fn authority() -> Arc<Authority> {
    tls::install_provider();
    // `RUST_LOG=peerwright_node=debug` shows what nodes do in a test; a second start of the log changes nothing.
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
    Arc::new(Authority::new(NETWORK_UID, content()).unwrap())
}

pub(crate) fn spiffe(node: &str) -> SpiffeId {
    SpiffeId::new(TRUST_DOMAIN, "default", node).unwrap()
}

/// A node that has asked nobody for anything yet.
pub(crate) fn membership(authority: &Authority, node: &str, volume: Volume) -> Arc<Membership> {
    let claim = Claim {
        network_uid: NETWORK_UID.to_owned(),
        trust_domain: TRUST_DOMAIN.to_owned(),
        namespace: "default".to_owned(),
        node: node.to_owned(),
    };
    let key = volume.node_key().unwrap();
    let root = InstallRoot::from_der(authority.install_root().to_vec());
    Arc::new(Membership::new(&claim, root, volume, key, Arc::new(Connections::default())).unwrap())
}

/// A leaf for a key of the test's choice, valid in this range.
pub(crate) fn leaf(authority: &Authority, key: &NodeKey, name: &SpiffeId, valid: Range<u64>) -> LeafMaterial {
    let tls_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let binding = peerwright_secure::NodeBinding::new(key, &tls_key.subject_public_key_info());
    let request = CertifyRequest {
        csr: CertificateParams::default().serialize_request(&tls_key).unwrap().der().to_vec().into(),
        node_public_key: key.public().as_bytes().to_vec().into(),
        binding_signature: binding.signature.as_bytes().to_vec().into(),
        ..CertifyRequest::default()
    };
    let chain = authority.issue(&request, name, valid).unwrap();
    LeafMaterial { key: tls_key.serialize_der().into(), chain: chain.into_iter().map(Into::into).collect() }
}

pub(crate) fn valid_leaf(authority: &Authority, key: &NodeKey, node: &str) -> LeafMaterial {
    leaf(authority, key, &spiffe(node), now_range())
}

pub(crate) fn ban_forever() -> Ban {
    Ban { expires_at: None }
}

/// A node's configuration: loopback, free ports.
pub(crate) fn configuration(node: &str, data_dir: &Path) -> Configuration {
    Configuration {
        network: "demo".to_owned(),
        namespace: "default".to_owned(),
        network_uid: NETWORK_UID.to_owned(),
        node_name: node.to_owned(),
        trust_domain: TRUST_DOMAIN.to_owned(),
        operator: Endpoint { host: "127.0.0.1".to_owned(), port: 1 },
        snapshot_file: data_dir.join("mounted-snapshot.bin"),
        ..Configuration::on_loopback(data_dir.to_owned())
    }
}

/// Lets the volume in this directory take no snapshot before what is returned is removed.
pub(crate) fn spoil_snapshots(directory: &Path) -> PathBuf {
    let in_the_way = directory.join("snapshot.bin.tmp");
    std::fs::create_dir(&in_the_way).unwrap();
    in_the_way
}

/// Everything in a node happens sooner than in production.
pub(crate) fn impatient(config: &mut Config) {
    config.connections.retry_first = Duration::from_millis(100);
    config.connections.retry_limit = Duration::from_millis(500);
    config.connections.ready_timeout = Duration::from_secs(3);
}

pub(crate) fn options(authority: &Arc<Authority>, backing: Backing) -> StartOptions {
    let enrolment = Enrolment::Local(authority.clone());
    StartOptions { backing, enrolment, access: Access::ByToken, tune: impatient }
}

/// Starts a node.
pub(crate) async fn start_node(configuration: &Configuration, options: &StartOptions) -> RunningNode {
    let start = async || {
        let sockets = Sockets::bind(configuration).await?;
        RunningNode::start(configuration, options, sockets).await
    };
    once_free(start).await.unwrap()
}

/// Starts again for as long as the volume is in use: a program that another test has just started holds the files of this
/// process for a moment, and with them the locks of nodes that have ended.
pub(crate) async fn once_free<T>(start: impl AsyncFn() -> Result<T, StartError>) -> Result<T, StartError> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match start().await {
            Err(StartError::Volume(VolumeError::InUse { .. })) if Instant::now() < deadline => {
                sleep(Duration::from_millis(10)).await;
            }
            started => return started,
        }
    }
}

/// Ends a node as when its process is killed: nothing is closed in order.
pub(crate) async fn kill(node: RunningNode) {
    let handle = node.handle().clone();
    drop(node);
    // In a process that goes on, the store's writer must be gone before the store is opened again.
    handle.store.close().await.unwrap();
}

/// Nodes that keep nothing, each with the others as seeds.
pub(crate) async fn start_nodes(authority: &Arc<Authority>, count: usize) -> Vec<RunningNode> {
    let bound = bind_nodes(count).await;
    let seeds = bound.iter().map(|(_, sockets)| sockets.peer_address.into()).collect();
    start_bound(authority, bound, seeds).await
}

/// The configurations and sockets of nodes that are not started yet.
pub(crate) async fn bind_nodes(count: usize) -> Vec<(Configuration, Sockets)> {
    let mut bound = Vec::new();
    for number in 0..count {
        let configuration = configuration(&format!("demo-peer-{number}"), Path::new("/nowhere"));
        let sockets = Sockets::bind(&configuration).await.unwrap();
        bound.push((configuration, sockets));
    }
    bound
}

/// Starts them, each with these seeds.
pub(crate) async fn start_bound(
    authority: &Arc<Authority>,
    bound: Vec<(Configuration, Sockets)>,
    seeds: Vec<Endpoint>,
) -> Vec<RunningNode> {
    let stores = bound.iter().map(|_| Backing::Memory).collect();
    start_bound_on(authority, bound, seeds, stores).await
}

/// As [`start_bound`], on these stores.
pub(crate) async fn start_bound_on(
    authority: &Arc<Authority>,
    bound: Vec<(Configuration, Sockets)>,
    seeds: Vec<Endpoint>,
    stores: Vec<Backing>,
) -> Vec<RunningNode> {
    let mut nodes = Vec::new();
    for ((mut configuration, sockets), backing) in bound.into_iter().zip(stores) {
        configuration.seeds.clone_from(&seeds);
        nodes.push(RunningNode::start(&configuration, &options(authority, backing), sockets).await.unwrap());
    }
    nodes
}

/// Nodes on these stores, each with the others as seeds.
pub(crate) async fn start_on(authority: &Arc<Authority>, stores: Vec<Backing>) -> Vec<RunningNode> {
    let bound = bind_nodes(stores.len()).await;
    let seeds = bound.iter().map(|(_, sockets)| sockets.peer_address.into()).collect();
    start_bound_on(authority, bound, seeds, stores).await
}

/// Puts a change of the snapshot in force on every node.
pub(crate) fn publish(authority: &Authority, nodes: &[&RunningNode], change: impl FnOnce(&mut Content)) {
    let snapshot = authority.publish(change).unwrap();
    for node in nodes {
        node.handle().membership.adopt_snapshot(&snapshot).unwrap();
    }
}

/// Waits for something that is on its way; a minute is for machines that are busy with other things.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(Instant::now() < deadline, "in a minute it did not become true that {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) async fn links(node: &RunningNode) -> usize {
    node.handle().view().await.map_or(0, |view| view.peers.len())
}

pub(crate) async fn all_have_links(nodes: &[&RunningNode], count: usize) {
    for node in nodes {
        eventually(&format!("every node has {count} links"), async || links(node).await == count).await;
    }
}

/// A transaction that the node signs for nobody in particular.
pub(crate) fn transaction(node: &RunningNode, text: &str) -> Transaction {
    transaction_of(node.handle(), text)
}

pub(crate) fn transaction_of(node: &NodeHandle, text: &str) -> Transaction {
    transaction_in(node, REGISTER, text)
}

pub(crate) fn transaction_in(node: &NodeHandle, register: RegisterId, text: &str) -> Transaction {
    let now = crate::driver::Clock::wall().0;
    let body = text_body(register, &node.identity.public_key, now..now + HOUR_MICROS, text.to_owned());
    node.sign(body).unwrap()
}

/// A transaction that carries a text and nothing else, valid from its creation on to an end.
pub(crate) fn text_body(
    register: RegisterId,
    author: &NodePublicKey,
    valid: Range<u64>,
    text: impl Into<Bytes>,
) -> TransactionBody {
    TransactionBody {
        register,
        previous: None,
        author: *author,
        subject: None,
        recipients: BTreeSet::new(),
        created_at_micros: valid.start,
        valid_until_micros: valid.end,
        kind: Kind::Action,
        metadata: Metadata::default(),
        payloads: vec![Payload::new(text)],
    }
}

/// The last byte belongs to a signature, in messages and in transactions.
pub(crate) fn with_another_signature(encoded: &Bytes) -> Bytes {
    let mut bytes = encoded.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    bytes.into()
}

pub(crate) async fn holds(node: &RunningNode, id: TransactionId) -> bool {
    node.handle().store.transaction(REGISTER, id).await.unwrap().is_some()
}

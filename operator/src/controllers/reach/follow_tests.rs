//! Against nodes that speak to a node service on loopback.

use std::time::Duration;

use futures::FutureExt;
use k8s_openapi::{
    api::core::v1::{ContainerState, ContainerStateRunning, ContainerStatus, PodStatus},
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use kube::api::ObjectMeta;
use peerwright_crds::{NETWORK_LABEL, NetworkRef, PeerBan, PeerBanSpec, PeerBanStatus};
use peerwright_proto::v1::{Acknowledgement, watch_request::Kind};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::{
    api::Writer,
    cache::{Cache, Decoded},
    controllers::{
        Parts,
        caches::Caches,
        network::build::Install,
        reach::Reached,
        triggers::{Listener, Triggers},
    },
    events::Events,
    identity::{Authorities, Members, fixtures::Keys},
    leadership::Leadership,
    metrics::Metrics,
    nodes::fixtures::{Harness, SOON, eventually},
    policy::{Publisher, TokenIssuers},
    settings::Namespaces,
};

const UID: &str = "demo-uid";
const POD: &str = "demo-peer-0";

fn key() -> ObjectKey {
    ObjectKey::new("default", "demo")
}

fn metadata(name: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name.into()), namespace: Some("default".into()), ..ObjectMeta::default() }
}

/// A pod of the network whose process runs.
fn pod() -> Pod {
    let running = ContainerState { running: Some(ContainerStateRunning::default()), ..ContainerState::default() };
    let container = ContainerStatus { state: Some(running), ..ContainerStatus::default() };
    let labels = [(NETWORK_LABEL.to_owned(), "demo".to_owned())].into();
    Pod {
        metadata: ObjectMeta { labels: Some(labels), ..metadata(POD) },
        status: Some(PodStatus { container_statuses: Some(vec![container]), ..PodStatus::default() }),
        ..Pod::default()
    }
}

fn ban(name: &str, enforced: Truth) -> Decoded<PeerBan> {
    let enforced = Condition {
        type_: "Enforced".to_owned(),
        status: enforced.as_str().to_owned(),
        reason: "Told".to_owned(),
        message: String::new(),
        observed_generation: None,
        last_transition_time: Time(Timestamp::UNIX_EPOCH),
    };
    let spec = PeerBanSpec { network_ref: NetworkRef { name: "demo".into() }, ..PeerBanSpec::default() };
    let status = Some(PeerBanStatus { conditions: vec![enforced], ..PeerBanStatus::default() });
    PeerBan { metadata: metadata(name), spec, status }.into()
}

/// What an operator that leads knows of the network: one pod, and these bans.
fn context(harness: &Harness, bans: Vec<Decoded<PeerBan>>) -> Arc<Context> {
    let (client, leadership) = (harness.api.client(), Leadership::held_for(Duration::from_secs(3600)));
    let namespace = "peerwright-system";
    let members = Arc::new(Members::new(client.clone(), namespace, leadership.clone()));
    let (networks, feeds) = (Arc::clone(&harness.networks), Arc::clone(&harness.feeds));
    let authorities = Authorities::new(
        client.clone(),
        namespace,
        networks,
        Arc::clone(&members),
        leadership.clone(),
        "cluster.local",
    );
    let root = Arc::clone(&harness.root);
    let publisher = Publisher::new(client.clone(), root, Arc::clone(&members), Arc::clone(&feeds), leadership.clone());
    let caches = Caches {
        networks: Arc::new(Cache::holding([harness.network.clone().into()])),
        bans: Arc::new(Cache::holding(bans)),
        subscriptions: Arc::new(Cache::holding([])),
        operations: Arc::new(Cache::holding([])),
        stateful_sets: Arc::new(Cache::holding([])),
        pods: Arc::new(Cache::holding([pod()])),
        services: Arc::new(Cache::holding([])),
        service_accounts: Arc::new(Cache::holding([])),
        config_maps: Arc::new(Cache::holding([])),
        disruption_budgets: Arc::new(Cache::holding([])),
        network_policies: Arc::new(Cache::holding([])),
    };
    let install = Install {
        namespace: namespace.to_owned(),
        cluster_domain: "cluster.local".to_owned(),
        pod_ranges: String::new(),
        node_traces: String::new(),
        install_root_sha256: harness.root.sha256(),
    };
    Arc::new(Context::new(Parts {
        caches,
        writer: Writer::new(client.clone(), leadership.clone()),
        events: Events::new(client.clone(), "operator-0".to_owned(), leadership.clone()),
        metrics: Metrics::new(),
        triggers: Triggers::default(),
        authorities: Arc::new(authorities),
        members,
        registry: Arc::clone(&harness.registry),
        duty: harness.duty.clone(),
        publisher: Arc::new(publisher),
        feeds,
        tokens: Arc::new(TokenIssuers::new(client)),
        install,
        install_root_pem: harness.root.root_pem().to_owned(),
        node_image: String::new(),
        namespaces: Namespaces::All,
    }))
}

fn begin(context: &Arc<Context>) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(follow(Arc::clone(context))))
}

/// What is known of the pod.
fn reached(context: &Context) -> Option<Reached> {
    context.reaches.get(UID)?.nodes.get(POD).cloned()
}

/// Forgets the hints that are there.
fn drain(listener: &mut Listener<ObjectKey>) {
    while listener.next().now_or_never().is_some() {}
}

#[tokio::test]
async fn what_a_node_says_is_known_and_told_to_those_whose_status_may_change_by_it() {
    let (harness, keys) = (Harness::leader().await, Keys::of(1));
    let context = context(&harness, vec![ban("enforced", Truth::True), ban("fresh", Truth::False)]);
    context.findings.put(UID, Arc::default());
    let triggers = &context.parts.triggers;
    let (mut policies, mut bans) = (triggers.policies.listen(), triggers.bans.listen());
    let _following = begin(&context);
    eventually("a pod that runs is known, and that it is silent", || {
        reached(&context).is_some_and(|node| node.silent_since.is_some())
    })
    .await;
    drain(&mut policies);

    let mut stream = harness.watch(harness.leaf(&keys, POD), &keys, 1).await.expect("opened");
    let has = |revision| {
        let version = Some(Version { epoch: 1, revision });
        reached(&context).is_some_and(|node| node.silent_since.is_none() && node.acknowledged == version)
    };
    eventually("it is heard, and what it has", || has(1)).await;
    let hint = policies.next().now_or_never();
    assert_eq!(hint, Some(Hint::One(key())), "a ban may name who has come");

    let second = harness.publish(2, &[]);
    stream.snapshot().await;
    drain(&mut bans);
    let digest = second.digest.to_vec().into();
    stream.send(Kind::Acknowledgement(Acknowledgement { epoch: 1, revision: 2, digest })).await;
    eventually("it has the second snapshot", || has(2)).await;
    let hint = timeout(SOON, bans.next()).await.expect("in time");
    assert_eq!(hint, Hint::One(ObjectKey::new("default", "fresh")));
    assert_eq!(bans.next().now_or_never(), None, "what is enforced stays so");
    assert_eq!(policies.next().now_or_never(), None, "who is there has not changed");

    drop(stream);
    eventually("it is silent, and has what it had", || {
        reached(&context).is_some_and(|node| node.silent_since.is_some() && node.acknowledged.is_some())
    })
    .await;
    harness.stop().await;
}

#[tokio::test]
async fn a_network_whose_members_are_not_known_yet_is_looked_at_once_they_are() {
    let (harness, keys) = (Harness::leader().await, Keys::of(1));
    let context = context(&harness, Vec::new());
    let mut networks = context.parts.triggers.networks.listen();
    let _following = begin(&context);
    let _stream = harness.watch(harness.leaf(&keys, POD), &keys, 1).await.expect("opened");
    eventually("the node is heard", || !harness.registry.report(UID).is_empty()).await;
    assert_eq!((reached(&context), networks.next().now_or_never()), (None, None));

    context.findings.put(UID, Arc::default());
    context.parts.triggers.reach.fire(key());

    let hint = timeout(SOON, networks.next()).await.expect("in time");
    assert_eq!(hint, Hint::One(key()));
    eventually("the node is known", || reached(&context).is_some_and(|node| node.silent_since.is_none())).await;
}

//! Peer nodes as `peerwright-node dev` starts them: sockets, mutual TLS, sessions, engine, verifier, and a store in memory.

use crate::{
    network::{Copies, Network},
    recorder::Recorder,
    recording_store::RecordingStore,
};
use anyhow::{Context as _, Result};
use futures::{
    FutureExt as _,
    future::{BoxFuture, join_all},
};
use peerwright_engine::{Config, Statistics};
use peerwright_ledger::{Kind, Metadata, Payload, RegisterId, TransactionBody};
use peerwright_node::{
    NodeHandle, RunningNode,
    api::{Access, Node},
    config::Configuration,
    dev::Authority,
    run::{Backing, Enrolment, Sockets, StartOptions},
};
use peerwright_snapshot::{Content, Subscription};
use peerwright_store::Memory;
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::{Duration, Instant, SystemTime},
};
use tokio::{runtime::Handle, time::sleep};

const REGISTER: [u8; 16] = *b"peerwright-bench";
const NETWORK_UID: &str = "00000000-0000-4000-8000-0000000be9c4";
const TRUST_DOMAIN: &str = "bench.local.peerwright.internal";
/// A transaction's life, microseconds.
const LIFE: u64 = 3_600_000_000;
/// How often the links are looked at while the network settles.
const LOOK: Duration = Duration::from_millis(100);
/// The fewest neighbours of a node of a network that is large enough.
const NEIGHBOURS: u64 = 6;
/// A network that is at rest has had the same neighbours for so long.
const REST: Duration = Duration::from_secs(6);

/// A network of peer nodes.
pub(crate) struct Ours {
    nodes: Vec<RunningNode>,
    recorder: Arc<Recorder>,
    runtime: Handle,
}

impl Ours {
    /// Starts the nodes; with `batching` transactions wait for company as they do by default.
    pub(crate) async fn start(
        count: usize,
        payload_bytes: usize,
        batching: bool,
        recorder: Arc<Recorder>,
    ) -> Result<Self> {
        let content = Content {
            trust_domain: TRUST_DOMAIN.to_owned(),
            subscriptions: [(REGISTER, Subscription::default())].into(),
            ..Content::default()
        };
        let authority = Arc::new(Authority::new(NETWORK_UID, content)?);
        let origins = Arc::new(OnceLock::new());
        let mut bound = Vec::new();
        for number in 0..count {
            let configuration = configuration(number);
            let sockets = Sockets::bind(&configuration).await?;
            bound.push((configuration, sockets));
        }
        let seeds: Vec<_> = bound.iter().map(|(_, sockets)| sockets.peer_address.into()).collect();
        let mut nodes = Vec::new();
        for (number, (mut configuration, sockets)) in bound.into_iter().enumerate() {
            configuration.seeds.clone_from(&seeds);
            let store = RecordingStore::new(NETWORK_UID, number, payload_bytes, origins.clone(), recorder.clone());
            let options = StartOptions {
                backing: Backing::Stores(Arc::new(store), Arc::new(Memory::new(NETWORK_UID))),
                enrolment: Enrolment::Local(authority.clone()),
                access: Access::Open,
                tune: if batching { |_| {} } else { alone },
            };
            nodes.push(RunningNode::start(&configuration, &options, sockets).await?);
        }
        let keys = nodes.iter().map(|node| node.handle().identity.public_key).collect();
        origins.set(keys).ok().context("the keys are known already")?;
        Ok(Self { nodes, recorder, runtime: Handle::current() })
    }

    async fn statistics(&self) -> Vec<Statistics> {
        let views = self.nodes.iter().map(|node| node.handle().view());
        join_all(views).await.into_iter().flatten().map(|view| view.statistics).collect()
    }
}

impl Network for Ours {
    fn settled(&self) -> BoxFuture<'_, ()> {
        async {
            for node in &self.nodes {
                // The sender lives as long as the node does.
                drop(node.handle().readiness.clone().wait_for(|readiness| readiness.is_ready()).await);
            }
            let enough = NEIGHBOURS.min(self.nodes.len().saturating_sub(1) as u64);
            while !self.statistics().await.iter().all(|statistics| statistics.links.active >= enough) {
                sleep(LOOK).await;
            }
            // Nodes that have just started look for their nearest; trees that form on what they give up would break.
            let (mut joined, mut since) = (0, Instant::now());
            while since.elapsed() < REST {
                sleep(LOOK).await;
                let now = self.statistics().await.iter().map(|statistics| statistics.links.neighbours_joined).sum();
                if now != joined {
                    (joined, since) = (now, Instant::now());
                }
            }
        }
        .boxed()
    }

    fn publish(&self, node: usize, payload: Vec<u8>) {
        let Some(node) = self.nodes.get(node) else { return };
        let (node, recorder) = (node.handle().clone(), self.recorder.clone());
        self.runtime.spawn(async move {
            if !submit(&node, payload).await {
                recorder.refused();
            }
        });
    }

    fn degree(&self) -> BoxFuture<'_, f64> {
        async {
            let statistics = self.statistics().await;
            let active: u64 = statistics.iter().map(|statistics| statistics.links.active).sum();
            active as f64 / statistics.len().max(1) as f64
        }
        .boxed()
    }

    fn copies(&self) -> BoxFuture<'_, Option<Copies>> {
        async {
            let statistics = self.statistics().await;
            let again: u64 = statistics.iter().map(|statistics| statistics.gossip.duplicates).sum();
            let first: u64 = statistics.iter().map(|statistics| statistics.gossip.delivered).sum();
            Some(Copies { first, again })
        }
        .boxed()
    }
}

/// What REST does with a payload: signs it as a transaction, checks that, hands it in, and waits until it is durable.
async fn submit(node: &NodeHandle, payload: Vec<u8>) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let created_at_micros = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
    let body = TransactionBody {
        register: RegisterId::from_bytes(REGISTER),
        previous: None,
        author: node.identity.public_key,
        subject: None,
        recipients: BTreeSet::new(),
        created_at_micros,
        valid_until_micros: created_at_micros.saturating_add(LIFE),
        kind: Kind::Action,
        metadata: Metadata::default(),
        payloads: vec![Payload::new(payload)],
    };
    let Ok(transaction) = node.sign(body) else { return false };
    node.submit(transaction).await.is_ok()
}

/// Each transaction in a message of its own.
fn alone(config: &mut Config) {
    config.gossip.batch_window = Duration::ZERO;
}

fn configuration(number: usize) -> Configuration {
    Configuration {
        network: "bench".to_owned(),
        namespace: "local".to_owned(),
        network_uid: NETWORK_UID.to_owned(),
        node_name: format!("bench-peer-{number}"),
        trust_domain: TRUST_DOMAIN.to_owned(),
        ..Configuration::on_loopback(PathBuf::new())
    }
}

//! Joins all parts: what is needed first begins first, and everything ends in reverse.
//!
//! ```text
//! probes ─> definitions there ─> install root ─> caches filled ─> node service ─> campaign ─> controllers
//! ```

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use kube::Client;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    api::{Writer, connect},
    controllers::{Parts, caches::Caches, lead, network::build::Install, triggers::Triggers},
    definitions,
    events::Events,
    health::{self, Health},
    identity::{Authorities, InstallRoot, InstallRootError, Members, Networks},
    leadership::{Leadership, campaign},
    metrics::Metrics,
    nodes::{Duty, Listener, NodeMetrics, NodeRegistry, NodeService},
    policy::{Publisher, SnapshotFeeds, TokenIssuers},
    settings::Settings,
};

/// Longest time from the signal to the end of the process.
const SHUTDOWN: Duration = Duration::from_secs(8);
const RETRY: Duration = Duration::from_secs(2);

/// What every part of the process is given.
struct Base {
    settings: Settings,
    client: Client,
    metrics: Metrics,
    health: Health,
    leadership: Leadership,
    stop: CancellationToken,
}

/// Runs the operator until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot begin, or a part of it failed.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let metrics = Metrics::new();
    let client = connect(metrics.api()).await.context("no way to the API server")?;
    let health = Health::starting(&["caches", "definitions", "install root", "node service"]);
    let base =
        Base { settings, client, metrics, health, leadership: Leadership::new(), stop: CancellationToken::new() };

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut tasks = JoinSet::new();
    serve_probes(&base, &mut tasks).await?;
    let outcome = tokio::select! {
        biased;
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        outcome = work(&base, &mut tasks) => outcome,
    };
    tracing::info!("ending");
    base.stop.cancel();
    let ended = async { while tasks.join_next().await.is_some() {} };
    if timeout(SHUTDOWN, ended).await.is_err() {
        tracing::warn!("not every part ended in time");
    }
    outcome
}

async fn serve_probes(base: &Base, tasks: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
    let address = base.settings.listen_probes;
    let listener = TcpListener::bind(address).await.with_context(|| format!("--listen-probes {address}"))?;
    let (health, metrics, stop) = (base.health.clone(), base.metrics.clone(), base.stop.clone());
    tasks.spawn(async move { Ok(health::serve(listener, health, metrics, stop).await?) });
    Ok(())
}

/// Begins one part after another, then waits for one that fails.
async fn work(base: &Base, tasks: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
    definitions::wait_for(&base.client, &base.health, &base.metrics).await;
    let install_root = Arc::new(install_root(base).await?);
    let triggers = Triggers::default();
    let namespaces = &base.settings.watch_namespaces;
    let (caches, watching) = Caches::begin(&base.client, namespaces, base.metrics.api(), triggers.clone());
    part(base, tasks, watching);
    caches
        .filled(|resource| {
            base.health.set("caches", Some(format!("the first list of {resource}")));
        })
        .await;
    base.health.set("caches", None);
    tracing::info!("the caches are complete");

    let parts = parts(base, install_root.clone(), caches, triggers, tasks);
    serve_nodes(base, &parts, install_root, tasks).await?;
    let (client, health, metrics) = (base.client.clone(), base.health.clone(), base.metrics.clone());
    part(base, tasks, async move { definitions::keep_checking(&client, &health, &metrics).await });
    let stop = base.stop.clone();
    let (client, namespace) = (base.client.clone(), base.settings.namespace.clone());
    let (identity, leadership) = (base.settings.pod_name.clone(), base.leadership.clone());
    // The lease is given up when the controllers have ended what they began.
    let controllers = lead(parts.parts, base.client.clone(), base.leadership.clone(), stop.clone());
    tasks.spawn(async move {
        let campaigning = CancellationToken::new();
        let ended = async {
            controllers.await;
            campaigning.cancel();
        };
        tokio::join!(ended, campaign(client, &namespace, &identity, leadership, campaigning.clone()));
        Ok(())
    });
    match tasks.join_next().await {
        Some(ended) => ended.context("a part of the operator panicked")?.and_then(|()| {
            anyhow::ensure!(base.stop.is_cancelled(), "a part of the operator ended by itself");
            Ok(())
        }),
        None => Ok(()),
    }
}

async fn install_root(base: &Base) -> anyhow::Result<InstallRoot> {
    loop {
        match InstallRoot::load_or_create(base.client.clone(), &base.settings.namespace).await {
            Ok(root) => {
                base.health.set("install root", None);
                return Ok(root);
            }
            Err(error @ InstallRootError::Damaged(_)) => return Err(error.into()),
            Err(error) => {
                if base.health.set("install root", Some(error.to_string())) {
                    tracing::warn!(%error, "waiting for the install root");
                }
                sleep(RETRY).await;
            }
        }
    }
}

/// What the controllers are given, and what the node service shares with them.
struct Joined {
    parts: Parts,
    networks: Arc<Networks>,
}

fn parts(
    base: &Base,
    install_root: Arc<InstallRoot>,
    caches: Caches,
    triggers: Triggers,
    tasks: &mut JoinSet<anyhow::Result<()>>,
) -> Joined {
    let Base { settings, client, metrics, leadership, stop, .. } = base;
    let networks = Arc::new(Networks::default());
    let feeds = Arc::new(SnapshotFeeds::default());
    let members = Arc::new(Members::new(client.clone(), &settings.namespace, leadership.clone()));
    let authorities = Authorities::new(
        client.clone(),
        &settings.namespace,
        Arc::clone(&networks),
        Arc::clone(&members),
        leadership.clone(),
        &settings.cluster_domain,
    );
    let install = Install {
        namespace: settings.namespace.clone(),
        cluster_domain: settings.cluster_domain.clone(),
        pod_ranges: settings.pod_ranges.clone(),
        node_traces: settings.node_traces.clone(),
        install_root_sha256: install_root.sha256(),
    };
    let install_root_pem = install_root.root_pem().to_owned();
    let publisher =
        Publisher::new(client.clone(), install_root, Arc::clone(&members), Arc::clone(&feeds), leadership.clone());
    let tokens = Arc::new(TokenIssuers::new(client.clone()));
    let (asking, until) = (Arc::clone(&tokens), stop.clone());
    tasks.spawn(async move {
        asking.run(until).await;
        Ok(())
    });
    let parts = Parts {
        caches,
        writer: Writer::new(client.clone(), leadership.clone()),
        events: Events::new(client.clone(), settings.pod_name.clone(), leadership.clone()),
        metrics: metrics.clone(),
        triggers,
        authorities: Arc::new(authorities),
        members,
        registry: Arc::new(NodeRegistry::default()),
        duty: Duty::new(leadership.clone()),
        publisher: Arc::new(publisher),
        feeds,
        tokens,
        install,
        install_root_pem,
        node_image: settings.node_image.clone(),
        namespaces: settings.watch_namespaces.clone(),
    };
    Joined { parts, networks }
}

async fn serve_nodes(
    base: &Base,
    joined: &Joined,
    install_root: Arc<InstallRoot>,
    tasks: &mut JoinSet<anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let address = base.settings.listen_nodes;
    let socket = TcpListener::bind(address).await.with_context(|| format!("--listen-nodes {address}"))?;
    let parts = &joined.parts;
    let service = NodeService::new(
        base.client.clone(),
        Arc::clone(&joined.networks),
        Arc::clone(&parts.members),
        Arc::clone(&parts.feeds),
        Arc::clone(&parts.registry),
        parts.duty.clone(),
        base.metrics.register_more(NodeMetrics::register),
    );
    let own = (base.settings.namespace.as_str(), base.settings.cluster_domain.as_str());
    let listener = Listener::new(socket, service, install_root, own);
    let stop = base.stop.child_token();
    tasks.spawn(async move { Ok(listener.serve(stop).await?) });
    base.health.set("node service", None);
    Ok(())
}

/// Runs a part that ends only when the process does.
fn part(base: &Base, tasks: &mut JoinSet<anyhow::Result<()>>, task: impl Future<Output = ()> + Send + 'static) {
    let stop = base.stop.clone();
    tasks.spawn(async move {
        stop.run_until_cancelled(task).await;
        Ok(())
    });
}

//! Nodes of one network in this process. Each has a runtime of its own with as many workers as there are cores, so that one
//! ends without the others, as abruptly as a task can be dropped.

use crate::{chain, corpus::NETWORK_UID};
use anyhow::{Context as _, Result, ensure};
use peerwright_ledger::RegisterId;
use peerwright_node::{
    NodeHandle, RunningNode,
    api::{Access, Node as _},
    config::{Configuration, Storage},
    dev::Authority,
    identity::Volume,
    member::{Claim, InstallRoot, Membership},
    run::{Backing, Enrolment, Sockets, StartOptions},
    tls::Profiles,
    transport::{Connections, Dialled, Dialler},
};
use peerwright_secure::PeerId;
use peerwright_snapshot::{Content, Group, Subscription};
use peerwright_store::SealingStore;
use std::{
    collections::BTreeSet,
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    num::NonZero,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const TRUST_DOMAIN: &str = "bench.local.peerwright.internal";
/// The beginning of the names of the nodes that follow the register, and of the one that holds it.
const REPLICAS: &str = "bench-replica";
const SOURCES: &str = "bench-source";
/// Beginning of the names of members without a node.
const CALLERS: &str = "bench-caller";
/// Nodes know each other within this time.
const SETTLING: Duration = Duration::from_secs(60);
/// A node's tasks end within this time.
const ENDING: Duration = Duration::from_secs(10);
/// A register is there within this time.
const PATIENCE: Duration = Duration::from_secs(3_600);
const LOOK: Duration = Duration::from_millis(10);

/// What the nodes have in common.
pub(super) struct Network {
    pub(super) authority: Arc<Authority>,
    folder: PathBuf,
    /// Where replicas keep registers.
    pub(super) replicas_in: Storage,
}

/// A node that runs.
pub(super) struct Member {
    node: RunningNode,
    runtime: Runtime,
    place: Place,
}

/// Where a node is, whenever it runs.
#[derive(Debug, Clone)]
pub(super) struct Place {
    name: String,
    /// Of its threads.
    role: &'static str,
    folder: PathBuf,
    storage: Storage,
    address: SocketAddr,
    seed: SocketAddr,
}

impl Network {
    /// A network without nodes, whose folder is there.
    pub(super) fn new(folder: &Path) -> Result<Self> {
        let group = |nodes| Group { nodes, ..Group::default() };
        let content = Content {
            trust_domain: TRUST_DOMAIN.to_owned(),
            sealers: [chain::sealer()].into(),
            groups: [(SOURCES.to_owned(), group(1)), (REPLICAS.to_owned(), group(3))].into(),
            ..Content::default()
        };
        Ok(Self {
            authority: Arc::new(Authority::new(NETWORK_UID, content)?),
            folder: folder.to_owned(),
            replicas_in: Storage::Volume,
        })
    }

    /// The same, whose replicas will keep registers there.
    pub(super) fn with_replicas_in(self, replicas_in: Storage) -> Self {
        Self { replicas_in, ..self }
    }

    /// The folder of the node that holds the register.
    pub(super) fn source_folder(&self) -> PathBuf {
        self.folder.join("source")
    }

    /// The folder of a node that follows it.
    pub(super) fn replica_folder(&self, number: u8) -> PathBuf {
        self.folder.join(format!("replica-{number}"))
    }

    /// Starts the node that holds the register.
    pub(super) fn source(&self) -> Result<Member> {
        let address = free_address()?;
        let name = format!("{SOURCES}-0");
        let (folder, storage) = (self.source_folder(), Storage::Volume);
        self.start(Place { name, role: "source", folder, storage, address, seed: address })
    }

    /// Starts a node that follows it.
    pub(super) fn replica(&self, number: u8, source: &Member) -> Result<Member> {
        let (name, folder) = (format!("{REPLICAS}-{number}"), self.replica_folder(number));
        let (storage, address, seed) = (self.replicas_in.clone(), free_address()?, source.place.address);
        self.start(Place { name, role: "replica", folder, storage, address, seed })
    }

    /// Starts a node, for the first time or again.
    pub(super) fn start(&self, place: Place) -> Result<Member> {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let runtime = Builder::new_multi_thread().worker_threads(cores).thread_name(place.role).enable_all().build()?;
        let configuration = Configuration {
            network: "bench".to_owned(),
            namespace: "local".to_owned(),
            network_uid: NETWORK_UID.to_owned(),
            node_name: place.name.clone(),
            trust_domain: TRUST_DOMAIN.to_owned(),
            listen_peer: place.address,
            seeds: vec![place.seed.into()],
            storage: place.storage.clone(),
            ..Configuration::on_loopback(place.folder.clone())
        };
        let options = StartOptions {
            backing: Backing::Volume,
            enrolment: Enrolment::Local(self.authority.clone()),
            access: Access::Open,
            tune: |_| {},
        };
        let node = runtime.block_on(Box::pin(async {
            let sockets = Sockets::bind(&configuration).await?;
            RunningNode::start(&configuration, &options, sockets).await
        }))?;
        Ok(Member { node, runtime, place })
    }

    /// Opens a connection to a node's port 5000 as one of the members that have no node.
    pub(super) async fn dial(&self, caller: usize, address: SocketAddr) -> Result<Dialled> {
        let claim = Claim {
            network_uid: NETWORK_UID.to_owned(),
            trust_domain: TRUST_DOMAIN.to_owned(),
            namespace: "local".to_owned(),
            node: format!("{CALLERS}-{caller}"),
        };
        let volume = Volume::forgetful();
        let key = volume.node_key()?;
        let root = InstallRoot::from_der(self.authority.install_root().to_vec());
        let member = Membership::new(&claim, root, volume, key, Arc::new(Connections::default()))?;
        self.authority.enroll(&member)?;
        member.adopt_trust(&[self.authority.network_root()])?;
        let trust_domain = TRUST_DOMAIN.to_owned();
        let (anchors, bans, leaf) = (member.anchors().clone(), member.bans().clone(), member.leaf().clone());
        let profiles = Profiles::new(trust_domain, anchors, bans, leaf)?;
        let dialler = Dialler::new(TaskTracker::new(), CancellationToken::new());
        Ok(dialler.dial(address, ServerName::try_from("localhost")?, profiles.members_outbound).await?)
    }

    /// Has every node hold the register: a replica asks nobody for what it should not know of.
    pub(super) fn subscribe<'m>(
        &self,
        register: RegisterId,
        members: impl IntoIterator<Item = &'m Member>,
    ) -> Result<()> {
        self.publish(members, |content| {
            content.subscriptions.insert(*register.as_bytes(), Subscription::default());
        })
    }

    /// Has these nodes, and no others, seal.
    pub(super) fn seal<'m>(
        &self,
        sealers: BTreeSet<PeerId>,
        members: impl IntoIterator<Item = &'m Member>,
    ) -> Result<()> {
        self.publish(members, |content| {
            content.founders.clone_from(&sealers);
            content.sealers = sealers;
        })
    }

    fn publish<'m>(
        &self,
        members: impl IntoIterator<Item = &'m Member>,
        change: impl FnOnce(&mut Content),
    ) -> Result<()> {
        let snapshot = self.authority.publish(change)?;
        for member in members {
            member.handle().membership.adopt_snapshot(&snapshot)?;
        }
        Ok(())
    }
}

impl Member {
    /// What REST and gRPC work with.
    pub(super) fn handle(&self) -> &Arc<NodeHandle> {
        self.node.handle()
    }

    /// Where applications connect.
    pub(super) fn api_address(&self) -> SocketAddr {
        self.node.api_address()
    }

    /// Where members connect.
    pub(super) fn peer_address(&self) -> SocketAddr {
        self.node.peer_address()
    }

    /// Where its dockets are.
    pub(super) fn store(&self) -> &Arc<dyn SealingStore> {
        &self.handle().registers.store
    }

    /// Waits for something on the node's own threads.
    pub(super) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// The node's runtime.
    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Resolves when it has a link, and knows of as many members.
    pub(super) fn settle(&self, members: usize) -> Result<()> {
        let deadline = Instant::now() + SETTLING;
        loop {
            let view = self.wait(self.handle().view())?;
            let (_, known) = self.wait(self.handle().members())?;
            let addressed = known.iter().filter(|member| member.address.is_some()).count();
            if view.statistics.links.active > 0 && addressed >= members {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{} does not find the others", self.place.name);
            thread::sleep(LOOK);
        }
    }

    /// How many certified dockets it holds, from 0 on.
    pub(super) fn certified(&self, register: RegisterId) -> Result<u64> {
        let held = self.wait(self.store().held_dockets(register))?;
        Ok(held.and_then(|held| held.certified_through).map_or(0, |through| through + 1))
    }

    /// Returns when it holds everything up to this docket, certified and indexed.
    pub(super) fn catch_up(&self, register: RegisterId, head: u64) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.certified(register)? <= head {
            ensure!(Instant::now() < deadline, "{} does not catch up", self.place.name);
            thread::sleep(LOOK);
        }
        // What is too little for a run of its own is indexed when asked for.
        while self.wait(self.store().index(register))? < Some(head) {}
        Ok(())
    }

    /// Ends it at once, in the middle of whatever it does. Gives where it was.
    pub(super) fn kill(self) -> Result<Place> {
        let Self { node, runtime, place } = self;
        {
            let _entered = runtime.enter();
            drop(node);
        }
        runtime.shutdown_timeout(ENDING);
        Ok(place)
    }
}

fn free_address() -> Result<SocketAddr> {
    let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(socket.local_addr()?)
}

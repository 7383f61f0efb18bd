//! One host: its volume, which outlives every crash, and the node that runs on it now.

use crate::{
    NodeHandle, RunningNode,
    config::Endpoint,
    dev::Authority,
    run::{Backing, Sockets},
    testing::{NETWORK_UID, configuration, options},
};
use futures::{FutureExt, future::LocalBoxFuture};
use peerwright_secure::{NodeKey, PeerId};
use peerwright_store::{Memory, Pending};
use std::{
    cell::RefCell,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    rc::Rc,
    sync::Arc,
};
use tokio::{sync::mpsc, task::spawn_local};

const PEER_PORT: u16 = 5000;
const API_PORT: u16 = 8443;
const PROBE_PORT: u16 = 8080;

/// Clients that come at once.
const JOBS: usize = 64;

/// What a client of a node does there; it ends with the node.
type Job = Box<dyn FnOnce(Arc<NodeHandle>) -> LocalBoxFuture<'static, ()>>;

/// A host of the simulated network.
pub(super) struct Host {
    pub(super) number: usize,
    pub(super) key: NodeKey,
    pub(super) volume: Arc<Memory>,
    authority: Arc<Authority>,
    hosts: usize,
    running: RefCell<Option<Running>>,
}

struct Running {
    node: Arc<NodeHandle>,
    jobs: mpsc::Sender<Job>,
}

impl Host {
    /// One of so many hosts, whose node has this key. Nothing runs on it yet.
    pub(super) fn new(number: usize, hosts: usize, key: NodeKey, authority: Arc<Authority>) -> Rc<Self> {
        let volume = Arc::new(Memory::new(NETWORK_UID));
        Rc::new(Self { number, key, volume, authority, hosts, running: RefCell::default() })
    }

    /// The name of a host on the network.
    pub(super) fn name(number: usize) -> String {
        format!("host-{number}")
    }

    pub(super) fn peer_id(&self) -> PeerId {
        PeerId::of(&self.key.public())
    }

    /// The node, once it has started and until its host crashes.
    pub(super) fn node(&self) -> Option<Arc<NodeHandle>> {
        self.running.borrow().as_ref().map(|running| running.node.clone())
    }

    pub(super) fn is_leading(&self) -> bool {
        self.node().is_some_and(|node| node.creator.sealer.is_leading())
    }

    /// Does this on the host as a client of its node; nothing when no node runs there.
    pub(super) fn run<F: Future<Output = ()> + 'static>(&self, job: impl FnOnce(Arc<NodeHandle>) -> F + 'static) {
        if let Some(running) = &*self.running.borrow() {
            // The node may be ending; of clients that come all at once, those beyond the bound go away.
            drop(running.jobs.try_send(Box::new(|node| job(node).boxed_local())));
        }
    }

    /// The host has crashed: whatever ran there is gone.
    pub(super) fn forget_node(&self) {
        self.running.replace(None);
    }

    /// A node's life, until the host crashes. An error: a part of the node has ended by itself.
    pub(super) async fn live(self: Rc<Self>) -> turmoil::Result {
        let mut node = self.start().await?;
        let (jobs, mut given) = mpsc::channel::<Job>(JOBS);
        let handle = node.handle().clone();
        self.running.replace(Some(Running { node: handle.clone(), jobs }));
        loop {
            tokio::select! {
                biased;
                ended = node.failed() => return Err(ended.into()),
                Some(job) = given.recv() => drop(spawn_local(job(handle.clone()))),
            }
        }
    }

    async fn start(&self) -> Result<RunningNode, Box<dyn std::error::Error>> {
        let mut configuration = configuration(&format!("demo-peer-{}", self.number), Path::new("/nowhere"));
        let everywhere = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        configuration.listen_peer = everywhere(PEER_PORT);
        configuration.listen_api = everywhere(API_PORT);
        configuration.listen_probe = everywhere(PROBE_PORT);
        let seed = |number| Endpoint { host: turmoil::lookup(Self::name(number)).to_string(), port: PEER_PORT };
        configuration.seeds = (0..self.hosts).map(seed).collect();
        let mut sockets = Sockets::bind(&configuration).await?;
        // The system tells its own addresses, not those of this host.
        sockets.peer_address.set_ip(turmoil::lookup(Self::name(self.number)));
        let backing = Backing::Lasting(Box::new(self.key.clone()), self.volume.clone());
        Ok(RunningNode::start(&configuration, &options(&self.authority, backing), sockets).await?)
    }
}

/// What a store in memory answers, which it does at once.
pub(super) fn read<T>(pending: Pending<'_, T>) -> T {
    pending.now_or_never().unwrap().unwrap()
}

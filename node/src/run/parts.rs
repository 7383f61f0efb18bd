//! What a start is made of.

use crate::{
    api::Access, config::Configuration, dev::Authority, identity::VolumeError, member::InstallRootRefused,
    members::DescriptorsInvalid, telemetry::TracesError, transport::TcpListener,
};
use peerwright_engine::Config;
use peerwright_secure::{NodeKey, SpiffeRefused};
use peerwright_store::{Memory, SealingStore, Store, StoreError};
use std::{io, net::SocketAddr, sync::Arc};
use thiserror::Error;

/// Where the node keeps things.
#[derive(Clone)]
pub enum Backing {
    /// In `data-dir`, and registers where the configuration says.
    Volume,
    /// Nowhere: everything is gone with the process.
    Memory,
    /// In stores of whoever starts the node, messages and dockets; the rest is gone with the process.
    Stores(Arc<dyn Store>, Arc<dyn SealingStore>),
    /// In what whoever starts the node keeps over its restarts: this key, this store.
    Lasting(Box<NodeKey>, Arc<Memory>),
}

/// From whom the node gets certificate and snapshot.
#[derive(Clone)]
pub enum Enrolment {
    /// The operator of a cluster.
    Operator,
    /// An authority in this process.
    Local(Arc<Authority>),
}

/// How a node is started, beside its configuration.
#[derive(Clone)]
pub struct StartOptions {
    /// Where it keeps things.
    pub backing: Backing,
    /// From whom it gets certificate and snapshot.
    pub enrolment: Enrolment,
    /// Whether REST asks for tokens.
    pub access: Access,
    /// Changes the engine's settings before it starts.
    pub tune: fn(&mut Config),
}

impl StartOptions {
    /// As on Kubernetes.
    #[must_use]
    pub fn production() -> Self {
        Self { backing: Backing::Volume, enrolment: Enrolment::Operator, access: Access::ByToken, tune: |_| {} }
    }
}

/// Why a node did not start. Shown as one line.
#[derive(Debug, Error)]
pub enum StartError {
    /// A port is taken, or is not ours to take.
    #[error("{option} {address}: {source}")]
    Bind {
        /// The option that names the port.
        option: &'static str,
        /// What it names.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The volume cannot be used.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The install root is not the one that was promised.
    #[error(transparent)]
    InstallRoot(#[from] InstallRootRefused),
    /// The names in the configuration make no member.
    #[error("trust-domain, namespace and node-name make no member's name: {0}")]
    Name(#[from] SpiffeRefused),
    /// There is nowhere to send traces to.
    #[error(transparent)]
    Traces(#[from] TracesError),
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// A defect of the program.
    #[error(transparent)]
    Descriptors(#[from] DescriptorsInvalid),
    /// The authority in this process did not issue what it should.
    #[error("the authority of this process: {0}")]
    Authority(String),
    /// No randomness for the engine's choices.
    #[error("the operating system gives no random bytes")]
    NoRandomness,
}

/// The node's bound ports.
#[derive(Debug)]
pub struct Sockets {
    pub(super) peer: TcpListener,
    pub(super) api: TcpListener,
    pub(super) probe: TcpListener,
    /// Where other nodes connect.
    pub peer_address: SocketAddr,
    /// Where applications connect.
    pub api_address: SocketAddr,
    /// Where probes and metrics are read.
    pub probe_address: SocketAddr,
}

impl Sockets {
    /// Binds the three ports of a configuration; port 0 takes a free one.
    pub async fn bind(configuration: &Configuration) -> Result<Self, StartError> {
        let (peer, peer_address) = bind("listen-peer", configuration.listen_peer).await?;
        let (api, api_address) = bind("listen-api", configuration.listen_api).await?;
        let (probe, probe_address) = bind("listen-probe", configuration.listen_probe).await?;
        Ok(Self { peer, api, probe, peer_address, api_address, probe_address })
    }
}

async fn bind(option: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Bind { option, address, source };
    let socket = TcpListener::bind(address).await.map_err(failed)?;
    let bound = socket.local_addr().map_err(failed)?;
    Ok((socket, bound))
}

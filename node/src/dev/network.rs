//! The nodes of a network in one process.

use super::{Authority, AuthorityError};
use crate::{
    NodeHandle,
    api::{Access, Node},
    config::{Configuration, DevConfiguration},
    member::AdoptionRefused,
    registers::{CreateRefused, NewRegister},
    run::{Backing, Enrolment, PartEnded, RunningNode, Sockets, StartError, StartOptions},
};
use futures::future::{join_all, select_all};
use peerwright_ledger::{RegisterId, RegisterPolicy};
use peerwright_secure::PeerId;
use peerwright_snapshot::{Content, Subscription};
use peerwright_store::StoreError;
use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};
use thiserror::Error;
use tokio::time::sleep;

const NAME: &str = "dev";
const NAMESPACE: &str = "local";
const NETWORK_UID: &str = "00000000-0000-4000-8000-000000000de0";
const TRUST_DOMAIN: &str = "dev.local.peerwright.internal";
const DRAIN: Duration = Duration::from_secs(5);

/// Nodes that seal where there are as many; otherwise one.
const SEALERS: usize = 3;
/// Between two attempts to begin a register while not all sealers are known.
const MEETING: Duration = Duration::from_millis(100);

/// Why a network in one process has no register.
#[derive(Debug, Error)]
pub enum BeginError {
    /// It was not begun.
    #[error(transparent)]
    Refused(#[from] CreateRefused),
    /// What the volumes hold cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The nodes do not take the network's word.
    #[error(transparent)]
    Adoption(#[from] AdoptionRefused),
    /// The network has no word.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

/// A running network in one process.
pub struct DevNetwork {
    authority: Arc<Authority>,
    nodes: Vec<RunningNode>,
}

impl DevNetwork {
    /// Starts the nodes; returns when each of them listens.
    pub async fn start(configuration: &DevConfiguration) -> Result<Self, StartError> {
        let content = Content { trust_domain: TRUST_DOMAIN.to_owned(), ..Content::default() };
        let authority = Authority::new(NETWORK_UID, content).map_err(|error| start_error(&error))?;
        let authority = Arc::new(authority);
        let options = StartOptions {
            backing: if configuration.data_dir.is_some() { Backing::Volume } else { Backing::Memory },
            enrolment: Enrolment::Local(authority.clone()),
            access: Access::Open,
            tune: |_| {},
        };
        let mut bound = Vec::new();
        for number in 0..configuration.nodes {
            let directory = configuration.data_dir.as_ref().map(|directory| directory.join(format!("node-{number}")));
            let configuration = node_configuration(number, directory.unwrap_or_default());
            let sockets = Sockets::bind(&configuration).await?;
            bound.push((configuration, sockets));
        }
        let seeds: Vec<_> = bound.iter().map(|(_, sockets)| sockets.peer_address.into()).collect();
        let mut nodes = Vec::new();
        for (mut configuration, sockets) in bound {
            configuration.seeds.clone_from(&seeds);
            nodes.push(RunningNode::start(&configuration, &options, sockets).await?);
        }
        Ok(Self { authority, nodes })
    }

    /// Lets up to three nodes seal, and gives the id of a register that all of them hold: the one that their volumes have
    /// from an earlier start, or another.
    pub async fn begin_register(&self) -> Result<RegisterId, BeginError> {
        let ids = self.nodes.iter().map(|node| node.handle().identity.peer_id);
        let sealers: BTreeSet<PeerId> = ids.take(if self.nodes.len() >= SEALERS { SEALERS } else { 1 }).collect();
        self.publish(|content| {
            content.founders.clone_from(&sealers);
            content.sealers = sealers;
        })?;
        self.ready().await;
        let first = self.nodes.first().ok_or(CreateRefused::NoSealers)?;
        let held = first.handle().registers.store.registers().await?;
        let register = match held.first() {
            Some(held) => held.register,
            None => begin(first.handle()).await?,
        };
        let everywhere = Subscription::default();
        self.publish(|content| content.subscriptions = [(*register.as_bytes(), everywhere)].into())?;
        Ok(register)
    }

    /// Puts a change of the snapshot in force on every node.
    fn publish(&self, change: impl FnOnce(&mut Content)) -> Result<(), BeginError> {
        let snapshot = self.authority.publish(change)?;
        for node in &self.nodes {
            node.handle().membership.adopt_snapshot(&snapshot)?;
        }
        Ok(())
    }

    /// The nodes, in order.
    #[must_use]
    pub fn nodes(&self) -> &[RunningNode] {
        &self.nodes
    }

    /// Issues certificates and snapshots for the network.
    #[must_use]
    pub fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// Resolves when every node is ready.
    pub async fn ready(&self) {
        join_all(self.nodes.iter().map(|node| async {
            let mut readiness = node.handle().readiness.clone();
            // The sender lives as long as the node does.
            drop(readiness.wait_for(|readiness| readiness.is_ready()).await);
        }))
        .await;
    }

    /// Resolves when a part of a node ends that should not.
    pub async fn failed(&mut self) -> PartEnded {
        let failing = self.nodes.iter_mut().map(|node| Box::pin(node.failed()));
        select_all(failing).await.0
    }

    /// Ends every node in order.
    pub async fn drain(self) {
        join_all(self.nodes.into_iter().map(|node| node.drain(DRAIN))).await;
    }
}

async fn begin(node: &NodeHandle) -> Result<RegisterId, CreateRefused> {
    loop {
        let new = NewRegister {
            name: NAME.to_owned(),
            description: String::new(),
            owner: NAME.to_owned(),
            authority: None,
            policy: RegisterPolicy::default(),
        };
        match node.create_register(new).await {
            // The members are getting to know each other.
            Err(CreateRefused::NoSealers) => sleep(MEETING).await,
            begun => return begun,
        }
    }
}

fn start_error(error: &AuthorityError) -> StartError {
    StartError::Authority(error.to_string())
}

/// A node of this network.
fn node_configuration(number: u16, data_dir: PathBuf) -> Configuration {
    Configuration {
        network: NAME.to_owned(),
        namespace: NAMESPACE.to_owned(),
        network_uid: NETWORK_UID.to_owned(),
        node_name: format!("{NAME}-peer-{number}"),
        trust_domain: TRUST_DOMAIN.to_owned(),
        drain: DRAIN,
        ..Configuration::on_loopback(data_dir)
    }
}

//! The nodes of a network in one process.

use super::{Authority, AuthorityError};
use crate::{
    api::Access,
    config::{Configuration, DevConfiguration},
    run::{Backing, Enrolment, PartEnded, RunningNode, Sockets, StartError, StartOptions},
};
use futures::future::{join_all, select_all};
use peerwright_snapshot::{Content, Subscription};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// The register that every `dev` network holds.
pub const DEMO_REGISTER: [u8; 16] = *b"peerwright-demo1";

const NAME: &str = "dev";
const NAMESPACE: &str = "local";
const NETWORK_UID: &str = "00000000-0000-4000-8000-000000000de0";
const TRUST_DOMAIN: &str = "dev.local.peerwright.internal";
const DRAIN: Duration = Duration::from_secs(5);

/// A running network in one process.
pub struct DevNetwork {
    authority: Arc<Authority>,
    nodes: Vec<RunningNode>,
}

impl DevNetwork {
    /// Starts the nodes; returns when each of them listens.
    pub async fn start(configuration: &DevConfiguration) -> Result<Self, StartError> {
        let content = Content {
            trust_domain: TRUST_DOMAIN.to_owned(),
            subscriptions: [Subscription { register: DEMO_REGISTER }].into(),
            ..Content::default()
        };
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

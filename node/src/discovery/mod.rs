//! Finds other nodes: resolves the seeds, again and again, because pods come and go behind their names.

mod nearby;
mod own;
mod resolver;

pub(crate) use nearby::Nearby;
pub use nearby::{Interfaces, MulticastDns};
pub use resolver::{ResolveError, Resolver};

use crate::config::Endpoint;
pub(crate) use own::OwnAddresses;
use peerwright_engine::Address;
use std::{net::SocketAddr, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

/// Between two rounds while at least one link is up.
const CALM: Duration = Duration::from_secs(5);
/// Between two rounds while none is.
const EAGER: Duration = Duration::from_secs(1);
/// The most addresses that one round gives: a name that resolves to more is not a network of ours.
const MOST_ADDRESSES: usize = 1_024;

/// Resolves the seeds and tells the driver, until the driver is gone.
pub struct Discovery {
    /// Where to look.
    pub seeds: Vec<Endpoint>,
    /// Asks the system's name servers.
    pub resolver: Resolver,
    /// Where this node listens: not a peer.
    pub own: SocketAddr,
    /// How many links are up.
    pub links: watch::Receiver<usize>,
    /// Takes the whole list, each round.
    pub found: mpsc::Sender<Vec<Address>>,
}

impl Discovery {
    /// Begins at once; runs until the driver is gone.
    pub async fn run(mut self) {
        let mut known: Vec<Address> = Vec::new();
        loop {
            let begun = Instant::now();
            if let Some(addresses) = self.resolve().await {
                if addresses != known {
                    tracing::debug!(count = addresses.len(), "the seeds resolve to other addresses");
                }
                known.clone_from(&addresses);
                if self.found.send(addresses).await.is_err() {
                    return;
                }
            }
            loop {
                let wait = if *self.links.borrow_and_update() == 0 { EAGER } else { CALM };
                tokio::select! {
                    biased;
                    () = self.found.closed() => return,
                    () = sleep_until(begun + wait) => break,
                    changed = self.links.changed() => if changed.is_err() { return },
                }
            }
        }
    }

    /// `None` when no name could be resolved at all: then what is known stays known.
    async fn resolve(&self) -> Option<Vec<Address>> {
        let own = OwnAddresses::now(self.own);
        let mut addresses = Vec::new();
        let mut answered = self.seeds.is_empty();
        for seed in &self.seeds {
            match self.resolver.resolve(seed).await {
                Ok(sockets) => {
                    answered = true;
                    let others = sockets.into_iter().filter(|socket| !own.contains(socket));
                    addresses.extend(others.map(|socket| Address { host: seed.host.clone(), socket }));
                }
                Err(error) => tracing::debug!(%seed, %error, "a seed does not resolve"),
            }
        }
        addresses.sort();
        addresses.dedup_by_key(|address| address.socket);
        addresses.truncate(MOST_ADDRESSES);
        answered.then_some(addresses)
    }
}

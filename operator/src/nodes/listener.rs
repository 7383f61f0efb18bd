//! Accepts connections on port 9443, renews the serving certificate, and ends every connection when the duty changes.

use std::{io, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use thiserror::Error;
use tokio::{net::TcpListener, sync::Semaphore, time::timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    connection::Connections,
    service::NodeService,
    tls::{ServingKey, server_config},
};
use crate::identity::{InstallRoot, InstallRootError, unix_now};

/// Most connections at once; further ones wait in the socket's backlog.
const MAX_CONNECTIONS: usize = 4096;
/// Most connections at once of callers without a certificate; further ones are closed.
const MAX_ANONYMOUS: usize = 1024;
/// Pause after a failed accept: the process is out of file descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Longest wait for the tasks of the service at the end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause before a serving certificate that could not be made is tried again.
const RENEW_RETRY: Duration = Duration::from_secs(60);

/// The node service cannot begin.
#[derive(Debug, Error)]
pub enum ServeError {
    /// No serving certificate.
    #[error(transparent)]
    InstallRoot(#[from] InstallRootError),
    /// TLS refuses its configuration.
    #[error("TLS cannot be configured: {0}")]
    Tls(#[from] rustls::Error),
}

/// The node service, ready to accept.
pub struct Listener {
    socket: TcpListener,
    service: Arc<NodeService>,
    install_root: Arc<InstallRoot>,
    namespace: String,
    cluster_domain: String,
}

impl Listener {
    /// Serves `service` on `socket`, as the operator's Service in a namespace of a cluster domain.
    #[must_use]
    pub fn new(
        socket: TcpListener,
        service: Arc<NodeService>,
        install_root: Arc<InstallRoot>,
        (namespace, cluster_domain): (&str, &str),
    ) -> Self {
        let (namespace, cluster_domain) = (namespace.to_owned(), cluster_domain.to_owned());
        Self { socket, service, install_root, namespace, cluster_domain }
    }

    /// Serves until `shutdown`; every task of the service has ended when this returns, or its time was up.
    ///
    /// # Errors
    /// When the service cannot begin.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), ServeError> {
        let serving = self.install_root.serving_certificate(&self.namespace, &self.cluster_domain)?;
        let key = Arc::new(ServingKey(ArcSwap::from(serving.key)));
        let mut duty = self.service.duty().subscribe();
        let config = server_config(key.clone(), self.service.networks().clone(), duty.clone())?;
        let tasks = TaskTracker::new();
        let connections = Connections {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            networks: self.service.networks().clone(),
            routes: self.service.routes(),
            anonymous: Arc::new(Semaphore::new(MAX_ANONYMOUS)),
            tasks: tasks.clone(),
            metrics: self.service.metrics().clone(),
        };
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        tasks.spawn(self.renewal(key, serving.not_after, shutdown.clone()));
        let mut term = shutdown.child_token();
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                changed = duty.changed() => {
                    term.cancel();
                    term = shutdown.child_token();
                    if changed.is_err() {
                        break;
                    }
                }
                accepted = accept(&self.socket, &room) => match accepted {
                    Ok((socket, address, permit)) => {
                        let (connection, ending) = (connections.clone(), term.clone());
                        tasks.spawn(async move {
                            connection.serve(socket, address, ending).await;
                            drop(permit);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        shutdown.cancel();
        drop(self.socket);
        tasks.close();
        let streams = self.service.drain();
        if timeout(DRAIN_TIMEOUT, futures::future::join(tasks.wait(), streams)).await.is_err() {
            tracing::warn!("connections of nodes did not end in time");
        }
        Ok(())
    }

    /// Puts a new serving certificate in place each time a third of the old one's life is over.
    fn renewal(
        &self,
        key: Arc<ServingKey>,
        mut not_after: i64,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        let install_root = self.install_root.clone();
        let (namespace, cluster_domain) = (self.namespace.clone(), self.cluster_domain.clone());
        async move {
            loop {
                let left = u64::try_from(not_after - unix_now()).unwrap_or_default();
                let pause = Duration::from_secs(left / 3).max(RENEW_RETRY);
                tokio::select! {
                    biased;
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
                match install_root.serving_certificate(&namespace, &cluster_domain) {
                    Ok(serving) => {
                        not_after = serving.not_after;
                        key.0.store(serving.key);
                    }
                    Err(error) => tracing::error!(%error, "no new serving certificate could be made"),
                }
            }
        }
    }
}

type Accepted = (tokio::net::TcpStream, std::net::SocketAddr, tokio::sync::OwnedSemaphorePermit);

async fn accept(socket: &TcpListener, room: &Arc<Semaphore>) -> io::Result<Accepted> {
    let permit = room.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, address) = socket.accept().await?;
    // A socket that is gone already fails here: the handshake will say so.
    let _gone = stream.set_nodelay(true);
    Ok((stream, address, permit))
}

#[cfg(test)]
#[path = "listener_tests.rs"]
mod tests;

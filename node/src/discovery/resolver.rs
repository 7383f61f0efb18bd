//! Names to addresses.

use crate::config::Endpoint;
use hickory_resolver::{TokioResolver, net::NetError};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use thiserror::Error;
use tokio::time::timeout;

/// One name takes no longer than this.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Why a name has no addresses now.
#[derive(Debug, Error)]
pub enum ResolveError {
    /// No answer.
    #[error("no name server answered in time")]
    Timeout,
    /// An answer that says so.
    #[error(transparent)]
    Answer(#[from] NetError),
    /// The system has no usable resolver configuration.
    #[error("the system's resolver configuration cannot be used")]
    NoConfiguration,
}

/// Asks the name servers of the system's configuration, every time anew: a pod that is gone must not live on in a cache.
#[derive(Clone)]
pub struct Resolver(Option<Arc<TokioResolver>>);

impl Resolver {
    /// Reads the system's configuration. Without one only IP addresses resolve.
    #[must_use]
    pub fn from_system() -> Self {
        let resolver = TokioResolver::builder_tokio().and_then(|mut builder| {
            let options = builder.options_mut();
            options.cache_size = 0;
            // A name with five labels, such as a Service with its cluster domain, is tried as it stands first.
            options.ndots = options.ndots.min(4);
            options.timeout = Duration::from_secs(1);
            options.attempts = 2;
            builder.build()
        });
        match resolver {
            Ok(resolver) => Self(Some(Arc::new(resolver))),
            Err(error) => {
                tracing::warn!(%error, "names cannot be resolved, addresses can");
                Self(None)
            }
        }
    }

    /// Only IP addresses, without asking anybody.
    #[must_use]
    pub fn addresses_only() -> Self {
        Self(None)
    }

    /// The addresses of an endpoint, in ascending order.
    pub async fn resolve(&self, endpoint: &Endpoint) -> Result<Vec<SocketAddr>, ResolveError> {
        if let Ok(address) = endpoint.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, endpoint.port)]);
        }
        let resolver = self.0.as_ref().ok_or(ResolveError::NoConfiguration)?;
        let found = timeout(TIMEOUT, resolver.lookup_ip(endpoint.host.as_str())).await;
        let found = found.map_err(|_| ResolveError::Timeout)??;
        let mut sockets: Vec<_> = found.iter().map(|address| SocketAddr::new(address, endpoint.port)).collect();
        sockets.sort_unstable();
        sockets.dedup();
        Ok(sockets)
    }
}

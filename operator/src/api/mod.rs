//! The API server as this program uses it: a client that counts, and a writer that asks for leadership first.

mod observe;
mod paths;
mod writer;

use kube::{Client, Config, client::ClientBuilder};

pub use observe::{ApiMetrics, ObserveLayer, WatchLabels, WriteLabels};
#[cfg(test)]
pub(crate) use writer::CALL_TIMEOUT;
pub use writer::{FIELD_MANAGER, WriteError, Writer};

/// Connects by the usual rules: `KUBECONFIG`, `~/.kube/config`, the pod's service account.
///
/// # Errors
/// When there is no usable configuration.
pub async fn connect(metrics: ApiMetrics) -> anyhow::Result<Client> {
    let mut config = Config::infer().await?;
    // Whoever asks repeats what may be repeated, when it is due; the client would do so behind a caller's deadline.
    config.default_retry = false;
    Ok(ClientBuilder::try_from(config)?.with_layer(&ObserveLayer::new(metrics)).build())
}

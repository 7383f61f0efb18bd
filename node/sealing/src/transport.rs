//! How a sealer reaches the others. The node carries the bytes over its links; nothing here knows how.

use bytes::Bytes;
use futures::future::BoxFuture;
use peerwright_secure::NodePublicKey;
use std::time::Duration;
use thiserror::Error;

/// Carries requests between sealers. The other side hands what arrives to [`Group::serve`](crate::Group::serve), with the
/// key that its link has proven, and sends back what that answers.
///
/// A request may be lost, come late or come twice; it may not come changed, or from another than is said.
pub trait Transport: Send + Sync + 'static {
    /// The answer of the sealer `to`. Ends within `patience`. At most
    /// [`MAX_MESSAGE_BYTES`](crate::MAX_MESSAGE_BYTES) go each way.
    fn call(
        &self,
        to: NodePublicKey,
        request: Bytes,
        patience: Duration,
    ) -> BoxFuture<'static, Result<Bytes, TransportError>>;
}

/// Why there is no answer. Whether the request arrived is not known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TransportError {
    /// There is no link, and none can be made now.
    #[error("the sealer cannot be reached: {0}")]
    Unreachable(String),
    /// No answer within the time.
    #[error("the sealer has not answered in time")]
    Timeout,
}

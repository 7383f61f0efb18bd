//! Speaks to the operator: asks for certificates, hears snapshots, says how this node is.
//!
//! ```text
//! Service name ─▶ every address ─▶ TLS pinned to the install root
//!    Certify   first start, a third of the leaf's life, after a refusal; server TLS, token read anew each time
//!    Watch     as a member: snapshots down, acknowledgements and digests up
//!    Endorse   as a member that goes on without the other sealers: the network's word for that
//! ```
//!
//! The operator may be away for days: a node with leaf and snapshot works on, one without waits and says so. Nothing here
//! gives up.

mod certify;
mod endorse;
mod keep;
mod watch;

use crate::{
    backoff::random_below,
    config::Endpoint,
    discovery::{ResolveError, Resolver},
    member::Membership,
    tls::{operator_profile, refusal_of},
    transport::{DialError, Dialler, HttpConnection, MAX_MESSAGE_BYTES},
};
use futures::future::BoxFuture;
use http::Uri;
use peerwright_proto::v1::{HeartbeatDigest, operator_client::OperatorClient as Client};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::{net::SocketAddr, path::PathBuf, sync::Arc};
use thiserror::Error;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

/// The refusals that have a name; another one counts as `refused`.
const REFUSALS: &[&str] = &[
    "token_invalid",
    "audience_mismatch",
    "pod_gone",
    "pod_deleting",
    "service_account_mismatch",
    "not_a_member",
    "ordinal_out_of_range",
    "identity_changed",
    "banned",
    "csr_invalid",
    "proof_invalid",
    "network_unknown",
    "ca_unavailable",
    "certificate_required",
    "not_ordered",
    "malformed",
    "overloaded",
    "leaf_ended",
    "superseded",
    "silent",
];

/// The metadata key in which the operator says why it refused.
const REFUSAL: &str = "peerwright-refusal";

/// Tells the operator how this node is.
pub trait DigestSource: Send + Sync + 'static {
    /// As it is now, without counting what registers hold: cheap enough for every second.
    fn outline(&self) -> BoxFuture<'_, HeartbeatDigest>;

    /// As it is now.
    fn digest(&self) -> BoxFuture<'_, HeartbeatDigest>;
}

/// Hears what the operator answered, for the metrics.
pub type AnswerObserver = Arc<dyn Fn(&'static str, &'static str) + Send + Sync>;

/// What the client needs to know.
pub struct OperatorSettings {
    /// Where the operator answers.
    pub endpoint: Endpoint,
    /// The service-account token.
    pub token_file: PathBuf,
}

/// The node's side of the operator's service.
pub struct OperatorClient {
    settings: OperatorSettings,
    resolver: Resolver,
    dialler: Dialler,
    membership: Arc<Membership>,
    digests: Arc<dyn DigestSource>,
    observer: AnswerObserver,
    /// Without a leaf, to get one.
    anonymous: Arc<ClientConfig>,
    /// With the leaf.
    member: Arc<ClientConfig>,
    /// The operator did not take the leaf: another is needed before its time.
    renew: Notify,
}

/// Why the operator did not do what it was asked.
#[derive(Debug, Error)]
enum OperatorError {
    #[error("its name does not resolve: {0}")]
    Resolve(#[from] ResolveError),
    #[error("its name is no server name")]
    Name,
    #[error("not reached: {0}")]
    Dial(#[from] DialError),
    #[error("no answer in time")]
    Timeout,
    /// This replica does not lead; another may.
    #[error("none of its replicas leads")]
    NotLeader,
    /// This node has another leaf by now: the stream is to rest on that one.
    #[error("the stream is dialled anew with the new certificate")]
    LeafReplaced,
    #[error("refused: {code} ({message})")]
    Refused { code: &'static str, message: String },
    #[error("{0}")]
    Failed(Status),
    #[error("what it answered cannot be used: {0}")]
    Unusable(String),
}

impl OperatorError {
    /// As a metric label.
    fn code(&self) -> &'static str {
        match self {
            Self::Resolve(_) => "unresolved",
            Self::Name => "name",
            Self::Dial(error) => error.code(),
            Self::Timeout => "timeout",
            Self::NotLeader => "not_leader",
            Self::LeafReplaced => "leaf_replaced",
            Self::Refused { code, .. } => code,
            Self::Failed(_) => "failed",
            Self::Unusable(_) => "unusable",
        }
    }
}

impl From<Status> for OperatorError {
    fn from(status: Status) -> Self {
        let refused = |code| Self::Refused { code, message: status.message().to_owned() };
        match status.metadata().get(REFUSAL).and_then(|code| code.to_str().ok()) {
            Some("not_leader") => Self::NotLeader,
            Some(code) => refused(REFUSALS.iter().find(|known| **known == code).copied().unwrap_or("refused")),
            None => match refusal_of(&status) {
                Some(code) => Self::Refused { code, message: "in the TLS handshake".to_owned() },
                None if status.code() == Code::Unauthenticated => refused("unauthenticated"),
                None => Self::Failed(status),
            },
        }
    }
}

impl OperatorClient {
    /// A client that has not dialled yet.
    pub fn new(
        settings: OperatorSettings,
        resolver: Resolver,
        dialler: Dialler,
        membership: Arc<Membership>,
        digests: Arc<dyn DigestSource>,
        observer: AnswerObserver,
    ) -> Result<Self, rustls::Error> {
        let root = membership.install_root().der();
        let anonymous = operator_profile(root, None)?;
        let member = operator_profile(root, Some(membership.leaf().clone()))?;
        let renew = Notify::new();
        Ok(Self { settings, resolver, dialler, membership, digests, observer, anonymous, member, renew })
    }

    /// Certifies, watches and sees to it that snapshots are kept, until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        tokio::join!(self.keep_certificate(&stop), self.keep_watching(&stop), self.keep_snapshots(&stop));
    }

    /// Every address of the operator, in an order that differs from node to node and from time to time.
    async fn addresses(&self) -> Result<Vec<SocketAddr>, OperatorError> {
        let mut addresses = self.resolver.resolve(&self.settings.endpoint).await?;
        if !addresses.is_empty() {
            let first = random_below(addresses.len() as u64);
            addresses.rotate_left(usize::try_from(first).unwrap_or(0));
        }
        Ok(addresses)
    }

    async fn connect(
        &self,
        socket: SocketAddr,
        config: &Arc<ClientConfig>,
    ) -> Result<(Client<HttpConnection>, CancellationToken), OperatorError> {
        let host = self.settings.endpoint.host.trim_end_matches('.');
        let name = ServerName::try_from(host.to_owned()).map_err(|_| OperatorError::Name)?;
        let origin = Uri::builder().scheme("https").authority(self.settings.endpoint.to_string()).path_and_query("/");
        let origin = origin.build().map_err(|_| OperatorError::Name)?;
        let dialled = self.dialler.dial(socket, name, config.clone()).await?;
        let client = Client::with_origin(dialled.connection, origin).max_decoding_message_size(MAX_MESSAGE_BYTES);
        Ok((client, dialled.cut))
    }
}

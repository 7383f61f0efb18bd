//! One connection of a node: handshake, identity, HTTP/2, and an end in bounded time.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use http::Request;
use hyper::{body::Incoming, rt::Executor, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls_pki_types::UnixTime;
use tokio::{
    net::TcpStream,
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::service::Routes;
use tower::Service;

use super::metrics::NodeMetrics;
use crate::identity::{MemberIdentity, Networks};

/// Longest wait for a handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection that is asked to end may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a caller without a certificate may stay: long enough for `Certify`.
const ANONYMOUS_LIFETIME: Duration = Duration::from_secs(60);
/// A quiet connection is asked for a sign of life this often, and waited for this long.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// Calls at once on one connection: a node has one `Watch` and now and then a `Certify`.
const MAX_STREAMS: u32 = 8;
/// Longest header block, bytes.
const MAX_HEADER_BYTES: u32 = 16 * 1024;

/// Who is at the other end, for the handlers.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Where the call comes from.
    pub(super) address: SocketAddr,
    /// The member whose certificate was presented, if any.
    pub(super) member: Option<Arc<MemberIdentity>>,
    /// Cancelled when the connection must end.
    pub(super) ending: CancellationToken,
}

/// What every connection shares.
#[derive(Clone)]
pub(super) struct Connections {
    pub(super) acceptor: TlsAcceptor,
    pub(super) networks: Arc<Networks>,
    pub(super) routes: Routes,
    /// Room for callers without a certificate, so that they cannot keep members out.
    pub(super) anonymous: Arc<Semaphore>,
    pub(super) tasks: TaskTracker,
    pub(super) metrics: NodeMetrics,
}

impl Connections {
    /// Serves one connection until it ends, or until shortly after `ending` is cancelled.
    pub(super) async fn serve(self, socket: TcpStream, address: SocketAddr, ending: CancellationToken) {
        let _counted = self.metrics.connection();
        let stream = tokio::select! {
            biased;
            () = ending.cancelled() => return,
            handshake = timeout(HANDSHAKE_TIMEOUT, self.acceptor.accept(socket)) => match handshake {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => {
                    let reason = handshake_refusal(&error);
                    self.metrics.handshake_refused(reason);
                    tracing::debug!(%address, reason, %error, "handshake refused");
                    return;
                }
                Err(_) => return self.metrics.handshake_refused("timeout"),
            },
        };
        let Ok(member) = self.identify(&stream) else {
            // The network went between handshake and here.
            return self.metrics.handshake_refused("unknown_issuer");
        };
        let anonymous = member.is_none().then(|| self.anonymous.clone().try_acquire_owned()).transpose();
        let Ok(anonymous) = anonymous else { return self.metrics.handshake_refused("overloaded") };
        let caller = Caller { address, member: member.map(Arc::new), ending: ending.clone() };
        let routes = self.routes.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(caller.clone());
            let mut routes = routes.clone();
            async move { Ok::<_, Infallible>(answer(routes.call(request).await)) }
        });
        let mut http = hyper::server::conn::http2::Builder::new(TrackedExecutor(self.tasks.clone()));
        http.timer(TokioTimer::new())
            .keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE)
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADER_BYTES);
        let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            biased;
            () = ending.cancelled() => {}
            () = sleep(ANONYMOUS_LIFETIME), if anonymous.is_some() => {}
            ended = connection.as_mut() => return log_end(address, ended),
        }
        connection.as_mut().graceful_shutdown();
        if let Ok(ended) = timeout(CLOSE_TIMEOUT, connection).await {
            log_end(address, ended);
        }
    }

    /// Who presented a certificate; `Ok(None)` when none was.
    fn identify(&self, stream: &TlsStream<TcpStream>) -> Result<Option<MemberIdentity>, rustls::Error> {
        let Some([leaf, intermediates @ ..]) = stream.get_ref().1.peer_certificates() else { return Ok(None) };
        self.networks.trust().identify(leaf, intermediates, UnixTime::now()).map(Some)
    }
}

fn answer<T>(answer: Result<T, Infallible>) -> T {
    match answer {
        Ok(answer) => answer,
    }
}

fn log_end(address: SocketAddr, ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%address, %error, "connection ended");
    }
}

/// The metric label of a handshake that failed.
fn handshake_refusal(error: &std::io::Error) -> &'static str {
    use rustls::{CertificateError, Error};
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => "unknown_issuer",
        Some(Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => {
            "expired"
        }
        Some(Error::InvalidCertificate(CertificateError::BadSignature)) => "bad_signature",
        Some(Error::InvalidCertificate(_)) => "bad_certificate",
        Some(Error::PeerIncompatible(_)) => "incompatible",
        Some(Error::AlertReceived(_)) => "refused_by_peer",
        Some(_) => "protocol",
        None => "connection_lost",
    }
}

/// Runs hyper's own tasks where they are waited for.
#[derive(Clone)]
struct TrackedExecutor(TaskTracker);

impl<F> Executor<F> for TrackedExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

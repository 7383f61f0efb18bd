//! Outgoing connections: TCP, TLS, HTTP/2, and the certificate of whoever answered.

use super::{
    CONNECT_TIMEOUT, CONNECTION_WINDOW, HANDSHAKE_TIMEOUT, KEEPALIVE, SEND_BUFFER, STREAM_WINDOW, TcpStream,
    guard::{Guarded, Moved},
    tasks::Tracked,
};
use crate::tls::refusal_of;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls_pki_types::{CertificateDer, ServerName};
use std::{
    error::Error,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use thiserror::Error;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::body::Body;
use tower::Service;

/// A dialled connection on which nothing is heard for so long has ended: HTTP/2 asks every ten seconds.
const SILENCE: Duration = Duration::from_secs(30);

/// Why a connection was not made.
#[derive(Debug, Error)]
pub enum DialError {
    /// It took too long.
    #[error("no answer in time")]
    Timeout,
    /// Nobody answered.
    #[error("{0}")]
    Unreachable(#[source] io::Error),
    /// TLS ended it.
    #[error("TLS: {0}")]
    Tls(#[source] io::Error),
    /// HTTP ended it; in TLS 1.3 a refusal of our certificate is heard here at the earliest.
    #[error("HTTP: {0}")]
    Http(#[source] hyper::Error),
    /// This node ends.
    #[error("this node ends")]
    Ending,
    /// The other side does not speak the version of HTTP.
    #[error("the other side does not speak this version of HTTP")]
    NotOffered,
}

impl DialError {
    fn of_handshake(error: io::Error) -> Self {
        match refusal_of(&error) {
            Some("protocol_refused_by_peer") => Self::NotOffered,
            _ => Self::Tls(error),
        }
    }

    /// The cause, as a metric label.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unreachable(_) => "unreachable",
            Self::Tls(error) => refusal_of(error).unwrap_or("broken"),
            Self::Http(error) => refusal_of(error).unwrap_or("broken"),
            Self::Ending => "ending",
            Self::NotOffered => "not_offered",
        }
    }
}

/// Opens connections and owns the tasks that drive them.
#[derive(Debug, Clone)]
pub struct Dialler {
    tasks: TaskTracker,
    end: CancellationToken,
}

/// An open connection.
pub struct Dialled<C = HttpConnection> {
    /// Takes requests.
    pub connection: C,
    /// The certificate of whoever answered, verified.
    pub leaf: Option<CertificateDer<'static>>,
    /// Ends the connection at once.
    pub cut: CancellationToken,
}

impl Dialler {
    /// Tasks run on `tasks`; `end` cuts every connection.
    #[must_use]
    pub fn new(tasks: TaskTracker, end: CancellationToken) -> Self {
        Self { tasks, end }
    }

    /// Opens an HTTP/2 connection to `socket`; `name` is what its certificate must be for, when the configuration asks.
    pub async fn dial(
        &self,
        socket: SocketAddr,
        name: ServerName<'static>,
        config: Arc<ClientConfig>,
    ) -> Result<Dialled, DialError> {
        let Shaken { stream, leaf, cut } = self.shake(socket, name, config).await?;
        if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(DialError::NotOffered);
        }
        let moved = stream.get_ref().0.moved();
        let mut builder = http2::Builder::new(Tracked(self.tasks.clone()));
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(SEND_BUFFER);
        let (sender, driver) = builder.handshake(TokioIo::new(stream)).await.map_err(DialError::Http)?;
        self.drive(socket, cut.clone(), driver);
        Ok(Dialled { connection: HttpConnection { sender, moved }, leaf, cut })
    }

    /// Opens an HTTP/1.1 connection.
    pub async fn dial_http1(
        &self,
        socket: SocketAddr,
        name: ServerName<'static>,
        config: Arc<ClientConfig>,
    ) -> Result<Dialled<Http1Connection>, DialError> {
        let Shaken { stream, leaf, cut } = self.shake(socket, name, config).await?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(DialError::Http)?;
        self.drive(socket, cut.clone(), driver);
        Ok(Dialled { connection: Http1Connection(sender), leaf, cut })
    }

    async fn shake(
        &self,
        socket: SocketAddr,
        name: ServerName<'static>,
        config: Arc<ClientConfig>,
    ) -> Result<Shaken, DialError> {
        let cut = self.end.child_token();
        let shaking = async {
            let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(socket)).await.map_err(|_| DialError::Timeout)?;
            let stream = stream.map_err(DialError::Unreachable)?;
            drop(stream.set_nodelay(true));
            let stream = Guarded::new(stream, cut.clone(), SILENCE);
            let shaken = timeout(HANDSHAKE_TIMEOUT, TlsConnector::from(config).connect(name, stream)).await;
            shaken.map_err(|_| DialError::Timeout)?.map_err(DialError::of_handshake)
        };
        // A node that ends waits for no dial: one to a machine that is gone takes as long as it may.
        let stream = cut.run_until_cancelled(shaking).await.unwrap_or(Err(DialError::Ending))?;
        let leaf = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).map(|leaf| leaf.clone().into_owned());
        Ok(Shaken { stream, leaf, cut })
    }

    fn drive(
        &self,
        socket: SocketAddr,
        ended: CancellationToken,
        driver: impl Future<Output = hyper::Result<()>> + Send + 'static,
    ) {
        self.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = ended.cancelled() => {}
                result = driver => {
                    if let Err(error) = result {
                        tracing::trace!(%socket, error = &error as &dyn Error, "a dialled connection broke");
                    }
                }
            }
            ended.cancel();
        });
    }
}

/// A connection after its handshake.
struct Shaken {
    stream: tokio_rustls::client::TlsStream<Guarded<TcpStream>>,
    leaf: Option<CertificateDer<'static>>,
    cut: CancellationToken,
}

/// The client side of one HTTP/1.1 connection, which takes one request at a time.
#[derive(Debug)]
pub struct Http1Connection(http1::SendRequest<Full<Bytes>>);

impl Http1Connection {
    /// Sends a request when the connection is free, and waits for the head of its answer.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, hyper::Error> {
        self.0.ready().await?;
        self.0.send_request(request).await
    }
}

/// The client side of one HTTP/2 connection, as tonic's clients want it. It never connects again by itself.
#[derive(Debug, Clone)]
pub struct HttpConnection {
    sender: http2::SendRequest<Body>,
    moved: Arc<Moved>,
}

impl HttpConnection {
    /// Bytes that have come by it, and bytes that have gone, of whatever kind.
    pub(crate) fn moved_so_far(&self) -> (u64, u64) {
        self.moved.so_far()
    }
}

impl Service<Request<Body>> for HttpConnection {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.sender.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.sender.send_request(request))
    }
}

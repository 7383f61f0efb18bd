//! The accept loop: one for each port.

use super::{
    CONNECTION_WINDOW, ConnectionInfo, Connections, HANDSHAKE_TIMEOUT, KEEPALIVE, Remote, SEND_BUFFER, STREAM_WINDOW,
    TcpListener, TcpStream, guard::Guarded, tasks::Tracked,
};
use crate::tls::{Bans, refusal_of, unix_now};
use axum::{Router, body::Body, extract::ConnectInfo};
use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use peerwright_secure::MemberCertificate;
use rustls::ServerConfig;
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

/// What a port asks of whoever connects.
pub enum Security {
    /// Nothing: plain HTTP.
    Plain,
    /// TLS, no certificate. No certificate can come, so whoever connects from a banned range is refused at accept.
    Strangers(Arc<ServerConfig>, Shield),
    /// TLS, a member's certificate, no ban. A member is exempt from bans of ranges and only its certificate shows that it
    /// is one, so the handshake decides; those from a banned range have few handshakes under way at once.
    Members(Arc<ServerConfig>, Shield),
}

/// Whom a port is closed to.
#[derive(Debug, Clone, Default)]
pub struct Shield {
    /// The bans in force.
    pub bans: Arc<Bans>,
    /// Where connections are remembered, for bans to come.
    pub connections: Arc<Connections>,
}

/// Handshakes under way with those who come from banned ranges. Full: refused as `banned_range`; a member dials again.
const SUSPECT_HANDSHAKES: usize = 8;

/// Hears why a connection was refused: the port's name and the reason's code.
pub type RefusalObserver = Arc<dyn Fn(&'static str, &'static str) + Send + Sync>;

/// The bounds of a port.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open connections.
    pub connections: usize,
    /// Handshakes under way.
    pub handshakes: usize,
    /// Concurrent requests of one HTTP/2 connection.
    pub streams: u32,
    /// A connection on which nothing was heard for so long is closed.
    pub silence: Duration,
    /// A connection that has sent no request for so long after its handshake is closed.
    pub first_request: Duration,
}

/// A bound port with what it serves.
pub struct Listener {
    /// Names the port in logs and metrics.
    pub name: &'static str,
    /// The socket.
    pub socket: TcpListener,
    /// What it asks.
    pub security: Security,
    /// What it serves.
    pub router: Router,
    /// Its bounds.
    pub limits: Limits,
    /// Hears of refusals.
    pub observer: RefusalObserver,
}

impl Listener {
    /// Accepts until `stop`, then lets the open connections finish their requests; returns when they have, or at once
    /// when `end` comes.
    pub async fn serve(self, stop: CancellationToken, end: CancellationToken) {
        let tasks = TaskTracker::new();
        let slots = Arc::new(Semaphore::new(self.limits.connections));
        let handshakes = Arc::new(Semaphore::new(self.limits.handshakes));
        let suspects = Arc::new(Semaphore::new(SUSPECT_HANDSHAKES));
        let Self { name, socket: listening, security, router, limits, observer } = self;
        let shared = Arc::new(Port { name, security, router, limits, observer });
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = listening.accept() => accepted,
            };
            let (socket, remote) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    shared.accept_failed(&error).await;
                    continue;
                }
            };
            let suspicion = match shared.suspect(remote, &suspects) {
                Ok(suspicion) => suspicion,
                Err(code) => {
                    (shared.observer)(shared.name, code);
                    continue;
                }
            };
            let Ok(slot) = slots.clone().try_acquire_owned() else {
                (shared.observer)(shared.name, "full");
                continue;
            };
            let Ok(handshake) = handshakes.clone().try_acquire_owned() else {
                (shared.observer)(shared.name, "busy");
                continue;
            };
            let connection = Connection { shared: shared.clone(), remote, cut: end.child_token() };
            let (streams, stop) = (tasks.clone(), stop.clone());
            tasks.spawn(async move {
                let _slot = slot;
                connection.run(socket, (handshake, suspicion), &streams, &stop).await;
            });
        }
        // Whoever comes now is refused by the system at once, instead of waiting unheard for as long as the last request.
        drop(listening);
        tasks.close();
        tasks.wait().await;
    }
}

/// A port without its socket.
struct Port {
    name: &'static str,
    security: Security,
    router: Router,
    limits: Limits,
    observer: RefusalObserver,
}

impl Port {
    /// What a connection from a banned range costs before anything of it is read.
    fn suspect(
        &self,
        remote: SocketAddr,
        suspects: &Arc<Semaphore>,
    ) -> Result<Option<OwnedSemaphorePermit>, &'static str> {
        const REFUSED: &str = "banned_range";
        let is_banned = |shield: &Shield| shield.bans.is_range_banned(remote.ip(), unix_now());
        match &self.security {
            Security::Strangers(_, shield) if is_banned(shield) => Err(REFUSED),
            Security::Members(_, shield) if is_banned(shield) => {
                suspects.clone().try_acquire_owned().map(Some).map_err(|_| REFUSED)
            }
            Security::Plain | Security::Strangers(..) | Security::Members(..) => Ok(None),
        }
    }

    /// Running out of file descriptors mends itself when connections end; trying at once would only burn the processor.
    async fn accept_failed(&self, error: &io::Error) {
        tracing::warn!(port = self.name, %error, "could not accept a connection");
        sleep(Duration::from_millis(100)).await;
    }
}

struct Connection {
    shared: Arc<Port>,
    remote: SocketAddr,
    cut: CancellationToken,
}

impl Connection {
    async fn run(
        self,
        socket: TcpStream,
        handshake: (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>),
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) {
        // Frames are small and wanted now; without this a socket would still serve, only later.
        drop(socket.set_nodelay(true));
        let socket = Guarded::new(socket, self.cut.clone(), self.shared.limits.silence);
        match &self.shared.security {
            Security::Plain => {
                drop(handshake);
                self.serve(socket, None, tasks, stop).await;
            }
            Security::Strangers(config, shield) => {
                let Some(stream) = self.shake(config, socket).await else { return };
                drop(handshake);
                let address = self.remote.ip();
                let _registered = shield.connections.register(Remote::Stranger(address), self.cut.clone());
                // A ban that arrived since the connection was accepted found nothing to cut.
                if shield.bans.is_range_banned(address, unix_now()) {
                    return self.refused("banned_range");
                }
                self.serve(stream, None, tasks, stop).await;
            }
            Security::Members(config, shield) => {
                let Some(stream) = self.shake(config, socket).await else { return };
                drop(handshake);
                let leaf = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                let Some(Ok(member)) = leaf.map(|leaf| MemberCertificate::from_der(leaf)) else {
                    return self.refused("no_certificate");
                };
                let member = Arc::new(member);
                let _registered = shield.connections.register(Remote::Member(member.clone()), self.cut.clone());
                // A ban that arrived between the verifier and the registration found nothing to cut.
                if shield.bans.is_banned(&member, unix_now()) {
                    return self.refused("banned");
                }
                self.serve(stream, Some(member), tasks, stop).await;
            }
        }
    }

    fn refused(&self, code: &'static str) {
        tracing::debug!(port = self.shared.name, remote = %self.remote, code, "refused a connection");
        (self.shared.observer)(self.shared.name, code);
    }

    async fn shake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        config: &Arc<ServerConfig>,
        socket: S,
    ) -> Option<tokio_rustls::server::TlsStream<S>> {
        match timeout(HANDSHAKE_TIMEOUT, TlsAcceptor::from(config.clone()).accept(socket)).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                tracing::debug!(port = self.shared.name, remote = %self.remote, %error, "a handshake failed");
                self.refused(refusal_of(&error).unwrap_or("broken"));
                None
            }
            Err(_) => {
                self.refused("handshake_timeout");
                None
            }
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        stream: S,
        member: Option<Arc<MemberCertificate>>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) {
        let limits = self.shared.limits;
        let info = ConnectionInfo { remote: self.remote, member, cut: self.cut.clone() };
        let asked = Arc::new(AtomicBool::new(false));
        let (router, first) = (self.shared.router.clone(), asked.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            first.store(true, Ordering::Relaxed);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(info.remote));
            request.extensions_mut().insert(info.clone());
            router.clone().oneshot(request)
        });
        let mut builder = auto::Builder::new(Tracked(tasks.clone()));
        builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.silence).max_headers(64);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE)
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(16 * 1024)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(SEND_BUFFER);
        let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut deadline = std::pin::pin!(sleep(limits.first_request));
        let (mut waiting, mut stopping) = (true, false);
        loop {
            tokio::select! {
                biased;
                () = self.cut.cancelled() => return,
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::trace!(port = self.shared.name, remote = %self.remote, error, "a connection broke");
                    }
                    return;
                }
                () = stop.cancelled(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = deadline.as_mut(), if waiting => {
                    waiting = false;
                    if !asked.load(Ordering::Relaxed) {
                        return self.refused("no_request");
                    }
                }
            }
        }
    }
}

//! Links that this node opens.

use super::{
    LinkContext, LinkEvent, Queue,
    hello::{Greeting, SessionId},
    life::Life,
    opening::{Failure, Fault, OpenCarrier, Opening},
};
use crate::{
    tls::{Bans, Leaf, fill_random},
    transport::{Connections, Dialler},
};
use peerwright_engine::{Address, DialFailure};
use peerwright_secure::MemberCertificate;
use rustls::ClientConfig;
use std::{net::SocketAddr, sync::Arc, time::SystemTime};
use tokio::time::timeout;

/// Dials peers.
#[derive(Clone)]
pub struct LinkDialler {
    pub(super) dialler: Dialler,
    /// Show this node's leaf and check the peer's, over HTTP/2 and over HTTP/1.1.
    pub(super) h2: Arc<ClientConfig>,
    pub(super) http1: Arc<ClientConfig>,
    pub(super) leaf: Arc<Leaf>,
    pub(super) bans: Arc<Bans>,
    pub(super) connections: Arc<Connections>,
    pub(super) context: LinkContext,
}

/// A session that has begun.
struct Begun {
    session: SessionId,
    queue: Arc<Queue>,
    carrier: OpenCarrier,
    member: MemberCertificate,
    incarnation: u64,
}

impl LinkDialler {
    /// Dials with `dialler` and `config`, whose certificate is `leaf`; connections are remembered in `connections`, so
    /// that `bans` can end them.
    #[must_use]
    pub fn new(
        dialler: Dialler,
        config: Arc<ClientConfig>,
        leaf: Arc<Leaf>,
        bans: Arc<Bans>,
        connections: Arc<Connections>,
        context: LinkContext,
    ) -> Self {
        let mut http1 = ClientConfig::clone(&config);
        http1.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self { dialler, h2: config, http1: Arc::new(http1), leaf, bans, connections, context }
    }

    /// What is known of the ways to peers.
    #[must_use]
    pub fn paths(&self) -> &Arc<super::Paths> {
        &self.context.paths
    }

    /// Dials, says Hello, and stays with the link until it ends.
    pub async fn run(self, address: Address) {
        let socket = address.socket;
        let began = SystemTime::now();
        let dialled = timeout(self.context.settings().dial_within, self.begin(socket)).await;
        let dialled = dialled.unwrap_or(Err((DialFailure::Timeout, "timeout")));
        let ended = dialled.as_ref().map(|begun| begun.member.peer_id).map_err(|(_, code)| *code);
        self.context.traces.dialled(began, socket, ended);
        match dialled {
            // What a link needs to be opened is not kept as long as it lives.
            Ok(begun) => Box::pin(self.live(socket, begun)).await,
            Err((reason, code)) => {
                // Without a driver nobody wants to know.
                drop(self.context.events.send(LinkEvent::DialFailed { address: socket, reason, code }).await);
            }
        }
    }

    /// Begins a session by the best carrier that gets through.
    async fn begin(&self, address: SocketAddr) -> Result<Begun, (DialFailure, &'static str)> {
        let mut before: Option<(super::opening::Failure, _)> = None;
        loop {
            let after = before.map(|(_, carrier)| carrier);
            let mut attempt = match self.context.paths.attempt(address, after) {
                Ok(attempt) => attempt,
                // There is no carrier below the last one, or its breaker is open: the last failure says more.
                Err(rejected) => {
                    tracing::debug!(%address, %rejected, "not dialled");
                    let failure = before.map(|(failure, _)| (failure.reason(), failure.code));
                    return Err(failure.unwrap_or((DialFailure::BreakerOpen, rejected.cause)));
                }
            };
            let carrier = attempt.carrier;
            match self.begin_by(address, &mut attempt).await {
                Ok(begun) => {
                    attempt.succeeded();
                    self.context.paths.reached(address, begun.member.peer_id, begun.incarnation);
                    if before.is_some() {
                        self.context.paths.settle(address, carrier);
                    }
                    return Ok(begun);
                }
                Err(failure) => {
                    tracing::debug!(%address, carrier = carrier.label(), code = failure.code, "a carrier did not open");
                    attempt.failed(&failure);
                    if !matches!(failure.fault, Fault::Carrier | Fault::NotOffered) {
                        return Err((failure.reason(), failure.code));
                    }
                    before = Some((failure, carrier));
                }
            }
        }
    }

    async fn begin_by(&self, address: SocketAddr, attempt: &mut super::paths::Attempt) -> Result<Begun, Failure> {
        let mut session: SessionId = [0; 16];
        fill_random(&mut session).map_err(|_| Failure::new(Fault::Session, "no_randomness"))?;
        let queue = Arc::new(Queue::new(self.context.settings().window));
        let greeting = Greeting { session, incarnation: self.context.incarnation, carrier: 1, received: 0 };
        let opening = Opening { address, expected: None, greeting, queue: queue.clone() };
        let (carrier, member, incarnation) = Box::pin(self.open(attempt, &opening)).await?;
        Ok(Begun { session, queue, carrier, member, incarnation })
    }

    async fn live(self, address: SocketAddr, begun: Begun) {
        let Begun { session, queue, carrier, member, incarnation } = begun;
        let (link, peer) = (self.context.new_link(), member.peer_id);
        let up = LinkEvent::Up {
            link,
            queue: queue.clone(),
            member: Arc::new(member),
            incarnation,
            outbound: true,
            address,
        };
        if self.context.events.send(up).await.is_ok() {
            let life = Life { dialler: self, address, link, queue, session, peer, incarnation };
            life.run(carrier).await;
        }
    }
}

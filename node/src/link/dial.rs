//! Links that this node opens.

use super::{
    HELLO_TIMEOUT, LinkContext, LinkEvent, Queue,
    hello::{self, SessionId},
    queue::Outgoing,
    session::Session,
};
use crate::{
    tls::{Bans, fill_random, refusal_of, unix_now},
    transport::{Connections, DialError, Dialler, HttpConnection, MAX_MESSAGE_BYTES, Registered},
};
use http::Uri;
use peerwright_engine::{Address, DialFailure};
use peerwright_proto::v1::link_client::LinkClient;
use peerwright_secure::MemberCertificate;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::{net::SocketAddr, sync::Arc};
use tokio::time::timeout;

/// Dials peers.
#[derive(Clone)]
pub struct LinkDialler {
    /// Opens connections.
    pub dialler: Dialler,
    /// Shows this node's leaf and checks the peer's.
    pub config: Arc<ClientConfig>,
    /// Whom not to talk to.
    pub bans: Arc<Bans>,
    /// Where the connection is remembered.
    pub connections: Arc<Connections>,
    /// What the link reports to.
    pub context: LinkContext,
}

/// Why a dial came to nothing: for the engine, and for the metrics.
struct Failure(DialFailure, &'static str);

impl Failure {
    fn of_code(code: &'static str) -> Self {
        let reason = match code {
            "timeout" => DialFailure::Timeout,
            "unreachable" => DialFailure::Unreachable,
            "banned" | "banned_by_peer" => DialFailure::Banned,
            _ => DialFailure::Handshake,
        };
        Self(reason, code)
    }
}

impl From<DialError> for Failure {
    fn from(error: DialError) -> Self {
        tracing::debug!(%error, "a dial failed");
        Self::of_code(error.code())
    }
}

impl LinkDialler {
    /// Dials, says Hello, and stays with the link until it ends.
    pub async fn run(self, address: Address) {
        match self.open(address.socket).await {
            Ok((session, _held)) => session.run(&self.context).await,
            Err(Failure(reason, code)) => {
                let event = LinkEvent::DialFailed { address: address.socket, reason, code };
                // Without a driver nobody wants to know.
                drop(self.context.events.send(event).await);
            }
        }
    }

    /// The second part is to be held as long as the link lives: HTTP/2 ends a connection that nobody can use any more,
    /// whatever streams it has.
    async fn open(&self, socket: SocketAddr) -> Result<(Session, (HttpConnection, Registered)), Failure> {
        let name = ServerName::IpAddress(socket.ip().into());
        let dialled = self.dialler.dial(socket, name, self.config.clone()).await?;
        let leaf = dialled.leaf.as_ref().ok_or(Failure::of_code("no_certificate"))?;
        let member = MemberCertificate::from_der(leaf).map_err(|refused| Failure::of_code(refused.code()))?;
        let registered = self.connections.register(member.peer_id, dialled.cut.clone());
        // A ban that arrived between the verifier and the registration found nothing to cut.
        if self.bans.is_banned(&member.peer_id, unix_now()) {
            dialled.cut.cancel();
            return Err(Failure::of_code("banned"));
        }
        let mut session: SessionId = [0; 16];
        fill_random(&mut session).map_err(|_| Failure::of_code("no_randomness"))?;
        let queue = Arc::new(Queue::default());
        let outgoing = Outgoing::new(hello::message(&session, self.context.incarnation), queue.clone());
        let origin = Uri::builder()
            .scheme("https")
            .authority(socket.to_string())
            .path_and_query("/")
            .build()
            .map_err(|_| Failure::of_code("unreachable"))?;
        let mut client = LinkClient::with_origin(dialled.connection.clone(), origin)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let answered = timeout(HELLO_TIMEOUT, async {
            let mut incoming = client.open(outgoing).await?.into_inner();
            let first = incoming.message().await?;
            Ok::<_, tonic::Status>((incoming, first))
        });
        let (incoming, first) = match answered.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(status)) => {
                dialled.cut.cancel();
                tracing::debug!(%socket, %status, "Hello was not answered");
                return Err(Failure::of_code(refusal_of(&status).unwrap_or("hello_refused")));
            }
            Err(_) => {
                dialled.cut.cancel();
                return Err(Failure::of_code("timeout"));
            }
        };
        let (_, incarnation) = hello::read(first, Some(&session)).map_err(|refused| {
            dialled.cut.cancel();
            Failure::of_code(refused.code())
        })?;
        let link = self.context.new_link();
        let up = LinkEvent::Up {
            link,
            queue: queue.clone(),
            peer: member.peer_id,
            node: member.spiffe.node().to_owned(),
            incarnation,
            outbound: true,
            address: socket,
        };
        self.context.events.send(up).await.map_err(|_| Failure::of_code("draining"))?;
        Ok((Session { link, queue, incoming, cut: dialled.cut }, (dialled.connection, registered)))
    }
}

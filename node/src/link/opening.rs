//! One carrier to a peer: connections, Hello, and what it takes to end it.

use super::{
    CarrierEnd, FAREWELL, LINGER, LinkContext, MAX_LINK_MESSAGE_BYTES, Queue,
    calls::{Caller, Calls},
    dial::LinkDialler,
    hello::{self, Greeting, HelloRefused},
    outgoing::Outgoing,
    paths::Attempt,
    queue::Attaching,
    stream,
};
use crate::{
    tls::{refusal_of, unix_now},
    transport::{DialError, Dialled, Registered, Remote},
};
use http::Uri;
use peerwright_engine::{DialFailure, LinkId, session::Carrier};
use peerwright_proto::v1::{LinkCall, LinkMessage, link_client::LinkClient};
use peerwright_secure::{MemberCertificate, PeerId};
use rustls_pki_types::ServerName;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Streaming};

/// Whose fault it is that a dial came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nobody listens there.
    Absent,
    /// TCP or TLS does not come about.
    Peer,
    /// One of the two is banned.
    Ban,
    /// The carrier does not get through.
    Carrier,
    /// The peer does not offer the carrier.
    NotOffered,
    /// The peer does not go on with the session, or does not begin one.
    Session,
}

/// Why a dial, or a call of a carrier, came to nothing: whose fault it is, and the code for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) fault: Fault,
    pub(super) code: &'static str,
}

impl Failure {
    pub(super) const fn new(fault: Fault, code: &'static str) -> Self {
        Self { fault, code }
    }

    /// What the engine makes of it.
    pub(super) fn reason(&self) -> DialFailure {
        match self.code {
            "timeout" => DialFailure::Timeout,
            "unreachable" => DialFailure::Unreachable,
            "banned" | "banned_by_peer" => DialFailure::Banned,
            _ => DialFailure::Handshake,
        }
    }

    /// As the end of a carrier.
    pub(super) fn end(self) -> CarrierEnd {
        match self.fault {
            Fault::Session => CarrierEnd::Over(peerwright_engine::DownReason::Broken),
            _ => CarrierEnd::Broken,
        }
    }

    fn of_code(code: &'static str) -> Self {
        Self::new(if matches!(code, "banned" | "banned_by_peer") { Fault::Ban } else { Fault::Peer }, code)
    }

    /// By the reason that the other side gave.
    pub(super) fn of_refusal(reason: &str) -> Self {
        // The session goes on, by the carrier that this side has opened meanwhile.
        if reason.starts_with(HelloRefused::Superseded.code()) {
            return Self::new(Fault::Carrier, HelloRefused::Superseded.code());
        }
        Self::new(Fault::Session, "hello_refused")
    }

    pub(super) const NOT_OFFERED: Self = Self::new(Fault::NotOffered, "not_offered");

    fn of_answer(status: &tonic::Status) -> Self {
        match status.code() {
            Code::Unimplemented => Self::NOT_OFFERED,
            Code::FailedPrecondition => Self::of_refusal(status.message()),
            _ => Self::new(Fault::Carrier, "broken"),
        }
    }

    /// In TLS 1.3 the refusal of our certificate is heard here at the earliest.
    pub(super) fn of_status(status: &tonic::Status) -> Self {
        refusal_of(status).map_or_else(|| Self::of_answer(status), Self::of_code)
    }

    pub(super) fn of_http(error: &hyper::Error) -> Self {
        refusal_of(error).map_or(Self::new(Fault::Carrier, "broken"), Self::of_code)
    }
}

impl From<DialError> for Failure {
    fn from(error: DialError) -> Self {
        tracing::debug!(%error, "a dial failed");
        match error {
            DialError::Unreachable(_) => Self::new(Fault::Absent, error.code()),
            DialError::NotOffered => Self::new(Fault::NotOffered, error.code()),
            // TLS came about and HTTP did not: something between speaks another language.
            DialError::Http(_) if error.code() == "broken" => Self::new(Fault::Carrier, "broken"),
            _ => Self::of_code(error.code()),
        }
    }
}

/// What a carrier is to carry.
#[derive(Clone)]
pub(super) struct Opening {
    pub(super) address: SocketAddr,
    /// Who must answer; anybody for a session that begins.
    pub(super) expected: Option<(PeerId, u64)>,
    pub(super) greeting: Greeting,
    pub(super) queue: Arc<Queue>,
}

/// A carrier that is there.
pub(super) struct OpenCarrier {
    pub(super) kind: Carrier,
    pub(super) number: u64,
    /// When the first of the certificates on both sides expires, unix seconds.
    pub(super) expires: i64,
    ways: Ways,
    replaced: CancellationToken,
    held: Held,
}

enum Ways {
    Stream(Box<Streaming<LinkMessage>>),
    Calls(Box<Calls>),
}

/// A connection as long as it is needed: HTTP/2 ends one that nobody can use any more, whatever streams it has.
struct Held {
    cut: CancellationToken,
    /// Dropped with it.
    _keep: Vec<Box<dyn Send + Sync>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.cut.cancel();
    }
}

/// A connection whose other end is a member that is not banned.
pub(super) struct Connected<C> {
    pub(super) connection: C,
    pub(super) member: MemberCertificate,
    pub(super) cut: CancellationToken,
    pub(super) registered: Registered,
}

impl LinkDialler {
    /// Opens the carrier that the attempt is for, and says Hello on it. Also gives who answered and in which life.
    pub(super) async fn open(
        &self,
        attempt: &mut Attempt,
        opening: &Opening,
    ) -> Result<(OpenCarrier, MemberCertificate, u64), Failure> {
        let kind = attempt.carrier;
        let hello_within = self.context.settings().hello_within;
        let hello = hello::message(&opening.greeting);
        let answered = CancellationToken::new();
        let (ways, held, member, answer) = match kind {
            Carrier::Stream => {
                let connected = self
                    .connect(opening.peer(), self.dialler.dial(opening.address, name(opening.address), self.h2.clone()))
                    .await?;
                attempt.connected();
                let mut client = client(&connected, opening.address)?;
                let Connected { connection, member, cut, registered } = connected;
                let held = Held { cut, _keep: vec![Box::new(connection), Box::new(registered)] };
                let outgoing = Outgoing::new(hello, opening.queue.clone(), opening.greeting.carrier, answered.clone());
                let greeted = timeout(hello_within, async {
                    let mut incoming = client.open(outgoing).await?.into_inner();
                    let first = incoming.message().await?;
                    Ok::<_, tonic::Status>((incoming, first))
                });
                let (incoming, first) = match greeted.await {
                    Ok(greeted) => greeted.map_err(|status| Failure::of_status(&status))?,
                    Err(_) => return Err(Failure::new(Fault::Carrier, "timeout")),
                };
                (Ways::Stream(Box::new(incoming)), held, member, first)
            }
            Carrier::Unary => {
                let connected = self
                    .connect(opening.peer(), self.dialler.dial(opening.address, name(opening.address), self.h2.clone()))
                    .await?;
                attempt.connected();
                let client = client(&connected, opening.address)?;
                let Connected { connection, member, cut, registered } = connected;
                let held = Held { cut, _keep: vec![Box::new(connection), Box::new(registered)] };
                let mut push = Caller::Unary(client.clone());
                let answer = greet(&mut push, hello, hello_within).await?;
                (calls(opening, push, Caller::Unary(client)), held, member, Some(answer))
            }
            Carrier::Https => {
                let host = opening.address.to_string();
                let dial = || self.dialler.dial_http1(opening.address, name(opening.address), self.http1.clone());
                let first = self.connect(opening.peer(), dial()).await?;
                attempt.connected();
                let second = self.connect(opening.peer(), dial()).await?;
                // An ended half ends the other: one token cuts both.
                let both = Held { cut: first.cut.clone(), _keep: vec![Box::new(first.registered)] };
                let other = Held { cut: second.cut, _keep: vec![Box::new(second.registered)] };
                if first.member.peer_id != second.member.peer_id {
                    return Err(Failure::new(Fault::Session, "session"));
                }
                let mut push = Caller::Post { connection: first.connection, host: host.clone() };
                let answer = greet(&mut push, hello, hello_within).await?;
                let poll = Caller::Post { connection: second.connection, host };
                let held = Held { cut: both.cut.clone(), _keep: vec![Box::new(both), Box::new(other)] };
                (calls(opening, push, poll), held, first.member, Some(answer))
            }
        };
        let greeting = hello::read(answer, Some(&opening.greeting))
            .map_err(|refused| Failure::new(Fault::Session, refused.code()))?;
        if opening.expected.is_some_and(|(_, incarnation)| incarnation != greeting.incarnation) {
            return Err(Failure::new(Fault::Session, "session"));
        }
        let attaching = Attaching {
            number: greeting.carrier,
            kind,
            received: greeting.received,
            cut: held.cut.clone(),
            expires: member.not_after,
        };
        let replaced =
            opening.queue.attach(attaching).map_err(|refused| Failure::new(Fault::Session, refused.code()))?;
        answered.cancel();
        let own = self.leaf.member().map_or(i64::MAX, |own| own.not_after);
        let expires = member.not_after.min(own);
        let carrier = OpenCarrier { kind, number: greeting.carrier, expires, ways, replaced, held };
        Ok((carrier, member, greeting.incarnation))
    }

    /// Waits for a connection, and checks who is at its other end.
    pub(super) async fn connect<C>(
        &self,
        expected: Option<PeerId>,
        dialling: impl Future<Output = Result<Dialled<C>, DialError>>,
    ) -> Result<Connected<C>, Failure> {
        let Dialled { connection, leaf, cut } = dialling.await?;
        let checked = leaf
            .as_ref()
            .ok_or(Failure::of_code("no_certificate"))
            .and_then(|leaf| MemberCertificate::from_der(leaf).map_err(|refused| Failure::of_code(refused.code())));
        let registered = checked.map(|member| {
            let remote = Remote::Member(Arc::new(member.clone()));
            (self.connections.register(remote, cut.clone()), member)
        });
        let passed = registered.and_then(|(registered, member)| {
            // A ban that arrived between the verifier and the registration found nothing to cut.
            if self.bans.is_banned(&member, unix_now()) {
                return Err(Failure::of_code("banned"));
            }
            if expected.is_some_and(|peer| peer != member.peer_id) {
                return Err(Failure::new(Fault::Session, "session"));
            }
            Ok((registered, member))
        });
        match passed {
            Ok((registered, member)) => Ok(Connected { connection, member, cut, registered }),
            Err(failure) => {
                cut.cancel();
                Err(failure)
            }
        }
    }
}

impl Opening {
    fn peer(&self) -> Option<PeerId> {
        self.expected.map(|(peer, _)| peer)
    }
}

/// Members prove who they are by more than an address; this is what TLS wants to be told.
pub(super) fn name(address: SocketAddr) -> ServerName<'static> {
    ServerName::IpAddress(address.ip().into())
}

/// Where calls on a connection go, as HTTP/2 wants to be told.
pub(super) fn origin(address: SocketAddr) -> Result<Uri, Failure> {
    let origin = Uri::builder().scheme("https").authority(address.to_string()).path_and_query("/").build();
    origin.map_err(|_| Failure::new(Fault::Absent, "unreachable"))
}

fn client(
    connected: &Connected<crate::transport::HttpConnection>,
    address: SocketAddr,
) -> Result<LinkClient<crate::transport::HttpConnection>, Failure> {
    Ok(LinkClient::with_origin(connected.connection.clone(), origin(address)?)
        .max_decoding_message_size(MAX_LINK_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_LINK_MESSAGE_BYTES))
}

async fn greet(caller: &mut Caller, hello: LinkMessage, limit: Duration) -> Result<LinkMessage, Failure> {
    caller.call(LinkCall { message: Some(hello), ..LinkCall::default() }, limit).await
}

fn calls(opening: &Opening, push: Caller, poll: Caller) -> Ways {
    let session = opening.greeting.session.to_vec().into();
    Ways::Calls(Box::new(Calls { push, poll, session, number: opening.greeting.carrier }))
}

impl OpenCarrier {
    /// Carries frames both ways until the carrier ends.
    pub(super) async fn run(&mut self, queue: &Queue, context: &LinkContext, link: LinkId) -> CarrierEnd {
        match &mut self.ways {
            Ways::Stream(incoming) => {
                let names = (link, self.number);
                stream::read(incoming, queue, context, names, &self.replaced, &self.held.cut).await
            }
            Ways::Calls(calls) => tokio::select! {
                biased;
                () = self.held.cut.cancelled() => CarrierEnd::Broken,
                end = calls.run(queue, context, link, &self.replaced) => end,
            },
        }
    }

    /// Lets the Goodbye of a closed link go out, and the other side hang up first.
    pub(super) async fn part(&mut self, queue: &Queue) {
        if let Ways::Stream(incoming) = &mut self.ways {
            drop(timeout(FAREWELL, queue.emptied().cancelled()).await);
            drop(timeout(LINGER, stream::hang_up(incoming)).await);
        }
    }
}

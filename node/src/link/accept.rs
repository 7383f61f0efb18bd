//! Links that peers open: the gRPC service, and the same calls as POST.

use super::{
    CALL_BATCH_BYTES, CarrierEnd, FAREWELL, LINGER, LinkContext, LinkEvent, MAX_LINK_MESSAGE_BYTES, Queue,
    hello::{self, Greeting, HelloRefused, SessionId},
    outgoing::Outgoing,
    queue::{Attaching, Presence, Taken},
    sessions::{Accepted, Sessions},
    stream,
};
use crate::transport::ConnectionInfo;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request as HttpRequest, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response as HttpResponse},
    routing::post,
};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use peerwright_engine::session::Carrier;
use peerwright_proto::v1::{
    LinkCall, LinkMessage,
    link_message::Kind,
    link_server::{Link, LinkServer},
};
use peerwright_secure::MemberCertificate;
use prost::Message;
use std::{pin::Pin, sync::Arc};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Request, Response, Status, Streaming, service::Routes};

/// Where the HTTPS carrier posts its calls.
pub(super) const CALL_PATH: &str = "/link";
/// Where gRPC has the same calls.
const EXCHANGE_PATH: &str = "/peerwright.v1.Link/Exchange";

/// Answers Hello and hands the link to the driver.
#[derive(Clone)]
pub struct LinkService {
    context: LinkContext,
    /// Owns the links' readers and keepers.
    tasks: TaskTracker,
    sessions: Arc<Sessions>,
}

/// A Hello that was accepted.
struct Greeted {
    accepted: Accepted,
    number: u64,
    replaced: CancellationToken,
    answer: LinkMessage,
}

/// Who asks, by which connection.
#[derive(Clone)]
struct Caller {
    member: Arc<MemberCertificate>,
    info: ConnectionInfo,
}

impl LinkService {
    /// A service that has no session yet.
    #[must_use]
    pub fn new(context: LinkContext, tasks: TaskTracker) -> Self {
        Self { context, tasks, sessions: Arc::default() }
    }

    /// The routes of every carrier, beside other services.
    pub fn router(self, others: Routes) -> Router {
        let service = LinkServer::new(self.clone()).max_decoding_message_size(MAX_LINK_MESSAGE_BYTES);
        let posting = self.clone();
        let router = others.add_service(service).prepare().into_axum_router();
        router
            .route(CALL_PATH, post(async move |request: HttpRequest| posting.post(request).await))
            .layer(middleware::from_fn_with_state(self, Self::in_time))
    }

    /// Begins a session, or gives it another carrier.
    async fn greet(&self, caller: &Caller, kind: Carrier, first: Option<LinkMessage>) -> Result<Greeted, HelloRefused> {
        let greeting = hello::read(first, None)?;
        let attaching = Attaching {
            number: greeting.carrier,
            kind,
            received: greeting.received,
            cut: caller.info.cut.clone(),
            expires: caller.member.not_after,
        };
        let (accepted, replaced) = if greeting.carrier == 1 {
            self.begin(caller, &greeting, attaching).await?
        } else {
            let accepted = self.sessions.find(&(caller.member.peer_id, greeting.session))?;
            if accepted.incarnation != greeting.incarnation {
                return Err(HelloRefused::Session);
            }
            let replaced = accepted.queue.attach(attaching).inspect_err(|refused| {
                if let HelloRefused::Broken(broken) = refused
                    && let CarrierEnd::Over(reason) = CarrierEnd::broken(*broken)
                {
                    accepted.queue.end(reason);
                }
            })?;
            (accepted, replaced)
        };
        let answer = hello::message(&Greeting {
            incarnation: self.context.incarnation,
            received: accepted.queue.received(),
            ..greeting
        });
        Ok(Greeted { accepted, number: greeting.carrier, replaced, answer })
    }

    async fn begin(
        &self,
        caller: &Caller,
        greeting: &Greeting,
        attaching: Attaching,
    ) -> Result<(Accepted, CancellationToken), HelloRefused> {
        let queue = Arc::new(Queue::new(self.context.settings().window));
        let replaced = queue.attach(attaching)?;
        let place = self.context.events.reserve().await.map_err(|_| HelloRefused::Draining)?;
        let link = self.context.new_link();
        let accepted = Accepted { link, incarnation: greeting.incarnation, queue: queue.clone() };
        let peer = caller.member.peer_id;
        let key = (peer, greeting.session);
        self.sessions.insert(key, accepted.clone())?;
        place.send(LinkEvent::Up {
            link,
            queue,
            member: caller.member.clone(),
            incarnation: greeting.incarnation,
            outbound: false,
            address: caller.info.remote,
        });
        self.context.paths.heard_of(&peer);
        let (sessions, context, kept) = (self.sessions.clone(), self.context.clone(), accepted.clone());
        self.tasks.spawn(async move { sessions.keep(&context, &key, kept).await });
        Ok((accepted, replaced))
    }

    /// Answers one call of the unary or the HTTPS carrier.
    async fn answer(&self, caller: &Caller, kind: Carrier, call: LinkCall) -> Result<LinkMessage, HelloRefused> {
        let message = call.message.ok_or(HelloRefused::Missing)?;
        if let Some(Kind::Hello(_)) = message.kind {
            let greeted = self.greet(caller, kind, Some(message)).await?;
            // The carrier is there when a call waits.
            greeted.accepted.queue.set_present(greeted.number, false);
            return Ok(greeted.answer);
        }
        let session = SessionId::try_from(call.session.as_ref()).map_err(|_| HelloRefused::Session)?;
        let Accepted { link, queue, .. } = self.sessions.find(&(caller.member.peer_id, session))?;
        let number = call.carrier;
        let waiting = call.wait.then(|| Presence::new(queue.clone(), number));
        match queue.hand_on(&self.context, link, number, message).await {
            // A link that this side has closed says so in the answer to the call that waits.
            Ok(()) | Err(CarrierEnd::Closed) => {}
            Err(CarrierEnd::Over(reason)) => queue.end(reason),
            Err(CarrierEnd::Replaced | CarrierEnd::Broken) => return Err(HelloRefused::Superseded),
        }
        if waiting.is_none() {
            return Ok(queue.acknowledgement());
        }
        match timeout(self.context.settings().poll_for, queue.next(number, CALL_BATCH_BYTES)).await {
            Ok(Taken::Message(message)) => Ok(message),
            Ok(Taken::Last(message)) => {
                queue.left(number);
                Ok(message)
            }
            Ok(Taken::Nothing) => Err(HelloRefused::Superseded),
            Err(_) => Ok(queue.acknowledgement()),
        }
    }

    /// Answers `POST /link`.
    async fn post(self, request: HttpRequest) -> HttpResponse {
        if !self.context.settings().offers(Carrier::Https) {
            return StatusCode::NOT_FOUND.into_response();
        }
        let Some(caller) = request.extensions().get::<ConnectionInfo>().and_then(Caller::of) else {
            return StatusCode::UNAUTHORIZED.into_response();
        };
        let Ok(body) = to_bytes(request.into_body(), MAX_LINK_MESSAGE_BYTES).await else {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        };
        let Ok(call) = LinkCall::decode(body) else { return StatusCode::BAD_REQUEST.into_response() };
        match self.answer(&caller, Carrier::Https, call).await {
            Ok(message) => Body::from(Bytes::from(message.encode_to_vec())).into_response(),
            Err(refused) => (StatusCode::PRECONDITION_FAILED, refused.code()).into_response(),
        }
    }

    /// Ends calls that come byte by byte. Whatever else the port serves passes.
    async fn in_time(State(service): State<Self>, request: HttpRequest, next: Next) -> HttpResponse {
        if !matches!(request.uri().path(), CALL_PATH | EXCHANGE_PATH) {
            return next.run(request).await;
        }
        let limit = service.context.settings().call_within();
        timeout(limit, next.run(request)).await.unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.into_response())
    }

    /// Reads the stream carrier to its end.
    async fn read(self, mut incoming: Streaming<LinkMessage>, greeted: Greeted, cut: CancellationToken) {
        let Greeted { accepted: Accepted { link, queue, .. }, number, replaced, .. } = greeted;
        let end = stream::read(&mut incoming, &queue, &self.context, (link, number), &replaced, &cut).await;
        match end {
            CarrierEnd::Over(reason) => queue.end(reason),
            CarrierEnd::Closed => {
                drop(timeout(FAREWELL + LINGER, stream::hang_up(&mut incoming)).await);
                queue.end(peerwright_engine::DownReason::Goodbye);
            }
            CarrierEnd::Replaced => {}
            CarrierEnd::Broken => {
                queue.set_present(number, false);
                cut.cancel();
            }
        }
    }
}

impl Caller {
    fn of(info: &ConnectionInfo) -> Option<Self> {
        Some(Self { member: info.member.clone()?, info: info.clone() })
    }

    fn of_call<T>(request: &Request<T>) -> Result<Self, Status> {
        let info = request.extensions().get::<ConnectionInfo>();
        let info = info.ok_or_else(|| Status::internal("a link without a connection"))?;
        Self::of(info).ok_or_else(|| Status::unauthenticated("a link needs a member's certificate"))
    }
}

fn status(refused: HelloRefused) -> Status {
    Status::failed_precondition(format!("{}: {refused}", refused.code()))
}

#[tonic::async_trait]
impl Link for LinkService {
    type OpenStream = Pin<Box<dyn Stream<Item = Result<LinkMessage, Status>> + Send>>;

    async fn open(&self, request: Request<Streaming<LinkMessage>>) -> Result<Response<Self::OpenStream>, Status> {
        if !self.context.settings().offers(Carrier::Stream) {
            return Err(Status::unimplemented("this node does not offer the stream carrier"));
        }
        let caller = Caller::of_call(&request)?;
        let mut incoming = request.into_inner();
        let first = timeout(self.context.settings().hello_within, incoming.message())
            .await
            .map_err(|_| Status::deadline_exceeded("no Hello in time"))??;
        let greeted = self.greet(&caller, Carrier::Stream, first).await.map_err(status)?;
        let answered = CancellationToken::new();
        answered.cancel();
        let queue = greeted.accepted.queue.clone();
        let outgoing = Outgoing::new(greeted.answer.clone(), queue, greeted.number, answered);
        self.tasks.spawn(self.clone().read(incoming, greeted, caller.info.cut));
        Ok(Response::new(Box::pin(outgoing.map(Ok))))
    }

    async fn exchange(&self, request: Request<LinkCall>) -> Result<Response<LinkMessage>, Status> {
        if !self.context.settings().offers(Carrier::Unary) {
            return Err(Status::unimplemented("this node does not offer the unary carrier"));
        }
        let caller = Caller::of_call(&request)?;
        self.answer(&caller, Carrier::Unary, request.into_inner()).await.map(Response::new).map_err(status)
    }
}

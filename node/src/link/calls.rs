//! The unary and the HTTPS carrier, seen from the side that dialled: two calls under way, one each way.

use super::{
    CALL_BATCH_BYTES, CALL_PATH, CarrierEnd, FAREWELL, LinkContext, MAX_LINK_MESSAGE_BYTES, Queue,
    opening::{Failure, Fault},
    queue::Taken,
};
use crate::transport::{Http1Connection, HttpConnection};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use peerwright_engine::LinkId;
use peerwright_proto::v1::{LinkCall, LinkMessage, link_client::LinkClient};
use prost::Message;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Makes calls on one connection, one after the other.
pub(super) enum Caller {
    Unary(LinkClient<HttpConnection>),
    Post { connection: Http1Connection, host: String },
}

impl Caller {
    /// Makes one call.
    pub(super) async fn call(&mut self, call: LinkCall, limit: Duration) -> Result<LinkMessage, Failure> {
        let answered = match self {
            Self::Unary(client) => timeout(limit, unary(client, call)).await,
            Self::Post { connection, host } => timeout(limit, post(connection, host, call)).await,
        };
        answered.map_err(|_| Failure::new(Fault::Carrier, "timeout"))?
    }
}

async fn unary(client: &mut LinkClient<HttpConnection>, call: LinkCall) -> Result<LinkMessage, Failure> {
    client.exchange(call).await.map(tonic::Response::into_inner).map_err(|status| Failure::of_status(&status))
}

async fn post(connection: &mut Http1Connection, host: &str, call: LinkCall) -> Result<LinkMessage, Failure> {
    let broken = || Failure::new(Fault::Carrier, "broken");
    let request = Request::post(CALL_PATH)
        .header(header::HOST, host)
        .header(header::CONTENT_TYPE, "application/x-protobuf")
        .body(Full::new(Bytes::from(call.encode_to_vec())))
        .map_err(|_| broken())?;
    let response = connection.send(request).await.map_err(|error| Failure::of_http(&error))?;
    let (status, body) = (response.status(), Limited::new(response.into_body(), MAX_LINK_MESSAGE_BYTES));
    let body = body.collect().await.map_err(|_| broken())?.to_bytes();
    match status {
        StatusCode::OK => LinkMessage::decode(body).map_err(|_| broken()),
        StatusCode::PRECONDITION_FAILED => Err(Failure::of_refusal(&String::from_utf8_lossy(&body))),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Err(Failure::NOT_OFFERED),
        _ => Err(broken()),
    }
}

/// A carrier made of calls.
pub(super) struct Calls {
    /// Carries this side's frames.
    pub(super) push: Caller,
    /// Waits for the other side's.
    pub(super) poll: Caller,
    pub(super) session: Bytes,
    pub(super) number: u64,
}

impl Calls {
    /// Carries frames both ways until the carrier ends.
    pub(super) async fn run(
        &mut self,
        queue: &Queue,
        context: &LinkContext,
        link: LinkId,
        replaced: &CancellationToken,
    ) -> CarrierEnd {
        let Self { push, poll, session, number } = self;
        let (number, limit) = (*number, context.settings().call_within());
        let call = |wait, message| LinkCall { session: session.clone(), carrier: number, wait, message: Some(message) };
        let pushing = async {
            loop {
                let (message, is_last) = match queue.next(number, CALL_BATCH_BYTES).await {
                    Taken::Message(message) => (message, false),
                    Taken::Last(message) => (message, true),
                    Taken::Nothing => return CarrierEnd::Replaced,
                };
                match push.call(call(false, message), limit).await {
                    _ if is_last => {
                        queue.left(number);
                        return CarrierEnd::Closed;
                    }
                    Ok(answer) => match queue.hand_on(context, link, number, answer).await {
                        Ok(()) | Err(CarrierEnd::Closed) => {}
                        Err(end) => return end,
                    },
                    Err(failure) => return failure.end(),
                }
            }
        };
        let polling = async {
            loop {
                match poll.call(call(true, queue.acknowledgement()), limit).await {
                    Ok(answer) => match queue.hand_on(context, link, number, answer).await {
                        Ok(()) => {}
                        // The side that pushes has the last word.
                        Err(CarrierEnd::Closed) => return std::future::pending().await,
                        Err(end) => return end,
                    },
                    Err(_) if queue.closing().is_cancelled() => return std::future::pending().await,
                    Err(failure) => return failure.end(),
                }
            }
        };
        let farewell = async {
            queue.closing().cancelled().await;
            sleep(FAREWELL).await;
        };
        tokio::select! {
            biased;
            () = replaced.cancelled() => CarrierEnd::Replaced,
            end = pushing => end,
            end = polling => end,
            () = farewell => CarrierEnd::Closed,
        }
    }
}

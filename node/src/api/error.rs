//! Errors as the caller sees them.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use peerwright_engine::SubmitRefusal;
use peerwright_ledger::Refusal;
use peerwright_store::StoreError;
use serde::Serialize;

use super::{Gone, SubmitRefused};
use crate::{
    limits::Limited,
    registers::{FollowersFull, NotChosen, TailEnded},
};

/// A refused or failed call.
#[derive(Debug)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    header: Option<(HeaderName, HeaderValue)>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    code: &'static str,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), header: None }
    }

    pub(super) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    pub(super) fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// Worth trying again in a moment.
    pub(super) fn unavailable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    pub(super) fn no_route() -> Self {
        Self::not_found("no_route", "there is no such route; GET / says what this is")
    }

    pub(super) fn with_header(self, name: HeaderName, value: HeaderValue) -> Self {
        Self { header: Some((name, value)), ..self }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Json(Body { error: &self.message, code: self.code });
        let mut response = (self.status, body).into_response();
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// Answers a method that a route does not have.
pub(super) async fn method_not_allowed() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this route does not have this method")
}

impl From<Gone> for ApiError {
    fn from(gone: Gone) -> Self {
        Self::unavailable("draining", gone.to_string())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::unavailable(error.code(), error.to_string())
    }
}

impl From<Limited> for ApiError {
    fn from(limited: Limited) -> Self {
        let seconds = limited.retry_after.as_micros().div_ceil(1_000_000).max(1);
        let message = format!(
            "this identity has used its {} of a minute on this node; try again in {seconds} s, or ask another node",
            limited.measure.label()
        );
        let retry_after = HeaderValue::try_from(seconds.to_string()).unwrap_or(HeaderValue::from_static("60"));
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message).with_header(header::RETRY_AFTER, retry_after)
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
            Refusal::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

impl From<SubmitRefused> for ApiError {
    fn from(refused: SubmitRefused) -> Self {
        match refused {
            SubmitRefused::Transaction(refusal) => refusal.into(),
            SubmitRefused::Node(refusal) => submit_refusal(refusal),
            SubmitRefused::OutboxFull(full) => Self::unavailable(refused.code(), full.to_string()),
        }
    }
}

impl From<FollowersFull> for ApiError {
    fn from(full: FollowersFull) -> Self {
        match full {
            FollowersFull::Node => Self::unavailable(full.code(), full.to_string()),
            FollowersFull::Identity => Self::new(StatusCode::TOO_MANY_REQUESTS, full.code(), full.to_string()),
        }
    }
}

impl From<NotChosen> for ApiError {
    fn from(not_chosen: NotChosen) -> Self {
        match not_chosen {
            NotChosen::Full => Self::conflict("advertisements_full", not_chosen.to_string()),
            NotChosen::Store(error) => error.into(),
        }
    }
}

impl From<TailEnded> for ApiError {
    fn from(ended: TailEnded) -> Self {
        let message = ended.to_string();
        match ended {
            TailEnded::NotHeld(_) => Self::not_found(ended.code(), message),
            TailEnded::Trimmed { .. } => Self::new(StatusCode::GONE, ended.code(), message),
            TailEnded::Store(error) => error.into(),
            TailEnded::Damaged(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, ended.code(), message),
        }
    }
}

fn submit_refusal(refusal: SubmitRefusal) -> ApiError {
    let code = refusal.label();
    match refusal {
        SubmitRefusal::Overloaded => {
            ApiError::unavailable(code, "this node has more to do than it can keep up with; try again in a moment")
        }
        SubmitRefusal::Draining => ApiError::unavailable(code, "this node is stopping; ask another"),
        SubmitRefusal::WaitingForOperator => {
            let message = "this node waits for the operator to make it a member; try again in a moment, or ask another";
            ApiError::unavailable(code, message)
        }
        SubmitRefusal::NotSubscribed => {
            ApiError::not_found(code, "this node does not hold the register; a RegisterSubscription makes it")
        }
        SubmitRefusal::TooLarge => {
            let message = "the transaction is longer than the network accepts (spec.limits.maxTransactionBytes)";
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, code, message)
        }
        SubmitRefusal::Banned => ApiError::unavailable(code, "this node is banned from its network; ask another"),
        SubmitRefusal::Store => {
            let message = "the store of this node failed; the transaction may still be accepted later";
            ApiError::unavailable(code, message)
        }
    }
}

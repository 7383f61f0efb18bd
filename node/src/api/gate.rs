//! What every call passes before its handler: token, role, rate, sizes; and what is counted of it.

use super::{
    Access, ApiState,
    error::ApiError,
    linger::{SharedBody, linger},
    sizes::{self, BodyLimit, MaxBody},
    tokens::Verified,
};
use crate::{
    limits::{Ask, Asker},
    tls::unix_now,
    transport::ConnectionInfo,
};
use axum::{
    body::{Body, HttpBody},
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use peerwright_snapshot::{Role, Snapshot};
use std::{
    net::{IpAddr, Ipv4Addr},
    time::Instant,
};

/// A caller whose address is not known.
const UNSPECIFIED: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// The gate of one route.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) state: ApiState,
    /// The role that a method needs.
    pub(super) required: fn(&Method) -> Role,
    pub(super) body: BodyLimit,
}

/// Who calls, for the handlers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// The token's subject; `None` for callers without one.
    pub(super) subject: Option<String>,
    /// Whether the caller showed no token although tokens are asked for.
    pub(super) anonymous: bool,
    /// Whose allowance the call is taken from; `None` where nobody is asked who it is.
    pub(super) asker: Option<Asker>,
    /// When its token is over, unix seconds; never where there is none.
    ends_at: Option<u64>,
    role: Role,
}

impl Caller {
    /// Why a reader may not go on reading, if it may not: its token is over, or its role.
    pub(super) fn is_over(&self, state: &ApiState) -> Option<&'static str> {
        if state.access == Access::Open {
            return None;
        }
        if self.ends_at.is_some_and(|ends_at| unix_now() >= ends_at) {
            return Some("token_expired");
        }
        let snapshot = state.node.snapshot();
        let role = snapshot.map(|snapshot| role_of(&snapshot, self.subject.as_deref()));
        (role.unwrap_or_default() < Role::Reader).then_some("role_required")
    }
}

/// What the snapshot lets a subject do, or somebody without one.
fn role_of(snapshot: &Snapshot, subject: Option<&str>) -> Role {
    let api = &snapshot.content.api;
    let granted = subject.and_then(|subject| api.access.get(subject)).copied().unwrap_or_default();
    granted.max(api.anonymous_role)
}

/// Lets a call through to its handler, or refuses it.
pub(super) async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = method_label(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let version = request.version();
    let (head, body) = request.into_parts();
    let body = SharedBody::new(body);
    let request = Request::from_parts(head, Body::new(body.clone()));
    let response = enter(&gate, request, next).await.unwrap_or_else(IntoResponse::into_response);
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
    gate.state.telemetry.rest(method, route, response.status().as_u16(), started.elapsed());
    linger(version, body, response)
}

async fn enter(gate: &Gate, mut request: Request, next: Next) -> Result<Response, ApiError> {
    let snapshot = gate.state.node.snapshot();
    let remote = request.extensions().get::<ConnectionInfo>().map_or(UNSPECIFIED, |info| info.remote.ip());
    let caller = identify(&gate.state, snapshot.as_deref(), request.headers(), remote)?;
    require(&gate.state, &caller, (gate.required)(request.method()))?;
    gate.state.take(&caller, Ask { requests: 1, ..Ask::default() })?;
    let max_body = gate.body.bytes(snapshot.as_deref());
    let expected = sizes::check(&request, max_body)?;
    let takes_body = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
    let room = if takes_body {
        gate.state.take(&caller, bytes(expected as u64))?;
        Some(gate.state.bodies.take(expected)?)
    } else {
        None
    };
    let asker = caller.asker.clone();
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(MaxBody(max_body));
    let response = next.run(request).await;
    drop(room);
    if let Some(asker) = &asker {
        gate.state.limits.charge(asker, bytes(response.body().size_hint().lower()));
    }
    Ok(response)
}

const fn bytes(bytes: u64) -> Ask {
    Ask { requests: 0, bytes, transactions: 0 }
}

fn identify(
    state: &ApiState,
    snapshot: Option<&Snapshot>,
    headers: &HeaderMap,
    remote: IpAddr,
) -> Result<Caller, ApiError> {
    if state.access == Access::Open {
        return Ok(Caller { subject: None, anonymous: false, asker: None, ends_at: None, role: Role::Admin });
    }
    let snapshot = snapshot.ok_or_else(|| {
        ApiError::unavailable("waiting_for_operator", "this node has not heard from the operator yet who may call it")
    })?;
    let Some(authorization) = headers.get(header::AUTHORIZATION) else {
        let asker = Some(Asker::address(remote));
        let role = role_of(snapshot, None);
        return Ok(Caller { subject: None, anonymous: true, asker, ends_at: None, role });
    };
    let token = authorization.to_str().ok().and_then(bearer_token);
    let verified = match token {
        Some(token) => state.tokens.verify(token, snapshot).map_err(|refused| refused.to_string()),
        None => Err("the Authorization header is not «Bearer» and a token".to_owned()),
    };
    let Verified { subject, ends_at } = verified.map_err(|why| token_invalid(state, &why))?;
    let (asker, role) = (Some(Asker::Subject(subject.clone())), role_of(snapshot, Some(&subject)));
    Ok(Caller { subject: Some(subject), anonymous: false, asker, ends_at: Some(ends_at), role })
}

fn bearer_token(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn require(state: &ApiState, caller: &Caller, required: Role) -> Result<(), ApiError> {
    if caller.role >= required {
        return Ok(());
    }
    let needed = role_name(required);
    match &caller.subject {
        None => {
            let message = format!(
                "this call needs a bearer token for the audience {} whose subject has the role {needed}",
                state.node.identity().trust_domain
            );
            Err(unauthorized(state, "token_required", &message, ""))
        }
        Some(subject) => {
            let message = format!(
                "this call needs the role {needed}; {subject} has {}: spec.api.access of the PeerNetwork gives roles",
                role_name(caller.role)
            );
            Err(ApiError::new(StatusCode::FORBIDDEN, "role_required", message))
        }
    }
}

fn token_invalid(state: &ApiState, why: &str) -> ApiError {
    let audience = &state.node.identity().trust_domain;
    let message = format!("the token is refused: {why}; needed is a bearer token for the audience {audience}");
    unauthorized(state, "token_invalid", &message, ", error=\"invalid_token\"")
}

fn unauthorized(state: &ApiState, code: &'static str, message: &str, parameters: &str) -> ApiError {
    let realm = &state.node.identity().trust_domain;
    let challenge = HeaderValue::try_from(format!("Bearer realm=\"{realm}\"{parameters}"));
    let challenge = challenge.unwrap_or(HeaderValue::from_static("Bearer"));
    ApiError::new(StatusCode::UNAUTHORIZED, code, message).with_header(header::WWW_AUTHENTICATE, challenge)
}

/// As `spec.api` writes it.
fn role_name(role: Role) -> &'static str {
    match role {
        Role::None => "None",
        Role::Reader => "Reader",
        Role::Writer => "Writer",
        Role::Moderator => "Moderator",
        Role::Admin => "Admin",
    }
}

/// Methods are the caller's choice; labels are ours.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

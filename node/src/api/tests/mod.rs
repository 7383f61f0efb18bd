//! The routes, called as clients call them, over a node in memory.

mod advertisements;
mod bans;
mod blueprints;
mod dead_letters;
mod dockets;
mod following;
mod hub;
mod issuer;
mod lingering;
mod members;
pub(crate) mod node;
mod peers;
mod rates;
mod reading;
mod roles;
mod sizes;
mod submitting;
mod tokens;

use super::{Access, ApiState, LocalBans, Node, router};
use crate::{
    limits::{LimitSettings, RateLimits},
    telemetry::Telemetry,
};
use axum::{
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use http_body_util::BodyExt;
use issuer::Issuer;
use node::TestNode;
use peerwright_snapshot::Role;
use serde_json::Value;
use std::sync::Arc;
use tower::ServiceExt;

/// A node, who issues tokens for it, and its routes.
#[derive(Clone)]
pub(crate) struct Api {
    node: Arc<TestNode>,
    issuer: Arc<Issuer>,
    telemetry: Arc<Telemetry>,
    state: ApiState,
}

/// An answer, read to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Api {
    /// Subjects called `reader`, `writer`, `moderator` and `admin` have these roles; who has no token has none.
    async fn new() -> Self {
        Self::with_access(Access::ByToken).await
    }

    async fn with_access(access: Access) -> Self {
        let (node, issuer) = (Arc::new(TestNode::new()), Arc::new(Issuer::new()));
        tokio::spawn(node.registers().clone().tell());
        node.change_snapshot(|content| {
            content.api = issuer.api();
            let roles = [Role::Reader, Role::Writer, Role::Moderator, Role::Admin];
            let names = ["reader", "writer", "moderator", "admin"].map(str::to_owned);
            content.api.access = names.into_iter().zip(roles).collect();
        });
        let bans = Arc::new(LocalBans::load(node.store()).await.unwrap());
        let telemetry = Arc::new(Telemetry::default());
        let limits = Arc::new(RateLimits::new(LimitSettings::default()));
        let state = ApiState::new(Arc::clone(&node) as Arc<dyn Node>, Arc::clone(&telemetry), bans, access, limits);
        Self { node, issuer, telemetry, state }
    }

    async fn call(&self, request: Request<Body>) -> Answer {
        let response = router(self.state.clone()).oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, headers, body: serde_json::from_slice(&body).unwrap_or(Value::Null) }
    }

    /// A call by the subject of that name.
    async fn call_as(&self, subject: &str, method: &str, path: &str, body: &str) -> Answer {
        let token = self.issuer.token(subject);
        let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
        self.call(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.call_as("reader", "GET", path, "").await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call_as("writer", "POST", path, &body.to_string()).await
    }
}

impl Answer {
    #[track_caller]
    fn assert_refused(&self, status: u16, code: &str) -> &str {
        assert_eq!((self.status.as_u16(), self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        self.body["error"].as_str().unwrap()
    }

    #[track_caller]
    fn assert_ok(&self) -> &Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.body);
        &self.body
    }
}

//! Port 8443: REST for applications and people. The TLS in front of it is the shell's.
//!
//! ```text
//! request ─▶ token ─▶ role ─▶ rate ─▶ sizes ─▶ handler ─▶ Node (engine, store)
//!            401      403     429     413 414 431
//! ```
//!
//! A refused call creates no state, and its `code` in the answer is the metric label of refused transactions. Every
//! answer is JSON; an error is `{"error": "what to do", "code": "one_word"}`.

mod about;
mod advertisements;
mod bans;
mod blueprints;
mod checkpoints;
mod create;
mod dead_letters;
mod dockets;
mod error;
mod follow;
mod gate;
mod hub;
mod json;
mod linger;
mod members;
mod node;
mod peers;
mod quality;
mod query;
mod registers;
mod sizes;
mod submit;
mod time;
mod tokens;
mod transactions;

pub use bans::{BanError, LocalBan, LocalBans};
pub(crate) use hub::{STALE_SINCE, stale_since};
pub use node::{Gone, Identity, Node, SubmitRefused, View};
pub use sizes::BodyBudget;

use crate::{
    limits::{Ask, RateLimits},
    telemetry::Telemetry,
};
use axum::{
    Router,
    http::Method,
    routing::{MethodRouter, delete, get, post},
};
use error::ApiError;
use gate::{Caller, Gate};
use peerwright_snapshot::Role;
use sizes::BodyLimit;
use std::sync::Arc;
use tokens::Tokens;

/// Whether callers must show who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// By a token; the snapshot says who may what.
    ByToken,
    /// Everybody may everything: for `dev` on loopback.
    Open,
}

/// What the routes work with.
#[derive(Clone)]
pub struct ApiState {
    node: Arc<dyn Node>,
    telemetry: Arc<Telemetry>,
    bans: Arc<LocalBans>,
    bodies: BodyBudget,
    tokens: Arc<Tokens>,
    access: Access,
    limits: Arc<RateLimits>,
    intake: Arc<submit::Intake>,
}

impl ApiState {
    /// Routes over this node.
    #[must_use]
    pub fn new(
        node: Arc<dyn Node>,
        telemetry: Arc<Telemetry>,
        bans: Arc<LocalBans>,
        access: Access,
        limits: Arc<RateLimits>,
    ) -> Self {
        let (bodies, intake) = (BodyBudget::default(), Arc::new(submit::Intake::new(node.store())));
        Self { node, telemetry, bans, bodies, tokens: Arc::default(), access, limits, intake }
    }

    /// Takes from the caller's allowance.
    fn take(&self, caller: &Caller, ask: Ask) -> Result<(), ApiError> {
        let Some(asker) = &caller.asker else { return Ok(()) };
        self.limits.take(asker, ask).map_err(|limited| {
            self.telemetry.rate_limited(limited);
            limited.into()
        })
    }
}

/// The routes, with everything in front of them but TLS.
pub fn router(state: ApiState) -> Router {
    let guard = |required: fn(&Method) -> Role, body: BodyLimit, routes: MethodRouter<ApiState>| {
        let gate = Gate { state: state.clone(), required, body };
        routes.layer(axum::middleware::from_fn_with_state(gate, gate::pass))
    };
    let only = |routes: MethodRouter<ApiState>| routes.fallback(error::method_not_allowed);
    let read = |routes| guard(|_| Role::Reader, BodyLimit::Small, only(routes));
    let moderate = |routes| guard(|_| Role::Moderator, BodyLimit::Small, only(routes));
    let banning = |routes| {
        let required = |method: &Method| if method == Method::GET { Role::Reader } else { Role::Moderator };
        guard(required, BodyLimit::Small, only(routes))
    };
    let submit = |routes| {
        let required = |method: &Method| if method == Method::POST { Role::Writer } else { Role::Reader };
        guard(required, BodyLimit::Transactions, only(routes))
    };
    let publish = |routes| {
        let required = |method: &Method| if method == Method::GET { Role::Reader } else { Role::Writer };
        guard(required, BodyLimit::Transactions, only(routes))
    };
    let write = |routes| guard(|_| Role::Writer, BodyLimit::Small, only(routes));
    let nothing = MethodRouter::new().fallback(async || ApiError::no_route());
    Router::new()
        .route("/", read(get(about::service)))
        .route("/api/health", read(get(about::health)))
        .route("/api/members", read(get(members::list)))
        .route("/api/peers", read(get(peers::list)))
        .route("/api/peers/quality", read(get(quality::list)))
        .route("/api/peers/stats", read(get(peers::statistics)))
        .route("/api/peers/health", read(get(peers::health)))
        .route("/api/peers/connected", read(get(peers::connected)))
        .route("/api/peers/{id}", read(get(peers::one)))
        .route("/api/peers/{id}/ban", moderate(post(peers::ban).delete(peers::unban)))
        .route("/api/peers/{id}/reset", moderate(post(peers::reset)))
        .route("/api/bans/automatic", read(get(bans::history)))
        .route("/api/bans", banning(get(bans::list).post(bans::ban).delete(bans::unban)))
        .route("/api/sync/checkpoints", read(get(checkpoints::list)))
        .route("/api/hub", read(get(hub::standing)))
        .route("/api/system-register", read(get(blueprints::register)))
        .route("/api/system-register/follow", read(get(blueprints::follow)))
        .route("/api/blueprints", read(get(blueprints::list)))
        .route(
            "/api/blueprints/{name}",
            publish(get(blueprints::one).put(blueprints::publish).delete(blueprints::deprecate)),
        )
        .route("/api/registers", write(post(create::create)))
        .route("/api/registers/subscriptions", read(get(registers::subscriptions)))
        .route("/api/registers/available", read(get(advertisements::available)))
        .route("/api/registers/bulk-advertise", write(post(advertisements::advertise_all)))
        .route("/api/registers/{id}", read(get(dockets::register)))
        .route("/api/registers/{id}/advertise", write(post(advertisements::advertise)))
        .route("/api/registers/{id}/dockets", read(get(dockets::list)))
        .route("/api/registers/{id}/dockets/{number}", read(get(dockets::one)))
        .route("/api/registers/{id}/follow", read(get(follow::follow)))
        .route("/api/registers/{id}/deadletters", read(get(dead_letters::list)))
        .route("/api/registers/{id}/deadletters/{transaction}", write(delete(dead_letters::remove)))
        .route("/api/registers/{id}/deadletters/{transaction}/replay", write(post(dead_letters::replay)))
        .route("/api/registers/{id}/transactions", submit(get(transactions::list).post(submit::submit)))
        .route("/api/registers/{id}/transactions/{transaction}", read(get(transactions::one)))
        .route("/api/registers/{id}/transactions/{transaction}/proof", read(get(dockets::proof)))
        .fallback_service(guard(|_| Role::Reader, BodyLimit::Small, nothing).with_state(state.clone()))
        .layer(axum::middleware::from_fn_with_state(state.clone(), hub::mark_stale))
        .with_state(state)
}

#[cfg(test)]
pub(crate) mod tests;

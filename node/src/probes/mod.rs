//! Port 8080, plain HTTP: `/livez`, `/readyz`, `/metrics`, nothing else.
//!
//! It answers from the first moment of the process, before there is a node to ask.

mod readiness;

pub use readiness::{Readiness, Reason};

use crate::{api::Node, telemetry::Telemetry};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;

/// What the probes answer from.
#[derive(Clone)]
pub struct ProbeState {
    /// Written by whoever knows how far the process is.
    pub readiness: watch::Receiver<Readiness>,
    /// The process' metrics.
    pub telemetry: Arc<Telemetry>,
    /// Set once there is a node; its figures join the metrics then.
    pub node: Arc<OnceLock<Arc<dyn Node>>>,
}

/// The probe port's routes.
pub fn router(state: ProbeState) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(async || (StatusCode::NOT_FOUND, "this port has /livez, /readyz and /metrics\n"))
        .with_state(state)
}

async fn ready(State(state): State<ProbeState>) -> (StatusCode, String) {
    let readiness = *state.readiness.borrow();
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, format!("{readiness}\n"))
}

async fn metrics(State(state): State<ProbeState>) -> impl IntoResponse {
    state.telemetry.observe_readiness(*state.readiness.borrow());
    if let Some(node) = state.node.get() {
        // A node that is stopping has no view any more; its last figures stay.
        if let Ok(view) = node.view().await {
            state.telemetry.observe(&view, node.store().commits());
        }
        state.telemetry.observe_sealing(node.sealing().as_ref());
        state.telemetry.observe_registers(node.registers());
        state.telemetry.observe_snapshot(node.snapshot().as_deref());
    }
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], state.telemetry.encode())
}

#[cfg(test)]
mod tests;

//! What this is and how it is.

use super::{ApiState, error::ApiError, peers::Rows, time};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

const SERVICE: &str = "peerwright-node";
const VERSION: &str = env!("CARGO_PKG_VERSION");

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Service {
    service: &'static str,
    version: &'static str,
    network: String,
    namespace: String,
    node: String,
    peer_id: String,
    trust_domain: String,
    incarnation: u64,
    started_at: Option<String>,
    snapshot: Option<String>,
}

/// `GET /`
pub(super) async fn service(State(state): State<ApiState>) -> Json<Service> {
    let identity = state.node.identity();
    Json(Service {
        service: SERVICE,
        version: VERSION,
        network: identity.network.clone(),
        namespace: identity.namespace.clone(),
        node: identity.node.clone(),
        peer_id: identity.peer_id.to_string(),
        trust_domain: identity.trust_domain.clone(),
        incarnation: identity.incarnation,
        started_at: time::rfc3339(identity.started_at),
        snapshot: state.node.snapshot().map(|snapshot| snapshot.version().to_string()),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    /// `ready`, or why not.
    status: &'static str,
    detail: String,
    service: &'static str,
    version: &'static str,
    timestamp: Option<String>,
    uptime_seconds: u64,
    /// `online`, `degraded` or `offline`: whether enough peers are healthy.
    service_status: &'static str,
    metrics: HealthMetrics,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HealthMetrics {
    total_peers: usize,
    healthy_peers: usize,
    unhealthy_peers: usize,
    average_latency_millis: f64,
    queue_size: u64,
}

/// `GET /api/health`
pub(super) async fn health(State(state): State<ApiState>) -> Result<Response, ApiError> {
    let rows = Rows::read(&state).await?;
    let readiness = state.node.readiness();
    let now = time::now_micros();
    let figures = &rows.view.statistics;
    let healthy = rows.healthy();
    let health = Health {
        status: readiness.word(),
        detail: readiness.to_string(),
        service: SERVICE,
        version: VERSION,
        timestamp: time::rfc3339(now),
        uptime_seconds: now.saturating_sub(state.node.identity().started_at) / 1_000_000,
        service_status: figures.members.status.label(),
        metrics: HealthMetrics {
            total_peers: rows.peers.len(),
            healthy_peers: healthy,
            unhealthy_peers: rows.peers.len() - healthy,
            average_latency_millis: rows.average_latency_millis(),
            queue_size: figures.submit.queued,
        },
    };
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, Json(health)).into_response())
}

//! The hub that this node takes dockets from, and since when what it has may be stale.

use super::{ApiState, time};
use crate::registers::Registers;
use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method},
    middleware::Next,
    response::Response,
};
use peerwright_snapshot::{Content, NodeRole, Topology};
use serde::Serialize;

/// Says on answers about registers that no hub is reached, and since when: of REST a header, of gRPC metadata.
pub(crate) const STALE_SINCE: &str = "stale-since";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HubView {
    /// `Mesh` or `Hub`.
    topology: &'static str,
    /// What this node is to the network.
    role: &'static str,
    active: Option<String>,
    standby: Option<String>,
    isolated_since: Option<String>,
    /// In the order in which they are preferred.
    hubs: Vec<HubRowView>,
}

#[derive(Serialize)]
struct HubRowView {
    id: String,
    state: &'static str,
    /// Keepalives in a row that it did not answer.
    missed: u32,
}

/// `GET /api/hub`
pub(super) async fn standing(State(state): State<ApiState>) -> Json<HubView> {
    let standing = state.node.registers().hubs();
    let snapshot = state.node.snapshot();
    let content = snapshot.as_ref().map(|snapshot| &snapshot.content);
    let rows = standing.hubs.iter();
    Json(HubView {
        topology: match content.map(|content| content.topology).unwrap_or_default() {
            Topology::Mesh => "Mesh",
            Topology::Hub => "Hub",
        },
        role: role(content, &state.node.identity().node),
        active: standing.active.map(|hub| hub.to_string()),
        standby: standing.standby.map(|hub| hub.to_string()),
        isolated_since: standing.isolated_since.and_then(time::rfc3339),
        hubs: rows
            .map(|row| HubRowView { id: row.hub.to_string(), state: row.state.label(), missed: row.missed })
            .collect(),
    })
}

fn role(content: Option<&Content>, node: &str) -> &'static str {
    let group = content.and_then(|content| content.group_of(node)).map(|(_, group)| group);
    match group.unwrap_or_default().role {
        NodeRole::Peer => "Peer",
        NodeRole::Hub => "Hub",
        NodeRole::Router => "Router",
        NodeRole::Edge => "Edge",
    }
}

/// Marks what is read of registers while no hub is reached.
pub(super) async fn mark_stale(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let is_read = request.method() == Method::GET && request.uri().path().starts_with("/api/registers/");
    let mut response = next.run(request).await;
    let since = stale_since(state.node.registers()).filter(|_| is_read && response.status().is_success());
    if let Some(since) = since.and_then(|since| HeaderValue::try_from(since).ok()) {
        response.headers_mut().insert(HeaderName::from_static(STALE_SINCE), since);
    }
    response
}

/// Since when what is here of registers may be stale, as answers say it; nothing while it is not.
pub(crate) fn stale_since(registers: &Registers) -> Option<String> {
    registers.hubs().isolated_since.and_then(time::rfc3339)
}

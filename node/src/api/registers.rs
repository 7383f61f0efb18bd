//! The registers that this node holds.

use super::{
    ApiState,
    dockets::{self, ReplicaView},
    error::ApiError,
};
use axum::{Json, extract::State};
use peerwright_ledger::RegisterId;
use peerwright_snapshot::Content;
use peerwright_store::Counts;
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subscription {
    register: String,
    /// `Synced` or `Syncing`.
    state: &'static str,
    messages: u64,
    transactions: u64,
    /// Dockets committed here, from 0 on.
    dockets: u64,
    /// How this node follows the register; absent where it seals it.
    #[serde(skip_serializing_if = "Option::is_none")]
    replica: Option<ReplicaView>,
}

/// `GET /api/registers/subscriptions`
pub(super) async fn subscriptions(State(state): State<ApiState>) -> Result<Json<Vec<Subscription>>, ApiError> {
    let view = state.node.view().await?;
    let store = state.node.store();
    let mut rows = Vec::with_capacity(view.registers.len());
    for register in view.registers {
        let Counts { messages, transactions } = store.counts(register.register).await?;
        let sync_state = if register.synced { "Synced" } else { "Syncing" };
        let held = state.node.registers().store.held_dockets(register.register).await?;
        rows.push(Subscription {
            register: register.register.to_string(),
            state: sync_state,
            messages,
            transactions,
            dockets: held.and_then(|held| held.certified_through).map_or(0, |through| through + 1),
            replica: dockets::replica(&state, register.register),
        });
    }
    Ok(Json(rows))
}

/// Reads a register's id from a path.
pub(super) fn register_id(text: &str) -> Result<RegisterId, ApiError> {
    text.parse().map_err(|error| ApiError::bad_request("register_invalid", format!("{error}")))
}

/// Reads a register's id from a path and accepts registers that this node is to hold.
pub(super) fn subscribed(state: &ApiState, text: &str) -> Result<RegisterId, ApiError> {
    let register = register_id(text)?;
    let (snapshot, own) = (state.node.snapshot(), state.node.identity());
    let is_here = |content: &Content| content.is_gossiped_by(register.as_bytes(), &own.node, &own.peer_id);
    if snapshot.is_some_and(|snapshot| is_here(&snapshot.content)) {
        return Ok(register);
    }
    let message = format!("this node does not hold register {register}; a RegisterSubscription makes it");
    Err(ApiError::not_found("not_subscribed", message))
}

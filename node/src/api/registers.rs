//! The registers that this node holds.

use super::{
    ApiState,
    dockets::{self, ReplicaView},
    error::ApiError,
};
use axum::{Json, extract::State};
use peerwright_ledger::RegisterId;
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

/// Rows of a page when the caller does not say, and at most.
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;

/// Reads how many rows a page may have.
pub(super) fn page_limit(asked: Option<usize>) -> Result<usize, ApiError> {
    let limit = asked.unwrap_or(DEFAULT_LIMIT);
    if (1..=MAX_LIMIT).contains(&limit) {
        return Ok(limit);
    }
    Err(ApiError::bad_request("query_invalid", format!("limit is {limit}: accepted is 1 to {MAX_LIMIT}")))
}

/// Reads a register's id from a path.
pub(super) fn register_id(text: &str) -> Result<RegisterId, ApiError> {
    text.parse().map_err(|error| ApiError::bad_request("register_invalid", format!("{error}")))
}

/// Reads a register's id from a path and accepts registers that this node is to hold.
pub(super) fn subscribed(state: &ApiState, text: &str) -> Result<RegisterId, ApiError> {
    let register = register_id(text)?;
    let snapshot = state.node.snapshot();
    let wanted = peerwright_snapshot::Subscription { register: *register.as_bytes() };
    if snapshot.is_some_and(|snapshot| snapshot.content.subscriptions.contains(&wanted)) {
        return Ok(register);
    }
    let message = format!("this node does not hold register {register}; a RegisterSubscription makes it");
    Err(ApiError::not_found("not_subscribed", message))
}

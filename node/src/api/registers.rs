//! The registers that this node holds.

use super::{ApiState, error::ApiError};
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
}

/// `GET /api/registers/subscriptions`
pub(super) async fn subscriptions(State(state): State<ApiState>) -> Result<Json<Vec<Subscription>>, ApiError> {
    let view = state.node.view().await?;
    let store = state.node.store();
    let mut rows = Vec::with_capacity(view.registers.len());
    for register in view.registers {
        let Counts { messages, transactions } = store.counts(register.register).await?;
        let sync_state = if register.synced { "Synced" } else { "Syncing" };
        rows.push(Subscription { register: register.register.to_string(), state: sync_state, messages, transactions });
    }
    Ok(Json(rows))
}

/// Reads a register's id from a path and accepts registers that this node is to hold.
pub(super) fn subscribed(state: &ApiState, text: &str) -> Result<RegisterId, ApiError> {
    let register: RegisterId =
        text.parse().map_err(|error| ApiError::bad_request("register_invalid", format!("{error}")))?;
    let snapshot = state.node.snapshot();
    let wanted = peerwright_snapshot::Subscription { register: *register.as_bytes() };
    if snapshot.is_some_and(|snapshot| snapshot.content.subscriptions.contains(&wanted)) {
        return Ok(register);
    }
    let message = format!("this node does not hold register {register}; a RegisterSubscription makes it");
    Err(ApiError::not_found("not_subscribed", message))
}

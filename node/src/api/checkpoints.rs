//! How far each register is verified here: where a node goes on after a restart, and whoever it takes dockets from next.

use super::{ApiState, dockets::damaged, error::ApiError, time};
use axum::{Json, extract::State};
use peerwright_ledger::Chain;
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CheckpointView {
    register: String,
    /// The last docket that is verified and stored, and its hash.
    docket: u64,
    hash: String,
    /// What this node does with the register; `null` where it seals it, or holds it still.
    state: Option<&'static str>,
    /// Peer id of whom it is followed from; another goes on from the same place.
    source: Option<String>,
    stored_at: Option<String>,
}

/// `GET /api/sync/checkpoints`
pub(super) async fn list(State(state): State<ApiState>) -> Result<Json<Vec<CheckpointView>>, ApiError> {
    let registers = state.node.registers();
    let mut rows = Vec::new();
    for held in registers.store.registers().await? {
        let Some(checkpoint) = registers.store.checkpoint(held.register).await? else { continue };
        let chain = Chain::decode(&checkpoint).map_err(|error| damaged(error.to_string()))?;
        let progress = registers.progress(held.register);
        let progress = progress.as_ref();
        rows.push(CheckpointView {
            register: held.register.to_string(),
            docket: chain.head().number,
            hash: chain.head().hash.to_string(),
            state: progress.map(|progress| progress.state.label()),
            source: progress.and_then(|progress| progress.source).map(|source| source.to_string()),
            stored_at: progress.and_then(|progress| progress.stored_at).and_then(time::rfc3339),
        });
    }
    Ok(Json(rows))
}

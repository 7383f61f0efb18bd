//! What this node accepted and no docket will hold: shown, handed in again, let go.

use super::{
    ApiState, error::ApiError, gate::Caller, query::PageAsked, registers::register_id, submit, time,
    transactions::EXPIRED,
};
use crate::limits::Ask;
use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{StatusCode, Uri},
};
use peerwright_ledger::{RegisterId, Transaction, TransactionId};
use peerwright_store::{DeadLetter, ListedDeadLetter};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    dead_letters: Vec<Row>,
    /// To be given as `after` for the rest; `null` at the end.
    next: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    transaction_id: String,
    /// `refused` or `expired`.
    status: &'static str,
    /// Why it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    died_at: Option<String>,
}

/// `GET /api/registers/{id}/deadletters?after=&limit=`: in the order in which this node heard of them.
pub(super) async fn list(
    State(state): State<ApiState>,
    Path(register): Path<String>,
    uri: Uri,
) -> Result<Json<Page>, ApiError> {
    let register = register_id(&register)?;
    let asked = PageAsked::read(&uri)?;
    let listed = state.node.store().dead_letters(register, asked.after, asked.rows()).await?;
    let (listed, next) = asked.cut(listed, |row| row.position);
    Ok(Json(Page { dead_letters: listed.into_iter().map(row).collect(), next }))
}

fn row(ListedDeadLetter { letter: DeadLetter { id, reason, died_at, .. }, .. }: ListedDeadLetter) -> Row {
    let is_expired = reason == EXPIRED;
    Row {
        transaction_id: id.to_string(),
        status: if is_expired { EXPIRED } else { "refused" },
        reason: (!is_expired).then_some(reason),
        died_at: time::rfc3339(died_at),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Replayed {
    transaction_id: String,
    accepted: bool,
}

/// `POST /api/registers/{id}/deadletters/{transaction}/replay`: 202 when the transaction is accepted anew.
pub(super) async fn replay(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(path): Path<(String, String)>,
) -> Result<(StatusCode, Json<Replayed>), ApiError> {
    let (register, id) = find(&state, path).await?;
    state.take(&caller, Ask { requests: 0, bytes: 0, transactions: 1 })?;
    let Some(found) = state.node.store().transaction(register, id).await? else {
        let message = format!("this node holds transaction {id} no longer; hand it in anew");
        return Err(ApiError::not_found("transaction_unknown", message));
    };
    let transaction = Transaction::decode(found.bytes)?;
    transaction.verify(time::now_micros(), &state.node.limits())?;
    submit::publish(&state, transaction).await?;
    Ok((StatusCode::ACCEPTED, Json(Replayed { transaction_id: id.to_string(), accepted: true })))
}

/// `DELETE /api/registers/{id}/deadletters/{transaction}`: 204 when it is none any more.
pub(super) async fn remove(
    State(state): State<ApiState>,
    Path(path): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let (register, id) = find(&state, path).await?;
    state.node.store().exhume(vec![(register, id)]).await?;
    state.node.registers().outbox.exhumed(register, id);
    Ok(StatusCode::NO_CONTENT)
}

async fn find(
    state: &ApiState,
    (register, transaction): (String, String),
) -> Result<(RegisterId, TransactionId), ApiError> {
    let register = register_id(&register)?;
    let id: TransactionId =
        transaction.parse().map_err(|error| ApiError::bad_request("transaction_invalid", format!("{error}")))?;
    match state.node.store().dead_letter(register, id).await? {
        Some(_) => Ok((register, id)),
        None => {
            let message = format!("transaction {id} of register {register} is no dead letter of this node");
            Err(ApiError::not_found("dead_letter_unknown", message))
        }
    }
}

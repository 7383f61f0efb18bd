//! Reading transactions back.

use super::{ApiState, dockets, error::ApiError, query::PageAsked, registers, submit::Place, time};
use crate::registers::kind_name;
use axum::{
    Json,
    extract::{Path, State},
    http::Uri,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use peerwright_ledger::{Metadata, Payload, Transaction, TransactionId};
use peerwright_secure::PeerId;
use peerwright_store::{ListedTransaction, Seen, StoredTransaction};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The status, and the reason of a dead letter, of what no docket took in its time.
pub(super) const EXPIRED: &str = "expired";

#[derive(Serialize)]
pub(super) struct Page {
    transactions: Vec<Row>,
    /// To be given as `after` for the rest; `null` at the end.
    next: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    transaction_id: String,
    size: u32,
    /// Peer id of the node that accepted it.
    origin: String,
    stored_at: Option<String>,
}

/// `GET /api/registers/{id}/transactions?after=&limit=`: in the order in which this node stored them.
pub(super) async fn list(
    State(state): State<ApiState>,
    Path(register): Path<String>,
    uri: Uri,
) -> Result<Json<Page>, ApiError> {
    let register = registers::subscribed(&state, &register)?;
    let asked = PageAsked::read(&uri)?;
    let listed = state.node.store().list(register, asked.after, asked.rows()).await?;
    let (listed, next) = asked.cut(listed, |row| row.position);
    Ok(Json(Page { transactions: listed.into_iter().map(row).collect(), next }))
}

fn row(listed: ListedTransaction) -> Row {
    Row {
        transaction_id: listed.id.to_string(),
        size: listed.size,
        origin: PeerId::of(&listed.origin).to_string(),
        stored_at: time::rfc3339(listed.stored_at),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TransactionView {
    transaction_id: String,
    register: String,
    #[serde(rename = "type")]
    kind: &'static str,
    previous: Option<String>,
    /// The key that signed it, 64 hex digits.
    author: String,
    /// Whom the author signed for.
    subject: Option<String>,
    recipients: BTreeSet<String>,
    created_at: Option<String>,
    valid_until: Option<String>,
    metadata: MetadataView,
    payloads: Vec<PayloadView>,
    /// base64
    signature: String,
    size: usize,
    /// Peer id of the node that accepted it, where this node has heard it from gossip.
    origin: Option<String>,
    stored_at: Option<String>,
    /// `committed` when a docket that most sealers have signed holds it here, otherwise `refused` when the sealers said
    /// that none will, `expired` when none may any more, or `pending`.
    status: &'static str,
    /// Why it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    committed: Option<Place>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MetadataView {
    blueprint: Option<String>,
    instance: Option<String>,
    action: Option<String>,
    next_action: Option<String>,
    tracking: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PayloadView {
    /// SHA-256 of the data, hex.
    hash: String,
    size: usize,
    content_type: String,
    content_encoding: String,
    access: BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<String>,
    /// base64
    data: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// `GET /api/registers/{id}/transactions/{transaction}`
pub(super) async fn one(
    State(state): State<ApiState>,
    Path((register, transaction)): Path<(String, String)>,
) -> Result<Json<TransactionView>, ApiError> {
    let register = registers::subscribed(&state, &register)?;
    let id: TransactionId =
        transaction.parse().map_err(|error| ApiError::bad_request("transaction_invalid", format!("{error}")))?;
    let committed = state.node.registers().store.find(register, id, Seen::Certified).await?;
    let (bytes, origin) = match state.node.store().transaction(register, id).await? {
        Some(StoredTransaction { bytes, origin, stored_at, .. }) => (bytes, Some((PeerId::of(&origin), stored_at))),
        // It came with its docket alone.
        None => match committed {
            Some(place) => (dockets::transaction(&state, register, place).await?, None),
            None => {
                let message = format!("this node holds no transaction {id} in register {register}");
                return Err(ApiError::not_found("transaction_unknown", message));
            }
        },
    };
    let transaction = Transaction::decode(bytes)?;
    let dead = match committed {
        Some(_) => None,
        None => state.node.store().dead_letter(register, id).await?,
    };
    let (status, reason) = match (committed, dead) {
        (Some(_), _) => ("committed", None),
        (None, Some(dead)) if dead.reason != EXPIRED => ("refused", Some(dead.reason)),
        (None, Some(_)) => (EXPIRED, None),
        (None, None) if transaction.body().valid_until_micros <= time::now_micros() => (EXPIRED, None),
        (None, None) => ("pending", None),
    };
    let mut view = view(&transaction);
    view.reason = reason;
    view.origin = origin.map(|(origin, _)| origin.to_string());
    view.stored_at = origin.and_then(|(_, stored_at)| time::rfc3339(stored_at));
    view.status = status;
    view.committed = committed.map(Place::from);
    Ok(Json(view))
}

fn view(transaction: &Transaction) -> TransactionView {
    let body = transaction.body();
    TransactionView {
        transaction_id: transaction.id().to_string(),
        register: body.register.to_string(),
        kind: kind_name(body.kind),
        previous: body.previous.map(|previous| previous.to_string()),
        author: peerwright_encoding::to_lower_hex(body.author.as_bytes()),
        subject: body.subject.clone(),
        recipients: body.recipients.clone(),
        created_at: time::rfc3339(body.created_at_micros),
        valid_until: time::rfc3339(body.valid_until_micros),
        metadata: metadata_view(&body.metadata),
        payloads: body.payloads.iter().map(payload_view).collect(),
        signature: STANDARD.encode(transaction.signature().as_bytes()),
        size: transaction.encoded().len(),
        origin: None,
        stored_at: None,
        status: "pending",
        reason: None,
        committed: None,
    }
}

fn metadata_view(metadata: &Metadata) -> MetadataView {
    let Metadata { blueprint, instance, action, next_action, tracking } = metadata.clone();
    MetadataView { blueprint, instance, action, next_action, tracking }
}

fn payload_view(payload: &Payload) -> PayloadView {
    let media_type = payload.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let plain = payload.content_encoding.is_empty();
    let is_json = plain && (media_type == "application/json" || media_type.ends_with("+json"));
    let is_text = plain && media_type.starts_with("text/");
    PayloadView {
        hash: peerwright_encoding::to_lower_hex(payload.hash()),
        size: payload.data().len(),
        content_type: payload.content_type.clone(),
        content_encoding: payload.content_encoding.clone(),
        access: payload.access.clone(),
        challenge: payload.challenge.as_ref().map(|challenge| STANDARD.encode(challenge)),
        data: STANDARD.encode(payload.data()),
        json: if is_json { serde_json::from_slice(payload.data()).ok() } else { None },
        text: if is_text { String::from_utf8(payload.data().to_vec()).ok() } else { None },
    }
}

//! The network's blueprints: read from what its system register says, published and deprecated by transactions in it.

use super::{
    ApiState, dockets,
    error::ApiError,
    follow::{self, Shape},
    gate::Caller,
    json, query,
    submit::{self, Submission, SubmitQuery},
    time,
};
use crate::registers::{Act, Blueprint, Filter, MAX_BLUEPRINT_NAME, MatchedDocket, Told, is_name, told};
use axum::{
    Extension, Json,
    extract::{Path, Request, State},
    http::{HeaderMap, Uri},
    response::{
        Response,
        sse::{Event, Sse},
    },
};
use futures::Stream;
use peerwright_encoding::to_lower_hex;
use peerwright_ledger::{RegisterId, Transaction};
use peerwright_store::TransactionPlace;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::convert::Infallible;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RegisterView {
    register: String,
    /// The newest docket that was read; `null` before the first.
    through: Option<u64>,
    active: usize,
    deprecated: usize,
    /// Beyond those that a node shows.
    passed_over: u64,
}

#[derive(Serialize)]
pub(super) struct Page {
    blueprints: Vec<Row>,
    /// To be given as `after` for newer ones; `null` when there is none yet.
    next: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    blueprint: String,
    /// Number of the docket that told of it last.
    version: u64,
    /// Of the one that told of it first.
    first_version: u64,
    /// `active` or `deprecated`.
    state: &'static str,
    #[serde(flatten)]
    told: ToldView,
}

/// What a transaction told of a blueprint.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToldView {
    at: Option<String>,
    /// The key that signed it, 64 hex digits.
    publisher: String,
    /// For whom.
    subject: Option<String>,
    /// SHA-256 of the definition, where it has one.
    checksum: Option<String>,
    size: usize,
    transaction_id: String,
}

#[derive(Serialize)]
pub(super) struct Whole {
    #[serde(flatten)]
    row: Row,
    /// As it was published last.
    definition: Value,
}

#[derive(Serialize)]
struct ChangesEvent {
    version: u64,
    changes: Vec<ChangeRow>,
}

#[derive(Serialize)]
struct ChangeRow {
    blueprint: String,
    change: &'static str,
    #[serde(flatten)]
    told: ToldView,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    after: Option<u64>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FollowQuery {
    from: Option<u64>,
}

/// `GET /api/system-register`
pub(super) async fn register(State(state): State<ApiState>) -> Result<Json<RegisterView>, ApiError> {
    let register = system(&state)?;
    let blueprints = &state.node.registers().blueprints;
    let figures = blueprints.figures();
    Ok(Json(RegisterView {
        register: register.to_string(),
        through: blueprints.next().checked_sub(1),
        active: figures.active,
        deprecated: figures.deprecated,
        passed_over: figures.passed_over,
    }))
}

/// `GET /api/blueprints?after=&limit=`: those with a newer version, the oldest first; a page ends with a whole docket.
pub(super) async fn list(State(state): State<ApiState>, uri: Uri) -> Result<Json<Page>, ApiError> {
    system(&state)?;
    let ListQuery { after, limit } = query::read(&uri)?;
    let newer = state.node.registers().blueprints.newer(after, query::page_limit(limit)?);
    let next = newer.last().map(|blueprint| blueprint.last.version).or(after);
    Ok(Json(Page { blueprints: newer.into_iter().map(row).collect(), next }))
}

/// `GET /api/blueprints/{name}`
pub(super) async fn one(State(state): State<ApiState>, Path(name): Path<String>) -> Result<Json<Whole>, ApiError> {
    let register = system(&state)?;
    let blueprint = known(&state, &name)?;
    let (number, position) = blueprint.definition;
    let encoded = dockets::transaction(&state, register, TransactionPlace { number, position }).await?;
    let transaction = Transaction::decode(encoded)?;
    let data = transaction.body().payloads.first().map(|payload| payload.data().to_vec()).unwrap_or_default();
    // Whoever signs by itself may publish what is no JSON; it is to be had as the transaction is.
    let definition = serde_json::from_slice(&data).unwrap_or(Value::Null);
    Ok(Json(Whole { row: row(blueprint), definition }))
}

/// `PUT /api/blueprints/{name}?ack=`: publishes a definition, or a new one.
pub(super) async fn publish(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let register = system(&state)?;
    let SubmitQuery { ack } = query::read(request.uri())?;
    if !is_name(&name) {
        let message =
            format!("a blueprint's name has 1 to {MAX_BLUEPRINT_NAME} letters, digits, dashes and underscores");
        return Err(ApiError::bad_request("blueprint_invalid", message));
    }
    let definition: Value = json::parse(&json::read_body(request).await?)?;
    if !definition.is_object() {
        return Err(ApiError::bad_request("json_invalid", "a blueprint's definition is a JSON object"));
    }
    let submission = Submission::of_blueprint(name, Act::Publish, Some(definition));
    submit::one(&state, &caller, register, ack, submission).await
}

/// `DELETE /api/blueprints/{name}?ack=`: it is deprecated; its definition stays in the register.
pub(super) async fn deprecate(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let register = system(&state)?;
    let SubmitQuery { ack } = query::read(&uri)?;
    known(&state, &name)?;
    let submission = Submission::of_blueprint(name, Act::Deprecate, None);
    submit::one(&state, &caller, register, ack, submission).await
}

/// `GET /api/system-register/follow?from=`: what changes, as server-sent events.
pub(super) async fn follow(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let register = system(&state)?;
    let FollowQuery { from } = query::read(&uri)?;
    let from = follow::from(&headers, from)?;
    follow::events(state, caller, register, from, Filter::default(), Shape::Blueprints).await
}

/// What a docket has changed of blueprints, if anything.
pub(super) async fn changes(state: &ApiState, docket: &MatchedDocket) -> Result<Option<Event>, &'static str> {
    let version = docket.header.number;
    let told = told(docket).map_err(|_| "store_damaged")?;
    if told.is_empty() {
        return Ok(None);
    }
    let changes = state.node.registers().blueprints.changes(version, &told).await;
    if changes.is_empty() {
        return Ok(None);
    }
    state.telemetry.blueprint_changes_told(changes.len() as u64);
    let row = |(change, told): (crate::registers::Change, Told)| ChangeRow {
        blueprint: told.name.clone(),
        change: change.label(),
        told: told_view(told),
    };
    let changes = changes.into_iter().map(row).collect();
    follow::event("blueprints", &ChangesEvent { version, changes }).map(Some)
}

fn system(state: &ApiState) -> Result<RegisterId, ApiError> {
    state.node.registers().blueprints.system().ok_or_else(|| {
        ApiError::not_found(
            "no_system_register",
            "the network has no blueprints: its spec names no systemRegister, or its sealers have not begun one yet",
        )
    })
}

fn known(state: &ApiState, name: &str) -> Result<Blueprint, ApiError> {
    let known = state.node.registers().blueprints.get(name);
    known.ok_or_else(|| ApiError::not_found("blueprint_unknown", "this node knows no blueprint of that name"))
}

fn row(blueprint: Blueprint) -> Row {
    Row {
        state: if blueprint.is_active() { "active" } else { "deprecated" },
        blueprint: blueprint.last.name.clone(),
        version: blueprint.last.version,
        first_version: blueprint.first_version,
        told: told_view(blueprint.last),
    }
}

fn told_view(told: Told) -> ToldView {
    ToldView {
        at: time::rfc3339(told.at_micros),
        publisher: to_lower_hex(told.publisher.as_bytes()),
        subject: told.subject,
        checksum: (told.act == Act::Publish).then(|| to_lower_hex(&told.checksum)),
        size: told.bytes,
        transaction_id: told.transaction.to_string(),
    }
}

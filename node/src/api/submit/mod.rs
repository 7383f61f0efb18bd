//! Handing in transactions: described in JSON and signed by this node for the caller, or signed by the caller.

mod body;
mod intake;

use super::{ApiState, Node, SubmitRefused, error::ApiError, gate::Caller, json, query, registers, time};
use crate::{limits::Ask, registers::Settled};
use axum::{
    Extension, Json,
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
pub(super) use body::Submission;
use futures::future::join_all;
pub(super) use intake::Intake;
use peerwright_ledger::{Kind, Refusal, RegisterId, Transaction, TransactionId};
use peerwright_store::{StoreError, TransactionPlace};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

const MAX_BATCH: usize = 64;
/// A commit takes milliseconds; who waits for this long is better told that the outcome is open.
const SUBMIT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a caller waits for `committed` before it is told that the transaction is accepted so far.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(30);
/// More transactions, or longer ones, are read off the threads that serve everybody.
const FEW: usize = 4;
const SHORT: usize = 16 * 1024;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    transaction_id: String,
    register: String,
    /// Checked and durable on this node.
    accepted: bool,
    /// Where it is committed, when the caller waits for that and it was in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    committed: Option<Place>,
    /// Peer id of this node.
    node: String,
    valid_until: Option<String>,
}

/// Where a transaction is in its register.
#[derive(Serialize)]
pub(super) struct Place {
    docket: u64,
    /// From 0.
    position: u32,
}

impl From<TransactionPlace> for Place {
    fn from(place: TransactionPlace) -> Self {
        Self { docket: place.number, position: place.position }
    }
}

/// What the caller waits for.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Acknowledgement {
    /// The transaction is durable on this node.
    #[default]
    Accepted,
    /// It is in a docket that most sealers have signed.
    Committed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubmitQuery {
    #[serde(default)]
    pub(super) ack: Acknowledgement,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Refused {
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_id: Option<String>,
    accepted: bool,
    error: String,
    code: &'static str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Accepted(Accepted),
    Refused(Refused),
}

#[derive(Serialize)]
struct Batch {
    results: Vec<Outcome>,
}

/// `POST /api/registers/{id}/transactions?ack=`: 202 when all are durable here, 200 when the caller waited for `committed`
/// and all are. In a batch each is answered on its own, and the status is 207 when not all were accepted.
pub(super) async fn submit(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(register): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let register = registers::subscribed(&state, &register)?;
    let SubmitQuery { ack } = query::read(request.uri())?;
    let body = json::read_body(request).await?;
    let is_batch = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    if !is_batch {
        let submission: Submission = json::parse(&body)?;
        drop(body);
        return one(&state, &caller, register, ack, submission).await;
    }
    let submissions: Vec<Submission> = json::parse(&body)?;
    drop(body);
    if submissions.is_empty() || submissions.len() > MAX_BATCH {
        let message = format!("a batch has 1 to {MAX_BATCH} transactions, this one has {}", submissions.len());
        return Err(ApiError::bad_request("batch_size", message));
    }
    state.take(&caller, transactions(submissions.len() as u64))?;
    let outcomes = accept(&state, &caller, register, ack, submissions).await?;
    let results: Vec<Outcome> = outcomes.into_iter().map(outcome).collect();
    let all = |is: fn(&Accepted) -> bool| {
        results.iter().all(|outcome| matches!(outcome, Outcome::Accepted(accepted) if is(accepted)))
    };
    let status = match (all(|accepted| accepted.committed.is_some()), all(|_| true)) {
        (true, _) => StatusCode::OK,
        (false, true) => StatusCode::ACCEPTED,
        (false, false) => StatusCode::MULTI_STATUS,
    };
    Ok((status, Json(Batch { results })).into_response())
}

/// One transaction: 202 when it is durable here, 200 when the caller waited for `committed` and it is.
pub(super) async fn one(
    state: &ApiState,
    caller: &Caller,
    register: RegisterId,
    ack: Acknowledgement,
    submission: Submission,
) -> Result<Response, ApiError> {
    state.take(caller, transactions(1))?;
    let answered = accept(state, caller, register, ack, vec![submission]).await?.pop();
    let none = || ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "nothing was answered");
    let accepted = answered.ok_or_else(none)?.map_err(|(_, error)| error)?;
    let status = if accepted.committed.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(accepted)).into_response())
}

const fn transactions(transactions: u64) -> Ask {
    Ask { requests: 0, bytes: 0, transactions }
}

type Failure = (Option<String>, ApiError);

fn outcome(outcome: Result<Accepted, Failure>) -> Outcome {
    match outcome {
        Ok(accepted) => Outcome::Accepted(accepted),
        Err((transaction_id, ApiError { code, message, .. })) => {
            Outcome::Refused(Refused { transaction_id, accepted: false, error: message, code })
        }
    }
}

/// A transaction as it was handed in, or why it is none that this node takes; and its id, as far as it has one.
type Read = (Option<TransactionId>, Result<Transaction, ApiError>);

/// What is not to be checked any more.
enum Done {
    /// It is held already; how long it is valid, microseconds.
    Held(TransactionId, u64),
    Refused(ApiError),
}

/// One answer for each, in order. All go at once: they share look-ups, the check of their signatures, messages and commits.
async fn accept(
    state: &ApiState,
    caller: &Caller,
    register: RegisterId,
    ack: Acknowledgement,
    submissions: Vec<Submission>,
) -> Result<Vec<Result<Accepted, Failure>>, ApiError> {
    let (node, subject) = (Arc::clone(&state.node), caller.subject.clone());
    let is_little = submissions.len() <= FEW && submissions.iter().all(|submission| submission.is_within(SHORT));
    let reading = move || submissions.into_iter().map(|one| read(&node, subject.clone(), register, one)).collect();
    let read: Vec<Read> = if is_little { reading() } else { elsewhere(reading).await? };
    let (ids, read): (Vec<_>, Vec<_>) = read.into_iter().unzip();
    let held = held(state, register, read.iter().flatten()).await;
    let to_check = |read: Result<Transaction, ApiError>| {
        let transaction = read.map_err(Done::Refused)?;
        match &held {
            Ok(held) if held.contains(&transaction.id()) => {
                Err(Done::Held(transaction.id(), transaction.body().valid_until_micros))
            }
            Ok(_) => Ok(transaction),
            Err(error) => Err(Done::Refused(error.clone().into())),
        }
    };
    let checked = check(state, register, read.into_iter().map(to_check).collect()).await?;
    let accepting = ids.into_iter().zip(checked).map(|(id, checked)| async move {
        accept_one(state, register, ack, checked).await.map_err(|error| {
            state.telemetry.transaction_refused(error.code);
            (id.map(|id| id.to_string()), error)
        })
    });
    Ok(join_all(accepting).await)
}

/// Hashing and signing many, or ten megabytes, takes long enough to keep off the threads that serve everybody.
async fn elsewhere<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| not_checked())
}

fn not_checked() -> ApiError {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "what was handed in could not be checked")
}

/// Reads what a caller has signed, or signs for it.
fn read(node: &Arc<dyn Node>, subject: Option<String>, register: RegisterId, submission: Submission) -> Read {
    match submission.into_transaction(node.as_ref(), subject, register) {
        Ok(transaction) => (Some(transaction.id()), check_place(register, &transaction).map(|()| transaction)),
        Err(error) => (None, Err(error)),
    }
}

/// Checks what is new. Where there is no room for it, it is refused unchecked: who is overrun has no time for that.
async fn check(
    state: &ApiState,
    register: RegisterId,
    read: Vec<Result<Transaction, Done>>,
) -> Result<Vec<Result<Transaction, Done>>, ApiError> {
    if let Some(full) = state.node.registers().outbox.refusal(register) {
        let refuse =
            |read: Result<Transaction, Done>| read.and_then(|_| Err(Done::Refused(SubmitRefused::from(full).into())));
        return Ok(read.into_iter().map(refuse).collect());
    }
    let refused = |_, refusal: Refusal| Done::Refused(refusal.into());
    let signatures = &state.intake.signatures;
    signatures.check(read, time::now_micros(), &state.node.limits(), refused).await.ok_or_else(not_checked)
}

/// Which of these that callers signed this node holds. Who hands in a signed transaction again gets the same answer again,
/// as long as it is held; unless it came to nothing.
async fn held(
    state: &ApiState,
    register: RegisterId,
    signed: impl Iterator<Item = &Transaction>,
) -> Result<BTreeSet<TransactionId>, StoreError> {
    let (own, outbox) = (state.node.identity().public_key, &state.node.registers().outbox);
    let asked = signed.filter(|transaction| transaction.body().author != own).map(Transaction::id);
    let asked: Vec<TransactionId> = asked.filter(|id| !outbox.is_dead(register, *id)).collect();
    state.intake.held(register, asked).await
}

async fn accept_one(
    state: &ApiState,
    register: RegisterId,
    ack: Acknowledgement,
    checked: Result<Transaction, Done>,
) -> Result<Accepted, ApiError> {
    let (id, valid_until) = match checked {
        Ok(new) => {
            let told = (new.id(), new.body().valid_until_micros);
            publish(state, new).await?;
            told
        }
        Err(Done::Held(id, valid_until)) => (id, valid_until),
        Err(Done::Refused(error)) => return Err(error),
    };
    let committed = if ack == Acknowledgement::Committed { committed(state, register, id).await? } else { None };
    Ok(Accepted {
        transaction_id: id.to_string(),
        register: register.to_string(),
        accepted: true,
        committed,
        node: state.node.identity().peer_id.to_string(),
        valid_until: time::rfc3339(valid_until),
    })
}

/// Where the transaction is committed, if it is in time; otherwise it stays accepted. An error when no docket will hold it.
async fn committed(state: &ApiState, register: RegisterId, id: TransactionId) -> Result<Option<Place>, ApiError> {
    let waiting = tokio::time::timeout(COMMIT_TIMEOUT, state.node.registers().settled(register, id));
    match waiting.await {
        Ok(Ok(Settled::Committed(place))) => Ok(Some(place.into())),
        Ok(Ok(Settled::Dead(reason))) => {
            let message = format!("the sealers do not take it ({reason}); it is among the dead letters of this node");
            Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "sealers_refuse", message))
        }
        Ok(Err(error)) => {
            tracing::debug!(%register, %id, %error, "whether a transaction is committed cannot be told");
            Ok(None)
        }
        Err(_) => Ok(None),
    }
}

/// Refuses what is for another register, or not for clients to hand in.
fn check_place(register: RegisterId, transaction: &Transaction) -> Result<(), ApiError> {
    let body = transaction.body();
    if body.register != register {
        let message = format!("the transaction is for register {}, the path names {register}", body.register);
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "other_register", message));
    }
    if matches!(body.kind, Kind::Control | Kind::Docket) {
        let message = "clients hand in Action and Participant transactions; the others are kept for the network itself";
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "type_reserved", message));
    }
    Ok(())
}

/// Hands a transaction that was checked to the node; what was a dead letter is none any more.
pub(super) async fn publish(state: &ApiState, transaction: Transaction) -> Result<(), ApiError> {
    let (register, id) = (transaction.body().register, transaction.id());
    match tokio::time::timeout(SUBMIT_TIMEOUT, state.node.submit_checked(transaction)).await {
        Ok(answer) => {
            answer?;
            let outbox = &state.node.registers().outbox;
            if outbox.is_dead(register, id) {
                state.node.store().exhume(vec![(register, id)]).await?;
                outbox.exhumed(register, id);
            }
            Ok(())
        }
        Err(_) => {
            let message = "the transaction is not durable after 30 s; it may still be accepted, look it up by its id";
            Err(ApiError::new(StatusCode::GATEWAY_TIMEOUT, "timeout", message))
        }
    }
}

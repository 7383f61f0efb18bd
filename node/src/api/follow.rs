//! A register's dockets as server-sent events.
//!
//! ```text
//! event: held    {"first": 0, "through": 41}                      first of all
//! id: 42
//! event: docket  {"number": 42, ..., "transactions": [...]}       one a docket; its number is where to go on
//! : keep-alive comment every 15 s
//! event: end     {"reason": "draining"}                           last of all, when this node ends it
//! ```
//!
//! A client that is slow is read for no faster: the next docket is read when it has taken this one.

use super::{
    ApiState, blueprints,
    dockets::{self, HeaderView},
    error::ApiError,
    gate::Caller,
    query,
    registers::register_id,
};
use crate::{
    limits::Ask,
    registers::{Filter, Matched, MatchedDocket, Seat, Step, Tail},
};
use axum::{
    Extension,
    extract::{Path, State},
    http::{HeaderMap, Uri},
    response::sse::{Event, KeepAlive, Sse},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::{Stream, stream};
use peerwright_encoding::to_lower_hex;
use peerwright_ledger::RegisterId;
use serde::{Deserialize, Serialize};
use std::{convert::Infallible, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};

/// A comment goes out when nothing else did for so long.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often it is looked whether the caller may still read.
const LOOK: Duration = Duration::from_secs(1);
/// What a browser sends when it connects again.
const LAST_EVENT_ID: &str = "last-event-id";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FollowQuery {
    from: Option<u64>,
    #[serde(default)]
    sender: String,
    #[serde(default)]
    recipient: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    blueprint: String,
}

#[derive(Serialize)]
struct HeldEvent {
    first: u64,
    through: u64,
}

#[derive(Serialize)]
struct DocketEvent {
    #[serde(flatten)]
    header: HeaderView,
    transactions: Vec<TransactionRow>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TransactionRow {
    transaction_id: String,
    /// Its place in the docket, from 0.
    position: u32,
    /// The whole encoded transaction, base64.
    signed: String,
    /// Hashes beside the way from its leaf up to the docket's transactions root, hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<Vec<String>>,
}

#[derive(Serialize)]
struct EndEvent {
    reason: &'static str,
}

/// What a client is told of dockets.
pub(super) enum Shape {
    /// Each with its transactions.
    Dockets,
    /// What those that change blueprints change.
    Blueprints,
}

/// One client that follows.
struct Reader {
    shape: Shape,
    state: ApiState,
    caller: Caller,
    seat: Seat,
    tail: Tail,
    look_at: Instant,
}

/// `GET /api/registers/{id}/follow?from=&sender=&recipient=&type=&blueprint=`
pub(super) async fn follow(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(register): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let register = register_id(&register)?;
    let query: FollowQuery = query::read(&uri)?;
    let filter = Filter::read(&query.sender, &query.recipient, &query.kind, &query.blueprint)
        .map_err(|invalid| ApiError::bad_request("query_invalid", invalid.to_string()))?;
    events(state, caller, register, from(&headers, query.from)?, filter, Shape::Dockets).await
}

/// Where to begin: a browser that connects again goes on with the query that it began with.
pub(super) fn from(headers: &HeaderMap, asked: Option<u64>) -> Result<Option<u64>, ApiError> {
    match headers.get(LAST_EVENT_ID) {
        Some(last) => after(last.to_str().unwrap_or_default()).map(Some),
        None => Ok(asked),
    }
}

/// A register's dockets in a shape, as long as the caller may have them.
pub(super) async fn events(
    state: ApiState,
    caller: Caller,
    register: RegisterId,
    from: Option<u64>,
    filter: Filter,
    shape: Shape,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let registers = state.node.registers();
    let seat = registers.followers.enter(caller.asker.clone())?;
    let tail = Tail::begin(registers, register, from, filter).await?;
    let reader = Reader { shape, state, caller, seat, tail, look_at: Instant::now() };
    let events = stream::unfold(Some(reader), async |reader: Option<Reader>| {
        let (event, reader) = reader?.next().await;
        Some((Ok(event), reader))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn after(last: &str) -> Result<u64, ApiError> {
    last.parse::<u64>().map(|last| last.saturating_add(1)).map_err(|_| {
        ApiError::bad_request(
            "query_invalid",
            "Last-Event-ID is the number of the last docket that was read, such as 41",
        )
    })
}

impl Reader {
    /// The next event; without the reader it was the last.
    async fn next(mut self) -> (Event, Option<Self>) {
        loop {
            let step = tokio::select! {
                biased;
                () = self.seat.ended() => Err("draining"),
                reason = is_over(&self.state, &self.caller, &mut self.look_at) => Err(reason),
                step = self.tail.next() => step.map_err(|ended| ended.code()),
            };
            let event = match step {
                Ok(Step::Held { first, through }) => event("held", &HeldEvent { first, through }).map(Some),
                Ok(Step::Docket(docket)) => self.docket(docket).await,
                Err(reason) => Err(reason),
            };
            match event {
                Ok(Some(event)) => return (event, Some(self)),
                Ok(None) => {}
                Err(reason) => return (event_of_end(reason), None),
            }
        }
    }

    /// What the client is told of a docket, if anything.
    async fn docket(&self, docket: MatchedDocket) -> Result<Option<Event>, &'static str> {
        let number = docket.header.number;
        let event = match self.shape {
            Shape::Dockets => {
                let bytes: usize = docket.transactions.iter().map(|matched| matched.encoded.len()).sum();
                self.pace(bytes).await;
                Some(docket_event(docket)?)
            }
            Shape::Blueprints => blueprints::changes(&self.state, &docket).await?,
        };
        Ok(event.map(|event| event.id(number.to_string())))
    }

    /// Waits until the caller's allowance has room for what it is to be given.
    async fn pace(&self, bytes: usize) {
        let Some(asker) = &self.caller.asker else { return };
        let ask = Ask { bytes: bytes as u64, ..Ask::default() };
        while let Err(limited) = self.state.limits.take(asker, ask) {
            sleep(limited.retry_after).await;
        }
    }
}

/// Resolves when the caller may not go on, with why.
async fn is_over(state: &ApiState, caller: &Caller, look_at: &mut Instant) -> &'static str {
    loop {
        sleep_until(*look_at).await;
        *look_at = Instant::now() + LOOK;
        if let Some(reason) = caller.is_over(state) {
            return reason;
        }
    }
}

fn docket_event(docket: MatchedDocket) -> Result<Event, &'static str> {
    let header = dockets::header_view(docket.header).map_err(|error| error.code)?;
    let row = |Matched { position, id, encoded, path }| TransactionRow {
        transaction_id: id.to_string(),
        position,
        signed: STANDARD.encode(encoded),
        path: path.map(|path: Vec<[u8; 32]>| path.iter().map(|hash| to_lower_hex(hash)).collect()),
    };
    event("docket", &DocketEvent { header, transactions: docket.transactions.into_iter().map(row).collect() })
}

pub(super) fn event(name: &'static str, data: &impl Serialize) -> Result<Event, &'static str> {
    Event::default().event(name).json_data(data).map_err(|_| "internal")
}

fn event_of_end(reason: &'static str) -> Event {
    event("end", &EndEvent { reason }).unwrap_or_else(|_| Event::default().event("end"))
}

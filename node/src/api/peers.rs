//! The peers as this node sees them, and its own bans.

use super::{
    ApiState, BanError, LocalBan, View,
    bans::{BanRow, in_force, lift, read_reason},
    error::ApiError,
    gate::Caller,
    json,
    quality::{QualityFigures, QualityRow},
    time,
};
use axum::{
    Extension, Json,
    extract::{Path, Request, State},
    http::StatusCode,
};
use peerwright_engine::{AddressView, Direction, Micros, PeerView, ScoreView, breaker::BreakerStatistics};
use peerwright_secure::{BanSubject, PeerId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One peer.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PeerRow {
    id: String,
    address: Option<String>,
    port: Option<u16>,
    host: Option<String>,
    /// Dials that failed in a row at its address.
    failures: u32,
    /// Whether this node's configuration leads to it.
    seed: bool,
    /// What this node thinks of it, 0 to 100; absent while it thinks nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rating: Option<&'static str>,
    banned: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ban: Option<BanRow>,
    connected: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<LinkRow>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct LinkRow {
    direction: &'static str,
    incarnation: u64,
    since: Option<String>,
    last_seen: Option<String>,
    latency_millis: Option<f64>,
    ready: Option<bool>,
    registers: u32,
    messages: u64,
    missing: u64,
    sent_bytes: u64,
    received_bytes: u64,
}

/// The engine's view with a row for each peer in it.
pub(super) struct Rows {
    pub(super) view: View,
    pub(super) peers: BTreeMap<PeerId, PeerRow>,
}

impl Rows {
    /// Every peer that is linked, was reached at an address, is remembered for what it did, or is banned.
    pub(super) async fn read(state: &ApiState) -> Result<Self, ApiError> {
        let view = state.node.view().await?;
        let local = state.bans.all().await;
        let own = state.node.identity().peer_id;
        let wall = time::now_micros();
        let linked: BTreeMap<PeerId, &PeerView> = view.peers.iter().map(|peer| (peer.peer, peer)).collect();
        let known: BTreeSet<PeerId> = linked
            .keys()
            .copied()
            .chain(view.addresses.iter().filter_map(|address| address.peer))
            .chain(view.scores.iter().map(|score| score.peer))
            .chain(view.bans.iter().filter_map(|ban| peer_of(&ban.subject)))
            .filter(|peer| *peer != own)
            .collect();
        let local = |peer: PeerId| local.get(&BanSubject::Peer(peer));
        let row = |peer: PeerId| (peer, row(peer, &view, linked.get(&peer).copied(), local(peer), wall));
        let peers = known.into_iter().map(row).collect();
        Ok(Self { view, peers })
    }

    /// Peers with a link.
    pub(super) fn healthy(&self) -> usize {
        self.peers.values().filter(|peer| peer.connected).count()
    }

    pub(super) fn average_latency_millis(&self) -> f64 {
        millis(self.view.statistics.links.round_trip_micros)
    }

    fn find(&self, peer: PeerId) -> Result<&PeerRow, ApiError> {
        self.peers
            .get(&peer)
            .ok_or_else(|| ApiError::not_found("peer_unknown", format!("this node does not know peer {peer}")))
    }
}

fn row(peer: PeerId, view: &View, link: Option<&PeerView>, local: Option<&LocalBan>, wall: u64) -> PeerRow {
    let is_of_peer = |address: &&AddressView| address.peer == Some(peer);
    let reached = view.addresses.iter().find(is_of_peer);
    let score = score_of(view, &peer);
    let socket = reached.map(|address| address.socket).or(link.and_then(|link| link.address));
    let ban = view.bans.iter().find(|ban| peer_of(&ban.subject) == Some(peer));
    PeerRow {
        id: peer.to_string(),
        address: socket.map(|socket| socket.ip().to_string()),
        // Where an inbound connection came from is not where the peer listens.
        port: reached.map(|address| address.socket.port()),
        host: reached.map(|address| address.host.clone()),
        failures: reached.map_or(0, |address| address.failures),
        seed: view.addresses.iter().filter(is_of_peer).any(|address| address.listed),
        score: score.map(|score| score.score),
        rating: score.map(|score| score.rating.label()),
        banned: ban.is_some(),
        ban: ban.map(|ban| BanRow::of(ban, local, in_force(view, &peer))),
        connected: link.is_some(),
        link: link.map(|link| link_row(link, view.now, wall)),
    }
}

fn score_of<'a>(view: &'a View, peer: &PeerId) -> Option<&'a ScoreView> {
    let place = view.scores.binary_search_by(|score| score.peer.cmp(peer)).ok()?;
    view.scores.get(place)
}

fn link_row(link: &PeerView, now: Micros, wall: u64) -> LinkRow {
    let at = |moment: Micros| time::rfc3339(wall.saturating_sub(now.0.saturating_sub(moment.0)));
    LinkRow {
        direction: match link.direction {
            Direction::Outbound => "outbound",
            Direction::Inbound => "inbound",
        },
        incarnation: link.incarnation,
        since: at(link.since),
        last_seen: at(link.last_heard),
        latency_millis: link.round_trip.map(|round_trip| round_trip.as_secs_f64() * 1_000.0),
        ready: link.ready,
        registers: link.registers,
        messages: link.messages,
        missing: link.missing,
        sent_bytes: link.sent_bytes,
        received_bytes: link.received_bytes,
    }
}

fn millis(micros: u64) -> f64 {
    std::time::Duration::from_micros(micros).as_secs_f64() * 1_000.0
}

/// `GET /api/peers`
pub(super) async fn list(State(state): State<ApiState>) -> Result<Json<Vec<PeerRow>>, ApiError> {
    Ok(Json(Rows::read(&state).await?.peers.into_values().collect()))
}

/// A peer, and why this node thinks of it as it does.
#[derive(Serialize)]
pub(super) struct PeerDetail {
    #[serde(flatten)]
    row: PeerRow,
    #[serde(skip_serializing_if = "Option::is_none")]
    quality: Option<QualityRow>,
}

/// `GET /api/peers/{id}`
pub(super) async fn one(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<PeerDetail>, ApiError> {
    let peer = parse_peer(&id)?;
    let rows = Rows::read(&state).await?;
    let quality = score_of(&rows.view, &peer).map(|score| QualityRow::of(score, &rows.view, time::now_micros()));
    Ok(Json(PeerDetail { row: rows.find(peer)?.clone(), quality }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Statistics {
    timestamp: Option<String>,
    peers: PeerFigures,
    quality: QualityFigures,
    bans: BanFigures,
    queue: QueueFigures,
    breakers: BreakerFigures,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PeerFigures {
    total: usize,
    healthy: usize,
    unhealthy: usize,
    seeds: usize,
    average_latency_millis: f64,
    total_failures: u64,
}

/// Since this node's start but for `in_force`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BanFigures {
    in_force: u64,
    automatic_in_force: u64,
    offences: u64,
    automatic: u64,
    withheld: u64,
}

#[derive(Serialize)]
struct QueueFigures {
    size: u64,
    empty: bool,
}

/// `GET /api/peers/stats`
pub(super) async fn statistics(State(state): State<ApiState>) -> Result<Json<Statistics>, ApiError> {
    let rows = Rows::read(&state).await?;
    let (total, healthy) = (rows.peers.len(), rows.healthy());
    let figures = &rows.view.statistics;
    let peers = PeerFigures {
        total,
        healthy,
        unhealthy: total - healthy,
        seeds: rows.peers.values().filter(|peer| peer.seed).count(),
        average_latency_millis: rows.average_latency_millis(),
        total_failures: figures.links.dial_failures + figures.links.lost,
    };
    let queue = QueueFigures { size: figures.submit.queued, empty: figures.submit.queued == 0 };
    let bans = BanFigures {
        in_force: figures.links.bans,
        automatic_in_force: figures.bans.in_force,
        offences: figures.bans.offences,
        automatic: figures.bans.automatic,
        withheld: figures.bans.withheld,
    };
    let quality = QualityFigures::of(&rows.view.scores);
    let breakers = rows.view.breakers.into();
    Ok(Json(Statistics { timestamp: time::rfc3339(time::now_micros()), peers, quality, bans, queue, breakers }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BreakerFigures {
    total: u64,
    open: u64,
    half_open: u64,
    closed: u64,
}

impl From<BreakerStatistics> for BreakerFigures {
    fn from(statistics: BreakerStatistics) -> Self {
        let BreakerStatistics { total, open, half_open, closed } = statistics;
        Self { total, open, half_open, closed }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PeersHealth {
    total: usize,
    healthy: usize,
    unhealthy: usize,
    /// 0 when there is no peer.
    health_percent: usize,
    healthy_peers: Vec<String>,
}

/// `GET /api/peers/health`
pub(super) async fn health(State(state): State<ApiState>) -> Result<Json<PeersHealth>, ApiError> {
    let rows = Rows::read(&state).await?;
    let (total, healthy) = (rows.peers.len(), rows.healthy());
    let healthy_peers = rows.peers.into_values().filter(|peer| peer.connected).map(|peer| peer.id).collect();
    let health_percent = (100 * healthy).checked_div(total).unwrap_or_default();
    Ok(Json(PeersHealth { total, healthy, unhealthy: total - healthy, health_percent, healthy_peers }))
}

#[derive(Serialize)]
pub(super) struct Connected {
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    peers: Option<Vec<PeerRow>>,
}

/// `GET /api/peers/connected`: the list is for callers with a token.
pub(super) async fn connected(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Connected>, ApiError> {
    let rows = Rows::read(&state).await?;
    let count = rows.healthy();
    let peers = || rows.peers.into_values().filter(|peer| peer.connected).collect();
    Ok(Json(Connected { count, peers: (!caller.anonymous).then(peers) }))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct BanRequest {
    reason: Option<String>,
}

#[derive(Serialize)]
pub(super) struct BanAnswer {
    peer: String,
    banned: bool,
    at: Option<String>,
    reason: Option<String>,
}

/// `POST /api/peers/{id}/ban`
pub(super) async fn ban(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    request: Request,
) -> Result<(StatusCode, Json<BanAnswer>), ApiError> {
    let peer = parse_peer(&id)?;
    let body = json::read_body(request).await?;
    let BanRequest { reason } = if body.is_empty() { BanRequest::default() } else { json::parse(&body)? };
    let reason = read_reason(reason)?;
    if peer == state.node.identity().peer_id {
        return Err(ApiError::conflict("own_peer", "this is the peer id of the node that you ask"));
    }
    Rows::read(&state).await?.find(peer)?;
    let banned_at = time::now_micros();
    let made = LocalBan { reason: reason.clone(), banned_by: caller.subject, banned_at };
    state.bans.ban(state.node.as_ref(), peer.into(), made).await?;
    let answer = BanAnswer { peer: peer.to_string(), banned: true, at: time::rfc3339(banned_at), reason };
    Ok((StatusCode::OK, Json(answer)))
}

/// `DELETE /api/peers/{id}/ban`. `banned` stays true where the network bans the peer, too.
pub(super) async fn unban(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<BanAnswer>, ApiError> {
    let peer = parse_peer(&id)?;
    let rows = Rows::read(&state).await?;
    let subject = BanSubject::Peer(peer);
    if !state.bans.all().await.contains_key(&subject) {
        rows.find(peer)?;
    }
    let reason = lift(&state, &subject).await?;
    let now = time::now_micros();
    let banned = state.node.snapshot().is_some_and(|snapshot| snapshot.is_banned(&subject, now / 1_000_000));
    Ok(Json(BanAnswer { peer: peer.to_string(), banned, at: time::rfc3339(now), reason }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResetAnswer {
    peer: String,
    failure_count: u32,
    previous_failure_count: u32,
}

/// `POST /api/peers/{id}/reset`: forgets that dials have failed, so that the peer is dialled at once if it is wanted.
pub(super) async fn reset(
    State(state): State<ApiState>,
    Path(id): Path<String>,
) -> Result<Json<ResetAnswer>, ApiError> {
    let peer = parse_peer(&id)?;
    Rows::read(&state).await?.find(peer)?;
    let previous_failure_count = state.node.reset_failures(peer).await?;
    Ok(Json(ResetAnswer { peer: peer.to_string(), failure_count: 0, previous_failure_count }))
}

fn peer_of(subject: &BanSubject) -> Option<PeerId> {
    match subject {
        BanSubject::Peer(peer) => Some(*peer),
        _ => None,
    }
}

fn parse_peer(text: &str) -> Result<PeerId, ApiError> {
    text.parse().map_err(|error| ApiError::bad_request("peer_invalid", format!("{error}")))
}

impl From<BanError> for ApiError {
    fn from(error: BanError) -> Self {
        match error {
            BanError::AlreadyBanned => Self::conflict("already_banned", error.to_string()),
            BanError::NotBanned => Self::conflict("not_banned", error.to_string()),
            BanError::Full => Self::conflict("bans_full", error.to_string()),
            BanError::Store(error) => error.into(),
            BanError::Gone(gone) => gone.into(),
        }
    }
}

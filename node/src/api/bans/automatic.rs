//! The bans that this node makes by itself: their history, and how one is lifted.

use super::super::time;
use crate::api::{ApiState, BanError, View, error::ApiError};
use axum::{Json, extract::State};
use peerwright_engine::{AutoBan, Offence};
use peerwright_secure::{BanSubject, PeerId};
use serde::Serialize;

/// One such ban.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct AutoBanRow {
    peer_id: String,
    reason: &'static str,
    in_force: bool,
    banned_at: Option<String>,
    expires_at: Option<String>,
    lifted_at: Option<String>,
    /// How many bans of the peer this is.
    count: u32,
    /// SHA-256 over the offences.
    evidence: String,
    offences: Vec<OffenceRow>,
}

#[derive(Debug, Serialize)]
struct OffenceRow {
    at: Option<String>,
    kind: &'static str,
    /// SHA-256 of the bytes that show it.
    evidence: String,
}

/// `GET /api/bans/automatic`: in force or over within the last week, by peer, each peer's oldest first.
pub(in crate::api) async fn history(State(state): State<ApiState>) -> Result<Json<Vec<AutoBanRow>>, ApiError> {
    let (view, now) = (state.node.view().await?, now());
    Ok(Json(view.auto_bans.iter().map(|ban| row(ban, now)).collect()))
}

fn row(ban: &AutoBan, now: u64) -> AutoBanRow {
    let offence = |offence: &Offence| OffenceRow {
        at: time::rfc3339_seconds(offence.at),
        kind: offence.kind.label(),
        evidence: offence.evidence.to_string(),
    };
    AutoBanRow {
        peer_id: ban.peer.to_string(),
        reason: ban.reason.label(),
        in_force: ban.is_in_force(now),
        banned_at: time::rfc3339_seconds(ban.since),
        expires_at: ban.expires.and_then(time::rfc3339_seconds),
        lifted_at: ban.lifted.and_then(time::rfc3339_seconds),
        count: ban.count,
        evidence: ban.evidence.to_string(),
        offences: ban.offences.iter().map(offence).collect(),
    }
}

/// The ban in force that this node has made of a peer by itself.
pub(in crate::api) fn in_force<'a>(view: &'a View, peer: &PeerId) -> Option<&'a AutoBan> {
    let now = now();
    view.auto_bans.iter().find(|ban| ban.peer == *peer && ban.is_in_force(now))
}

/// Lifts what this node itself has ordered about a subject, its moderator's ban and its own. Gives the reason.
pub(in crate::api) async fn lift(state: &ApiState, subject: &BanSubject) -> Result<Option<String>, ApiError> {
    let view = state.node.view().await?;
    let automatic = match subject {
        BanSubject::Peer(peer) => in_force(&view, peer),
        BanSubject::Spiffe(_) | BanSubject::Fingerprint(_) | BanSubject::Range(_) => None,
    };
    if let Some(ban) = automatic {
        state.node.lift_auto_ban(ban.peer).await?;
    }
    match (state.bans.unban(state.node.as_ref(), subject).await, automatic) {
        (Ok(lifted), _) => Ok(lifted.reason),
        (Err(BanError::NotBanned), Some(ban)) => Ok(Some(ban.reason.label().to_owned())),
        (Err(error), _) => Err(error.into()),
    }
}

fn now() -> u64 {
    time::now_micros() / 1_000_000
}

//! `/api/bans`: every ban in force on this node, and its moderator's own of any kind.

use super::{super::time, LocalBan, in_force, lift};
use crate::api::{ApiState, View, error::ApiError, gate::Caller, json};
use axum::{
    Extension, Json,
    extract::{ConnectInfo, Query, Request, State, rejection::QueryRejection},
};
use peerwright_engine::{AutoBan, BanView};
use peerwright_secure::BanSubject;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

/// How long a moderator's reason may be; as `spec.bans[].reason`.
const MAX_REASON_BYTES: usize = 256;

/// Who orders a ban, and until when.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct BanRow {
    by_network: bool,
    by_node: bool,
    automatic: bool,
    expires_at: Option<String>,
    banned_at: Option<String>,
    banned_by: Option<String>,
    reason: Option<String>,
}

impl BanRow {
    /// What is told of a ban; `local` is the moderator's record of it, `automatic` this node's own.
    pub(in crate::api) fn of(ban: &BanView, local: Option<&LocalBan>, automatic: Option<&AutoBan>) -> Self {
        let banned_at = match (local, automatic) {
            (Some(local), _) => time::rfc3339(local.banned_at),
            (None, Some(automatic)) => time::rfc3339_seconds(automatic.since),
            (None, None) => None,
        };
        Self {
            by_network: ban.by_policy,
            by_node: ban.by_node,
            automatic: ban.automatic,
            expires_at: ban.expires_at.and_then(time::rfc3339_seconds),
            banned_at,
            banned_by: local.and_then(|local| local.banned_by.clone()),
            reason: match local {
                Some(local) => local.reason.clone(),
                None => automatic.map(|automatic| automatic.reason.label().to_owned()),
            },
        }
    }
}

/// A ban with its subject, under the name that a PeerBan has for it.
#[derive(Debug, Clone, Serialize)]
pub(in crate::api) struct SubjectRow {
    #[serde(flatten)]
    subject: BTreeMap<&'static str, String>,
    #[serde(flatten)]
    ban: BanRow,
}

/// `GET /api/bans`
pub(in crate::api) async fn list(State(state): State<ApiState>) -> Result<Json<Vec<SubjectRow>>, ApiError> {
    let (view, local) = (state.node.view().await?, state.bans.all().await);
    let row = |ban: &BanView| SubjectRow {
        subject: BTreeMap::from([(ban.subject.kind(), ban.subject.value())]),
        ban: BanRow::of(ban, local.get(&ban.subject), automatic(&view, &ban.subject)),
    };
    Ok(Json(view.bans.iter().map(row).collect()))
}

fn automatic<'a>(view: &'a View, subject: &BanSubject) -> Option<&'a AutoBan> {
    match subject {
        BanSubject::Peer(peer) => in_force(view, peer),
        BanSubject::Spiffe(_) | BanSubject::Fingerprint(_) | BanSubject::Range(_) => None,
    }
}

/// The four names of a subject, exactly one of them used.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::api) struct BanRequest {
    peer_id: Option<String>,
    spiffe_id: Option<String>,
    fingerprint: Option<String>,
    cidr: Option<String>,
    reason: Option<String>,
}

impl BanRequest {
    fn subject(&self) -> Result<BanSubject, ApiError> {
        let named = [
            ("peerId", &self.peer_id),
            ("spiffeId", &self.spiffe_id),
            ("fingerprint", &self.fingerprint),
            ("cidr", &self.cidr),
        ];
        let mut given = named.iter().filter_map(|(kind, value)| Some((*kind, value.as_deref()?)));
        let (Some((kind, value)), None) = (given.next(), given.next()) else {
            let message = "give exactly one of peerId, spiffeId, fingerprint and cidr";
            return Err(ApiError::bad_request("subject_invalid", message));
        };
        BanSubject::new(kind, value)
            .map_err(|error| ApiError::bad_request("subject_invalid", format!("{kind}: {error}")))
    }
}

#[derive(Serialize)]
pub(in crate::api) struct BanAnswer {
    #[serde(flatten)]
    subject: BTreeMap<&'static str, String>,
    banned: bool,
    at: Option<String>,
    reason: Option<String>,
}

/// `POST /api/bans`
pub(in crate::api) async fn ban(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<BanAnswer>, ApiError> {
    let from = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(remote)| remote.ip());
    let asked: BanRequest = json::parse(&json::read_body(request).await?)?;
    let subject = asked.subject()?;
    let reason = read_reason(asked.reason)?;
    refuse_own(&state, &subject, from)?;
    let banned_at = time::now_micros();
    let made = LocalBan { reason: reason.clone(), banned_by: caller.subject, banned_at };
    state.bans.ban(state.node.as_ref(), subject.clone(), made).await?;
    Ok(Json(BanAnswer {
        subject: BTreeMap::from([(subject.kind(), subject.value())]),
        banned: true,
        at: time::rfc3339(banned_at),
        reason,
    }))
}

/// `DELETE /api/bans?<kind>=<value>`. `banned` stays true where the network bans the subject, too.
pub(in crate::api) async fn unban(
    State(state): State<ApiState>,
    asked: Result<Query<BanRequest>, QueryRejection>,
) -> Result<Json<BanAnswer>, ApiError> {
    let Query(asked) = asked.map_err(|error| ApiError::bad_request("query_invalid", error.body_text()))?;
    let subject = asked.subject()?;
    let reason = lift(&state, &subject).await?;
    let now = time::now_micros();
    let banned = state.node.snapshot().is_some_and(|snapshot| snapshot.is_banned(&subject, now / 1_000_000));
    Ok(Json(BanAnswer {
        subject: BTreeMap::from([(subject.kind(), subject.value())]),
        banned,
        at: time::rfc3339(now),
        reason,
    }))
}

/// A moderator shuts out neither the node that is asked, nor the way by which the ban could be lifted again.
fn refuse_own(state: &ApiState, subject: &BanSubject, from: Option<IpAddr>) -> Result<(), ApiError> {
    let own = state.node.identity();
    let is_own = match subject {
        BanSubject::Peer(peer) => *peer == own.peer_id,
        BanSubject::Spiffe(name) => {
            (name.trust_domain(), name.namespace(), name.node()) == (&own.trust_domain, &own.namespace, &own.node)
        }
        BanSubject::Fingerprint(_) => false,
        BanSubject::Range(range) if from.is_some_and(|from| range.contains(from)) => {
            let message = "you come from this range yourself: nobody could lift the ban from there";
            return Err(ApiError::conflict("own_address", message));
        }
        BanSubject::Range(_) => false,
    };
    if is_own { Err(ApiError::conflict("own_peer", "this is the node that you ask")) } else { Ok(()) }
}

/// A moderator's reason, within its bound.
pub(in crate::api) fn read_reason(reason: Option<String>) -> Result<Option<String>, ApiError> {
    match reason {
        Some(reason) if reason.len() > MAX_REASON_BYTES => {
            let message = format!("reason: at most {MAX_REASON_BYTES} bytes are accepted");
            Err(ApiError::bad_request("json_invalid", message))
        }
        reason => Ok(reason),
    }
}

//! The members as this node knows them, and whether enough of them are healthy.

use super::{ApiState, error::ApiError};
use axum::{Json, extract::State};
use peerwright_engine::{MemberState, MemberView};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Members {
    /// `online`, `degraded` or `offline`.
    status: &'static str,
    healthy: usize,
    total: usize,
    members: Vec<MemberRow>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MemberRow {
    id: String,
    own: bool,
    role: &'static str,
    address: Option<String>,
    port: Option<u16>,
    incarnation: u64,
    version: u32,
    state: &'static str,
    certified: bool,
    healthy: bool,
}

impl From<&MemberView> for MemberRow {
    fn from(member: &MemberView) -> Self {
        Self {
            id: member.peer.to_string(),
            own: member.own,
            role: member.role.label(),
            address: member.address.map(|address| address.ip().to_string()),
            port: member.address.map(|address| address.port()),
            incarnation: member.incarnation,
            version: member.version,
            state: word(member.state),
            certified: member.certified,
            healthy: member.healthy,
        }
    }
}

const fn word(state: MemberState) -> &'static str {
    match state {
        MemberState::Alive => "alive",
        MemberState::Unreachable => "unreachable",
        MemberState::Dead => "dead",
        MemberState::Left => "left",
    }
}

/// `GET /api/members`
pub(super) async fn list(State(state): State<ApiState>) -> Result<Json<Members>, ApiError> {
    let (status, members) = state.node.members().await?;
    Ok(Json(Members {
        status: status.label(),
        healthy: members.iter().filter(|member| member.healthy).count(),
        total: members.len(),
        members: members.iter().map(MemberRow::from).collect(),
    }))
}

//! Beginning a register.

use super::{ApiState, error::ApiError, gate::Caller, json};
use crate::{
    limits::Ask,
    registers::{CreateRefused, NewRegister},
};
use axum::{
    Extension, Json,
    extract::{Request, State},
    http::StatusCode,
};
use peerwright_ledger::{
    RegisterPolicy,
    register::{Quorum, VerifyPolicy},
};
use peerwright_secure::NodePublicKey;
use serde::{Deserialize, Serialize};

/// What a register is to be; what is left out is as the ledger has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wanted {
    name: String,
    #[serde(default)]
    description: String,
    /// 64 hex digits.
    authority: Option<String>,
    #[serde(default)]
    policy: WantedPolicy,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WantedPolicy {
    quorum: Option<QuorumName>,
    owner_decides_alone: Option<bool>,
    proposal_life_days: Option<u32>,
    verify: Option<VerifyName>,
    max_docket_transactions: Option<u32>,
    max_docket_bytes: Option<u32>,
    build_interval_milliseconds: Option<u32>,
}

#[derive(Deserialize)]
enum QuorumName {
    StrictMajority,
    Supermajority,
    Unanimous,
}

#[derive(Deserialize)]
enum VerifyName {
    Docket,
    EveryTransaction,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Created {
    /// What a RegisterSubscription names.
    register: String,
    name: String,
}

/// `POST /api/registers`: 201 when docket 0 is committed. The caller's subject is its owner, by this node's key.
pub(super) async fn create(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<(StatusCode, Json<Created>), ApiError> {
    let wanted: Wanted = json::parse(&json::read_body(request).await?)?;
    state.take(&caller, Ask { requests: 0, bytes: 0, transactions: 1 })?;
    let owner = caller.subject.clone().unwrap_or_else(|| state.node.identity().peer_id.to_string());
    let new = NewRegister {
        owner,
        authority: wanted.authority.as_deref().map(authority).transpose()?,
        policy: policy(&wanted.policy),
        name: wanted.name,
        description: wanted.description,
    };
    let name = new.name.clone();
    let register = state.node.create_register(new).await.map_err(|refused| error(&refused))?;
    Ok((StatusCode::CREATED, Json(Created { register: register.to_string(), name })))
}

fn authority(text: &str) -> Result<NodePublicKey, ApiError> {
    let key = hex::decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    key.map(NodePublicKey::from_bytes).ok_or_else(|| {
        ApiError::bad_request("authority_invalid", "write authority as the 64 hex digits of an Ed25519 public key")
    })
}

fn policy(wanted: &WantedPolicy) -> RegisterPolicy {
    let defaults = RegisterPolicy::default();
    let quorum = wanted.quorum.as_ref().map(|quorum| match quorum {
        QuorumName::StrictMajority => Quorum::StrictMajority,
        QuorumName::Supermajority => Quorum::Supermajority,
        QuorumName::Unanimous => Quorum::Unanimous,
    });
    let verify = wanted.verify.as_ref().map(|verify| match verify {
        VerifyName::Docket => VerifyPolicy::Docket,
        VerifyName::EveryTransaction => VerifyPolicy::EveryTransaction,
    });
    RegisterPolicy {
        version: defaults.version,
        quorum: quorum.unwrap_or(defaults.quorum),
        owner_decides_alone: wanted.owner_decides_alone.unwrap_or(defaults.owner_decides_alone),
        proposal_life_days: wanted.proposal_life_days.unwrap_or(defaults.proposal_life_days),
        verify: verify.unwrap_or(defaults.verify),
        max_docket_transactions: wanted.max_docket_transactions.unwrap_or(defaults.max_docket_transactions),
        max_docket_bytes: wanted.max_docket_bytes.unwrap_or(defaults.max_docket_bytes),
        build_interval_millis: wanted.build_interval_milliseconds.unwrap_or(defaults.build_interval_millis),
    }
}

fn error(refused: &CreateRefused) -> ApiError {
    let message = refused.to_string();
    match refused {
        CreateRefused::NoSealers => ApiError::unavailable("no_sealers", message),
        CreateRefused::Unreached(_) => ApiError::unavailable("sealers_unreached", message),
        CreateRefused::Invalid(invalid) => ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, invalid.code(), message),
        CreateRefused::Docket(invalid) => ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, invalid.code(), message),
        CreateRefused::Refused(_) => ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "sealers_refuse", message),
        CreateRefused::NoRandomness => ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "no_randomness", message),
    }
}

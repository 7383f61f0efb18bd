//! Registers as their dockets make them: who governs and seals them, what is committed, and how anybody can check it.

use super::{
    ApiState,
    error::ApiError,
    query::{self, page_limit},
    registers::register_id,
    time,
};
use crate::registers::read_genesis;
use axum::{
    Json,
    extract::{Path, State},
    http::Uri,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use peerwright_encoding::to_lower_hex;
use peerwright_ledger::{
    Chain, DocketBody, DocketHeader, ForkProof, InclusionProof, LeafHash, RegisterId, TransactionId, TransactionView,
    register::{Quorum, VerifyPolicy},
};
use peerwright_secure::PeerId;
use peerwright_snapshot::ReplicaMode;
use peerwright_store::{Seen, StoredHeader, TransactionPlace};
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RegisterView {
    pub(super) register: String,
    /// What docket 0 says: absent where this node holds only what came later.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// SHA-256 of the genesis record, hex: the register's id is its beginning.
    genesis: String,
    created_at: Option<String>,
    /// The key whose signature alone replaces the sealers, hex.
    authority: String,
    sealers: SealersView,
    policy: PolicyView,
    head: HeadView,
    /// The lowest docket that this node holds.
    first: u64,
    transactions: u64,
    /// What this node does with the register; absent where it seals it.
    #[serde(skip_serializing_if = "Option::is_none")]
    replica: Option<ReplicaView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SealersView {
    version: u32,
    /// Peer ids.
    members: Vec<String>,
    /// How many of them sign a docket.
    majority: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PolicyView {
    version: u32,
    quorum: &'static str,
    owner_decides_alone: bool,
    proposal_life_days: u32,
    verify: &'static str,
    max_docket_transactions: u32,
    max_docket_bytes: u32,
    build_interval_milliseconds: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HeadView {
    number: u64,
    hash: String,
    sealed_at: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReplicaView {
    pub(super) mode: &'static str,
    pub(super) state: &'static str,
    /// 0 to 100.
    pub(super) progress_percent: u8,
    /// Peer id of whom it is followed from.
    pub(super) source: Option<String>,
    /// Failures in a row.
    pub(super) failures: u32,
    /// Why the last try failed, in a word.
    pub(super) problem: Option<&'static str>,
    pub(super) message: Option<String>,
    pub(super) last_stored_at: Option<String>,
    /// Since when it lacks what its source holds.
    pub(super) behind_since: Option<String>,
    /// Dockets before the subscription, which this node does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gap: Option<GapView>,
    /// Two dockets with one number, both certified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fork: Option<ForkView>,
}

#[derive(Serialize)]
pub(super) struct GapView {
    from: u64,
    /// The last one.
    to: u64,
}

#[derive(Serialize)]
pub(super) struct ForkView {
    number: u64,
    hashes: [String; 2],
    /// Peer ids of the sealers that have signed both.
    culprits: Vec<String>,
    /// The canonical bytes of the proof, base64.
    proof: String,
}

impl ForkView {
    fn of(proof: &ForkProof) -> Self {
        Self {
            number: proof.number(),
            hashes: proof.hashes().map(|hash| hash.to_string()),
            culprits: proof.culprits().iter().map(|key| PeerId::of(key).to_string()).collect(),
            proof: STANDARD.encode(proof.encode()),
        }
    }
}

/// `GET /api/registers/{id}`
pub(super) async fn register(
    State(state): State<ApiState>,
    Path(register): Path<String>,
) -> Result<Json<RegisterView>, ApiError> {
    let register = register_id(&register)?;
    Ok(Json(view(&state, register).await?))
}

pub(super) async fn view(state: &ApiState, register: RegisterId) -> Result<RegisterView, ApiError> {
    let store = &state.node.registers().store;
    let held = store.held_dockets(register).await?.ok_or_else(|| nothing_sealed(register))?;
    let through = held.certified_through.ok_or_else(|| nothing_sealed(register))?;
    let checkpoint = store.checkpoint(register).await?.ok_or_else(|| nothing_sealed(register))?;
    let chain = Chain::decode(&checkpoint).map_err(|error| damaged(error.to_string()))?;
    let head = one_header(state, register, through).await?;
    let genesis = match store.docket(register, 0, Seen::Certified).await? {
        Some(docket) => Some(read_genesis(docket).map_err(damaged)?),
        None if held.first > 0 => None,
        None => return Err(docket_unknown(register, 0)),
    };
    let governance = chain.governance();
    let (sealers, policy) = (governance.sealers(), governance.policy());
    Ok(RegisterView {
        register: register.to_string(),
        name: genesis.as_ref().map(|genesis| genesis.name.clone()),
        description: genesis.as_ref().map(|genesis| genesis.description.clone()),
        genesis: chain.genesis().to_string(),
        created_at: genesis.as_ref().and_then(|genesis| time::rfc3339(genesis.created_at_micros)),
        authority: to_lower_hex(governance.authority().as_bytes()),
        sealers: SealersView {
            version: sealers.version(),
            members: sealers.sealers().iter().map(|key| PeerId::of(key).to_string()).collect(),
            majority: sealers.majority(),
        },
        policy: PolicyView {
            version: policy.version,
            quorum: match policy.quorum {
                Quorum::StrictMajority => "StrictMajority",
                Quorum::Supermajority => "Supermajority",
                Quorum::Unanimous => "Unanimous",
            },
            owner_decides_alone: policy.owner_decides_alone,
            proposal_life_days: policy.proposal_life_days,
            verify: match policy.verify {
                VerifyPolicy::Docket => "Docket",
                VerifyPolicy::EveryTransaction => "EveryTransaction",
            },
            max_docket_transactions: policy.max_docket_transactions,
            max_docket_bytes: policy.max_docket_bytes,
            build_interval_milliseconds: policy.build_interval_millis,
        },
        head: HeadView { number: head.number, hash: head.hash, sealed_at: head.sealed_at },
        first: held.first,
        transactions: held.transactions,
        replica: replica(state, register),
    })
}

/// How far this node has come with a register that it follows.
pub(super) fn replica(state: &ApiState, register: RegisterId) -> Option<ReplicaView> {
    state.node.registers().progress(register).map(|progress| ReplicaView {
        mode: match progress.mode {
            ReplicaMode::FullReplica => "FullReplica",
            ReplicaMode::ForwardOnly => "ForwardOnly",
        },
        gap: progress.gap().map(|gap| GapView { from: gap.start, to: gap.end.saturating_sub(1) }),
        state: progress.state.label(),
        progress_percent: progress.percent(),
        source: progress.source.map(|source| source.to_string()),
        failures: progress.failures,
        problem: progress.problem,
        message: progress.message,
        last_stored_at: progress.stored_at.and_then(time::rfc3339),
        behind_since: progress.behind_since.and_then(time::rfc3339),
        fork: state.node.registers().fork(register).as_deref().map(ForkView::of),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RangeQuery {
    from: Option<u64>,
    limit: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HeaderView {
    pub(super) number: u64,
    hash: String,
    previous: Option<String>,
    transactions_root: String,
    history_root: String,
    transaction_count: u32,
    body_bytes: u32,
    sealed_at: Option<String>,
    /// Peer id of who proposed it.
    sealer: String,
    sealers_version: u32,
    control: bool,
    /// The canonical bytes, base64: their SHA-256 is the hash.
    encoded: String,
    /// The commit certificate, base64.
    certificate: Option<String>,
}

#[derive(Serialize)]
pub(super) struct HeaderPage {
    dockets: Vec<HeaderView>,
    /// To be given as `from` for the rest; `null` at the end.
    next: Option<u64>,
}

/// `GET /api/registers/{id}/dockets?from=&limit=`: committed dockets without their transactions.
pub(super) async fn list(
    State(state): State<ApiState>,
    Path(register): Path<String>,
    uri: Uri,
) -> Result<Json<HeaderPage>, ApiError> {
    let register = register_id(&register)?;
    let RangeQuery { from, limit } = query::read(&uri)?;
    let limit = page_limit(limit)?;
    let store = &state.node.registers().store;
    let held = store.held_dockets(register).await?.ok_or_else(|| nothing_sealed(register))?;
    let from = from.unwrap_or(held.first);
    let headers = store.headers(register, from, Seen::Certified, limit).await?;
    let next = headers.last().map(|last| last.number + 1);
    let next = next.filter(|next| held.certified_through.is_some_and(|through| *next <= through));
    let dockets: Result<_, _> = headers.into_iter().map(header_view).collect();
    Ok(Json(HeaderPage { dockets: dockets?, next }))
}

#[derive(Serialize)]
pub(super) struct DocketView {
    #[serde(flatten)]
    header: HeaderView,
    /// Ids of the transactions, in their order.
    transactions: Vec<String>,
}

/// `GET /api/registers/{id}/dockets/{number}`
pub(super) async fn one(
    State(state): State<ApiState>,
    Path((register, number)): Path<(String, String)>,
) -> Result<Json<DocketView>, ApiError> {
    let register = register_id(&register)?;
    let number = number.parse().map_err(|_| {
        let message = "a docket's number is 0 or more, as in /dockets/0";
        ApiError::bad_request("docket_invalid", message)
    })?;
    let docket = state.node.registers().store.docket(register, number, Seen::Certified).await?;
    let docket = docket.ok_or_else(|| docket_unknown(register, number))?;
    let transactions = leaves(docket.body)?.into_iter().map(|(id, _)| id.to_string()).collect();
    Ok(Json(DocketView { header: header_view(docket.header)?, transactions }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProofView {
    transaction_id: String,
    /// The docket that the transaction is in.
    docket: HeaderView,
    /// RFC 6962 leaf over the transaction's id and signature, hex.
    leaf: String,
    /// The leaf's place, from 0.
    position: u64,
    /// How many leaves there are.
    size: u64,
    /// Hashes beside the way from the leaf up to the docket's transactions root, hex.
    path: Vec<String>,
}

/// `GET /api/registers/{id}/transactions/{transaction}/proof`: that a committed transaction is in its docket.
pub(super) async fn proof(
    State(state): State<ApiState>,
    Path((register, transaction)): Path<(String, String)>,
) -> Result<Json<ProofView>, ApiError> {
    let register = register_id(&register)?;
    let id: TransactionId =
        transaction.parse().map_err(|error| ApiError::bad_request("transaction_invalid", format!("{error}")))?;
    let store = &state.node.registers().store;
    let place = store.find(register, id, Seen::Certified).await?.ok_or_else(|| {
        ApiError::not_found("not_committed", format!("no committed docket of register {register} here holds {id}"))
    })?;
    let docket = store.docket(register, place.number, Seen::Certified).await?;
    let docket = docket.ok_or_else(|| docket_unknown(register, place.number))?;
    let leaves: Vec<LeafHash> = leaves(docket.body)?.into_iter().map(|(_, leaf)| leaf).collect();
    let position = usize::try_from(place.position).unwrap_or(usize::MAX);
    let proof = leaves.get(position).zip(InclusionProof::of(place.position.into(), &leaves));
    let (leaf, proof) = proof.ok_or_else(|| damaged("the index names a place that the docket does not have"))?;
    Ok(Json(ProofView {
        transaction_id: id.to_string(),
        docket: header_view(docket.header)?,
        leaf: leaf.to_string(),
        position: proof.index(),
        size: proof.size(),
        path: proof.path().iter().map(|hash| to_lower_hex(hash)).collect(),
    }))
}

/// A committed transaction, out of its docket.
pub(super) async fn transaction(
    state: &ApiState,
    register: RegisterId,
    place: TransactionPlace,
) -> Result<Bytes, ApiError> {
    let docket = state.node.registers().store.docket(register, place.number, Seen::Certified).await?;
    let docket = docket.ok_or_else(|| docket_unknown(register, place.number))?;
    let body = DocketBody::decode(docket.body).map_err(|error| damaged(error.to_string()))?;
    let position = usize::try_from(place.position).unwrap_or(usize::MAX);
    let found = body.transactions().nth(position).map(|encoded| body.encoded().slice_ref(encoded));
    found.ok_or_else(|| damaged("the index names a place that the docket does not have"))
}

fn leaves(body: Bytes) -> Result<Vec<(TransactionId, LeafHash)>, ApiError> {
    let body = DocketBody::decode(body).map_err(|error| damaged(error.to_string()))?;
    let leaf = |encoded| {
        let view = TransactionView::read(encoded).map_err(|error| damaged(error.to_string()))?;
        let id = view.id();
        Ok((id, view.leaf(&id)))
    };
    body.transactions().map(leaf).collect()
}

async fn one_header(state: &ApiState, register: RegisterId, number: u64) -> Result<HeaderView, ApiError> {
    let mut headers = state.node.registers().store.headers(register, number, Seen::Certified, 1).await?;
    header_view(headers.pop().ok_or_else(|| docket_unknown(register, number))?)
}

pub(super) fn header_view(stored: StoredHeader) -> Result<HeaderView, ApiError> {
    let header = DocketHeader::decode(&stored.header).map_err(|error| damaged(error.to_string()))?;
    Ok(HeaderView {
        number: header.number,
        hash: stored.hash.to_string(),
        previous: header.previous.map(|previous| previous.to_string()),
        transactions_root: header.transactions_root.to_string(),
        history_root: header.history_root.to_string(),
        transaction_count: header.transaction_count,
        body_bytes: header.body_bytes,
        sealed_at: time::rfc3339(header.sealed_at_micros),
        sealer: PeerId::of(&header.sealer).to_string(),
        sealers_version: header.sealers_version,
        control: header.control,
        encoded: STANDARD.encode(&stored.header),
        certificate: stored.certificate.map(|certificate| STANDARD.encode(certificate)),
    })
}

fn nothing_sealed(register: RegisterId) -> ApiError {
    let message = format!("this node holds no committed docket of register {register}");
    ApiError::not_found("nothing_committed", message)
}

fn docket_unknown(register: RegisterId, number: u64) -> ApiError {
    ApiError::not_found(
        "docket_unknown",
        format!("this node holds no committed docket {number} of register {register}"),
    )
}

pub(super) fn damaged(what: impl Into<String>) -> ApiError {
    ApiError::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, "store_damaged", what)
}

//! Port 5000: what members ask of each other by gRPC.

mod keepalive;
mod submit;
mod tail;

use crate::{
    api::{STALE_SINCE, stale_since},
    driver::Clock,
    handle::NodeHandle,
    limits::{Ask, Asker, RateLimits},
    link::{LinkContext, LinkService},
    member::Membership,
    registers::{
        Filter, Following, Hearing, HubSettings, Sealer, SealingService, Source, Tail, TailEnded, register_id,
    },
    telemetry::Telemetry,
    transport::{ConnectionInfo, MAX_FRAMED_BYTES, MAX_MESSAGE_BYTES},
};
use axum::Router;
use bytes::Bytes;
use keepalive::Keepalives;
use peerwright_ledger::{DocketBody, RegisterId, TransactionId, TransactionView};
use peerwright_proto::{
    DESCRIPTORS,
    v1::{
        FollowRequest, GetTransactionRequest, GetTransactionResponse, SubmitRequest, SubmitResponse, TailRequest,
        TransactionPlace,
        get_transaction_response::State,
        registers_server::{Registers, RegistersServer},
        sealing_server::SealingServer,
    },
};
use peerwright_secure::MemberCertificate;
use peerwright_snapshot::NodeRole;
use peerwright_store::{Seen, StoreError, TransactionPlace as StoredPlace};
use std::sync::Arc;
use submit::{Submitter, Submitting};
use tail::Tailing;
use thiserror::Error;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming, service::Routes};
use tonic_health::{pb::health_server::HealthServer, server::HealthReporter};

/// The descriptors that are compiled in cannot be served.
#[derive(Debug, Error)]
#[error("the compiled descriptors cannot be served: {0}")]
pub struct DescriptorsInvalid(#[from] tonic_reflection::server::Error);

/// The routes of port 5000, and the reporter of their health.
pub(crate) fn router(
    node: Arc<NodeHandle>,
    telemetry: Arc<Telemetry>,
    context: LinkContext,
    tasks: TaskTracker,
    limits: Arc<RateLimits>,
    sealer: Arc<Sealer>,
    hub: watch::Receiver<HubSettings>,
) -> Result<(Router, HealthReporter), DescriptorsInvalid> {
    let reporter = HealthReporter::new();
    let health = HealthServer::new(Keepalives::new(reporter.clone(), node.registers.clone(), hub));
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let allowances = Allowances { membership: node.membership.clone(), telemetry: telemetry.clone(), limits };
    let sealing = SealingServer::new(SealingService { sealer, allowances: allowances.clone() })
        .max_decoding_message_size(MAX_FRAMED_BYTES)
        .max_encoding_message_size(MAX_FRAMED_BYTES);
    // 64 transactions of 16 MiB together.
    let submitter = Submitter::new(node.clone(), telemetry, allowances.clone());
    let registers = RegistersServer::new(RegistersService { node, submitter, allowances, tasks: tasks.clone() })
        .max_decoding_message_size(MAX_FRAMED_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let routes = Routes::new(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(registers)
        .add_service(sealing);
    Ok((LinkService::new(context, tasks).router(routes), reporter))
}

/// What members may ask for, by what they are to the network.
#[derive(Clone)]
pub(crate) struct Allowances {
    membership: Arc<Membership>,
    telemetry: Arc<Telemetry>,
    limits: Arc<RateLimits>,
}

impl Allowances {
    /// Takes from the allowance of the member that asks.
    pub(crate) fn take<T>(&self, request: &Request<T>, ask: Ask) -> Result<Asker, Status> {
        let member = member(request)?;
        let snapshot = self.membership.snapshot();
        let group = snapshot.as_ref().and_then(|current| current.snapshot.content.group_of(member.spiffe.node()));
        let asker = match group {
            Some((_, group)) if group.role == NodeRole::Edge => Asker::Edge(member.peer_id),
            _ => Asker::Member(member.peer_id),
        };
        self.take_of(&asker, ask)?;
        Ok(asker)
    }

    /// Takes from the allowance of a member that has asked before.
    fn take_of(&self, asker: &Asker, ask: Ask) -> Result<(), Status> {
        self.limits.take(asker, ask).map_err(|limited| {
            self.telemetry.rate_limited(limited);
            let (what, wait) = (limited.measure.label(), limited.retry_after);
            Status::resource_exhausted(format!("rate_limited: this member has used its {what}; wait {wait:?}"))
        })
    }
}

/// Who asks.
pub(crate) fn member<T>(request: &Request<T>) -> Result<&Arc<MemberCertificate>, Status> {
    let member = request.extensions().get::<ConnectionInfo>().and_then(|info| info.member.as_ref());
    member.ok_or_else(|| Status::unauthenticated("a call needs a member's certificate"))
}

struct RegistersService {
    node: Arc<NodeHandle>,
    submitter: Submitter,
    allowances: Allowances,
    /// Owns what serves followers.
    tasks: TaskTracker,
}

impl RegistersService {
    fn hearing(&self, member: &Arc<MemberCertificate>, register: RegisterId) -> Hearing {
        let (advertised, membership) = (self.node.registers.advertised.clone(), self.node.membership.clone());
        Hearing { advertised, membership, member: member.clone(), register }
    }

    /// What has become of a transaction that no docket here holds.
    async fn open_state(
        &self,
        register: RegisterId,
        id: TransactionId,
        encoded: &Bytes,
    ) -> Result<(State, String), Status> {
        match self.node.store.dead_letter(register, id).await.map_err(unavailable)? {
            Some(dead) if dead.reason == "expired" => Ok((State::Expired, String::new())),
            Some(dead) => Ok((State::Refused, dead.reason)),
            None => {
                let is_over =
                    TransactionView::read(encoded).is_ok_and(|view| view.valid_until_micros <= Clock::wall().0);
                Ok((if is_over { State::Expired } else { State::Pending }, String::new()))
            }
        }
    }

    /// A committed transaction that came with its docket alone.
    async fn of_docket(&self, register: RegisterId, place: StoredPlace) -> Result<Option<Bytes>, Status> {
        let docket = self.node.registers.store.docket(register, place.number, Seen::Certified).await;
        let Some(docket) = docket.map_err(unavailable)? else { return Ok(None) };
        let damaged = |error| Status::data_loss(format!("store_damaged: {error}"));
        let body = DocketBody::decode(docket.body).map_err(damaged)?;
        let position = usize::try_from(place.position).unwrap_or(usize::MAX);
        Ok(body.transactions().nth(position).map(|encoded| body.encoded().slice_ref(encoded)))
    }

    /// An answer with what is here of a register; while no hub is reached it says since when.
    fn read<T>(&self, answer: T) -> Response<T> {
        let mut response = Response::new(answer);
        if let Some(since) = stale_since(&self.node.registers).and_then(|since| since.parse().ok()) {
            response.metadata_mut().insert(STALE_SINCE, since);
        }
        response
    }
}

fn not_held() -> Status {
    Status::not_found("this node does not hold the transaction")
}

fn unavailable(error: StoreError) -> Status {
    Status::unavailable(format!("{}: {error}", error.code()))
}

#[tonic::async_trait]
impl Registers for RegistersService {
    type FollowStream = Following;
    type SubmitStreamStream = Submitting;
    type TailStream = Tailing;

    async fn follow(&self, request: Request<Streaming<FollowRequest>>) -> Result<Response<Following>, Status> {
        self.allowances.take(&request, Ask { requests: 1, ..Ask::default() })?;
        let caller = request.extensions().get::<ConnectionInfo>().cloned();
        let caller = caller.ok_or_else(|| Status::internal("a call without a connection"))?;
        let source = Source::of(&self.node.registers, self.tasks.clone());
        let hearing = |register| Some(self.hearing(caller.member.as_ref()?, register));
        Ok(self.read(source.follow(request.into_inner(), &caller, hearing).await?))
    }

    async fn submit(&self, request: Request<SubmitRequest>) -> Result<Response<SubmitResponse>, Status> {
        let SubmitRequest { transactions, .. } = request.get_ref();
        let bytes: usize = transactions.iter().map(Bytes::len).sum();
        let ask = Ask { requests: 1, bytes: bytes as u64, transactions: transactions.len() as u64 };
        self.allowances.take(&request, ask)?;
        self.submitter.submit(request.into_inner()).await.map(Response::new)
    }

    async fn submit_stream(&self, request: Request<Streaming<SubmitRequest>>) -> Result<Response<Submitting>, Status> {
        let asker = self.allowances.take(&request, Ask { requests: 1, ..Ask::default() })?;
        Ok(Response::new(self.submitter.stream(request.into_inner(), asker)))
    }

    async fn tail(&self, request: Request<TailRequest>) -> Result<Response<Tailing>, Status> {
        let asker = self.allowances.take(&request, Ask { requests: 1, ..Ask::default() })?;
        let expires = request.extensions().get::<ConnectionInfo>().map(tail::expires);
        let expires = expires.ok_or_else(|| Status::internal("a call without a connection"))?;
        let asking = member(&request)?.clone();
        let TailRequest { register_id: register, from, filter } = request.into_inner();
        let (register, wanted) = (register_id(&register)?, filter.unwrap_or_default());
        let filter = Filter::read(&wanted.sender, &wanted.recipient, &wanted.r#type, &wanted.blueprint);
        let filter = filter.map_err(|invalid| Status::invalid_argument(invalid.to_string()))?;
        let hearing = self.hearing(&asking, register);
        if !hearing.is_granted() {
            return Err(tail::status(&TailEnded::NotHeld(register)));
        }
        let registers = &self.node.registers;
        let seat = registers.followers.enter(Some(asker.clone()));
        let seat = seat.map_err(|full| Status::resource_exhausted(format!("{}: {full}", full.code())))?;
        let tail = Tail::begin(registers, register, from, filter).await.map_err(|ended| tail::status(&ended))?;
        let limits = self.allowances.limits.clone();
        Ok(self.read(tail::follow(tail::Reader { tail, seat, limits, asker, expires, hearing })))
    }

    async fn get_transaction(
        &self,
        request: Request<GetTransactionRequest>,
    ) -> Result<Response<GetTransactionResponse>, Status> {
        let asker = self.allowances.take(&request, Ask { requests: 1, ..Ask::default() })?;
        let asking = member(&request)?.clone();
        let request = request.into_inner();
        let register = register_id(&request.register_id)?;
        let id = <[u8; 32]>::try_from(request.transaction_id.as_ref())
            .map_err(|_| Status::invalid_argument("transaction_id must have 32 bytes"))?;
        let id = TransactionId::from_bytes(id);
        if !self.hearing(&asking, register).is_granted() {
            return Err(not_held());
        }
        let place = self.node.registers.store.find(register, id, Seen::Certified).await.map_err(unavailable)?;
        let gossiped = self.node.store.transaction(register, id).await.map_err(unavailable)?.map(|found| found.bytes);
        let found = match (gossiped, place) {
            (None, Some(place)) => self.of_docket(register, place).await?,
            (gossiped, _) => gossiped,
        };
        let transaction = found.ok_or_else(not_held)?;
        self.allowances.limits.charge(&asker, Ask { bytes: transaction.len() as u64, ..Ask::default() });
        let (state, reason) = match place {
            Some(_) => (State::Committed, String::new()),
            None => self.open_state(register, id, &transaction).await?,
        };
        let committed = place.map(|place| TransactionPlace { docket: place.number, position: place.position });
        Ok(self.read(GetTransactionResponse { transaction, state: state.into(), committed, reason }))
    }
}

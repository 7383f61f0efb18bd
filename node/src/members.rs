//! Port 5000: what members ask of each other by gRPC.

use crate::{
    api::Node,
    handle::NodeHandle,
    limits::{Ask, Asker, RateLimits},
    link::{LinkContext, LinkService},
    member::Membership,
    registers::{Following, Sealer, SealingService, Source, register_id},
    telemetry::Telemetry,
    transport::{ConnectionInfo, MAX_FRAMED_BYTES, MAX_MESSAGE_BYTES},
};
use axum::Router;
use bytes::Bytes;
use futures::{StreamExt, stream};
use peerwright_ledger::{Refusal, RegisterId, Transaction, TransactionId};
use peerwright_proto::{
    DESCRIPTORS,
    v1::{
        FollowRequest, GetTransactionRequest, GetTransactionResponse, SubmitRequest, SubmitResponse, SubmitResult,
        registers_server::{Registers, RegistersServer},
        sealing_server::SealingServer,
        submit_result::Outcome,
    },
};
use peerwright_secure::MemberCertificate;
use peerwright_snapshot::NodeRole;
use std::sync::Arc;
use thiserror::Error;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming, service::Routes};
use tonic_health::server::{HealthReporter, health_reporter};

/// The most transactions of one request.
const MOST_TRANSACTIONS: usize = 64;

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
) -> Result<(Router, HealthReporter), DescriptorsInvalid> {
    let (reporter, health) = health_reporter();
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
    let registers = RegistersServer::new(RegistersService { node, telemetry, allowances, tasks: tasks.clone() })
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
        match self.limits.take(&asker, ask) {
            Ok(()) => Ok(asker),
            Err(limited) => {
                self.telemetry.rate_limited(limited);
                let (what, wait) = (limited.measure.label(), limited.retry_after);
                Err(Status::resource_exhausted(format!("rate_limited: this member has used its {what}; wait {wait:?}")))
            }
        }
    }
}

/// Who asks.
pub(crate) fn member<T>(request: &Request<T>) -> Result<&Arc<MemberCertificate>, Status> {
    let member = request.extensions().get::<ConnectionInfo>().and_then(|info| info.member.as_ref());
    member.ok_or_else(|| Status::unauthenticated("a call needs a member's certificate"))
}

struct RegistersService {
    node: Arc<NodeHandle>,
    telemetry: Arc<Telemetry>,
    allowances: Allowances,
    /// Owns what serves followers.
    tasks: TaskTracker,
}

impl RegistersService {
    async fn submit_one(&self, register: RegisterId, encoded: Bytes) -> SubmitResult {
        let transaction = match Transaction::decode(encoded) {
            Ok(transaction) => transaction,
            Err(refusal) => return self.refused(Bytes::new(), refusal.code()),
        };
        let id = Bytes::copy_from_slice(transaction.id().as_bytes());
        if transaction.body().register != register {
            return self.refused(id, Refusal::OtherRegister(transaction.body().register).code());
        }
        match self.node.submit(transaction).await {
            Ok(()) => SubmitResult { transaction_id: id, outcome: Outcome::Accepted.into(), reason: String::new() },
            Err(refused) => self.refused(id, refused.code()),
        }
    }

    fn refused(&self, transaction_id: Bytes, code: &'static str) -> SubmitResult {
        self.telemetry.transaction_refused(code);
        SubmitResult { transaction_id, outcome: Outcome::Refused.into(), reason: code.to_owned() }
    }
}

#[tonic::async_trait]
impl Registers for RegistersService {
    type FollowStream = Following;

    async fn follow(&self, request: Request<Streaming<FollowRequest>>) -> Result<Response<Following>, Status> {
        self.allowances.take(&request, Ask { requests: 1, ..Ask::default() })?;
        let caller = request.extensions().get::<ConnectionInfo>().cloned();
        let caller = caller.ok_or_else(|| Status::internal("a call without a connection"))?;
        let source = Source::of(&self.node.registers, self.tasks.clone());
        Ok(Response::new(source.follow(request.into_inner(), &caller).await?))
    }

    async fn submit(&self, request: Request<SubmitRequest>) -> Result<Response<SubmitResponse>, Status> {
        let SubmitRequest { transactions, .. } = request.get_ref();
        let bytes: usize = transactions.iter().map(Bytes::len).sum();
        self.allowances
            .take(&request, Ask { requests: 1, bytes: bytes as u64, transactions: transactions.len() as u64 })?;
        let SubmitRequest { register_id: register, transactions } = request.into_inner();
        let register = register_id(&register)?;
        if transactions.len() > MOST_TRANSACTIONS {
            return Err(Status::invalid_argument(format!(
                "at most {MOST_TRANSACTIONS} transactions are taken at once"
            )));
        }
        if bytes > MAX_MESSAGE_BYTES {
            return Err(Status::invalid_argument(format!("at most {MAX_MESSAGE_BYTES} bytes are taken at once")));
        }
        let submitting = stream::iter(transactions).map(|encoded| self.submit_one(register, encoded));
        let results = submitting.buffered(MOST_TRANSACTIONS).collect().await;
        Ok(Response::new(SubmitResponse { results }))
    }

    async fn get_transaction(
        &self,
        request: Request<GetTransactionRequest>,
    ) -> Result<Response<GetTransactionResponse>, Status> {
        let asker = self.allowances.take(&request, Ask { requests: 1, ..Ask::default() })?;
        let request = request.into_inner();
        let register = register_id(&request.register_id)?;
        let id = <[u8; 32]>::try_from(request.transaction_id.as_ref())
            .map_err(|_| Status::invalid_argument("transaction_id must have 32 bytes"))?;
        let found = self.node.store.transaction(register, TransactionId::from_bytes(id)).await;
        match found.map_err(|error| Status::unavailable(format!("{}: {error}", error.code())))? {
            Some(found) => {
                self.allowances.limits.charge(&asker, Ask { bytes: found.bytes.len() as u64, ..Ask::default() });
                Ok(Response::new(GetTransactionResponse { transaction: found.bytes }))
            }
            None => Err(Status::not_found("this node does not hold the transaction")),
        }
    }
}

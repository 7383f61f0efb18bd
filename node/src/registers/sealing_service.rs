//! Port 5000: what members ask of a sealer.

use super::{create, sealer::Sealer};
use crate::{
    limits::{Ask, Asker, RateLimits},
    telemetry::Telemetry,
    transport::ConnectionInfo,
};
use peerwright_ledger::{DocketBody, DocketHeader};
use peerwright_proto::v1::{
    CreateRegisterRequest, CreateRegisterResponse, SealingAnswer, SealingCall, sealing_server::Sealing,
};
use peerwright_sealing::GroupRefused;
use peerwright_secure::MemberCertificate;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// Answers for the group, while this node is of it.
pub(crate) struct SealingService {
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) limits: Arc<RateLimits>,
}

fn member<T>(request: &Request<T>) -> Result<Arc<MemberCertificate>, Status> {
    let member = request.extensions().get::<ConnectionInfo>().and_then(|info| info.member.clone());
    member.ok_or_else(|| Status::unauthenticated("a call needs a member's certificate"))
}

const fn no_sealer() -> &'static str {
    "not_a_sealer: this node does not seal"
}

#[tonic::async_trait]
impl Sealing for SealingService {
    async fn call(&self, request: Request<SealingCall>) -> Result<Response<SealingAnswer>, Status> {
        let from = member(&request)?.public_key;
        let group = self.sealer.group().ok_or_else(|| Status::failed_precondition(no_sealer()))?;
        let answer = group.serve(from, request.into_inner().request).await;
        Ok(Response::new(SealingAnswer { answer }))
    }

    async fn create(
        &self,
        request: Request<CreateRegisterRequest>,
    ) -> Result<Response<CreateRegisterResponse>, Status> {
        let asker = Asker::Member(member(&request)?.peer_id);
        let ask = Ask { requests: 1, bytes: request.get_ref().body.len() as u64, transactions: 1 };
        self.limits.take(&asker, ask).map_err(|limited| {
            self.telemetry.rate_limited(limited);
            Status::resource_exhausted(format!("rate_limited: wait {:?}", limited.retry_after))
        })?;
        let group = self.sealer.group().ok_or_else(|| Status::failed_precondition(no_sealer()))?;
        let CreateRegisterRequest { header, body } = request.into_inner();
        let malformed = |error| Status::invalid_argument(format!("malformed: {error}"));
        let genesis = (DocketHeader::decode(&header).map_err(malformed)?, DocketBody::decode(body).map_err(malformed)?);
        match group.create(genesis).await {
            Ok(_) | Err(GroupRefused::RegisterExists(_)) => Ok(Response::new(CreateRegisterResponse {})),
            Err(refused) => Err(create::status(&refused)),
        }
    }
}

//! Port 5000: what members ask of a sealer.

use super::{create, sealer::Sealer};
use crate::{
    limits::Ask,
    members::{Allowances, member},
};
use peerwright_ledger::{DocketBody, DocketHeader};
use peerwright_proto::v1::{
    CreateRegisterRequest, CreateRegisterResponse, SealingAnswer, SealingCall, sealing_server::Sealing,
};
use peerwright_sealing::Group;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// Answers for the group, while this node is of it.
pub(crate) struct SealingService {
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) allowances: Allowances,
}

impl SealingService {
    fn group(&self) -> Result<Arc<Group>, Status> {
        self.sealer.group().ok_or_else(|| Status::failed_precondition("not_a_sealer: this node does not seal"))
    }
}

#[tonic::async_trait]
impl Sealing for SealingService {
    async fn call(&self, request: Request<SealingCall>) -> Result<Response<SealingAnswer>, Status> {
        let from = member(&request)?.public_key;
        let group = self.group()?;
        let answer = group.serve(from, request.into_inner().request).await;
        Ok(Response::new(SealingAnswer { answer }))
    }

    async fn create(
        &self,
        request: Request<CreateRegisterRequest>,
    ) -> Result<Response<CreateRegisterResponse>, Status> {
        let bytes = request.get_ref().body.len() as u64;
        self.allowances.take(&request, Ask { requests: 1, bytes, transactions: 1 })?;
        let group = self.group()?;
        let CreateRegisterRequest { header, body } = request.into_inner();
        let malformed = |error| Status::invalid_argument(format!("malformed: {error}"));
        let genesis = (DocketHeader::decode(&header).map_err(malformed)?, DocketBody::decode(body).map_err(malformed)?);
        create::begin(&group, genesis).await.map_err(|refused| create::status(&refused))?;
        Ok(Response::new(CreateRegisterResponse {}))
    }
}

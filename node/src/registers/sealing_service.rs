//! Port 5000: what members ask of a sealer.

use super::{
    create,
    desk::{self, NotTaken},
    outbox::Handed,
    register_id,
    sealer::Sealer,
};
use crate::{
    limits::Ask,
    members::{Allowances, member},
    transport::MAX_MESSAGE_BYTES,
};
use bytes::Bytes;
use peerwright_ledger::{DocketBody, DocketHeader, endorse};
use peerwright_proto::v1::{
    CreateRegisterRequest, CreateRegisterResponse, EndorseRequest, EndorseResponse, HandInRequest, HandInResponse,
    HandInResult, SealingAnswer, SealingCall, TransactionPlace, hand_in_result::Outcome, sealing_server::Sealing,
};
use peerwright_sealing::{Group, GroupRefused};
use peerwright_secure::PeerId;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tonic::{Request, Response, Status};

/// Transactions that are handed in at once.
const MOST_TRANSACTIONS: usize = 64;
/// The longest that who hands in may wait.
const MOST_WAIT: Duration = Duration::from_secs(5);

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

    async fn endorse(&self, request: Request<EndorseRequest>) -> Result<Response<EndorseResponse>, Status> {
        let caller = member(&request)?.public_key;
        let bytes = request.get_ref().body.len() as u64;
        self.allowances.take(&request, Ask { requests: 1, bytes, transactions: 1 })?;
        let membership = &self.sealer.membership;
        let order = membership.snapshot().and_then(|current| current.snapshot.content.succession);
        if order.is_none_or(|order| order.survivor != PeerId::of(&caller)) {
            return Err(Status::failed_precondition(
                "not_ordered: the snapshot here does not let the caller go on alone",
            ));
        }
        let EndorseRequest { header, body } = request.into_inner();
        let malformed = |error| Status::invalid_argument(format!("malformed: {error}"));
        let (header, body) =
            (DocketHeader::decode(&header).map_err(malformed)?, DocketBody::decode(body).map_err(malformed)?);
        let certificate = endorse(&header, &body, &BTreeSet::from([caller]), membership.key());
        let certificate =
            certificate.map_err(|refused| Status::invalid_argument(format!("{}: {refused}", refused.code())))?;
        tracing::warn!(register = %header.register, number = header.number, by = ?caller, "a sealer goes on alone by this node's key");
        Ok(Response::new(EndorseResponse { certificate: certificate.encode().into() }))
    }

    async fn hand_in(&self, request: Request<HandInRequest>) -> Result<Response<HandInResponse>, Status> {
        let HandInRequest { transactions, .. } = request.get_ref();
        let (count, bytes) = (transactions.len(), transactions.iter().map(Bytes::len).sum::<usize>());
        self.allowances.take(&request, Ask { requests: 1, bytes: bytes as u64, transactions: count as u64 })?;
        if count > MOST_TRANSACTIONS || bytes > MAX_MESSAGE_BYTES {
            let message =
                format!("at most {MOST_TRANSACTIONS} transactions and {MAX_MESSAGE_BYTES} bytes are taken at once");
            return Err(Status::invalid_argument(message));
        }
        let HandInRequest { register_id: register, transactions, wait_milliseconds } = request.into_inner();
        let register = register_id(&register)?;
        let group = self.group()?;
        let wait = Duration::from_millis(wait_milliseconds.into()).min(MOST_WAIT);
        let store = &*self.sealer.registers.store;
        let taken = desk::take(&group, store, register, transactions, wait).await;
        let results = taken.map_err(|refused| not_taken(&refused))?.into_iter().map(result).collect();
        Ok(Response::new(HandInResponse { results }))
    }
}

fn result(handed: Handed) -> HandInResult {
    let of = |outcome: Outcome| HandInResult { outcome: outcome.into(), ..HandInResult::default() };
    match handed {
        Handed::Sealed(place) => {
            let place = TransactionPlace { docket: place.number, position: place.position };
            HandInResult { place: Some(place), ..of(Outcome::Sealed) }
        }
        Handed::Taken => of(Outcome::Taken),
        Handed::Refused(reason) => HandInResult { reason, ..of(Outcome::Refused) },
    }
}

fn not_taken(refused: &NotTaken) -> Status {
    let message = refused.to_string();
    match (desk::leader(refused), refused) {
        (Some(leader), _) => {
            let mut status = Status::failed_precondition(message);
            if let Some(Ok(leader)) = leader.map(|leader| leader.to_string().parse()) {
                status.metadata_mut().insert(desk::LEADER, leader);
            }
            status
        }
        (None, NotTaken::Group(GroupRefused::QueueFull | GroupRefused::MemoryFull)) => {
            Status::resource_exhausted(message)
        }
        (None, _) => Status::unavailable(message),
    }
}

//! Handing in by gRPC: one request, or a stream of them.
//!
//! ```text
//! request ─▶ room ─▶ read, signatures together with others' ─▶ all at once to the engine: one message, one fsync ─▶ results, in order
//!   stream: at most 16 requests under way; the next waits in the connection
//! ```

use super::{Allowances, register_id};
use crate::{
    api::Node,
    driver::Clock,
    handle::NodeHandle,
    limits::{Ask, Asker},
    registers::Settled,
    signatures::Signatures,
    telemetry::Telemetry,
    transport::MAX_MESSAGE_BYTES,
};
use bytes::Bytes;
use futures::{Stream, StreamExt, future::join_all};
use peerwright_ledger::{Refusal, RegisterId, Transaction, TransactionId};
use peerwright_proto::v1::{
    SubmitAcknowledgement, SubmitRequest, SubmitResponse, SubmitResult, TransactionPlace, submit_result::Outcome,
};
use std::{pin::Pin, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tonic::{Status, Streaming};

/// The most transactions of one request.
const MOST_TRANSACTIONS: usize = 64;
/// Requests of one stream that are under way. Full: the next waits in the connection.
const UNDER_WAY: usize = 16;
/// Kibibytes of requests under way, over all calls. Full: a stream waits, a single call is refused.
const MOST_KIBIBYTES: u32 = 64 * 1024;
/// How long a caller waits for `committed` before it hears that a transaction is accepted so far.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(30);
/// More bytes than these are read off the threads that serve everybody.
const FEW_BYTES: usize = 64 * 1024;

/// The answer of a stream of requests.
pub(super) type Submitting = Pin<Box<dyn Stream<Item = Result<SubmitResponse, Status>> + Send>>;

/// Takes transactions for members.
#[derive(Clone)]
pub(super) struct Submitter {
    node: Arc<NodeHandle>,
    telemetry: Arc<Telemetry>,
    allowances: Allowances,
    room: Arc<Semaphore>,
    signatures: Arc<Signatures>,
}

/// A request that was read, and the room that it takes.
struct Batch {
    register: RegisterId,
    transactions: Vec<Bytes>,
    waits: bool,
    _room: OwnedSemaphorePermit,
}

impl Submitter {
    pub(super) fn new(node: Arc<NodeHandle>, telemetry: Arc<Telemetry>, allowances: Allowances) -> Self {
        let room = usize::try_from(MOST_KIBIBYTES).unwrap_or(Semaphore::MAX_PERMITS);
        Self {
            node,
            telemetry,
            allowances,
            room: Arc::new(Semaphore::new(room)),
            signatures: Arc::new(Signatures::new()),
        }
    }

    /// Answers one request.
    pub(super) async fn submit(&self, request: SubmitRequest) -> Result<SubmitResponse, Status> {
        let room = self.room.clone().try_acquire_many_owned(kibibytes(&request));
        let overloaded = |_| Status::unavailable("overloaded: too many large requests are under way; try again");
        let batch = read(request, room.map_err(overloaded)?)?;
        self.answer(batch).await
    }

    /// Answers each request of a stream, in order.
    pub(super) fn stream(&self, requests: Streaming<SubmitRequest>, asker: Asker) -> Submitting {
        let (reader, submitter) = (self.clone(), self.clone());
        let read = requests.then(move |request| {
            let (reader, asker) = (reader.clone(), asker.clone());
            async move { reader.admit(request?, &asker).await }
        });
        let answering = read.map(move |batch| {
            let submitter = submitter.clone();
            async move { submitter.answer(batch?).await }
        });
        // The first refusal of a whole request is the stream's end.
        let answers = answering.buffered(UNDER_WAY).scan(false, |has_ended, answer: Result<_, Status>| {
            let item = (!*has_ended).then_some(answer);
            *has_ended |= item.as_ref().is_some_and(Result::is_err);
            std::future::ready(item)
        });
        Box::pin(answers)
    }

    /// Takes the next request of a stream when there is room, and its share of the caller's allowance.
    async fn admit(&self, request: SubmitRequest, asker: &Asker) -> Result<Batch, Status> {
        let bytes: usize = request.transactions.iter().map(Bytes::len).sum();
        let ask = Ask { requests: 0, bytes: bytes as u64, transactions: request.transactions.len() as u64 };
        self.allowances.take_of(asker, ask)?;
        let room = self.room.clone().acquire_many_owned(kibibytes(&request)).await;
        read(request, room.map_err(|_| Status::unavailable("draining: this node is stopping; ask another"))?)
    }

    async fn answer(&self, Batch { register, transactions, waits, _room }: Batch) -> Result<SubmitResponse, Status> {
        let not_checked = || Status::internal("what was handed in could not be checked");
        let is_little = transactions.iter().map(Bytes::len).sum::<usize>() <= FEW_BYTES;
        let reading = move || transactions.into_iter().map(|encoded| decode(register, encoded)).collect();
        let read = if is_little {
            reading()
        } else {
            tokio::task::spawn_blocking(reading).await.map_err(|_| not_checked())?
        };
        let refused = |id, refusal| (Some(id), refusal);
        let limits = self.node.limits();
        let checked = self.signatures.check(read, Clock::wall().0, &limits, refused).await.ok_or_else(not_checked)?;
        // All at once: they share messages and commits.
        let submitting = checked.into_iter().map(|checked| self.submit_one(register, checked, waits));
        Ok(SubmitResponse { results: join_all(submitting).await })
    }

    async fn submit_one(&self, register: RegisterId, checked: Checked, waits: bool) -> SubmitResult {
        let transaction = match checked {
            Ok(transaction) => transaction,
            Err((id, refusal)) => return self.refused(id, refusal.code().to_owned(), refusal.code()),
        };
        let id = transaction.id();
        if let Err(refused) = self.node.submit_checked(transaction).await {
            return self.refused(Some(id), refused.code().to_owned(), refused.code());
        }
        let accepted = result(Some(id), Outcome::Accepted);
        if !waits {
            return accepted;
        }
        match timeout(COMMIT_TIMEOUT, self.node.registers.settled(register, id)).await {
            Ok(Ok(Settled::Committed(place))) => {
                let committed = TransactionPlace { docket: place.number, position: place.position };
                SubmitResult { committed: Some(committed), ..result(Some(id), Outcome::Committed) }
            }
            Ok(Ok(Settled::Dead(reason))) => self.refused(Some(id), reason, "sealers_refuse"),
            // It stays accepted; what becomes of it is to be looked up.
            Ok(Err(_)) | Err(_) => accepted,
        }
    }

    fn refused(&self, id: Option<TransactionId>, reason: String, label: &'static str) -> SubmitResult {
        self.telemetry.transaction_refused(label);
        SubmitResult { reason, ..result(id, Outcome::Refused) }
    }
}

/// A transaction that was read and verified, or its id as far as it has one, and why it is refused.
type Checked = Result<Transaction, (Option<TransactionId>, Refusal)>;

fn decode(register: RegisterId, encoded: Bytes) -> Checked {
    let transaction = Transaction::decode(encoded).map_err(|refusal| (None, refusal))?;
    let (id, of) = (transaction.id(), transaction.body().register);
    if of == register { Ok(transaction) } else { Err((Some(id), Refusal::OtherRegister(of))) }
}

fn result(id: Option<TransactionId>, outcome: Outcome) -> SubmitResult {
    let transaction_id = id.map(|id| Bytes::copy_from_slice(id.as_bytes())).unwrap_or_default();
    SubmitResult { transaction_id, outcome: outcome.into(), ..SubmitResult::default() }
}

fn kibibytes(request: &SubmitRequest) -> u32 {
    let bytes: usize = request.transactions.iter().map(Bytes::len).sum();
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(MOST_KIBIBYTES).clamp(1, MOST_KIBIBYTES)
}

fn read(request: SubmitRequest, room: OwnedSemaphorePermit) -> Result<Batch, Status> {
    let register = register_id(&request.register_id)?;
    let waits = match SubmitAcknowledgement::try_from(request.acknowledgement) {
        Ok(SubmitAcknowledgement::Unspecified | SubmitAcknowledgement::Accepted) => false,
        Ok(SubmitAcknowledgement::Committed) => true,
        Err(_) => return Err(Status::invalid_argument("acknowledgement is ACCEPTED or COMMITTED")),
    };
    let transactions = request.transactions;
    if transactions.len() > MOST_TRANSACTIONS {
        return Err(Status::invalid_argument(format!("at most {MOST_TRANSACTIONS} transactions are taken at once")));
    }
    if transactions.iter().map(Bytes::len).sum::<usize>() > MAX_MESSAGE_BYTES {
        return Err(Status::invalid_argument(format!("at most {MAX_MESSAGE_BYTES} bytes are taken at once")));
    }
    Ok(Batch { register, transactions, waits, _room: room })
}

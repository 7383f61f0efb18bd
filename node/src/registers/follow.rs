//! Serving a register's dockets to whoever follows it.
//!
//! ```text
//! Begin{register, from} ─▶                                  NOT_FOUND at once
//!                          ◀─ first, held                   what there is; held again with each further docket
//! Headers, Bodies       ─▶ ◀─ their answers                 in the order of asking: a long range from several sources
//! Credit{bytes}         ─▶ ◀─ docket, docket, ...           as many as the credit allows, then each as it is certified
//! SkipTo{number}        ─▶                                  the ranges have come so far
//! ```
//!
//! The follower decides how much is on its way; a slow one costs the connection's window and nothing else, for every
//! docket is read from the store when it is sent. Who takes nothing for a minute is left. A sealer that nobody leads hears of
//! no further docket, and the others may: it sends those on who wait for one.

use super::{Budget, Followers, Heads, Hearing, Registers, Repairs, encoded};
use crate::{backoff::Backoff, transport::ConnectionInfo};
use bytes::Bytes;
use futures::Stream;
use peerwright_encoding::Writer;
use peerwright_ledger::{ConsistencyBuilder, RegisterId};
use peerwright_proto::v1::{
    BodiesRequest, BodiesResponse, CertifiedHeader, FollowBegin, FollowRequest, FollowResponse, HeadersRequest,
    HeadersResponse, HistoryRequest, HistoryResponse, follow_request::Kind,
};
use peerwright_store::{DocketStore, Seen, StoreError, StoredHeader};
use std::{pin::Pin, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::TaskTracker;
use tonic::{Status, Streaming};

/// The answer of a call to follow.
pub(crate) type Following = Pin<Box<dyn Stream<Item = Result<FollowResponse, Status>> + Send>>;

/// What a caller follows comes in this time.
const BEGIN_WITHIN: Duration = Duration::from_secs(10);
/// A caller takes what it has asked for in this time.
const TAKE_WITHIN: Duration = Duration::from_secs(60);
/// Who waits at a sealer that nobody leads stays for so long, or down to half as long, so that not all leave at one instant: it
/// may come from all others, and there may be no leader anywhere.
const STAYS: Duration = Duration::from_secs(10);
/// Messages that are read and wait for the connection. Full: nothing more is read.
const WAITING: usize = 4;
/// Read from the store at once.
const READ_BYTES: usize = 1024 * 1024;
const READ_DOCKETS: usize = 1_024;
/// Headers in one answer.
const READ_HEADERS: usize = 2_048;
/// More credit than this is worth no more.
const MOST_CREDIT: u64 = 64 * 1024 * 1024;

/// Answers calls to follow.
#[derive(Clone)]
pub(crate) struct Source {
    store: Arc<dyn DocketStore>,
    heads: Arc<Heads>,
    budget: Budget,
    repairs: Arc<Repairs>,
    followers: Arc<Followers>,
    tasks: TaskTracker,
}

/// A call that is answered.
struct Answer {
    store: Arc<dyn DocketStore>,
    budget: Budget,
    register: RegisterId,
    stays_until: Instant,
    sender: mpsc::Sender<Result<FollowResponse, Status>>,
    /// The next docket of the cursor stream.
    next: u64,
    /// Bytes of dockets that may be sent.
    credit: u64,
    /// How many dockets there are.
    held: u64,
}

/// Why an answer has ended.
enum End {
    /// The caller has left.
    Left,
    Failed(Status),
    Store(StoreError),
}

impl From<Status> for End {
    fn from(status: Status) -> Self {
        Self::Failed(status)
    }
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Source {
    /// Serves what a node holds; `tasks` own what serves each follower.
    pub(crate) fn of(registers: &Registers, tasks: TaskTracker) -> Self {
        Self {
            store: registers.store.clone(),
            heads: registers.heads.clone(),
            budget: registers.budget.clone(),
            repairs: registers.repairs.clone(),
            followers: registers.followers.clone(),
            tasks,
        }
    }

    /// Begins to serve, unless the caller may not hear of the register that it names: that is as if it were not held.
    pub(crate) async fn follow(
        self,
        mut requests: Streaming<FollowRequest>,
        caller: &ConnectionInfo,
        hearing: impl FnOnce(RegisterId) -> Option<Hearing>,
    ) -> Result<Following, Status> {
        let first = timeout(BEGIN_WITHIN, requests.message()).await;
        let first = first.map_err(|_| Status::deadline_exceeded("no FollowBegin in time"))??;
        let Some(FollowRequest { kind: Some(Kind::Begin(FollowBegin { register_id, from })) }) = first else {
            return Err(Status::invalid_argument("the first message of Follow is FollowBegin"));
        };
        let register = super::register_id(&register_id)?;
        let granted = hearing(register).filter(|hearing| self.heads.count(register) > 0 && hearing.is_granted());
        let hearing = granted.ok_or_else(not_held)?;
        let (sender, receiver) = mpsc::channel(WAITING);
        let expires = caller.member.as_ref().map_or(0, |member| member.not_after);
        let left = u64::try_from(expires).unwrap_or_default().saturating_sub(crate::tls::unix_now());
        let cut = caller.cut.clone();
        let Self { store, heads, budget, repairs, followers, tasks } = self;
        let stays_until = Instant::now() + Backoff::new(STAYS, STAYS).next();
        let answer =
            Answer { store, budget, register, stays_until, sender: sender.clone(), next: from, credit: 0, held: 0 };
        tasks.spawn(async move {
            tokio::select! {
                biased;
                () = cut.cancelled() => {}
                // Who wants to go on shows its new certificate.
                () = sleep(Duration::from_secs(left)) => {}
                () = sender.closed() => {}
                // Nothing new comes to a node that stops: who follows finds another.
                () = followers.ended() => drop(timeout(TAKE_WITHIN, sender.send(Err(stopping()))).await),
                () = hearing.ended() => drop(timeout(TAKE_WITHIN, sender.send(Err(not_held()))).await),
                end = answer.serve(&heads, &followers, requests) => {
                    let status = match end {
                        End::Left => return,
                        End::Failed(status) => status,
                        End::Store(error) => {
                            repairs.note(&error);
                            Status::unavailable(format!("{}: {error}", error.code()))
                        }
                    };
                    // Whoever followed may have left, or takes nothing.
                    drop(timeout(TAKE_WITHIN, sender.send(Err(status))).await);
                }
            }
        });
        Ok(Box::pin(ReceiverStream::new(receiver)))
    }
}

fn stopping() -> Status {
    Status::unavailable("draining: this node is stopping; follow another")
}

fn leaderless() -> Status {
    Status::failed_precondition("leaderless: nobody leads this sealer; follow another")
}

fn not_held() -> Status {
    Status::not_found("this node does not hold the register")
}

impl Answer {
    async fn serve(mut self, heads: &Heads, followers: &Followers, requests: Streaming<FollowRequest>) -> End {
        match self.serve_until(heads, followers, requests).await {
            Ok(()) => End::Left,
            Err(end) => end,
        }
    }

    async fn serve_until(
        &mut self,
        heads: &Heads,
        followers: &Followers,
        mut requests: Streaming<FollowRequest>,
    ) -> Result<(), End> {
        let mut heads = heads.watch(self.register);
        self.held = *heads.borrow_and_update();
        let first = self.store.held_dockets(self.register).await?.map_or(0, |held| held.first);
        self.send(FollowResponse { first, ..self.news() }).await?;
        loop {
            let may_send = self.credit > 0 && self.next < self.held;
            let is_waited_for = self.credit > 0 && self.next >= self.held;
            // Who holds what is not here has it from one that hears more than this node.
            let stays_until = if self.next > self.held { Instant::now() } else { self.stays_until };
            tokio::select! {
                biased;
                request = requests.message() => match request? {
                    Some(FollowRequest { kind: Some(kind) }) => self.take(kind).await?,
                    Some(_) => return Err(Status::invalid_argument("a message of Follow says nothing").into()),
                    None => return Ok(()),
                },
                // Its sender lives as long as the node.
                _ = heads.changed() => {
                    self.held = *heads.borrow_and_update();
                    self.send(self.news()).await?;
                }
                () = std::future::ready(()), if may_send => self.send_dockets().await?,
                () = followers.leaderless(stays_until), if is_waited_for => return Err(leaderless().into()),
            }
        }
    }

    async fn take(&mut self, kind: Kind) -> Result<(), End> {
        match kind {
            Kind::Begin(_) => return Err(Status::invalid_argument("FollowBegin is the first message alone").into()),
            Kind::Credit(more) => self.credit = self.credit.saturating_add(more.into()).min(MOST_CREDIT),
            Kind::SkipTo(next) => self.next = self.next.max(next),
            Kind::Headers(HeadersRequest { from, count }) => {
                let asked = usize::try_from(count).ok().filter(|count| (1..READ_HEADERS).contains(count));
                let count = asked.unwrap_or(READ_HEADERS);
                let headers = self.store.headers(self.register, from, Seen::Certified, count).await?;
                if headers.first().is_none_or(|first| first.number != from) {
                    self.refuse_trimmed(from).await?;
                }
                let dockets = headers.into_iter().map(certified).collect();
                self.send(FollowResponse { headers: Some(HeadersResponse { dockets }), ..self.news() }).await?;
            }
            Kind::History(HistoryRequest { earlier, later }) => {
                let history = self.history(earlier, later).await?;
                self.send(FollowResponse { history: Some(history), ..self.news() }).await?;
            }
            Kind::Bodies(BodiesRequest { from, count }) => {
                let count = usize::try_from(count).unwrap_or(usize::MAX).min(READ_DOCKETS);
                let dockets = self.store.dockets(self.register, from, Seen::Certified, count, READ_BYTES).await?;
                if dockets.is_empty() {
                    self.refuse_trimmed(from).await?;
                }
                let bodies = dockets.into_iter().map(|docket| docket.body).collect();
                self.send(FollowResponse { bodies: Some(BodiesResponse { bodies }), ..self.news() }).await?;
            }
        }
        Ok(())
    }

    /// Reads the hashes of the later dockets, page by page.
    async fn history(&self, earlier: u64, later: u64) -> Result<HistoryResponse, End> {
        let builder = ConsistencyBuilder::new(earlier, later).filter(|_| later <= self.held);
        let Some(mut builder) = builder else {
            return Err(Status::invalid_argument("a history ends at a docket that is held").into());
        };
        while builder.size() < later {
            let from = builder.size();
            let headers = self.store.headers(self.register, from, Seen::Certified, READ_HEADERS).await?;
            if headers.first().is_none_or(|first| first.number != from) {
                self.refuse_trimmed(from).await?;
                return Err(Status::unavailable("a docket that is certified cannot be read").into());
            }
            let pushing = move || {
                headers.iter().for_each(|header| builder.push(header.hash.leaf()));
                builder
            };
            let ending = || Status::unavailable("the node is ending");
            builder = self.budget.compute(pushing).await.ok_or_else(ending)?;
        }
        let incomplete = || Status::internal("leaves lack");
        let (history, proof) = builder.finish().ok_or_else(incomplete)?;
        let (mut tree, mut path) = (Writer::new(), Writer::new());
        history.write(&mut tree);
        proof.write(&mut path);
        Ok(HistoryResponse { history: tree.finish().into(), proof: path.finish().into() })
    }

    /// Sends certified dockets, as many as are read at once and the credit allows: at least one if there is one.
    async fn send_dockets(&mut self) -> Result<(), End> {
        let bytes = usize::try_from(self.credit).unwrap_or(usize::MAX).min(READ_BYTES);
        let dockets = self.store.dockets(self.register, self.next, Seen::Certified, READ_DOCKETS, bytes).await?;
        if dockets.is_empty() {
            self.refuse_trimmed(self.next).await?;
            return Err(Status::unavailable("a docket that is certified cannot be read").into());
        }
        for docket in dockets.iter().map(encoded) {
            self.credit = self.credit.saturating_sub(docket.len() as u64);
            self.next += 1;
            self.send(FollowResponse { docket, ..self.news() }).await?;
        }
        Ok(())
    }

    /// Says where this node's dockets begin, if that is above the one asked for.
    async fn refuse_trimmed(&self, from: u64) -> Result<(), End> {
        match self.store.held_dockets(self.register).await? {
            Some(held) if held.first > from => {
                let message = format!("trimmed: this node holds the register from {}", held.first);
                Err(Status::out_of_range(message).into())
            }
            Some(_) => Ok(()),
            None => Err(Status::not_found("this node does not hold the register any more").into()),
        }
    }

    fn news(&self) -> FollowResponse {
        FollowResponse { docket: Bytes::new(), held: self.held, first: 0, headers: None, bodies: None, history: None }
    }

    async fn send(&self, response: FollowResponse) -> Result<(), End> {
        match timeout(TAKE_WITHIN, self.sender.send(Ok(response))).await {
            Ok(sent) => sent.map_err(|_| End::Left),
            Err(_) => Err(Status::aborted("slow: nothing was taken for a minute").into()),
        }
    }
}

fn certified(stored: StoredHeader) -> CertifiedHeader {
    CertifiedHeader { header: stored.header, certificate: stored.certificate.unwrap_or_default() }
}

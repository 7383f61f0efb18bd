//! Serving a register's dockets to whoever follows it.
//!
//! ```text
//! Begin{register, from} ─▶                                  OUT_OF_RANGE, NOT_FOUND at once
//! Credit{bytes} ─▶         ◀─ docket, docket, ...           as many as the credit allows, then each as it is certified
//! ```
//!
//! The follower decides how much is on its way; a slow one costs the connection's window and nothing else, for every
//! docket is read from the store when it is sent.

use super::{Heads, Registers, encoded};
use crate::transport::ConnectionInfo;
use bytes::Bytes;
use futures::Stream;
use peerwright_ledger::RegisterId;
use peerwright_proto::v1::{FollowBegin, FollowRequest, FollowResponse, follow_request::Kind};
use peerwright_store::{DocketStore, Seen, StoreError};
use std::{pin::Pin, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::TaskTracker;
use tonic::{Status, Streaming};

/// The answer of a call to follow.
pub(crate) type Following = Pin<Box<dyn Stream<Item = Result<FollowResponse, Status>> + Send>>;

/// What a caller follows comes in this time.
const BEGIN_WITHIN: Duration = Duration::from_secs(10);
/// Dockets that are read and wait for the connection. Full: nothing more is read.
const WAITING: usize = 4;
/// Read from the store at once.
const READ_BYTES: usize = 1024 * 1024;
const READ_DOCKETS: usize = 1_024;
/// More credit than this is worth no more.
const MOST_CREDIT: u64 = 64 * 1024 * 1024;

/// Answers calls to follow.
#[derive(Clone)]
pub(crate) struct Source {
    store: Arc<dyn DocketStore>,
    heads: Arc<Heads>,
    tasks: TaskTracker,
}

impl Source {
    /// Serves what a node holds; `tasks` own what serves each follower.
    pub(crate) fn of(registers: &Registers, tasks: TaskTracker) -> Self {
        Self { store: registers.store.clone(), heads: registers.heads.clone(), tasks }
    }

    /// Begins to serve.
    pub(crate) async fn follow(
        self,
        mut requests: Streaming<FollowRequest>,
        caller: &ConnectionInfo,
    ) -> Result<Following, Status> {
        let first = timeout(BEGIN_WITHIN, requests.message()).await;
        let first = first.map_err(|_| Status::deadline_exceeded("no FollowBegin in time"))??;
        let Some(FollowRequest { kind: Some(Kind::Begin(FollowBegin { register_id, from })) }) = first else {
            return Err(Status::invalid_argument("the first message of Follow is FollowBegin"));
        };
        let register = super::register_id(&register_id)?;
        if self.heads.count(register) == 0 {
            return Err(Status::not_found("this node does not hold the register"));
        }
        let (sender, receiver) = mpsc::channel(WAITING);
        let expires = caller.member.as_ref().map_or(0, |member| member.not_after);
        let left = u64::try_from(expires).unwrap_or_default().saturating_sub(crate::tls::unix_now());
        let cut = caller.cut.clone();
        let tasks = self.tasks.clone();
        tasks.spawn(async move {
            tokio::select! {
                biased;
                () = cut.cancelled() => {}
                // Who wants to go on shows its new certificate.
                () = sleep(Duration::from_secs(left)) => {}
                () = sender.closed() => {}
                ended = self.serve(register, from, requests, &sender) => {
                    if let Err(status) = ended {
                        // Whoever followed may have left.
                        drop(sender.send(Err(status)).await);
                    }
                }
            }
        });
        Ok(Box::pin(ReceiverStream::new(receiver)))
    }

    async fn serve(
        &self,
        register: RegisterId,
        from: u64,
        mut requests: Streaming<FollowRequest>,
        sender: &mpsc::Sender<Result<FollowResponse, Status>>,
    ) -> Result<(), Status> {
        let mut heads = self.heads.watch(register);
        let (mut next, mut credit, mut told) = (from, 0u64, None);
        loop {
            let held = *heads.borrow_and_update();
            if told != Some(held) {
                told = Some(held);
                if sender.send(Ok(FollowResponse { docket: Bytes::new(), held })).await.is_err() {
                    return Ok(());
                }
            }
            let bytes = usize::try_from(credit).unwrap_or(usize::MAX).min(READ_BYTES);
            let dockets =
                if bytes == 0 || next >= held { Vec::new() } else { self.read(register, next, bytes).await? };
            if dockets.is_empty() {
                tokio::select! {
                    biased;
                    request = requests.message() => match request? {
                        Some(FollowRequest { kind: Some(Kind::Credit(more)) }) => {
                            credit = credit.saturating_add(more.into()).min(MOST_CREDIT);
                        }
                        Some(_) => return Err(Status::invalid_argument("only credit follows FollowBegin")),
                        None => return Ok(()),
                    },
                    // Its sender lives as long as the node.
                    _ = heads.changed() => {}
                }
                continue;
            }
            for docket in dockets {
                credit = credit.saturating_sub(docket.len() as u64);
                next += 1;
                if sender.send(Ok(FollowResponse { docket, held })).await.is_err() {
                    return Ok(());
                }
            }
        }
    }

    /// Certified dockets from `next` on, encoded: at least one if there is one.
    async fn read(&self, register: RegisterId, next: u64, bytes: usize) -> Result<Vec<Bytes>, Status> {
        let unavailable = |error: StoreError| Status::unavailable(format!("{}: {error}", error.code()));
        let stored =
            self.store.dockets(register, next, Seen::Certified, READ_DOCKETS, bytes).await.map_err(unavailable)?;
        if stored.is_empty() {
            let held = self.store.held_dockets(register).await.map_err(unavailable)?;
            if let Some(held) = held.filter(|held| held.first > next) {
                return Err(Status::out_of_range(format!("trimmed: this node holds the register from {}", held.first)));
            }
        }
        Ok(stored.iter().map(encoded).collect())
    }
}

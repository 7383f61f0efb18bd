//! The library's requests over our transport.
//!
//! The library gives an append as long as a heartbeat, then asks again. Long entries and slow disks take longer than
//! that: an append goes on in the background, and asking for the same again waits for the one under way.

use super::{LogId, SealerId, Types, Vote};
use crate::{
    transport::{Transport, TransportError},
    wire::{Answer, Request},
};
use bytes::Bytes;
use openraft::{
    OptionalSend, RPCTypes, Snapshot,
    error::{Fatal, RPCError, RaftError, ReplicationClosed, StreamingError, Timeout, Unreachable},
    network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory},
    raft::{AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse},
};
use peerwright_encoding::DecodeError;
use std::{future::Future, sync::Arc, time::Duration};
use thiserror::Error;
use tokio_util::task::AbortOnDropHandle;

/// How long an append goes on in the background.
const APPEND_PATIENCE: Duration = Duration::from_secs(30);
/// Pause before a sealer that could not be reached is tried again.
const UNREACHABLE_PAUSE: Duration = Duration::from_millis(100);

type CallFailed = RPCError<SealerId, openraft::EmptyNode, RaftError<SealerId>>;
type Call = AbortOnDropHandle<Result<Bytes, TransportError>>;

/// Makes one [`Link`] for each other sealer and purpose.
pub(crate) struct Network {
    pub(crate) me: SealerId,
    pub(crate) transport: Arc<dyn Transport>,
}

/// The way to one sealer.
pub(crate) struct Link {
    me: SealerId,
    to: SealerId,
    transport: Arc<dyn Transport>,
    append: Option<(Range, Call)>,
}

/// Which entries an append carries, by whose vote.
type Range = (Vote, Option<LogId>, Option<LogId>);

/// The other sealer did not do what it was asked.
#[derive(Debug, Error)]
enum Failed {
    #[error("the sealer cannot be reached: {0}")]
    Transport(#[from] TransportError),
    #[error("the sealer's answer cannot be read: {0}")]
    Unreadable(#[from] DecodeError),
    #[error("the sealer has refused: {0}")]
    Refused(String),
    #[error("the sealer has answered something else")]
    OtherAnswer,
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Link;

    async fn new_client(&mut self, to: SealerId, _: &openraft::EmptyNode) -> Link {
        Link { me: self.me, to, transport: Arc::clone(&self.transport), append: None }
    }
}

impl Link {
    async fn call(&self, request: &Request, patience: Duration) -> Result<Answer, Failed> {
        read(self.transport.call(self.to.key(), request.encode(), patience).await)
    }

    fn failed(&self, action: RPCTypes, patience: Duration, failed: &Failed) -> CallFailed {
        match failed {
            Failed::Transport(TransportError::Timeout) => {
                Timeout { action, id: self.me, target: self.to, timeout: patience }.into()
            }
            _ => Unreachable::new(failed).into(),
        }
    }

    /// Goes on with the append of these entries that is under way, or begins one.
    async fn append(&mut self, request: AppendEntriesRequest<Types>) -> Result<Answer, Failed> {
        let last = request.entries.last().map(|entry| entry.log_id);
        let range = (request.vote, request.prev_log_id, last);
        if last.is_none() {
            return self.call(&Request::Append(request), APPEND_PATIENCE).await;
        }
        let call = match self.append.take() {
            Some((under_way, call)) if under_way == range => call,
            _ => {
                let call = self.transport.call(self.to.key(), Request::Append(request).encode(), APPEND_PATIENCE);
                AbortOnDropHandle::new(tokio::spawn(call))
            }
        };
        let (_, call) = self.append.insert((range, call));
        let answer = call.await;
        self.append = None;
        read(answer.unwrap_or(Err(TransportError::Unreachable("the call was given up".to_owned()))))
    }
}

fn read(answer: Result<Bytes, TransportError>) -> Result<Answer, Failed> {
    match Answer::decode(&answer?)? {
        Answer::Refused(code) => Err(Failed::Refused(code)),
        answer => Ok(answer),
    }
}

impl RaftNetwork<Types> for Link {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<SealerId>, CallFailed> {
        let failed = match self.append(request).await {
            Ok(Answer::Append(answer)) => return Ok(answer),
            Ok(_) => Failed::OtherAnswer,
            Err(failed) => failed,
        };
        Err(self.failed(RPCTypes::AppendEntries, option.hard_ttl(), &failed))
    }

    async fn vote(
        &mut self,
        request: VoteRequest<SealerId>,
        option: RPCOption,
    ) -> Result<VoteResponse<SealerId>, CallFailed> {
        let patience = option.hard_ttl();
        let failed = match self.call(&Request::Vote(request), patience).await {
            Ok(Answer::Vote(answer)) => return Ok(answer),
            Ok(_) => Failed::OtherAnswer,
            Err(failed) => failed,
        };
        Err(self.failed(RPCTypes::Vote, patience, &failed))
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot<Types>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<SealerId>, StreamingError<Types, Fatal<SealerId>>> {
        let Snapshot { meta, snapshot } = snapshot;
        let request = Request::Snapshot { vote, meta, heads: *snapshot };
        let answer = tokio::select! {
            biased;
            closed = cancel => return Err(closed.into()),
            answer = self.call(&request, option.hard_ttl()) => answer,
        };
        let failed = match answer {
            Ok(Answer::Snapshot(vote)) => return Ok(SnapshotResponse::new(vote)),
            Ok(_) => Failed::OtherAnswer,
            Err(failed) => failed,
        };
        Err(Unreachable::new(&failed).into())
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(UNREACHABLE_PAUSE))
    }
}

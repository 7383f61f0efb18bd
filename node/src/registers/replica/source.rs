//! One source's stream: what is asked of it, what it sends.

use super::Ended;
use crate::{link::MemberConnection, registers::sources::Sources, transport::MAX_FRAMED_BYTES};
use bytes::Bytes;
use futures::FutureExt;
use peerwright_ledger::{CertifiedHeader, CommitCertificate, DocketHeader, RegisterId};
use peerwright_proto::v1::{
    self, BodiesRequest, FollowBegin, FollowRequest, FollowResponse, HeadersRequest, follow_request::Kind,
    registers_client::RegistersClient,
};
use peerwright_secure::PeerId;
use std::{collections::VecDeque, ops::Range, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;

/// Questions and credits that wait for the connection. Full: the next waits.
const ASKS: usize = 16;
/// A source answers in this time.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Bodies come in this time: the longest docket, over a link of two megabits a second.
pub(super) const BODIES_WITHIN: Duration = Duration::from_secs(60);

/// A call to follow, from its first answer on.
pub(super) struct SourceStream {
    pub(super) peer: PeerId,
    /// The dockets that it holds, as it said last.
    pub(super) holds: Range<u64>,
    /// Takes questions and credits.
    pub(super) asks: mpsc::Sender<FollowRequest>,
    connection: Arc<MemberConnection>,
    incoming: Streaming<FollowResponse>,
    /// Ends when the dockets are to come from another hub.
    reign: CancellationToken,
}

impl SourceStream {
    /// Begins to follow, without credit: nothing but news comes until something is asked for.
    pub(super) async fn open(sources: &Sources, register: RegisterId, peer: PeerId, from: u64) -> Result<Self, Ended> {
        let reign = sources.hubs.reign_of(peer);
        tokio::select! {
            biased;
            () = reign.cancelled() => Err(Ended::Turned),
            opened = Self::begin(sources, register, peer, from, reign.clone()) => opened,
        }
    }

    async fn begin(
        sources: &Sources,
        register: RegisterId,
        peer: PeerId,
        from: u64,
        reign: CancellationToken,
    ) -> Result<Self, Ended> {
        let connection = sources.reach(peer).await?;
        if !sources.may_ask(register, connection.member()).await {
            return Err(Ended::NotHeld);
        }
        let (channel, origin) = connection.channel();
        let mut client = RegistersClient::with_origin(channel, origin).max_decoding_message_size(MAX_FRAMED_BYTES);
        let (asks, receiver) = mpsc::channel(ASKS);
        let begin = FollowBegin { register_id: Bytes::copy_from_slice(register.as_bytes()), from };
        // There is room, and the receiver is below.
        drop(asks.send(FollowRequest { kind: Some(Kind::Begin(begin)) }).await);
        let answer = timeout(ANSWER_WITHIN, client.follow(ReceiverStream::new(receiver))).await;
        let incoming = answer.map_err(|_| Ended::Silent)??.into_inner();
        let mut stream = Self { peer, holds: 0..0, asks, connection, incoming, reign };
        let first = timeout(ANSWER_WITHIN, stream.next()).await.map_err(|_| Ended::Silent)??;
        stream.holds.start = first.first;
        Ok(stream)
    }

    /// The next message.
    pub(super) async fn next(&mut self) -> Result<FollowResponse, Ended> {
        let message = tokio::select! {
            biased;
            () = self.reign.cancelled() => return Err(Ended::Turned),
            () = self.connection.ended() => return Err(Ended::HungUp),
            message = self.incoming.message() => message?.ok_or(Ended::HungUp)?,
        };
        self.connection.note_heard();
        self.holds.end = message.held;
        Ok(message)
    }

    /// The next message, if it is there already.
    pub(super) fn waiting(&mut self) -> Option<Result<FollowResponse, Ended>> {
        let message = self.incoming.message().now_or_never()?;
        let message = message.map_err(Ended::from).and_then(|message| message.ok_or(Ended::HungUp));
        if let Ok(message) = &message {
            self.connection.note_heard();
            self.holds.end = message.held;
        }
        Some(message)
    }

    pub(super) async fn ask(&self, kind: Kind) -> Result<(), Ended> {
        self.asks.send(FollowRequest { kind: Some(kind) }).await.map_err(|_| Ended::HungUp)
    }

    /// Asks for headers from a number on: at most `count`, 0 for as many as one answer holds. Gives at least one.
    pub(super) async fn headers(&mut self, from: u64, count: u32) -> Result<VecDeque<CertifiedHeader>, Ended> {
        self.ask(Kind::Headers(HeadersRequest { from, count })).await?;
        let answering = async {
            loop {
                if let Some(headers) = self.next().await?.headers {
                    break headers.dockets.into_iter().map(certified).collect::<Result<VecDeque<_>, Ended>>();
                }
            }
        };
        let headers = timeout(ANSWER_WITHIN, answering).await.map_err(|_| Ended::Silent)??;
        if headers.is_empty() { Err(Ended::Short) } else { Ok(headers) }
    }

    /// Asks for bodies; [`SourceStream::bodies`] gives the answer.
    pub(super) async fn ask_bodies(&self, from: u64, count: u32) -> Result<(), Ended> {
        self.ask(Kind::Bodies(BodiesRequest { from, count })).await
    }

    /// The bodies that were asked for next.
    pub(super) async fn bodies(&mut self) -> Result<Vec<Bytes>, Ended> {
        loop {
            if let Some(bodies) = self.next().await?.bodies {
                return Ok(bodies.bodies);
            }
        }
    }
}

fn certified(travelled: v1::CertifiedHeader) -> Result<CertifiedHeader, Ended> {
    let v1::CertifiedHeader { header, certificate } = travelled;
    let read = DocketHeader::decode(&header).and_then(|header| {
        let certificate = CommitCertificate::decode(&certificate)?;
        Ok(CertifiedHeader { header, certificate })
    });
    read.map_err(|error| Ended::Malformed(error, header))
}

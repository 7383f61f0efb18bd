//! A caller of gRPC: a member without a node, one connection, one stream of requests.

use super::network::Network;
use anyhow::{Result, ensure};
use bytes::Bytes;
use futures::{SinkExt as _, channel::mpsc};
use peerwright_ledger::RegisterId;
use peerwright_node::transport::{Dialled, HttpConnection};
use peerwright_proto::v1::{SubmitRequest, SubmitResponse, registers_client::RegistersClient, submit_result::Outcome};
use std::net::SocketAddr;
use tonic::Streaming;

/// Requests that a caller has under way: as many as a node takes of one stream.
pub(super) const UNDER_WAY: usize = 16;

/// An open stream.
pub(super) struct StreamClient {
    register: RegisterId,
    requests: mpsc::Sender<SubmitRequest>,
    answers: Streaming<SubmitResponse>,
    /// The connection ends with it.
    _client: RegistersClient<HttpConnection>,
}

impl StreamClient {
    /// Begins a stream at a node's port 5000.
    pub(super) async fn connect(
        network: &Network,
        number: usize,
        address: SocketAddr,
        register: RegisterId,
    ) -> Result<Self> {
        let Dialled { connection, .. } = network.dial(number, address).await?;
        let mut client = RegistersClient::<HttpConnection>::with_origin(connection, "https://localhost/".parse()?);
        let (requests, receiver) = mpsc::channel(UNDER_WAY);
        let answers = client.submit_stream(receiver).await?.into_inner();
        Ok(Self { register, requests, answers, _client: client })
    }

    /// Sends one transaction.
    pub(super) async fn send(&mut self, transaction: Bytes) -> Result<()> {
        let register_id = Bytes::copy_from_slice(self.register.as_bytes());
        let request = SubmitRequest { register_id, transactions: vec![transaction], acknowledgement: 0 };
        Ok(self.requests.send(request).await?)
    }

    /// Whether the first transaction that was not answered yet was taken.
    pub(super) async fn is_taken(&mut self) -> Result<bool> {
        let results = self.answers.message().await?.map(|response| response.results).unwrap_or_default();
        ensure!(results.len() == 1, "{} results for one transaction", results.len());
        Ok(results.iter().all(|result| result.outcome() == Outcome::Accepted))
    }
}

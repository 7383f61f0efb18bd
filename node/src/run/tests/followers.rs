//! What those who follow a node get of it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{
    replication::watched,
    strangers::{dial, origin},
};
use crate::{
    RunningNode,
    dev::Authority,
    testing::{authority, sealed::SealedRegister, start_on},
    transport::HttpConnection,
};
use peerwright_ledger::Docket;
use peerwright_proto::v1::{
    FollowBegin, FollowRequest, FollowResponse, follow_request::Kind, registers_client::RegistersClient,
};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming};

/// Room for all dockets of a test.
const ENOUGH: u32 = 1 << 20;

/// A member that follows from docket 0 on.
struct Follower {
    asks: mpsc::Sender<FollowRequest>,
    messages: Streaming<FollowResponse>,
}

impl Follower {
    async fn begin(client: &mut RegistersClient<HttpConnection>, sealed: &SealedRegister) -> Self {
        let (asks, asked) = mpsc::channel(4);
        let begin = FollowBegin { register_id: sealed.register().as_bytes().to_vec().into(), from: 0 };
        asks.send(FollowRequest { kind: Some(Kind::Begin(begin)) }).await.unwrap();
        let messages = client.follow(ReceiverStream::new(asked)).await.unwrap().into_inner();
        Self { asks, messages }
    }

    async fn credit(&self) {
        self.asks.send(FollowRequest { kind: Some(Kind::Credit(ENOUGH)) }).await.unwrap();
    }

    /// The numbers of the next so many dockets.
    async fn next(&mut self, count: usize) -> Vec<u64> {
        let mut numbers = Vec::new();
        while numbers.len() < count {
            let message = self.messages.message().await.unwrap().unwrap();
            if !message.docket.is_empty() {
                numbers.push(Docket::decode(message.docket).unwrap().header.number);
            }
        }
        numbers
    }
}

async fn client(authority: &Authority, node: &RunningNode) -> RegistersClient<HttpConnection> {
    RegistersClient::with_origin(dial(node, authority, "demo-peer-9").await.unwrap().connection, origin())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_serves_from_its_start_on_what_its_store_holds() {
    let authority = authority();
    let sealed = SealedRegister::of(3, 1);
    let (store, backing) = watched();
    sealed.fill(&*store).await;

    let nodes = start_on(&authority, vec![backing]).await;

    let mut client = client(&authority, &nodes[0]).await;
    let mut follower = Follower::begin(&mut client, &sealed).await;
    follower.credit().await;
    assert_eq!(follower.next(4).await, [0, 1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_ends_sends_those_who_follow_to_others_and_does_not_wait_for_them() {
    let authority = authority();
    let sealed = SealedRegister::of(3, 1);
    let (store, backing) = watched();
    sealed.fill(&*store).await;
    let node = start_on(&authority, vec![backing]).await.remove(0);
    let mut client = client(&authority, &node).await;
    let mut follower = Follower::begin(&mut client, &sealed).await;
    follower.credit().await;
    assert_eq!(follower.next(4).await, [0, 1, 2, 3]);

    let (limit, began) = (Duration::from_secs(60), Instant::now());
    let following = async {
        loop {
            if let Err(ended) = follower.messages.message().await.transpose().unwrap() {
                break ended;
            }
        }
    };
    let ((), ended) = tokio::join!(node.drain(limit), following);
    assert_eq!(ended.code(), Code::Unavailable);
    assert!(began.elapsed() < limit / 2, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_who_follow_get_each_docket_once_and_in_order_and_who_is_slow_holds_up_nobody() {
    let authority = authority();
    let mut sealed = SealedRegister::of(3, 1);
    let (store, backing) = watched();
    sealed.fill(&*store).await;
    let nodes = start_on(&authority, vec![backing]).await;
    let mut client = client(&authority, &nodes[0]).await;
    // One and the same member may follow more than once.
    let mut eager = Follower::begin(&mut client, &sealed).await;
    let mut slow = Follower::begin(&mut client, &sealed).await;

    eager.credit().await;
    assert_eq!(eager.next(4).await, [0, 1, 2, 3]);
    for number in 4..8 {
        sealed.seal(1);
        sealed.fill(&*store).await;
        nodes[0].handle().registers.advance(sealed.register(), sealed.count());
        assert_eq!(eager.next(1).await, [number]);
    }

    slow.credit().await;
    assert_eq!(slow.next(8).await, [0, 1, 2, 3, 4, 5, 6, 7]);
}

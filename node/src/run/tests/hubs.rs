//! Nodes that take their dockets from hubs: one at a time, and from the next when it is lost.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{
    replication::watched,
    strangers::{dial, origin},
};
use crate::{
    NodeHandle, RunningNode,
    api::stale_since,
    dev::Authority,
    registers::HubState,
    testing::{
        authority, bind_nodes, configuration, eventually, options, sealed::SealedRegister, start_bound_on, start_node,
        tampered::Tampered,
    },
    transport::HttpConnection,
};
use peerwright_ledger::{RegisterId, TransactionId};
use peerwright_proto::v1::{
    FollowBegin, FollowRequest, GetTransactionRequest, TailRequest, follow_request::Kind,
    registers_client::RegistersClient,
};
use peerwright_secure::PeerId;
use peerwright_snapshot::{Content, SettingId, Subscription, Topology};
use peerwright_store::Seen;
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::Path,
    sync::{Arc, atomic::Ordering},
    thread,
};
use tokio::{
    runtime::Builder,
    sync::{mpsc, oneshot},
    time::Instant,
};
use tonic::metadata::MetadataMap;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

/// Keepalives that no busy machine misses.
const PATIENT: u64 = 10_000;
/// As often as may be.
const OFTEN: u64 = 200;
/// As a network has them that says nothing.
const DEFAULT: u64 = 1_000;

/// The sealer of the network is nowhere: dockets come from the hubs.
const SEALER: PeerId = PeerId::from_bytes([9; 32]);

/// A node in a thread of its own, where it can be stopped as SIGSTOP stops a process: its sockets stay open, and nothing
/// answers.
struct Apart {
    handle: Arc<NodeHandle>,
    address: SocketAddr,
    store: Arc<Tampered>,
    /// Stops it, and lets it go on.
    turns: mpsc::Sender<()>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Apart {
    async fn start(authority: &Arc<Authority>, name: &str) -> Self {
        let (store, backing) = watched();
        let (told, started) = oneshot::channel();
        let (turns, mut turned) = mpsc::channel(1);
        let (configuration, options) = (configuration(name, Path::new("/nowhere")), options(authority, backing));
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            let node = runtime.block_on(Box::pin(start_node(&configuration, &options)));
            drop(told.send((node.handle().clone(), node.peer_address())));
            // It runs until it is told to stop, and again once it is told to go on.
            while runtime.block_on(turned.recv()).is_some() {
                if turned.blocking_recv().is_none() {
                    break;
                }
            }
            drop((runtime.enter(), node));
            runtime.shutdown_background();
        });
        let (handle, address) = started.await.unwrap();
        Self { handle, address, store, turns, thread: Some(thread) }
    }

    fn peer(&self) -> PeerId {
        self.handle.identity.peer_id
    }

    async fn stop(&self) {
        self.turns.send(()).await.unwrap();
    }

    async fn go_on(&self) {
        self.turns.send(()).await.unwrap();
    }

    /// It holds so much of the register.
    async fn fill(&self, sealed: &SealedRegister) {
        sealed.fill(&*self.store).await;
        self.handle.registers.advance(sealed.register(), sealed.count());
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // Its thread ends when nobody can turn it any more.
        let (closed, _) = mpsc::channel(1);
        drop(std::mem::replace(&mut self.turns, closed));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Hubs in this order, and a node that takes dockets from them. All follow the register.
struct Story {
    authority: Arc<Authority>,
    hubs: Vec<Apart>,
    node: RunningNode,
    /// What the node has stored.
    store: Arc<Tampered>,
    sealed: SealedRegister,
}

impl Story {
    /// With keepalives so far apart.
    async fn of(hubs: usize, keepalive_milliseconds: u64) -> Self {
        let authority = authority();
        let sealed = SealedRegister::of(20, 1);
        let mut apart = Vec::new();
        for number in 0..hubs {
            let hub = Apart::start(&authority, &format!("demo-hub-{number}")).await;
            sealed.fill(&*hub.store).await;
            apart.push(hub);
        }
        let seeds = apart.iter().map(|hub| hub.address.into()).collect();
        let (store, backing) = watched();
        let node = start_bound_on(&authority, bind_nodes(1).await, seeds, vec![backing]).await.remove(0);
        let story = Self { authority, hubs: apart, node, store, sealed };
        for hub in &story.hubs {
            hub.handle.registers.recall().await.unwrap();
            eventually("each hub says that it serves", async || story.serves(hub).await == Some(true)).await;
        }
        story.publish(keepalive_milliseconds);
        story
    }

    async fn serves(&self, hub: &Apart) -> Option<bool> {
        let connection = self.node.handle().creator.callers.reach(hub.peer()).await.ok()?;
        let (channel, origin) = connection.channel();
        let question = HealthCheckRequest { service: String::new() };
        let answer = HealthClient::with_origin(channel, origin).check(question).await.ok()?;
        Some(answer.get_ref().status() == ServingStatus::Serving)
    }

    fn publish(&self, keepalive_milliseconds: u64) {
        let ranked: Vec<PeerId> = self.hubs.iter().map(Apart::peer).collect();
        self.change(|content| {
            content.settings.set(SettingId::HubKeepalive, keepalive_milliseconds);
            content.sealers = BTreeSet::from([SEALER]);
            content.topology = Topology::Hub;
            content.hubs = ranked;
            content.subscriptions.insert(*self.sealed.register().as_bytes(), Subscription::default());
        });
    }

    /// Puts a change of the snapshot in force on everybody.
    fn change(&self, change: impl FnOnce(&mut Content)) {
        let snapshot = self.authority.publish(change).unwrap();
        for membership in self.hubs.iter().map(|hub| &hub.handle.membership).chain([&self.node.handle().membership]) {
            membership.adopt_snapshot(&snapshot).unwrap();
        }
    }

    fn state_of(&self, hub: usize) -> Option<HubState> {
        self.node.handle().registers.hubs().state_of(self.hubs[hub].peer())
    }

    async fn becomes(&self, hub: usize, state: HubState) {
        let what = format!("hub {hub} is {}", state.label());
        eventually(&what, async || self.state_of(hub) == Some(state)).await;
    }

    async fn holds_all(&self) {
        let heads = &self.node.handle().registers.heads;
        eventually("the node holds all", async || heads.count(self.sealed.register()) == self.sealed.count()).await;
    }

    /// What the node has counted.
    fn counted(&self, metric: &str) -> u64 {
        let metrics = self.node.telemetry().encode();
        let value = |line: &str| line.strip_prefix(metric)?.trim().parse().ok();
        metrics.lines().find_map(value).unwrap_or(0)
    }

    /// Another docket, which this hub alone has.
    async fn seal_at(&mut self, hub: usize) {
        self.sealed.seal(1);
        self.hubs[hub].fill(&self.sealed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dockets_come_from_the_first_hub_alone_while_another_stands_by() {
    let mut story = Box::pin(Story::of(3, PATIENT)).await;
    story.holds_all().await;
    story.becomes(0, HubState::Active).await;
    // Whichever of them answered first stands by.
    let others = || [story.state_of(1), story.state_of(2)];
    let [standby, idle] = [Some(HubState::Standby), Some(HubState::Idle)];
    eventually("one stands by and nothing is asked of the last", async || {
        others() == [standby, idle] || others() == [idle, standby]
    })
    .await;

    let served: Vec<usize> = story.hubs.iter().map(|hub| hub.store.served.load(Ordering::Relaxed)).collect();
    story.seal_at(0).await;
    story.holds_all().await;
    let source = story.node.handle().registers.progress(story.sealed.register()).unwrap().source;
    assert_eq!(source, Some(story.hubs[0].peer()));
    assert!(story.hubs[0].store.served.load(Ordering::Relaxed) > served[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_whose_process_is_gone_is_replaced_at_once_by_the_one_that_stands_by() {
    let mut story = Box::pin(Story::of(2, PATIENT)).await;
    story.holds_all().await;
    story.becomes(1, HubState::Standby).await;

    let gone = Instant::now();
    drop(story.hubs.remove(0));
    story.seal_at(0).await;
    story.holds_all().await;
    println!("from the end of the old hub to a docket of the new: {:?}", gone.elapsed());

    story.becomes(0, HubState::Active).await;
    assert!(story.node.telemetry().encode().contains("peerwright_hubs_left_total{reason=\"hung_up\"} 1"));
    let all: Vec<u64> = (0..story.sealed.count()).collect();
    assert_eq!(story.store.written(), all, "the new hub is asked behind the last docket of the old one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_falls_silent_is_replaced_after_two_missed_keepalives_and_does_not_come_back() {
    let mut story = Box::pin(Story::of(2, DEFAULT)).await;
    story.holds_all().await;
    eventually("a hub stands by", async || story.node.handle().registers.hubs().standby.is_some()).await;
    // A busy machine may have made it go to the other already.
    let (old, new) = if story.state_of(0) == Some(HubState::Active) { (0, 1) } else { (1, 0) };
    // Its last word before it stops is a docket.
    story.seal_at(old).await;
    story.holds_all().await;

    let handed_on = || story.hubs[new].handle.registers.heads.count(story.sealed.register());
    eventually("the other hub has it from the old one", async || handed_on() == story.sealed.count()).await;

    let silent = Instant::now();
    story.hubs[old].stop().await;
    story.seal_at(new).await;
    story.holds_all().await;
    println!("from the last word of the old hub to a docket of the new: {:?}", silent.elapsed());
    story.becomes(new, HubState::Active).await;
    assert!(story.node.telemetry().encode().contains("peerwright_hubs_left_total{reason=\"silent\"}"));

    story.hubs[old].go_on().await;
    story.becomes(old, HubState::Standby).await;
}

/// What the metadata of answers say to a member that reads and follows a register.
async fn told(
    client: &mut RegistersClient<HttpConnection>,
    register: RegisterId,
    id: TransactionId,
) -> [Vec<String>; 3] {
    let (register_id, transaction_id) = (register.as_bytes().to_vec().into(), id.as_bytes().to_vec().into());
    let one = GetTransactionRequest { register_id, transaction_id };
    let tail = TailRequest { register_id: one.register_id.clone(), from: None, filter: None };
    let begin = FollowBegin { register_id: one.register_id.clone(), from: 0 };
    let follow = tokio_stream::iter([FollowRequest { kind: Some(Kind::Begin(begin)) }]);
    let said = |metadata: &MetadataMap| {
        metadata.get_all("stale-since").iter().map(|since| since.to_str().unwrap().to_owned()).collect()
    };
    [
        said(client.get_transaction(one).await.unwrap().metadata()),
        said(client.tail(tail).await.unwrap().metadata()),
        said(client.follow(follow).await.unwrap().metadata()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_waits_for_a_register_hears_that_its_hub_holds_more_than_before() {
    let story = Box::pin(Story::of(1, DEFAULT)).await;
    story.holds_all().await;
    let later = SealedRegister::of(3, 1);
    story.change(|content| {
        content.subscriptions.insert(*later.register().as_bytes(), Subscription::default());
    });
    let not_held = || story.counted("peerwright_sources_left_total{reason=\"not_held\"}");
    eventually("the hub has been asked in vain", async || not_held() > 3).await;

    story.hubs[0].fill(&later).await;

    let (heads, advice) = (&story.node.handle().registers.heads, "peerwright_hub_advice_total{advice=\"sync\"}");
    eventually("the node holds it too", async || heads.count(later.register()) == later.count()).await;
    eventually("it was advised to ask again", async || story.counted(advice) > 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_with_more_keepalives_than_it_is_meant_to_answer_says_so() {
    let story = Box::pin(Story::of(1, OFTEN)).await;
    story.becomes(0, HubState::Active).await;
    let advice = || story.counted("peerwright_hub_advice_total{advice=\"reduce\"}");
    assert_eq!(advice(), 0, "they are few");

    story.change(|content| content.settings.set(SettingId::HubAnswers, 1));
    eventually("it advises to ask less often", async || advice() > 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_members_read_of_a_node_without_a_hub_says_since_when() {
    let story = Box::pin(Story::of(1, DEFAULT)).await;
    story.holds_all().await;
    let registers = story.node.handle().registers.clone();
    let register = story.sealed.register();
    let id = registers.store.transaction_ids(register, 1, 1).await.unwrap().remove(0).transactions[0];
    let connection = dial(&story.node, &story.authority, "demo-peer-9").await.unwrap().connection;
    let mut client = RegistersClient::with_origin(connection, origin());

    story.hubs[0].stop().await;
    eventually("the node is isolated", async || registers.hubs().isolated_since.is_some()).await;
    let since = stale_since(&registers).unwrap();
    assert_eq!(told(&mut client, register, id).await, [vec![since.clone()], vec![since.clone()], vec![since]]);

    story.hubs[0].go_on().await;
    story.becomes(0, HubState::Active).await;
    assert_eq!(told(&mut client, register, id).await, [vec![], vec![], Vec::<String>::new()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_hub_a_node_serves_what_it_has_and_comes_back_by_itself() {
    let mut story = Box::pin(Story::of(1, DEFAULT)).await;
    story.holds_all().await;
    let (register, before) = (story.sealed.register(), story.sealed.count());

    story.hubs[0].stop().await;
    let registers = story.node.handle().registers.clone();
    eventually("the node is isolated", async || registers.hubs().isolated_since.is_some()).await;
    assert_eq!((registers.heads.count(register), registers.hubs().active), (before, None));
    assert!(registers.store.docket(register, before - 1, Seen::Certified).await.unwrap().is_some());

    (0..5).for_each(|_| story.sealed.seal(1));
    story.hubs[0].fill(&story.sealed).await;
    story.hubs[0].go_on().await;
    story.holds_all().await;
    story.becomes(0, HubState::Active).await;
}

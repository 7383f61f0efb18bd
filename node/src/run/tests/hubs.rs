//! Nodes that take their dockets from hubs: one at a time, and from the next when it is lost.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::{
    NodeHandle, RunningNode,
    dev::Authority,
    registers::HubState,
    run::Backing,
    testing::{
        NETWORK_UID, authority, bind_nodes, configuration, eventually, options, sealed::SealedRegister, start_bound,
        start_node, tampered::Tampered,
    },
};
use peerwright_secure::PeerId;
use peerwright_snapshot::{SettingId, Subscription, Topology};
use peerwright_store::{Memory, Seen};
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
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

/// Keepalives that no busy machine misses.
const PATIENT: u64 = 10_000;
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
        let inner = Arc::new(Memory::new(NETWORK_UID));
        let store = Tampered::new(inner.clone());
        let backing = Backing::Stores(inner, store.clone());
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
        let node = start_bound(&authority, bind_nodes(1).await, seeds).await.remove(0);
        let story = Self { authority, hubs: apart, node, sealed };
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
        let snapshot = self.authority.publish(|content| {
            content.settings.set(SettingId::HubKeepalive, keepalive_milliseconds);
            content.sealers = BTreeSet::from([SEALER]);
            content.topology = Topology::Hub;
            content.hubs = ranked;
            content.subscriptions.insert(*self.sealed.register().as_bytes(), Subscription::default());
        });
        let snapshot = snapshot.unwrap();
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

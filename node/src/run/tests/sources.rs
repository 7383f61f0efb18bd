//! Whom replicas of whole nodes ask: those that say that they hold a register, wherever they are.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::advertisements::{SEALER, fill, heard, make, start};
use crate::{
    RunningNode,
    config::{Configuration, Endpoint},
    dev::Authority,
    registers::{LeftSources, Sources, Unreached},
    run::Backing,
    testing::{
        authority, configuration, eventually, kill, links, options, publish, sealed::SealedRegister, start_node,
    },
};
use peerwright_ledger::RegisterId;
use peerwright_secure::PeerId;
use peerwright_snapshot::{Group, Subscription};
use std::{collections::BTreeSet, future::ready, path::Path, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout},
};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Who follows one that has nothing further leaves it after so long.
const IDLE: Duration = Duration::from_secs(10);

/// A dial to who takes a connection and says nothing is given up after so long.
const DIALLING: Duration = Duration::from_secs(5);

/// A replica that waits for time alone asks again after so long at least, once it has waited often.
const LONG_WAIT: Duration = Duration::from_secs(5);
/// Rounds in which nobody served before a wait is that long.
const ROUNDS: u64 = 7;

/// A network in which the nodes `demo-peer-…` are to hold registers, and the nodes `demo-far-…` are not.
fn network() -> Arc<Authority> {
    let authority = authority();
    authority
        .publish(|content| {
            content.sealers = BTreeSet::from([SEALER]);
            // What is counted is of the registers of these tests alone.
            content.subscriptions.clear();
            content.groups = ["demo-peer", "demo-far"].map(|name| (name.to_owned(), Group::default())).into();
        })
        .unwrap();
    authority
}

/// From now on the nodes `demo-peer-…` are to hold the register.
fn subscribe(authority: &Authority, nodes: &[&RunningNode], register: RegisterId) {
    publish(authority, nodes, |content| {
        let placed = Subscription { groups: ["demo-peer".to_owned()].into(), ..Subscription::default() };
        content.subscriptions.insert(*register.as_bytes(), placed);
    });
}

fn peer(node: &RunningNode) -> PeerId {
    node.handle().identity.peer_id
}

async fn asked_first(node: &RunningNode, register: RegisterId) -> Option<PeerId> {
    let handle = node.handle();
    let sources = Sources::new(&handle.registers, &handle.membership, &handle.creator.callers);
    let next = handle.registers.heads.count(register);
    sources.of(register, next, &mut LeftSources::default()).await.first().copied()
}

/// How many sources of a node have answered that they do not hold a register, or were not to be asked for it.
fn denials(node: &RunningNode) -> u64 {
    let metrics = node.telemetry().encode();
    let value = |line: &str| line.split_once("sources_left_total{reason=\"not_held\"}")?.1.trim().parse().ok();
    metrics.lines().find_map(value).unwrap_or(0)
}

async fn holds(node: &RunningNode, sealed: &SealedRegister) {
    let held = async || node.handle().registers.heads.count(sealed.register()) == sealed.count();
    eventually("the node holds the register", held).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_register_is_replicated_from_a_node_that_is_not_to_hold_it_and_a_private_one_is_not() {
    let (public, private) = (SealedRegister::of(6, 1), SealedRegister::of(7, 1));
    let authority = network();
    let holder = start(&authority, "demo-far-0", Vec::new()).await;
    for sealed in [&public, &private] {
        fill(&holder, sealed).await;
        subscribe(&authority, &[&holder], sealed.register());
    }
    make(&holder, public.register(), true).await;
    let replica = start(&authority, "demo-peer-0", vec![holder.peer_address().into()]).await;

    holds(&replica, &public).await;
    let before = denials(&replica);
    eventually("it has looked for the other as well", async || denials(&replica) > before + 1).await;
    assert_eq!(replica.handle().registers.heads.count(private.register()), 0);
    assert_eq!(replica.handle().registers.progress(private.register()).unwrap().source, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_members_the_one_that_holds_the_register_is_asked_at_once() {
    let mut sealed = SealedRegister::of(3, 1);
    let register = sealed.register();
    let authority = network();
    let holder = start(&authority, "demo-peer-0", Vec::new()).await;
    let seeds = || vec![holder.peer_address().into()];
    let mut replicas = Vec::new();
    for number in 1..=3 {
        let replica = start(&authority, &format!("demo-peer-{number}"), seeds()).await;
        // So that it asks one source for what it lacks, and not several at once.
        fill(&replica, &sealed).await;
        replicas.push(replica);
    }
    let mut strangers = Vec::new();
    for number in 0..5 {
        strangers.push(start(&authority, &format!("demo-far-{number}"), seeds()).await);
    }
    sealed.seal(1);
    fill(&holder, &sealed).await;
    make(&holder, register, true).await;
    let all: Vec<&RunningNode> = [&holder].into_iter().chain(&replicas).chain(&strangers).collect();
    for replica in &replicas {
        let callers = &replica.handle().creator.callers;
        eventually("all are known", async || callers.alive().await.len() == all.len()).await;
        eventually("the holder is asked first", async || asked_first(replica, register).await == Some(peer(&holder)))
            .await;
    }

    let began = Instant::now();
    subscribe(&authority, &all, register);
    for replica in &replicas {
        holds(replica, &sealed).await;
    }
    assert!(began.elapsed() < IDLE, "{:?}", began.elapsed());
    assert_eq!(replicas.iter().map(denials).collect::<Vec<_>>(), [0; 3], "nobody was asked in vain");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_nobody_serves_asks_as_soon_as_somebody_says_that_it_holds_the_register() {
    let sealed = SealedRegister::of(6, 1);
    let register = sealed.register();
    let authority = network();
    let holder = start(&authority, "demo-far-0", Vec::new()).await;
    fill(&holder, &sealed).await;
    let replica = start(&authority, "demo-peer-0", vec![holder.peer_address().into()]).await;
    eventually("they know each other", async || replica.handle().creator.callers.alive().await.len() == 2).await;
    subscribe(&authority, &[&holder, &replica], register);
    eventually("it has asked often in vain", async || denials(&replica) >= ROUNDS).await;

    // Its next round without news is half of the longest wait away at least.
    let began = Instant::now();
    make(&holder, register, true).await;
    holds(&replica, &sealed).await;
    assert!(began.elapsed() < LONG_WAIT, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_and_what_its_peer_says_that_it_holds_are_news_to_who_waits_for_the_register() {
    let sealed = SealedRegister::of(2, 1);
    let register = sealed.register();
    let authority = network();
    let node = start(&authority, "demo-peer-0", Vec::new()).await;
    let mut news = node.handle().registers.source_news.of(register);

    let holder = start(&authority, "demo-far-0", vec![node.peer_address().into()]).await;
    timeout(PATIENCE, news.next()).await.expect("news of the link");
    eventually("it is linked", async || links(&node).await == 1).await;
    news.mark_seen();

    fill(&holder, &sealed).await;
    make(&holder, register, true).await;
    timeout(PATIENCE, news.next()).await.expect("news of the register");
    assert_eq!(heard(&node, register).await.len(), 1);
}

/// Starts `demo-far-0`, for the first time or again.
async fn start_far(authority: &Arc<Authority>, volume: &Path, seeds: Vec<Endpoint>) -> RunningNode {
    let configuration = Configuration { seeds, ..configuration("demo-far-0", volume) };
    start_node(&configuration, &options(authority, Backing::Volume)).await
}

/// A replica that follows another while the sealer is away.
struct SealerAway {
    authority: Arc<Authority>,
    volume: TempDir,
    other: RunningNode,
    replica: RunningNode,
}

impl SealerAway {
    /// Both hold the register.
    async fn from(sealed: &SealedRegister) -> Self {
        let (authority, volume) = (network(), tempfile::tempdir().unwrap());
        let sealer = start_far(&authority, volume.path(), Vec::new()).await;
        authority.publish(|content| content.sealers = BTreeSet::from([peer(&sealer)])).unwrap();
        kill(sealer).await;
        let other = start(&authority, "demo-peer-0", Vec::new()).await;
        fill(&other, sealed).await;
        make(&other, sealed.register(), true).await;
        let replica = start(&authority, "demo-peer-1", vec![other.peer_address().into()]).await;
        subscribe(&authority, &[&other, &replica], sealed.register());
        holds(&replica, sealed).await;
        Self { authority, volume, other, replica }
    }

    async fn sealer_is_back(&self) -> RunningNode {
        start_far(&self.authority, self.volume.path(), vec![self.other.peer_address().into()]).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_one_that_follows_others_asks_a_sealer_that_is_in_reach_again_soon() {
    let mut sealed = SealedRegister::of(3, 1);
    let network = SealerAway::from(&sealed).await;

    sealed.seal(1);
    let sealer = network.sealer_is_back().await;
    fill(&sealer, &sealed).await;
    let began = Instant::now();
    holds(&network.replica, &sealed).await;
    assert!(began.elapsed() < IDLE / 2, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_one_that_follows_others_turns_to_a_sealer_while_dockets_come() {
    let mut sealed = SealedRegister::of(3, 1);
    let network = SealerAway::from(&sealed).await;

    let sealer = network.sealer_is_back().await;
    let began = Instant::now();
    let standing = &network.replica.handle().registers.standing;
    let register = sealed.register();
    let follows = || standing.of(register).and_then(|progress| progress.source);
    while follows() != Some(peer(&sealer)) {
        assert!(began.elapsed() < IDLE, "it follows {:?}", follows());
        sealed.seal(1);
        fill(&sealer, &sealed).await;
        fill(&network.other, &sealed).await;
        // Never so long that nothing comes.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    holds(&network.replica, &sealed).await;
}

/// A node, and a member that it knows, which does not run, and where connections are taken and nothing is said.
struct SilentMember {
    authority: Arc<Authority>,
    volume: TempDir,
    node: RunningNode,
    member: PeerId,
    silent: std::net::TcpListener,
}

impl SilentMember {
    async fn begin() -> Self {
        let (authority, volume) = (network(), tempfile::tempdir().unwrap());
        let node = start(&authority, "demo-peer-0", Vec::new()).await;
        let before = start_far(&authority, volume.path(), vec![node.peer_address().into()]).await;
        let (member, from) = (peer(&before), before.peer_address());
        let callers = &node.handle().creator.callers;
        eventually("it is known", async || callers.alive().await.contains(&member)).await;
        kill(before).await;
        // Its own socket may end a moment later.
        let mut silent = None;
        eventually("its address is free", || {
            silent = std::net::TcpListener::bind(from).ok();
            ready(silent.is_some())
        })
        .await;
        let silent = silent.unwrap();
        Self { authority, volume, node, member, silent }
    }

    /// Begins to call the member.
    fn reach(&self) -> JoinHandle<Result<(), Unreached>> {
        let (callers, member) = (self.node.handle().creator.callers.clone(), self.member);
        tokio::spawn(async move { callers.reach(member).await.map(drop) })
    }

    async fn is_back_elsewhere(&self) -> RunningNode {
        let after = start_far(&self.authority, self.volume.path(), vec![self.node.peer_address().into()]).await;
        assert_ne!(after.peer_address(), self.silent.local_addr().unwrap());
        after
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_back_at_another_address_is_reached_there_while_the_old_one_does_not_answer() {
    let network = SilentMember::begin().await;
    let reaching = network.reach();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!reaching.is_finished());

    let _after = network.is_back_elsewhere().await;
    let reached = timeout(DIALLING / 2, reaching).await.expect("in time").unwrap();
    assert_eq!(reached, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_who_wait_for_a_member_that_does_not_answer_hear_of_it_from_one_dial() {
    let network = SilentMember::begin().await;
    let began = Instant::now();
    let waiting: Vec<_> = (0..10).map(|_| network.reach()).collect();
    for reaching in waiting {
        reaching.await.unwrap().unwrap_err();
    }
    assert!(began.elapsed() < DIALLING * 3 / 2, "{:?}", began.elapsed());

    let _after = network.is_back_elsewhere().await;
    eventually("it is reached again", async || network.reach().await.unwrap().is_ok()).await;
}

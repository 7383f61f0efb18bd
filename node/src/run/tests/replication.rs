//! Registers followed by whole nodes: caught up with from several sources, some of which fail or lie.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::advertisements::{heard, make};
use crate::{
    RunningNode,
    api::Node,
    dev::Authority,
    registers::{Audit, Replica, ReplicaState, ReplicationSettings, Sources},
    run::Backing,
    testing::{
        NETWORK_UID, all_have_links, authority, eventually, publish, sealed::SealedRegister, start_on,
        tampered::Tampered,
    },
};
use futures::StreamExt;
use peerwright_proto::v1::{
    FollowBegin, FollowRequest, ReplicaState as Told, follow_request::Kind, registers_client::RegistersClient,
};
use peerwright_secure::PeerId;
use peerwright_snapshot::{ReplicaMode, Subscription};
use peerwright_store::{DocketStore, Memory, Seen, Sqlite};
use rusqlite::Connection;
use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{sync::watch, time::timeout};

/// The sealer of the network is nowhere: dockets come from whoever holds them.
const SEALER: PeerId = PeerId::from_bytes([9; 32]);

fn memory() -> Arc<Memory> {
    Arc::new(Memory::new(NETWORK_UID))
}

/// A node on a store that the test watches.
pub(super) fn watched() -> (Arc<Tampered>, Backing) {
    let inner = memory();
    let store = Tampered::new(inner.clone());
    (store.clone(), Backing::Stores(inner, store))
}

fn subscribe(authority: &Authority, nodes: &[RunningNode], sealed: &SealedRegister) {
    subscribe_as(ReplicaMode::FullReplica, authority, nodes, sealed);
}

fn subscribe_as(mode: ReplicaMode, authority: &Authority, nodes: &[RunningNode], sealed: &SealedRegister) {
    publish(authority, &nodes.iter().collect::<Vec<_>>(), |content| {
        content.sealers = BTreeSet::from([SEALER]);
        content.purges.clear();
        let subscription = Subscription { mode, ..Subscription::default() };
        content.subscriptions.insert(*sealed.register().as_bytes(), subscription);
    });
}

async fn linked(nodes: &[RunningNode]) {
    let all: Vec<&RunningNode> = nodes.iter().collect();
    all_have_links(&all, nodes.len() - 1).await;
    for node in nodes {
        // A round asks those that are known when it begins.
        let callers = &node.handle().creator.callers;
        eventually("all are known", async || callers.alive().await.len() == nodes.len()).await;
    }
}

async fn replicated(node: &RunningNode, sealed: &SealedRegister) {
    eventually("the node holds all of the register", async || {
        let progress = node.handle().registers.progress(sealed.register());
        progress
            .is_some_and(|progress| progress.held == sealed.count() && progress.state == ReplicaState::FullyReplicated)
    })
    .await;
}

/// That a store holds exactly the register.
async fn assert_holds(store: &dyn DocketStore, sealed: &SealedRegister) {
    let held = store.dockets(sealed.register(), 0, Seen::Certified, usize::MAX, usize::MAX).await.unwrap();
    assert_eq!(held.len() as u64, sealed.count());
    for (held, docket) in held.iter().zip(sealed.dockets()) {
        assert_eq!((&held.header.header, &held.body), (&docket.header, &docket.body));
    }
    assert_eq!(store.checkpoint(sealed.register()).await.unwrap(), Some(sealed.chain().encode()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_register_is_fetched_from_several_sources_and_then_followed() {
    let authority = authority();
    let mut sealed = SealedRegister::of(2_000, 1);
    let mut stores = Vec::new();
    for _ in 0..3 {
        let (store, backing) = watched();
        sealed.fill(&*store).await;
        store.hold_after(2);
        stores.push((store, backing));
    }
    let (stores, mut backings): (Vec<_>, Vec<_>) = stores.into_iter().unzip();
    let (replica, backing) = watched();
    backings.push(backing);
    let nodes = start_on(&authority, backings).await;
    linked(&nodes).await;

    subscribe(&authority, &nodes, &sealed);
    let have_served = || stores.iter().filter(|store| store.served.load(Ordering::Relaxed) > 0).count();
    eventually("several sources have served", async || have_served() > 1).await;
    stores.iter().for_each(|store| store.release());
    replicated(&nodes[3], &sealed).await;
    assert_holds(&*replica, &sealed).await;

    // One of them has more: the others, who follow the register too, take it like the replica.
    sealed.seal(3);
    let count = sealed.count();
    sealed.fill(&*stores[0]).await;
    nodes[0].handle().registers.advance(sealed.register(), count);
    replicated(&nodes[3], &sealed).await;
    assert_holds(&*replica, &sealed).await;
    let written = replica.written();
    assert_eq!(written, (0..count).collect::<Vec<_>>(), "each once, in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_lies_is_left_and_recorded_and_the_others_serve() {
    let authority = authority();
    // More than one source is asked for at once.
    let sealed = SealedRegister::of(2_000, 1);
    let (honest, honest_backing) = watched();
    let (liar, liar_backing) = watched();
    let (replica, backing) = watched();
    sealed.fill(&*honest).await;
    sealed.fill(&*liar).await;
    liar.lies.store(true, Ordering::Relaxed);
    honest.hold_after(2);
    let nodes = start_on(&authority, vec![honest_backing, liar_backing, backing]).await;
    linked(&nodes).await;

    subscribe(&authority, &nodes, &sealed);
    eventually("who lies is asked", async || liar.served.load(Ordering::Relaxed) > 0).await;
    honest.release();
    replicated(&nodes[2], &sealed).await;

    assert_holds(&*replica, &sealed).await;
    eventually("the lie is held against who told it", async || {
        nodes[2].handle().view().await.unwrap().statistics.bans.offences > 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_follow_each_other_hear_of_what_a_sealer_has() {
    let authority = authority();
    let mut sealed = SealedRegister::of(20, 1);
    let (sealer, sealer_backing) = watched();
    let (one, one_backing) = watched();
    let (other, other_backing) = watched();
    for store in [&one, &other] {
        sealed.fill(&**store).await;
    }
    let mut nodes = start_on(&authority, vec![sealer_backing, one_backing, other_backing]).await;
    linked(&nodes).await;
    // As while no sealer is there: who is to be one does not hold the register yet.
    let first = nodes.remove(0);
    subscribe(&authority, &nodes, &sealed);
    let source = |node: &RunningNode| node.handle().registers.progress(sealed.register()).and_then(|of| of.source);
    eventually("each follows the other", async || {
        let peers = nodes.iter().map(|node| Some(node.handle().identity.peer_id)).rev().collect::<Vec<_>>();
        nodes.iter().map(source).collect::<Vec<_>>() == peers
    })
    .await;

    sealed.seal(3);
    sealed.fill(&*sealer).await;
    first.handle().registers.advance(sealed.register(), sealed.count());
    nodes.insert(0, first);
    publish(&authority, &nodes.iter().collect::<Vec<_>>(), |content| {
        content.sealers = BTreeSet::from([nodes[0].handle().identity.peer_id]);
    });

    for (node, store) in nodes[1..].iter().zip([&one, &other]) {
        replicated(node, &sealed).await;
        assert_holds(&**store, &sealed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catch_up_that_is_interrupted_stores_no_docket_twice() {
    let authority = authority();
    let sealed = SealedRegister::of(2_000, 1);
    let (source, source_backing) = watched();
    sealed.fill(&*source).await;
    source.hold_after(0);
    let (replica, backing) = watched();
    let nodes = start_on(&authority, vec![source_backing, backing]).await;
    linked(&nodes).await;
    subscribe(&authority, &nodes, &sealed);

    let mut reached = 0;
    for _ in 0..3 {
        source.hold_after(2);
        eventually("some more is stored", async || replica.written().len() > reached).await;
        reached = replica.written().len();
        publish(&authority, &nodes.iter().collect::<Vec<_>>(), |content| content.subscriptions.clear());
        let progress = || nodes[1].handle().registers.progress(sealed.register());
        eventually("it is followed no longer", async || progress().is_none()).await;
        subscribe(&authority, &nodes, &sealed);
    }
    source.release();
    replicated(&nodes[1], &sealed).await;

    assert_holds(&*replica, &sealed).await;
    assert_eq!(replica.written(), (0..sealed.count()).collect::<Vec<_>>(), "each once, in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_round_that_stalled_the_next_begins_behind_what_that_one_had_under_way() {
    const DEADLINE: Duration = Duration::from_secs(1);
    let authority = authority();
    let sealed = SealedRegister::of(20, 1);
    let register = sealed.register();
    let (source, source_backing) = watched();
    sealed.fill(&*source).await;
    let (replica, backing) = watched();
    replica.hold_writes();
    let nodes = start_on(&authority, vec![source_backing, backing]).await;
    linked(&nodes).await;
    // No node is to hold the register: it is followed as the test says, and not as the network does.
    publish(&authority, &nodes.iter().collect::<Vec<_>>(), |content| content.sealers = BTreeSet::from([SEALER]));
    make(&nodes[0], register, true).await;
    eventually("it is known who holds it", async || heard(&nodes[1], register).await.len() == 1).await;
    let handle = nodes[1].handle();
    let (registers, messages) = (handle.registers.clone(), handle.store.clone());
    let sources = Sources::new(&registers, &handle.membership, &handle.creator.callers);
    let impatient = ReplicationSettings { deadline: DEADLINE, ..ReplicationSettings::default() };
    let (setting, settings) = watch::channel(impatient);
    let mode = ReplicaMode::FullReplica;
    let following = tokio::spawn(Replica { register, mode, registers, messages, sources, settings }.run());

    eventually("the round has stalled with dockets under way", async || {
        let problem = handle.registers.progress(register).and_then(|progress| progress.problem);
        problem == Some("deadline") && !replica.written().is_empty()
    })
    .await;
    // A further round has time enough.
    setting.send_replace(ReplicationSettings::default());
    let is_handed_in_again = async || {
        let written = replica.written();
        written.iter().collect::<BTreeSet<_>>().len() < written.len()
    };
    let handed_in_again = eventually("a docket is handed in again", is_handed_in_again);
    assert!(timeout(DEADLINE, handed_in_again).await.is_err(), "the round before has it under way");
    replica.release_writes().await;
    replicated(&nodes[1], &sealed).await;

    assert_holds(&*replica, &sealed).await;
    assert_eq!(replica.written(), (0..sealed.count()).collect::<Vec<_>>(), "each once, in order");
    following.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_dies_in_the_middle_is_replaced_by_another() {
    let authority = authority();
    let sealed = SealedRegister::of(2_000, 1);
    let (one, one_backing) = watched();
    let (other, other_backing) = watched();
    for source in [&one, &other] {
        sealed.fill(&**source).await;
        source.hold_after(2);
    }
    let (replica, backing) = watched();
    let mut nodes = start_on(&authority, vec![one_backing, other_backing, backing]).await;
    linked(&nodes).await;
    subscribe(&authority, &nodes, &sealed);
    // Whoever is asked first serves docket 0; of what follows, each serves something.
    eventually("the first has served something", async || one.served.load(Ordering::Relaxed) > 0).await;

    drop(nodes.remove(0));
    other.release();
    replicated(&nodes[1], &sealed).await;

    assert_holds(&*replica, &sealed).await;
    assert_eq!(replica.written(), (0..sealed.count()).collect::<Vec<_>>(), "each once, in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_certified_histories_freeze_the_register_with_a_proof_that_anybody_can_verify() {
    let authority = authority();
    let common = SealedRegister::of(5, 1);
    let [mut one, mut other] = [common.clone(), common];
    one.seal(1);
    (0..3).for_each(|_| other.seal(2));
    let (source, source_backing) = watched();
    other.fill(&*source).await;
    let (replica, backing) = watched();
    one.fill(&*replica).await;
    let nodes = start_on(&authority, vec![source_backing, backing]).await;
    linked(&nodes).await;

    subscribe(&authority, &nodes, &one);
    let registers = &nodes[1].handle().registers;
    eventually("the fork is found", async || {
        let progress = registers.progress(one.register());
        progress.is_some_and(|progress| progress.state == ReplicaState::Frozen)
            && registers.fork(one.register()).is_some()
    })
    .await;

    let proof = registers.fork(one.register()).unwrap();
    let governance = one.chain().governance();
    proof.verify(std::slice::from_ref(governance.sealers()), governance.authority()).unwrap();
    assert_eq!((proof.number(), proof.culprits().len()), (6, 1));
    assert_holds(&*replica, &one).await;
    let is_counted = async || nodes[1].telemetry().encode().contains("peerwright_register_forks_total 1");
    eventually("it is counted", is_counted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_finds_what_the_disk_has_changed_or_lost_and_it_is_fetched_again() {
    let authority = authority();
    let sealed = SealedRegister::of(9, 2);
    let (source, source_backing) = watched();
    sealed.fill(&*source).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.sqlite");
    let replica = Arc::new(Sqlite::open(&path, NETWORK_UID).await.unwrap());
    let nodes = start_on(&authority, vec![source_backing, Backing::Stores(replica.clone(), replica.clone())]).await;
    linked(&nodes).await;
    subscribe(&authority, &nodes, &sealed);
    replicated(&nodes[1], &sealed).await;

    let connection = Connection::open(&path).unwrap();
    for statement in [
        "UPDATE docket_bodies SET body = zeroblob(LENGTH(body)) WHERE docket = 3",
        "UPDATE docket_bodies SET ids = zeroblob(LENGTH(ids)) WHERE docket = 5",
        "DELETE FROM docket_bodies WHERE docket IN (7, 8)",
        "DELETE FROM dockets WHERE id = 7",
    ] {
        connection.execute(statement, []).unwrap();
    }
    let handle = nodes[1].handle();
    let sources = Sources::new(&handle.registers, &handle.membership, &handle.creator.callers);
    let settings = ReplicationSettings { audit_period: Duration::from_millis(20), ..ReplicationSettings::default() };
    let (_setting, settings) = watch::channel(settings);
    let auditing = tokio::spawn(Audit { registers: handle.registers.clone(), sources, settings }.run());
    let ids = async || replica.transaction_ids(sealed.register(), 0, usize::MAX).await.unwrap_or_default();
    eventually("all is as it was", async || {
        let dockets = replica.dockets(sealed.register(), 0, Seen::All, 100, usize::MAX).await.unwrap_or_default();
        dockets.len() == sealed.dockets().len() && ids().await.len() == dockets.len()
    })
    .await;

    assert_holds(&*replica, &sealed).await;
    for (held, docket) in ids().await.iter().zip(sealed.dockets()) {
        assert_eq!(held.transactions, docket.transactions);
    }
    eventually("the repairs are counted", async || {
        let metrics = nodes[1].telemetry().encode();
        metrics.contains("dockets_repaired_total") && !metrics.contains("dockets_repaired_total 0")
    })
    .await;
    replicated(&nodes[1], &sealed).await;
    auditing.abort();
}

/// What a node says to who wants the register from docket 0 on.
async fn follow_from_the_beginning(asking: &RunningNode, of: &RunningNode, sealed: &SealedRegister) -> tonic::Status {
    let (callers, peer) = (&asking.handle().creator.callers, of.handle().identity.peer_id);
    eventually("it knows where the other is", async || callers.reach(peer).await.is_ok()).await;
    let connection = callers.reach(peer).await.unwrap();
    let (channel, origin) = connection.channel();
    let register_id = sealed.register().as_bytes().to_vec().into();
    let asks = [Kind::Begin(FollowBegin { register_id, from: 0 }), Kind::Credit(1 << 20)];
    // As long as this goes on the source answers.
    let asks = futures::stream::iter(asks.map(|kind| FollowRequest { kind: Some(kind) }));
    let asks = asks.chain(futures::stream::pending());
    let mut answer = RegistersClient::with_origin(channel, origin).follow(asks).await.unwrap().into_inner();
    loop {
        match answer.message().await {
            Ok(message) => assert!(message.unwrap().docket.is_empty(), "nothing is served"),
            Err(status) => return status,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_what_comes_never_serves_what_lies_before() {
    let authority = authority();
    let mut sealed = SealedRegister::of(40, 1);
    let (source, source_backing) = watched();
    sealed.fill(&*source).await;
    let (replica, backing) = watched();
    let nodes = start_on(&authority, vec![source_backing, backing]).await;
    linked(&nodes).await;

    subscribe_as(ReplicaMode::ForwardOnly, &authority, &nodes, &sealed);
    let (source_node, node) = (&nodes[0], &nodes[1]);
    let progress = || node.handle().registers.progress(sealed.register()).unwrap_or_default();
    eventually("it holds the newest docket", async || progress().state == ReplicaState::Active).await;
    assert_eq!((progress().first, progress().gap()), (40, Some(0..40)));
    assert_eq!(replica.written(), [40]);

    let status = follow_from_the_beginning(source_node, node, &sealed).await;
    assert_eq!((status.code(), status.message().contains("from 40")), (tonic::Code::OutOfRange, true));

    for _ in 0..70 {
        sealed.seal(1);
    }
    sealed.fill(&*source).await;
    source_node.handle().registers.advance(sealed.register(), sealed.count());
    eventually("it follows", async || node.handle().registers.heads.count(sealed.register()) == sealed.count()).await;
    assert_eq!(replica.written(), (40..sealed.count()).collect::<Vec<_>>());

    // To hold everything, it lets go of what it has.
    subscribe(&authority, &nodes, &sealed);
    replicated(node, &sealed).await;
    assert_holds(&*replica, &sealed).await;
    assert_eq!(node.handle().registers.progress(sealed.register()).unwrap().gap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purged_register_leaves_nothing_and_is_fetched_anew_when_it_is_wanted_again() {
    let authority = authority();
    let sealed = SealedRegister::of(20, 1);
    let (source, source_backing) = watched();
    sealed.fill(&*source).await;
    let (replica, backing) = watched();
    let nodes = start_on(&authority, vec![source_backing, backing]).await;
    linked(&nodes).await;
    subscribe(&authority, &nodes, &sealed);
    let node = &nodes[1];
    replicated(node, &sealed).await;

    let register = sealed.register();
    let snapshot = authority.publish(|content| {
        content.subscriptions.clear();
        content.purges.insert(*register.as_bytes());
    });
    node.handle().membership.adopt_snapshot(&snapshot.unwrap()).unwrap();
    let registers = &node.handle().registers;
    eventually("it is purged", async || registers.purge_row(register).state() == Told::Purged).await;
    assert_eq!(replica.held_dockets(register).await.unwrap(), None);
    assert_eq!((registers.progress(register), registers.heads.count(register)), (None, 0));

    subscribe(&authority, &nodes, &sealed);
    replicated(node, &sealed).await;
    assert_holds(&*replica, &sealed).await;
}

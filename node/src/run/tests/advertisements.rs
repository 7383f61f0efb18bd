//! What whole nodes tell each other of what they hold, and what of it strangers never hear.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::strangers::{dial, origin};
use crate::{
    RunningNode,
    api::Node,
    config::Endpoint,
    dev::Authority,
    identity::Volume,
    link::{LinkContext, LinkDialler, LinkEvent, LinkSettings, Paths},
    run::{Backing, StartOptions},
    telemetry::Traces,
    testing::{
        NETWORK_UID, REGISTER, authority, configuration, eventually, impatient, kill, membership, options,
        sealed::SealedRegister, start_node,
    },
    tls::Profiles,
    transport::{Dialled, Dialler},
};
use arc_swap::ArcSwap;
use bytes::Bytes;
use futures::StreamExt;
use peerwright_engine::{Address, AdvertisementSettings, Class, Config};
use peerwright_ledger::RegisterId;
use peerwright_proto::v1::{
    FollowBegin, FollowRequest, FollowResponse, follow_request::Kind, registers_client::RegistersClient,
};
use peerwright_secure::PeerId;
use peerwright_snapshot::{Group, Subscription};
use peerwright_store::Memory;
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::Path,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use tonic::{Code, Streaming};

/// The sealer of the network is nowhere: who holds a register has it from the test.
pub(super) const SEALER: PeerId = PeerId::from_bytes([9; 32]);
/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The kinds of frames that are looked at, as they are written.
const KEEPALIVE: u8 = 1;
const ECHO: u8 = 2;
const DIGEST: u8 = 4;
const ADVERTISEMENTS: u8 = 59;

/// Everything is told sooner than in production.
fn soon(config: &mut Config) {
    impatient(config);
    config.advertisements = AdvertisementSettings {
        gather: Duration::from_millis(50),
        again: Duration::from_millis(300),
        expiry: Duration::from_secs(5),
    };
}

/// A network whose nodes `demo-peer-…` hold these registers, and whose nodes `demo-far-…` hold [`REGISTER`] alone.
fn network(registers: &[&SealedRegister]) -> Arc<Authority> {
    let authority = authority();
    let placed = Subscription { groups: ["demo-peer".to_owned()].into(), ..Subscription::default() };
    authority
        .publish(|content| {
            content.sealers = BTreeSet::from([SEALER]);
            content.groups = ["demo-peer", "demo-far"].map(|name| (name.to_owned(), Group::default())).into();
            let ids = registers.iter().map(|register| *register.register().as_bytes());
            content.subscriptions.extend(ids.map(|id| (id, placed.clone())));
        })
        .unwrap();
    authority
}

fn quick(authority: &Arc<Authority>, backing: Backing) -> StartOptions {
    StartOptions { tune: soon, ..options(authority, backing) }
}

/// A node that keeps nothing.
pub(super) async fn start(authority: &Arc<Authority>, name: &str, seeds: Vec<Endpoint>) -> RunningNode {
    let mut configuration = configuration(name, Path::new("/nowhere"));
    configuration.seeds = seeds;
    let store = Arc::new(Memory::new(NETWORK_UID));
    start_node(&configuration, &quick(authority, Backing::Stores(store.clone(), store))).await
}

/// A node holds all of a register from now on.
pub(super) async fn fill(node: &RunningNode, sealed: &SealedRegister) {
    let registers = &node.handle().registers;
    sealed.fill(&*registers.store).await;
    registers.advance(sealed.register(), sealed.count());
}

pub(super) async fn make(node: &RunningNode, register: RegisterId, is_public: bool) {
    let handle = node.handle();
    handle.registers.advertised.choose(&*handle.store, 1, &[(register, is_public)], false).await.unwrap();
}

/// What a node has heard of a register: who holds how much, by what name.
pub(super) async fn heard(node: &RunningNode, register: RegisterId) -> Vec<(PeerId, u64, String)> {
    let views = node.handle().advertisements().await.unwrap().into_iter();
    let views = views.filter(|view| view.advertisement.register == register);
    views.map(|view| (view.peer, view.advertisement.dockets, view.advertisement.name)).collect()
}

/// A call to follow that was taken.
struct Following {
    _dialled: Dialled,
    answers: Streaming<FollowResponse>,
    /// How many dockets the node says it holds.
    held: u64,
}

/// Begins to follow a register as a member of this name.
async fn begin(node: &RunningNode, authority: &Authority, name: &str, register: RegisterId) -> Result<Following, Code> {
    let dialled = dial(node, authority, name).await.unwrap();
    let begin = FollowBegin { register_id: Bytes::copy_from_slice(register.as_bytes()), from: 0 };
    let asks = futures::stream::iter([FollowRequest { kind: Some(Kind::Begin(begin)) }]);
    let mut client = RegistersClient::with_origin(dialled.connection.clone(), origin());
    let answers = client.follow(asks.chain(futures::stream::pending())).await;
    let mut answers = answers.map_err(|status| status.code())?.into_inner();
    let first = answers.message().await.map_err(|status| status.code())?.unwrap();
    Ok(Following { _dialled: dialled, answers, held: first.held })
}

async fn follow(node: &RunningNode, authority: &Authority, name: &str, register: RegisterId) -> Result<u64, Code> {
    Ok(begin(node, authority, name, register).await?.held)
}

impl Following {
    /// Why the node ends it.
    async fn end(mut self) -> Code {
        loop {
            match timeout(PATIENCE, self.answers.message()).await.expect("the end in time") {
                Ok(message) => assert!(message.is_some(), "an end has a reason"),
                Err(status) => return status.code(),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_register_is_listed_by_a_peer_that_does_not_hold_it_until_it_is_withdrawn_or_nobody_says_so() {
    let mut sealed = SealedRegister::of(4, 1);
    let register = sealed.register();
    let authority = network(&[&sealed]);
    let holder = start(&authority, "demo-peer-0", Vec::new()).await;
    fill(&holder, &sealed).await;
    let far = start(&authority, "demo-far-0", vec![holder.peer_address().into()]).await;
    let listed = async |count: u64| {
        let expected = [(holder.handle().identity.peer_id, count, "sealed".to_owned())];
        eventually("it is listed as it is held", async || heard(&far, register).await == expected).await;
    };

    make(&holder, register, true).await;
    listed(5).await;
    sealed.seal(1);
    fill(&holder, &sealed).await;
    listed(6).await;
    assert_eq!(far.handle().registers.heads.count(register), 0);
    let stranger = begin(&holder, &authority, "demo-far-9", register).await.unwrap();
    assert_eq!(stranger.held, 6);

    make(&holder, register, false).await;
    eventually("it is listed no longer", async || heard(&far, register).await.is_empty()).await;
    assert_eq!(stranger.end().await, Code::NotFound, "who followed is told so");
    assert_eq!(follow(&holder, &authority, "demo-far-9", register).await, Err(Code::NotFound));
    assert_eq!(follow(&holder, &authority, "demo-peer-9", register).await, Ok(6), "who is to hold it gets it");

    make(&holder, register, true).await;
    listed(6).await;
    drop(holder);
    eventually("the word of who is gone expires", async || heard(&far, register).await.is_empty()).await;
}

/// A member that takes down every frame that it is sent, and lets the link live.
struct Spy {
    events: mpsc::Receiver<LinkEvent>,
    frames: Vec<Bytes>,
    _end: DropGuard,
}

impl Spy {
    /// Dials a node as a member of this name.
    fn on(node: &RunningNode, authority: &Authority, name: &str) -> Self {
        let member = membership(authority, name, Volume::forgetful());
        authority.enroll(&member).unwrap();
        let (told, events) = mpsc::channel(512);
        let settings = Arc::new(ArcSwap::from_pointee(LinkSettings::default()));
        let context = LinkContext {
            events: told,
            incarnation: 1,
            next: Arc::new(AtomicU64::new(1)),
            paths: Arc::new(Paths::new(settings.clone(), Arc::new(|_| {}))),
            settings,
            traces: Traces::default(),
        };
        let profiles = Profiles::new(
            member.spiffe().trust_domain().to_owned(),
            member.anchors().clone(),
            member.bans().clone(),
            member.leaf().clone(),
        );
        let end = CancellationToken::new();
        let dialler = LinkDialler::new(
            Dialler::new(TaskTracker::new(), end.clone()),
            profiles.unwrap().members_outbound,
            member.leaf().clone(),
            member.bans().clone(),
            member.connections().clone(),
            context,
        );
        let address = Address { host: "localhost".to_owned(), socket: node.peer_address() };
        tokio::spawn(dialler.run(address));
        Self { events, frames: Vec::new(), _end: end.drop_guard() }
    }

    /// Listens until what was heard is enough.
    async fn listen(&mut self, is_enough: impl Fn(&[Bytes]) -> bool) {
        let mut queue = None;
        while !is_enough(&self.frames) {
            match timeout(PATIENCE, self.events.recv()).await.expect("a frame in time").unwrap() {
                LinkEvent::Up { queue: of, .. } => queue = Some(of),
                LinkEvent::Frame { payload, .. } => {
                    if payload[1] == KEEPALIVE {
                        let mut echo = payload.to_vec();
                        echo[1] = ECHO;
                        queue.as_ref().unwrap().push(Class::Control, echo.into()).unwrap();
                    }
                    self.frames.push(payload);
                }
                other => panic!("expected frames, got {other:?}"),
            }
        }
    }
}

/// How many frames of a kind name a register.
fn naming(frames: &[Bytes], kind: u8, register: RegisterId) -> usize {
    frames.iter().filter(|frame| frame[1] == kind && names(frame, register)).count()
}

fn names(frame: &Bytes, register: RegisterId) -> bool {
    frame.windows(16).any(|bytes| bytes == register.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_private_register_no_frame_tells_a_stranger_and_who_holds_it_too_hears_of_it() {
    let (public, private) = (SealedRegister::of(2, 1), SealedRegister::of(3, 1));
    let authority = network(&[&public, &private]);
    let holder = start(&authority, "demo-peer-0", Vec::new()).await;
    fill(&holder, &public).await;
    fill(&holder, &private).await;
    make(&holder, public.register(), true).await;
    eventually("the holder links", async || holder.handle().readiness().is_ready()).await;

    // What is public is told with the link and again, and the comparison of what is held comes with the link.
    let is_told = |frames: &[Bytes]| {
        naming(frames, ADVERTISEMENTS, public.register()) >= 2 && naming(frames, DIGEST, REGISTER) >= 1
    };
    let mut stranger = Spy::on(&holder, &authority, "demo-far-1");
    stranger.listen(is_told).await;
    assert!(naming(&stranger.frames, DIGEST, public.register()) >= 1);
    let telling: Vec<u8> =
        stranger.frames.iter().filter(|frame| names(frame, private.register())).map(|frame| frame[1]).collect();
    assert!(telling.is_empty(), "frames of these kinds name what is private: {telling:?}");

    let mut peer = Spy::on(&holder, &authority, "demo-peer-1");
    peer.listen(|frames| is_told(frames) && naming(frames, DIGEST, private.register()) >= 1).await;
    assert_eq!(naming(&peer.frames, ADVERTISEMENTS, private.register()), 0, "it is told, and not advertised");

    assert_eq!(follow(&holder, &authority, "demo-far-9", private.register()).await, Err(Code::NotFound));
    assert_eq!(follow(&holder, &authority, "demo-peer-9", private.register()).await, Ok(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_register_is_replicated_by_the_nodes_that_are_to_hold_it() {
    let sealed = SealedRegister::of(6, 1);
    let authority = network(&[&sealed]);
    let holder = start(&authority, "demo-peer-0", Vec::new()).await;
    fill(&holder, &sealed).await;
    let seeds = || vec![holder.peer_address().into()];
    let far = start(&authority, "demo-far-0", seeds()).await;
    let replica = start(&authority, "demo-peer-1", seeds()).await;
    let count = |node: &RunningNode| node.handle().registers.heads.count(sealed.register());
    eventually("who is to hold it does", async || count(&replica) == sealed.count()).await;
    assert_eq!((count(&far), heard(&far, sealed.register()).await), (0, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_public_is_told_again_after_a_restart_with_what_the_store_holds_then() {
    let sealed = SealedRegister::of(4, 1);
    let register = sealed.register();
    let authority = network(&[&sealed]);
    let directory = tempfile::tempdir().unwrap();
    let configuration_of = |seeds: Vec<SocketAddr>| {
        let mut configuration = configuration("demo-peer-0", directory.path());
        configuration.seeds = seeds.into_iter().map(Into::into).collect();
        configuration
    };
    let holder = start_node(&configuration_of(Vec::new()), &quick(&authority, Backing::Volume)).await;
    fill(&holder, &sealed).await;
    make(&holder, register, true).await;
    kill(holder).await;

    let far = start(&authority, "demo-far-0", Vec::new()).await;
    let seeds = vec![far.peer_address()];
    let holder = start_node(&configuration_of(seeds), &quick(&authority, Backing::Volume)).await;
    let expected = [(holder.handle().identity.peer_id, 5, "sealed".to_owned())];
    eventually("it is listed again", async || heard(&far, register).await == expected).await;
}

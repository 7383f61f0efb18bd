//! What a peer costs: the bytes that come back when an engine with many peers is dropped, counted by the allocator.
//!
//! ```text
//!   200 peers ── a link each ──▶ hub ── some quiet, some load ──▶ dropped: so much was its own
//! ```
//!
//! A test program of its own, with one test: nothing else allocates meanwhile.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails")]
#![expect(clippy::print_stdout, reason = "what was measured belongs to the output")]

use bytes::Bytes;
use peerwright_engine::{Config, DialFailure, Engine, Input, LinkId, Micros, Output, Outputs, Policy, Role, Token};
use peerwright_ledger::{RegisterId, TransactionId};
use peerwright_secure::{NodeKey, sha256};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::{
    alloc::System,
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const REGISTER: RegisterId = RegisterId::from_bytes([0xaa; 16]);
const START: Micros = Micros(1_700_000_000_000_000);
const LATENCY: Duration = Duration::from_millis(20);
const PEERS: usize = 200;
const ORIGINS: usize = 64;
/// What an engine may keep for each peer.
const GOAL: usize = 4 * 1024;
/// And more for each origin that was active on its link within the last minute.
const FOR_AN_ORIGIN: usize = 16;

/// A network around one node.
struct Star {
    now: Micros,
    number: u64,
    /// The hub first.
    engines: Vec<Engine>,
    heap: BTreeMap<(Micros, u64), (usize, Happening)>,
    armed: Vec<Option<Micros>>,
}

enum Happening {
    Frame(LinkId, Bytes),
    Input(Input<'static>),
    Timer(Micros),
}

impl Star {
    fn new(peers: usize) -> Self {
        let mut star =
            Self { now: START, number: 0, engines: Vec::new(), heap: BTreeMap::new(), armed: vec![None; peers + 1] };
        for node in 0..=peers {
            let mut config = Config::new(key(node), START.0 + 1, node as u64);
            config.role = if node == 0 { Role::Hub } else { Role::Peer };
            // The hub is everybody's one neighbour, and everybody is its: a neighbour costs more than another link.
            config.overlay.active = if node == 0 { peers.max(1) } else { 1 };
            config.overlay.active_minimum = 1;
            config.overlay.active_outbound = usize::from(node > 0);
            config.overlay.searching = 1;
            config.advertised = Some(address(node));
            config.addresses.own_ranges = vec!["10.0.0.0/8".parse().unwrap()];
            star.engines.push(Engine::new(config));
            let policy = Policy { registers: vec![REGISTER], ..Policy::default() };
            star.give(node, Input::Policy(policy));
        }
        star
    }

    /// A peer has dialled the hub.
    fn link(&mut self, peer: usize) {
        let ends = [(0, key(peer).peer_id(), peer, false), (peer, key(0).peer_id(), 0, true)];
        for (node, far, other, outbound) in ends {
            let up = Input::LinkUp {
                link: LinkId(peer as u64),
                peer: far,
                incarnation: START.0 + 1,
                outbound,
                address: Some(address(other)),
            };
            self.give(node, up);
        }
    }

    fn publish(&mut self, node: usize) {
        self.number += 1;
        let transaction = Bytes::from(vec![u8::try_from(node % 256).unwrap(); 256]);
        let id = TransactionId::from_bytes(sha256(&transaction));
        self.give(node, Input::Submit { token: Token(self.number), register: REGISTER, id, transaction });
    }

    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(entry) = self.heap.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((at, _), (node, happening)) = entry.remove_entry();
            self.now = at;
            match happening {
                Happening::Frame(link, bytes) => self.give(node, Input::Frame { link, bytes: &bytes }),
                Happening::Input(input) => self.give(node, input),
                Happening::Timer(at) if self.armed[node] == Some(at) => {
                    self.armed[node] = None;
                    self.give(node, Input::Timer);
                }
                Happening::Timer(_) => {}
            }
        }
        self.now = end;
    }

    fn give(&mut self, node: usize, input: Input<'_>) {
        let mut out = Outputs::new();
        self.engines[node].handle(self.now, input, &mut out);
        for output in out.drain() {
            self.perform(node, output);
        }
    }

    fn perform(&mut self, node: usize, output: Output) {
        let happening = match output {
            Output::Send { link, bytes, .. } => {
                let far = if node == 0 { usize::try_from(link.0).unwrap() } else { 0 };
                // Copied, as by a socket: no two nodes share memory.
                return self.later(far, LATENCY, Happening::Frame(link, Bytes::copy_from_slice(&bytes)));
            }
            Output::ArmTimer { at } => {
                self.armed[node] = Some(at);
                return self.later(node, at.since(self.now), Happening::Timer(at));
            }
            Output::Dial { address } => Input::DialFailed { address: address.socket, reason: DialFailure::Unreachable },
            Output::Verify { token, .. } => Input::Verified { token, valid: true },
            Output::VerifyStatements { token, .. } => Input::StatementsVerified { token, valid: true },
            Output::Append { token, .. } => Input::Appended { token, result: Ok(()) },
            Output::ReadHeld { token, .. } => Input::Held { token, result: Ok(Vec::new()) },
            Output::ReadMessages { token, .. } => Input::Read { token, result: Ok(Vec::new()) },
            _ => return,
        };
        self.later(node, Duration::from_millis(1), Happening::Input(happening));
    }

    fn later(&mut self, node: usize, delay: Duration, happening: Happening) {
        self.number += 1;
        self.heap.insert((self.now + delay, self.number), (node, happening));
    }
}

/// What the hub of a network keeps.
fn kept(mut star: Star) -> usize {
    assert_eq!(star.engines[0].statistics().links.active, star.engines.len() as u64 - 1);
    let hub = star.engines.swap_remove(0);
    let region = Region::new(ALLOCATOR);
    drop(hub);
    let change = region.change();
    change.bytes_deallocated - change.bytes_allocated
}

/// A hub with so many peers, after a quiet while.
fn settled(peers: usize) -> Star {
    let mut star = Star::new(peers);
    for peer in 1..=peers {
        star.link(peer);
        star.run(Duration::from_millis(10));
    }
    star.run(Duration::from_secs(20));
    star
}

#[test]
fn the_engine_keeps_at_most_four_kibibytes_for_each_peer_and_sixteen_bytes_for_each_origin_active_there() {
    let alone = kept(settled(0));
    let idle = kept(settled(PEERS));
    let mut busy = settled(PEERS);
    for _ in 0..3 {
        for origin in 1..=ORIGINS {
            busy.publish(origin);
        }
        busy.run(Duration::from_secs(3));
    }
    assert!(busy.engines[0].statistics().gossip.origins >= ORIGINS as u64);
    let busy = kept(busy);
    let (of_idle, of_busy) = ((idle - alone) / PEERS, (busy - alone) / PEERS);
    println!(
        "figure: {alone} bytes alone; of each of {PEERS} peers {of_idle}, with {ORIGINS} active origins {of_busy}"
    );
    assert!(of_idle <= GOAL, "{of_idle} bytes for each peer that is idle");
    assert!(of_busy <= GOAL + ORIGINS * FOR_AN_ORIGIN, "{of_busy} bytes for each peer with {ORIGINS} active origins");
}

fn key(node: usize) -> NodeKey {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&(node as u64 + 1).to_be_bytes());
    NodeKey::from_seed(seed)
}

fn address(node: usize) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::from_bits(0x0a00_0001 + u32::try_from(node).unwrap()), 5_000))
}

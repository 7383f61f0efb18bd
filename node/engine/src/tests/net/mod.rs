//! A small network of engines: an event heap, latency, cuts and lost frames, a store in memory and a verifier that answer
//! later. Drives engines by the contract alone.

mod node;
mod store;
mod stranger;

pub(super) use node::Node;
pub(super) use store::MemoryStore;
pub(super) use stranger::{HOSTILE, author, authored, say, with_stranger};

use crate::{
    Address, AddressSource, BanRecord, Class, CloseReason, DialFailure, DownReason, Engine, Event, Input, LinkId,
    Micros, Output, Outputs, Readiness, Token, random::Random,
};
use bytes::Bytes;
use peerwright_ledger::{RegisterId, TransactionId};
use peerwright_secure::PeerId;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const REGISTER: RegisterId = RegisterId::from_bytes([0xaa; 16]);
pub(super) const START: Micros = Micros(1_700_000_000_000_000);

/// What waits in the heap.
#[derive(Debug)]
enum Happening {
    Input { node: usize, life: u64, input: OwnedInput },
    Timer { node: usize, life: u64, at: Micros },
}

/// An input that waits.
#[derive(Debug, Clone)]
pub(super) enum OwnedInput {
    Plain(Input<'static>),
    Addresses(AddressSource, Vec<Address>),
    Frame { link: LinkId, bytes: Bytes },
}

#[derive(Debug, Clone, Copy)]
struct End {
    node: usize,
    life: u64,
    link: LinkId,
}

/// The network.
pub(super) struct Net {
    pub(super) now: Micros,
    pub(super) nodes: Vec<Node>,
    pub(super) latency: Duration,
    /// Percent of gossip messages that are lost on their way.
    pub(super) lost_messages: u64,
    /// How many gossip messages were lost.
    pub(super) lost: u64,
    /// The frames to peers that a test plays.
    pub(super) told: Vec<(LinkId, Bytes)>,
    heap: BTreeMap<(Micros, u64), Happening>,
    number: u64,
    /// The other end of each live connection.
    ends: BTreeMap<LinkId, End>,
    cut: BTreeSet<(usize, usize)>,
    /// Nodes that do not run, and what waits for them.
    paused: BTreeMap<usize, Vec<Happening>>,
    random: Random,
    /// FNV-1a over every output of every engine, when asked for.
    pub(super) trace: Option<u64>,
}

impl Net {
    /// `count` nodes that are down, know each other's addresses, and subscribe to [`REGISTER`].
    pub(super) fn new(count: usize) -> Self {
        Self::with_seed(count, 1)
    }

    pub(super) fn with_seed(count: usize, seed: u64) -> Self {
        let nodes = (0..count).map(|index| Node::new(index, seed)).collect();
        Self {
            now: START,
            nodes,
            latency: Duration::from_millis(5),
            lost_messages: 0,
            lost: 0,
            told: Vec::new(),
            heap: BTreeMap::new(),
            number: 0,
            ends: BTreeMap::new(),
            cut: BTreeSet::new(),
            paused: BTreeMap::new(),
            random: Random::new(seed),
            trace: None,
        }
    }

    /// All nodes started, and time for their links to settle.
    pub(super) fn running(count: usize) -> Self {
        let mut net = Self::new(count);
        net.start_all();
        net
    }

    /// 0 - 1 - 2 - 3, all down, and nobody else reaches anybody.
    pub(super) fn chain() -> Self {
        let mut net = Self::new(4);
        net.cut(&[0], &[2, 3]);
        net.cut(&[1], &[3]);
        net
    }

    /// Starts all nodes, and gives their links time to settle.
    pub(super) fn start_all(&mut self) {
        for node in 0..self.nodes.len() {
            self.start(node);
        }
        self.run(SECOND * 3);
    }

    /// Starts a node, or starts it again: a new incarnation on the same store.
    pub(super) fn start(&mut self, node: usize) {
        self.start_knowing(node, 0..self.nodes.len());
    }

    /// Starts a node that discovery tells of some nodes only.
    pub(super) fn start_knowing(&mut self, node: usize, known: impl IntoIterator<Item = usize>) {
        self.stop(node);
        let addresses = known.into_iter().map(address_of).collect();
        let policy = self.nodes[node].policy.clone();
        self.nodes[node].begin_life(self.now);
        self.give(node, OwnedInput::Plain(Input::Policy(policy)));
        let auto_bans = self.nodes[node].auto_bans.clone();
        self.give(node, OwnedInput::Plain(Input::AutoBans(auto_bans)));
        let anchors = self.nodes[node].anchors.iter();
        let anchors = anchors.map(|socket| Address { host: String::new(), socket: *socket }).collect();
        self.give(node, OwnedInput::Addresses(AddressSource::Anchors, anchors));
        self.give(node, OwnedInput::Addresses(AddressSource::Seeds, addresses));
    }

    /// Ends a node as `kill -9` does: its peers' connections break.
    pub(super) fn stop(&mut self, node: usize) {
        self.nodes[node].engine = None;
        let links: Vec<LinkId> = self.ends.iter().filter(|(_, end)| end.node == node).map(|(link, _)| *link).collect();
        for link in links {
            self.break_link(link);
        }
        let own: Vec<LinkId> = self.nodes[node].links.iter().copied().collect();
        for link in own {
            self.ends.remove(&link);
        }
        self.nodes[node].links.clear();
    }

    /// Breaks a connection as a reset does; `link` is the name at one end, which hears of it now.
    pub(super) fn break_link(&mut self, link: LinkId) {
        let Some(far) = self.ends.remove(&link) else { return };
        let near = self.ends.remove(&far.link);
        for end in [near, Some(far)].into_iter().flatten() {
            let input = Input::LinkDown { link: end.link, reason: DownReason::Broken };
            self.push(Duration::ZERO, end.node, end.life, OwnedInput::Plain(input));
        }
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(entry) = self.heap.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((at, _), happening) = entry.remove_entry();
            self.now = at;
            self.happen(happening);
        }
        self.now = end;
    }

    /// Lets time pass until something is so; panics when it does not become so in time.
    pub(super) fn run_until(&mut self, limit: Duration, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = self.now + limit;
        while !is_so(self) {
            assert!(self.now < end, "not within {limit:?}: {what}");
            self.run(Duration::from_millis(10));
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Input { node, life, input } if self.paused.contains_key(&node) => {
                self.held_back(node, Happening::Input { node, life, input });
            }
            Happening::Timer { node, life, at } if self.paused.contains_key(&node) => {
                self.held_back(node, Happening::Timer { node, life, at });
            }
            Happening::Input { node, life, input } => {
                if self.nodes[node].life == life && self.nodes[node].engine.is_some() {
                    self.give(node, input);
                }
            }
            Happening::Timer { node, life, at } => {
                if self.nodes[node].life == life && self.nodes[node].armed == Some(at) {
                    self.nodes[node].armed = None;
                    self.give(node, OwnedInput::Plain(Input::Timer));
                }
            }
        }
    }

    /// Gives a node an input now.
    pub(super) fn give(&mut self, node: usize, input: OwnedInput) {
        let mut out = Outputs::new();
        let now = self.now;
        let Some(engine) = self.nodes[node].engine.as_mut() else { return };
        match &input {
            OwnedInput::Plain(input) => engine.handle(now, input.clone(), &mut out),
            OwnedInput::Addresses(source, addresses) => {
                engine.handle(now, Input::Addresses { source: *source, addresses }, &mut out);
            }
            OwnedInput::Frame { link, bytes } => engine.handle(now, Input::Frame { link: *link, bytes }, &mut out),
        }
        for output in out.drain() {
            self.note(node, &output);
            self.perform(node, output);
        }
    }

    fn note(&mut self, node: usize, output: &Output) {
        if let Some(trace) = self.trace.as_mut() {
            for byte in format!("{} {node} {output:?}", self.now.0).bytes() {
                *trace = (*trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }

    fn perform(&mut self, node: usize, output: Output) {
        let life = self.nodes[node].life;
        match output {
            Output::Dial { address } => self.dial(node, address.socket),
            Output::Close { link, reason } => self.close(node, link, reason),
            Output::Send { link, bytes, class } => self.send(node, link, bytes, class),
            Output::ArmTimer { at } => {
                self.nodes[node].armed = Some(at);
                let at = at.max(self.now);
                self.nodes[node].armed = Some(at);
                self.number += 1;
                self.heap.insert((at, self.number), Happening::Timer { node, life, at });
            }
            Output::Anchors { addresses } => self.nodes[node].anchors = addresses,
            Output::Accepted { token } => self.nodes[node].accepted.push(token),
            Output::Refused { token, reason } => self.nodes[node].refused.push((token, reason)),
            Output::KeepAutoBans { bans } => self.nodes[node].auto_bans = bans,
            Output::Event(event) => self.nodes[node].events.push((self.now, event)),
            question => {
                if let Some((delay, answer)) = self.nodes[node].answer(question) {
                    self.push(delay, node, life, OwnedInput::Plain(answer));
                }
            }
        }
    }

    fn dial(&mut self, node: usize, socket: SocketAddr) {
        let target = self.nodes.iter().position(|other| other.socket == socket);
        let target = target.filter(|target| self.nodes[*target].engine.is_some() && !self.is_cut(node, *target));
        let life = self.nodes[node].life;
        if target.is_some_and(|target| self.paused.contains_key(&target)) {
            let input = Input::DialFailed { address: socket, reason: DialFailure::Timeout };
            return self.push(SECOND * 5, node, life, OwnedInput::Plain(input));
        }
        let Some(target) = target else {
            let input = Input::DialFailed { address: socket, reason: DialFailure::Unreachable };
            return self.push(self.latency, node, life, OwnedInput::Plain(input));
        };
        let (near, far) = (LinkId(self.number + 1), LinkId(self.number + 2));
        self.number += 2;
        self.ends.insert(near, End { node: target, life: self.nodes[target].life, link: far });
        self.ends.insert(far, End { node, life, link: near });
        self.nodes[node].links.insert(near);
        self.nodes[target].links.insert(far);
        // The dialled side is up when it has answered Hello, the dialling side when the answer came.
        for (delay, at, link, other) in [(1, target, far, node), (2, node, near, target)] {
            let input = Input::LinkUp {
                link,
                peer: self.nodes[other].peer(),
                incarnation: self.nodes[other].incarnation,
                outbound: at == node && link == near,
                address: (link == near).then_some(socket),
            };
            self.push(self.latency * delay, at, self.nodes[at].life, OwnedInput::Plain(input));
        }
    }

    fn close(&mut self, node: usize, link: LinkId, reason: CloseReason) {
        self.nodes[node].links.remove(&link);
        let Some(far) = self.ends.remove(&link) else { return };
        if self.is_cut(node, far.node) {
            return;
        }
        let reason = match reason {
            CloseReason::Duplicate => DownReason::Duplicate,
            CloseReason::Banned => DownReason::Banned,
            _ => DownReason::Goodbye,
        };
        let input = Input::LinkDown { link: far.link, reason };
        self.push(self.latency * 2, far.node, far.life, OwnedInput::Plain(input));
    }

    fn send(&mut self, node: usize, link: LinkId, bytes: Bytes, class: Class) {
        let Some(far) = self.ends.get(&link).copied() else { return self.told.push((link, bytes)) };
        let kind = bytes.get(1).copied().unwrap_or(0);
        if [node, far.node].iter().any(|node| self.nodes[*node].unknown_kinds.contains(&kind)) {
            return;
        }
        self.nodes[node].sent_frames.push((class, kind));
        if is_message(kind) && self.random.below(100) < self.lost_messages {
            self.lost += 1;
            return;
        }
        if self.is_cut(node, far.node) {
            return;
        }
        // Twice, so that a frame never overtakes the LinkUp of its far end.
        self.push(self.latency * 2, far.node, far.life, OwnedInput::Frame { link: far.link, bytes });
    }

    fn push(&mut self, delay: Duration, node: usize, life: u64, input: OwnedInput) {
        self.number += 1;
        self.heap.insert((self.now + delay, self.number), Happening::Input { node, life, input });
    }

    fn is_cut(&self, one: usize, other: usize) -> bool {
        self.cut.contains(&(one.min(other), one.max(other)))
    }

    /// Drops everything between two groups from now on, without a word.
    pub(super) fn cut(&mut self, one: &[usize], other: &[usize]) {
        for (first, second) in one.iter().flat_map(|first| other.iter().map(move |second| (*first, *second))) {
            self.cut.insert((first.min(second), first.max(second)));
        }
    }

    pub(super) fn heal(&mut self) {
        self.cut.clear();
    }

    /// A node's process does not run for a while: nothing is lost, everything is late.
    pub(super) fn pause(&mut self, node: usize) {
        self.paused.entry(node).or_default();
    }

    pub(super) fn resume(&mut self, node: usize) {
        for happening in self.paused.remove(&node).unwrap_or_default() {
            self.number += 1;
            self.heap.insert((self.now, self.number), happening);
        }
    }

    fn held_back(&mut self, node: usize, happening: Happening) {
        self.paused.entry(node).or_default().push(happening);
    }

    /// Submits a transaction.
    pub(super) fn submit(&mut self, node: usize, text: &str) -> Token {
        self.submit_to(node, REGISTER, Bytes::copy_from_slice(text.as_bytes()))
    }

    pub(super) fn submit_to(&mut self, node: usize, register: RegisterId, transaction: Bytes) -> Token {
        self.number += 1;
        let token = Token(self.number);
        let id = TransactionId::from_bytes(peerwright_secure::sha256(&transaction));
        self.give(node, OwnedInput::Plain(Input::Submit { token, register, id, transaction }));
        token
    }

    /// A node's store lets go of all that it holds of [`REGISTER`].
    pub(super) fn let_go(&mut self, node: usize) {
        let gone = self.nodes[node].store.let_go(REGISTER);
        self.give(node, OwnedInput::Plain(Input::Gone(gone)));
    }

    /// Changes a node's policy, and what it will be started with.
    pub(super) fn set_policy(&mut self, node: usize, bans: &[BanRecord], registers: &[RegisterId]) {
        let retired = self.nodes[node].policy.retired.clone();
        let (bans, registers) = (bans.to_vec(), registers.to_vec());
        let policy = crate::Policy { bans, retired, registers, ..crate::Policy::default() };
        self.nodes[node].policy = policy.clone();
        self.give(node, OwnedInput::Plain(Input::Policy(policy)));
    }

    pub(super) fn ban_everywhere(&mut self, bans: &[BanRecord]) {
        for node in 0..self.nodes.len() {
            self.set_policy(node, bans, &[REGISTER]);
        }
    }

    pub(super) fn engine(&self, node: usize) -> &Engine {
        self.nodes[node].engine.as_ref().unwrap()
    }

    pub(super) fn peer(&self, node: usize) -> PeerId {
        self.nodes[node].peer()
    }

    pub(super) fn readiness(&self, node: usize) -> Readiness {
        self.engine(node).readiness()
    }

    /// Whether two nodes have a link, as both see it.
    pub(super) fn are_linked(&self, one: usize, other: usize) -> bool {
        let sees = |node: usize, peer: usize| {
            let peer = self.peer(peer);
            self.nodes[node].engine.as_ref().is_some_and(|engine| engine.peers().iter().any(|view| view.peer == peer))
        };
        sees(one, other) && sees(other, one)
    }

    pub(super) fn all_linked(&self) -> bool {
        let count = self.nodes.len();
        (0..count).all(|one| (one + 1..count).all(|other| self.are_linked(one, other)))
    }

    pub(super) fn events(&self, node: usize) -> impl Iterator<Item = &Event> {
        self.nodes[node].events.iter().map(|(_, event)| event)
    }

    /// Whether a node's store holds these transactions of [`REGISTER`], all and no other.
    pub(super) fn holds_exactly(&self, node: usize, texts: &BTreeSet<String>) -> bool {
        self.nodes[node].store.texts(REGISTER) == *texts
    }

    /// Every message was put into the store of a node once.
    pub(super) fn assert_stored_once(&self) {
        for (index, node) in self.nodes.iter().enumerate() {
            assert_eq!(node.store.appended_again, 0, "node {index} stored a message twice");
        }
    }
}

/// Whether a frame of this kind carries a message that is spread.
pub(super) fn is_message(kind: u8) -> bool {
    [crate::frame::kind::MESSAGE, crate::frame::kind::PACKED].contains(&kind)
}

pub(super) fn address_of(node: usize) -> Address {
    let [high, low] = u16::try_from(node + 1).unwrap().to_be_bytes();
    let socket = SocketAddr::from(([10, 0, high, low], 5000));
    Address { host: format!("node-{node}"), socket }
}

pub(super) fn texts(prefix: &str, count: usize) -> BTreeSet<String> {
    (0..count).map(|number| format!("{prefix}-{number}")).collect()
}

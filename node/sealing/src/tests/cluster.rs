//! Several sealers, each with a store that outlives it.

use super::{
    chance::Chance,
    full::Volume,
    register::{BEGIN, encoded, genesis, transaction, verify_as_a_stranger},
    wires::{Wire, Wires},
};
use crate::{Clock, Group, GroupParts, GroupRefused, Outcome, SealingSettings};
use peerwright_ledger::{Chain, RegisterId, Transaction, TransactionId};
use peerwright_secure::{NodeKey, NodePublicKey};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// How long anything in these tests may take, in their own time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How long a message is on its way.
const DELAY: Duration = Duration::from_millis(1);

pub(crate) struct Cluster {
    pub(crate) wires: Arc<Wires>,
    pub(crate) settings: SealingSettings,
    /// What whoever starts from now on is told.
    pub(crate) generation: u64,
    /// Who may be a sealer, as the operator says.
    pub(crate) permitted: BTreeSet<NodePublicKey>,
    nodes: Vec<Node>,
    begun: Instant,
}

struct Node {
    key: NodeKey,
    store: Arc<Volume>,
    group: Option<Arc<Group>>,
    /// By so many microseconds its clock is ahead.
    ahead: Arc<AtomicI64>,
}

impl Cluster {
    /// So many sealers that run and are of no group yet.
    pub(crate) async fn strangers(count: u8) -> Self {
        Self::over((0..count).map(|_| Volume::empty())).await
    }

    /// Sealers with these stores, which are of no group yet.
    pub(crate) async fn over(volumes: impl IntoIterator<Item = Volume>) -> Self {
        let wires = Arc::new(Wires::default());
        wires.set_delay(DELAY);
        let key = |seed: u8| NodeKey::from_seed([seed; 32]);
        let nodes = (1..).zip(volumes);
        let nodes = nodes.map(|(seed, store)| Node {
            key: key(seed),
            store: Arc::new(store),
            group: None,
            ahead: Arc::default(),
        });
        let nodes: Vec<Node> = nodes.collect();
        let permitted = nodes.iter().map(|node| node.key.public()).collect();
        let settings = SealingSettings::default();
        let mut cluster = Self { wires, settings, generation: 0, permitted, nodes, begun: Instant::now() };
        for node in cluster.all() {
            cluster.start(node).await;
        }
        cluster
    }

    /// A group of so many sealers, with a leader.
    pub(crate) async fn group(count: u8) -> Self {
        let cluster = Self::strangers(count).await;
        cluster.initialise(0..usize::from(count)).await;
        cluster
    }

    pub(crate) async fn initialise(&self, members: impl IntoIterator<Item = usize>) {
        let members: Vec<usize> = members.into_iter().collect();
        self.at(members[0]).initialise(self.keys(members.iter().copied())).await.unwrap();
        self.leader().await;
    }

    pub(crate) fn key(&self, node: usize) -> NodePublicKey {
        self.nodes[node].key.public()
    }

    pub(crate) fn keys(&self, nodes: impl IntoIterator<Item = usize>) -> BTreeSet<NodePublicKey> {
        nodes.into_iter().map(|node| self.key(node)).collect()
    }

    pub(crate) fn all(&self) -> std::ops::Range<usize> {
        0..self.nodes.len()
    }

    pub(crate) fn at(&self, node: usize) -> Arc<Group> {
        Arc::clone(self.nodes[node].group.as_ref().expect("the sealer runs"))
    }

    pub(crate) fn store(&self, node: usize) -> &Arc<Volume> {
        &self.nodes[node].store
    }

    pub(crate) fn node_key(&self, node: usize) -> &NodeKey {
        &self.nodes[node].key
    }

    /// A sealer's clock is so far ahead from now on, or behind.
    pub(crate) fn set_clock_ahead(&self, node: usize, micros: i64) {
        self.nodes[node].ahead.store(micros, Ordering::Relaxed);
    }

    /// The operator says anew who may be a sealer.
    pub(crate) fn permit(&mut self, permitted: BTreeSet<NodePublicKey>) {
        for group in self.nodes.iter().filter_map(|node| node.group.as_ref()) {
            group.permit(permitted.clone());
        }
        self.permitted = permitted;
    }

    pub(crate) fn now(&self) -> u64 {
        BEGIN + u64::try_from(self.begun.elapsed().as_micros()).unwrap()
    }

    pub(crate) fn clock(&self, node: usize) -> Clock {
        let (begun, ahead) = (self.begun, Arc::clone(&self.nodes[node].ahead));
        Arc::new(move || {
            let now = BEGIN + u64::try_from(begun.elapsed().as_micros()).unwrap();
            now.saturating_add_signed(ahead.load(Ordering::Relaxed))
        })
    }

    pub(crate) fn wire(&self, node: usize) -> Arc<Wire> {
        Arc::new(Wire { wires: Arc::clone(&self.wires), me: self.key(node) })
    }

    /// The sealer's key and its store, as they are while it does not run.
    pub(crate) fn at_rest(&self, node: usize) -> (NodeKey, Arc<Volume>) {
        let Node { key, store, group, .. } = &self.nodes[node];
        assert!(group.is_none(), "the sealer runs");
        (key.clone(), Arc::clone(store))
    }

    /// Starts a sealer with what its store holds.
    pub(crate) async fn start(&mut self, node: usize) {
        let permitted = self.permitted.clone();
        let clock = self.clock(node);
        let Node { key, store, .. } = &self.nodes[node];
        let parts = GroupParts {
            key: key.clone(),
            store: Arc::clone(store) as Arc<dyn peerwright_store::SealingStore>,
            transport: self.wire(node),
            clock,
            settings: self.settings.clone(),
            generation: self.generation,
            permitted,
        };
        let group = Arc::new(Group::start(parts).await.unwrap());
        self.wires.attach(key.public(), &group);
        self.nodes[node].group = Some(group);
    }

    /// Stops a sealer where it stands; its store stays.
    pub(crate) async fn kill(&mut self, node: usize) {
        self.wires.detach(&self.key(node));
        let group = self.nodes[node].group.take().expect("the sealer runs");
        group.stop().await;
    }

    /// A sealer's machine loses its power; what its volume had not synced is lost.
    pub(crate) async fn crash(&mut self, node: usize) {
        self.store(node).cut_power();
        self.kill(node).await;
    }

    /// The power is on again; syncs take as long as `chance` says.
    pub(crate) fn power_on(&mut self, node: usize, chance: Option<Chance>) {
        self.nodes[node].store = Arc::new(self.nodes[node].store.powered_on(chance));
    }

    /// Stops all sealers, then starts all: with the settings as they are now.
    pub(crate) async fn restart_all(&mut self) {
        for node in self.all() {
            self.kill(node).await;
        }
        for node in self.all() {
            self.start(node).await;
        }
    }

    /// The sealer's volume is lost.
    pub(crate) fn wipe(&mut self, node: usize) {
        self.nodes[node].store = Arc::new(Volume::empty());
    }

    /// Cuts some sealers off from all others.
    pub(crate) fn isolate(&self, nodes: &[usize]) {
        for node in nodes {
            for other in self.all().filter(|other| !nodes.contains(other)) {
                self.wires.cut(self.key(*node), self.key(other));
            }
        }
    }

    pub(crate) fn running(&self) -> impl Iterator<Item = usize> {
        self.all().filter(|node| self.nodes[*node].group.is_some())
    }

    /// Waits for a leader that a majority answers.
    pub(crate) async fn leader(&self) -> usize {
        let found = async {
            loop {
                if let Some(leader) = self.running().find(|node| self.at(*node).status().is_leading) {
                    return leader;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("a leader is elected")
    }

    /// A register of these sealers, created at the leader.
    pub(crate) async fn register_of(&self, nonce: u8, sealers: BTreeSet<NodePublicKey>) -> RegisterId {
        let leader = self.leader().await;
        let leader = self.at(leader);
        let created = leader.create(genesis(sealers, nonce, 10));
        tokio::time::timeout(PATIENCE, created).await.expect("in time").unwrap()
    }

    pub(crate) async fn register(&self, nonce: u8) -> RegisterId {
        self.register_of(nonce, self.keys(self.all())).await
    }

    pub(crate) fn transactions(&self, register: RegisterId, numbers: std::ops::Range<u64>) -> Vec<Transaction> {
        let now = self.now();
        numbers.map(|number| transaction(register, number, now)).collect()
    }

    /// Hands in to whoever leads, again and again until each has its outcome, as a node's outbox does.
    pub(crate) async fn seal(&self, register: RegisterId, transactions: &[Transaction]) -> Vec<Outcome> {
        let sealed = async {
            loop {
                let leader = self.at(self.leader().await);
                let handed_in = leader.submit(register, encoded(transactions));
                match tokio::time::timeout(Duration::from_secs(2), handed_in).await {
                    Ok(Ok(outcomes)) => return outcomes,
                    Ok(Err(
                        GroupRefused::NotLeader { .. }
                        | GroupRefused::DiskFull
                        | GroupRefused::QueueFull
                        | GroupRefused::Stopped,
                    ))
                    | Err(_) => {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                    Ok(Err(refused)) => panic!("{refused}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, sealed).await.expect("sealed in time")
    }

    /// Waits until a sealer has heard who leads.
    pub(crate) async fn follows(&self, node: usize, leader: NodePublicKey) {
        let group = self.at(node);
        let heard = group.wait_until(|status| status.leader == Some(leader));
        assert_eq!(tokio::time::timeout(PATIENCE, heard).await, Ok(true), "sealer {node} hears who leads in time");
    }

    /// Waits until a sealer has stored a register up to this docket.
    pub(crate) async fn stored(&self, node: usize, register: RegisterId, number: u64) {
        let group = self.at(node);
        let stored = group.wait_until(|_| group.chain(&register).is_some_and(|chain| chain.head().number >= number));
        assert_eq!(tokio::time::timeout(PATIENCE, stored).await, Ok(true), "sealer {node} has docket {number} in time");
    }

    /// Waits until these sealers hold the same of a register, has a stranger verify it at each, and gives what he learns.
    pub(crate) async fn agreed(&self, nodes: &[usize], register: RegisterId) -> (Chain, Vec<TransactionId>) {
        let furthest =
            nodes.iter().filter_map(|node| Some(self.at(*node).chain(&register)?.head().number)).max().unwrap();
        let mut agreed: Option<(Chain, Vec<TransactionId>)> = None;
        for node in nodes {
            self.stored(*node, register, furthest).await;
            let verified = verify_as_a_stranger(self.store(*node).as_ref(), register, self.now()).await;
            assert_eq!(
                *agreed.get_or_insert_with(|| verified.clone()),
                verified,
                "sealer {node} holds what the others hold"
            );
        }
        agreed.unwrap()
    }
}

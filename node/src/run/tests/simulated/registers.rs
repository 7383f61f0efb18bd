//! Registers of whole nodes whose network and machines fail as a seed says: three sealers, two that follow, each with a volume that
//! outlives it. Outbox, feed, sealing, replication are those of production.
//!
//! The group alone, with lost volumes and failing disks, has a simulation of its own that replays to the bit
//! (`peerwright-sealing`); here is what lies around it.

use super::{Home, Network, host};
use crate::{
    NodeHandle,
    api::Node,
    registers::CreateRefused,
    run::{
        Backing,
        tests::registers::{orders, verified},
    },
    testing::{NETWORK_UID, eventually, transaction_in},
};
use futures::FutureExt;
use peerwright_ledger::{DocketHash, RegisterId, TransactionId};
use peerwright_snapshot::{Content, Subscription};
use peerwright_store::{DocketStore, Memory, Seen};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};
use tempfile::TempDir;
use turmoil::Sim;

const NODES: usize = 5;
const SEALERS: usize = 3;
/// Steps of one run.
const STEPS: u64 = 12;
/// Seeds that are run when none are named.
const SEEDS: Range<u64> = 0..2;
/// Names other seeds, as `100..200`.
const NAMED_SEEDS: &str = "REGISTER_SEEDS";

struct Registers {
    network: Network,
    stores: Vec<Arc<Memory>>,
    _volumes: Vec<TempDir>,
    /// splitmix64.
    chance: u64,
    register: RegisterId,
    down: Option<usize>,
    accepted: Arc<Mutex<BTreeSet<TransactionId>>>,
    /// Every certified docket that was ever seen, and how far each node had come.
    certified: BTreeMap<u64, DocketHash>,
    heads: Vec<Option<u64>>,
}

impl Registers {
    /// Nodes that know each other and follow one register.
    fn begin(seed: u64) -> Self {
        let volumes: Vec<TempDir> = (0..NODES).map(|_| tempfile::tempdir().unwrap()).collect();
        let stores: Vec<Arc<Memory>> = (0..NODES).map(|_| Arc::new(Memory::new(NETWORK_UID))).collect();
        let homes = stores.iter().zip(&volumes).map(|(store, volume)| Home {
            backing: Backing::VolumeAndStores(store.clone(), store.clone()),
            directory: volume.path().to_owned(),
        });
        let mut network = Network::of(seed, homes.collect());
        network.until_linked(0..NODES, NODES - 1);
        let sealers = (0..SEALERS).map(|number| network.node(number).unwrap().identity.peer_id);
        let sealers: BTreeSet<_> = sealers.collect();
        network.publish(|content| {
            content.founders.clone_from(&sealers);
            content.sealers = sealers;
        });
        let register = network.create_register();
        network.publish(|content| {
            content.subscriptions.insert(*register.as_bytes(), Subscription::default());
        });
        let (accepted, certified, heads) = (Arc::default(), BTreeMap::new(), vec![None; NODES]);
        Self { network, stores, _volumes: volumes, chance: seed, register, down: None, accepted, certified, heads }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }

    /// One failure, or the end of all.
    fn fail(&mut self) {
        let (one, other) = (self.below(NODES), self.below(NODES - 1));
        let other = if other < one { other } else { other + 1 };
        match self.below(7) {
            0 => self.network.alone(one, Sim::partition),
            1 => self.network.between(one..one + 1, other..other + 1, |sim, from, to| sim.partition_oneway(from, to)),
            2 => self.network.alone(one, Sim::hold),
            3 if self.down.is_none() => {
                self.network.sim.crash(host(one));
                self.network.nodes.lock().unwrap()[one] = None;
                self.down = Some(one);
            }
            4 => self.network.between(one..one + 1, other..other + 1, Sim::partition),
            _ => self.heal(),
        }
    }

    fn heal(&mut self) {
        for one in 0..NODES {
            self.network.alone(one, Sim::release);
            self.network.alone(one, Sim::repair);
        }
        if let Some(down) = self.down.take() {
            self.network.sim.bounce(host(down));
        }
    }

    /// Some node accepts a transaction, if it runs.
    fn accept(&mut self) {
        let number = self.below(NODES);
        let Some(node) = self.network.node(number) else { return };
        let (register, accepted) = (self.register, self.accepted.clone());
        let count = accepted.lock().unwrap().len();
        self.network.until(async move {
            let transaction = transaction_in(&node, register, &format!("number {count}"));
            let id = transaction.id();
            if node.submit(transaction).await.is_ok() {
                accepted.lock().unwrap().insert(id);
            }
        });
    }

    /// No certified docket, once it was seen anywhere, disappears or changes.
    fn check(&mut self) {
        for (number, store) in self.stores.iter().enumerate() {
            let headers = now(store.headers(self.register, 0, Seen::Certified, usize::MAX)).unwrap();
            for (place, header) in (0..).zip(&headers) {
                assert_eq!(header.number, place, "node {number} has a hole");
                let seen = self.certified.entry(place).or_insert(header.hash);
                assert_eq!(*seen, header.hash, "docket {place} of node {number} has changed");
            }
            let head = headers.last().map(|header| header.number);
            assert!(head >= self.heads[number], "node {number} has lost dockets");
            self.heads[number] = head;
        }
    }

    /// Everything that was accepted comes to be committed everywhere, once, and a stranger verifies it at each node.
    fn settle(&mut self) {
        let accepted: Vec<TransactionId> = self.accepted.lock().unwrap().iter().copied().collect();
        for (number, store) in self.stores.iter().enumerate() {
            let (store, register, ids) = (store.clone(), self.register, accepted.clone());
            self.network.until(async move {
                let has_all = async || {
                    let places = store.find_all(register, ids.clone(), Seen::Certified).await.unwrap();
                    places.iter().all(Option::is_some)
                };
                eventually(&format!("node {number} holds all that was accepted"), has_all).await;
            });
        }
        self.network.until_drained();
        self.check();
        for store in &self.stores {
            let (_, ids) = now(verified(&**store, self.register));
            let once: BTreeSet<TransactionId> = ids.iter().copied().collect();
            assert_eq!(once.len(), ids.len(), "one is sealed twice");
            assert!(accepted.iter().all(|id| once.contains(id)), "one that was accepted is in no docket");
        }
    }
}

/// What needs no waiting.
fn now<T>(ready: impl Future<Output = T>) -> T {
    ready.now_or_never().expect("a store in memory answers at once")
}

impl Network {
    fn node(&self, number: usize) -> Option<Arc<NodeHandle>> {
        self.nodes.lock().unwrap()[number].clone()
    }

    /// A change between one node and all others.
    fn alone(&self, one: usize, change: impl Fn(&Sim<'static>, String, String)) {
        self.between(one..one + 1, 0..one, &change);
        self.between(one..one + 1, one + 1..NODES, &change);
    }

    fn publish(&mut self, change: impl FnOnce(&mut Content)) {
        let snapshot = self.authority.publish(change).unwrap();
        let nodes = self.nodes.clone();
        self.until(async move {
            for node in nodes.lock().unwrap().iter().flatten() {
                node.membership.adopt_snapshot(&snapshot).unwrap();
            }
        });
    }

    fn create_register(&mut self) -> RegisterId {
        let (node, created) = (self.node(NODES - 1).unwrap(), Arc::new(Mutex::new(None)));
        let creating = created.clone();
        self.until(async move {
            let register = loop {
                match node.create_register(orders()).await {
                    Ok(register) => break register,
                    // Its members are still getting to know each other.
                    Err(CreateRefused::NoSealers | CreateRefused::Unreached(_)) => {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    Err(refused) => panic!("{refused}"),
                }
            };
            *creating.lock().unwrap() = Some(register);
        });
        let register = created.lock().unwrap().take();
        register.unwrap()
    }

    /// No outbox has anything left.
    fn until_drained(&mut self) {
        let nodes = self.nodes.clone();
        self.until(async move {
            let drained = async || {
                let nodes = nodes.lock().unwrap();
                nodes.iter().flatten().all(|node| node.registers.outbox_figures().open == 0)
            };
            eventually("every outbox is empty", drained).await;
        });
    }
}

fn seeds() -> Range<u64> {
    let Ok(named) = std::env::var(NAMED_SEEDS) else { return SEEDS };
    let ends = named.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    ends.unwrap_or_else(|| panic!("{NAMED_SEEDS} is no range like 0..8: {named}"))
}

#[test]
fn what_whole_nodes_accept_is_committed_once_and_stays_whatever_fails_between_them() {
    for seed in seeds() {
        println!("{NAMED_SEEDS}={seed}..{} runs this one alone", seed + 1);
        let mut registers = Registers::begin(seed);
        for _ in 0..STEPS {
            registers.fail();
            registers.accept();
            let time = Duration::from_millis(registers.below(2_500) as u64);
            registers.network.pass(time);
            registers.check();
        }
        registers.heal();
        registers.settle();
    }
}

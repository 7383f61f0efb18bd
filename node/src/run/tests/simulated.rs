//! Whole nodes on a simulated network: hosts of their own, latency, cuts, hosts that die. TLS, HTTP/2, driver and engine
//! are those of production; time is simulated, so a minute of the network's costs seconds.
//!
//! Keys and nonces are random and work on other threads is real, so a run does not repeat itself to the bit; what must
//! hold, must hold in each. The engine's own simulator is the one that replays.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::{
    NodeHandle, RunningNode,
    api::Node,
    config::Endpoint,
    dev::Authority,
    run::{Backing, Sockets},
    testing::{REGISTER, authority, configuration, eventually, options, transaction_of},
};
use peerwright_ledger::TransactionId;
use std::{
    net::{Ipv4Addr, SocketAddr},
    ops::Range,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use turmoil::{Builder, Sim};

const HOSTS: usize = 12;
const HALF: usize = HOSTS / 2;
/// Those from here on die.
const DOOMED: usize = HOSTS - HOSTS / 3;
const PEER_PORT: u16 = 5000;

/// The nodes that run now, by host.
type Nodes = Arc<Mutex<Vec<Option<Arc<NodeHandle>>>>>;

struct Network {
    sim: Sim<'static>,
    nodes: Nodes,
    /// Every transaction that a node has accepted.
    sent: Vec<TransactionId>,
    steps: usize,
}

fn host(number: usize) -> String {
    format!("host-{number}")
}

/// A node's life on its host, until the host dies.
async fn live(authority: Arc<Authority>, nodes: Nodes, number: usize) -> turmoil::Result {
    let mut configuration = configuration(&format!("demo-peer-{number}"), Path::new("/nowhere"));
    let everywhere = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    configuration.listen_peer = everywhere(PEER_PORT);
    configuration.listen_api = everywhere(8443);
    configuration.listen_probe = everywhere(8080);
    let seed = |number| Endpoint { host: turmoil::lookup(host(number)).to_string(), port: PEER_PORT };
    configuration.seeds = (0..HOSTS).map(seed).collect();
    let mut sockets = Sockets::bind(&configuration).await?;
    // The system tells its own addresses, not those of this host.
    sockets.peer_address.set_ip(turmoil::lookup(host(number)));
    let node = RunningNode::start(&configuration, &options(&authority, Backing::Memory), sockets).await?;
    nodes.lock().unwrap()[number] = Some(node.handle().clone());
    std::future::pending::<()>().await;
    drop(node);
    Ok(())
}

impl Network {
    fn start(seed: u64) -> Self {
        let (authority, nodes) = (authority(), Nodes::new(Mutex::new(vec![None; HOSTS])));
        let mut sim = Builder::new()
            .rng_seed(seed)
            .tick_duration(Duration::from_millis(5))
            .min_message_latency(Duration::from_millis(5))
            .max_message_latency(Duration::from_millis(25))
            .tcp_capacity(1 << 14)
            .simulation_duration(Duration::from_secs(600))
            .build();
        for number in 0..HOSTS {
            let (authority, nodes) = (authority.clone(), nodes.clone());
            sim.host(host(number), move || live(authority.clone(), nodes.clone(), number));
        }
        Self { sim, nodes, sent: Vec::new(), steps: 0 }
    }

    /// Lets the network run until this is done.
    fn until(&mut self, done: impl Future<Output = ()> + 'static) {
        self.steps += 1;
        let step = async move {
            done.await;
            Ok(())
        };
        self.sim.client(format!("step-{}", self.steps), step);
        while !self.sim.step().unwrap() {}
    }

    fn pass(&mut self, time: Duration) {
        self.until(async move { tokio::time::sleep(time).await });
    }

    fn until_linked(&mut self, numbers: Range<usize>, links: usize) {
        let nodes = self.nodes.clone();
        self.until(async move {
            for number in numbers {
                let running = async || nodes.lock().unwrap()[number].is_some();
                eventually("the node runs", running).await;
                let node = nodes.lock().unwrap()[number].clone().unwrap();
                let enough = async || node.view().await.is_ok_and(|view| view.peers.len() >= links);
                eventually(&format!("node {number} has {links} links"), enough).await;
            }
        });
    }

    /// Each of these nodes accepts a transaction.
    fn submit(&mut self, numbers: Range<usize>) {
        for number in numbers {
            let node = self.nodes.lock().unwrap()[number].clone().unwrap();
            let sent = transaction_of(&node, &format!("number {} of {number}", self.sent.len()));
            self.sent.push(sent.id());
            self.until(async move { node.submit(sent).await.unwrap() });
        }
    }

    /// Each of these nodes holds everything that was ever accepted, once.
    fn until_held(&mut self, numbers: Range<usize>) {
        let (nodes, sent) = (self.nodes.clone(), self.sent.clone());
        self.until(async move {
            for number in numbers {
                let node = nodes.lock().unwrap()[number].clone().unwrap();
                for id in &sent {
                    let holds = async || node.store.transaction(REGISTER, *id).await.unwrap().is_some();
                    eventually(&format!("node {number} holds everything"), holds).await;
                }
                assert_eq!(node.store.counts(REGISTER).await.unwrap().transactions, sent.len() as u64);
                assert!(node.view().await.unwrap().bans.is_empty());
            }
        });
    }

    fn between(&self, one: Range<usize>, other: Range<usize>, change: impl Fn(&Sim<'static>, String, String)) {
        for (one, other) in one.flat_map(|one| other.clone().map(move |other| (one, other))) {
            change(&self.sim, host(one), host(other));
        }
    }
}

#[test]
fn a_network_that_was_cut_in_half_holds_everything_once_after_it_healed() {
    let mut network = Network::start(1);
    network.until_linked(0..HOSTS, 3);
    network.submit(0..HOSTS);
    network.until_held(0..HOSTS);
    network.between(0..HALF, HALF..HOSTS, Sim::partition);
    network.submit(0..HOSTS);
    network.pass(Duration::from_secs(20));
    network.between(0..HALF, HALF..HOSTS, Sim::repair);
    network.submit(0..2);
    network.until_held(0..HOSTS);
}

#[test]
fn when_a_third_of_the_hosts_die_at_once_the_others_go_on_and_those_that_return_catch_up() {
    let mut network = Network::start(2);
    network.until_linked(0..HOSTS, 3);
    network.submit(0..HOSTS);
    network.until_held(0..HOSTS);
    for number in DOOMED..HOSTS {
        network.sim.crash(host(number));
        network.nodes.lock().unwrap()[number] = None;
    }
    network.submit(0..DOOMED);
    network.until_held(0..DOOMED);
    for number in DOOMED..HOSTS {
        network.sim.bounce(host(number));
    }
    network.until_linked(DOOMED..HOSTS, 3);
    network.submit(DOOMED..HOSTS);
    network.until_held(0..HOSTS);
}

#[test]
fn what_the_network_holds_back_for_a_while_arrives_once() {
    let mut network = Network::start(3);
    network.until_linked(0..HOSTS, 3);
    for _ in 0..3 {
        network.between(0..HALF, HALF..HOSTS, Sim::hold);
        network.submit(0..HOSTS);
        network.pass(Duration::from_millis(900));
        network.between(0..HALF, HALF..HOSTS, Sim::release);
    }
    network.until_held(0..HOSTS);
}

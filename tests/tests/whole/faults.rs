//! Crashes and cut cables lose nothing that was acknowledged.

use crate::{
    client::Client,
    kubectl::{kubectl, wait_for},
    network::Network,
};
use peerwright_cluster::Cluster;
use std::time::Duration;

/// A node whose machine does not reach those of others, nor they it, for as long as this lives.
struct Parted<'a>(&'a Cluster);

impl<'a> Parted<'a> {
    fn begin(cluster: &'a Cluster, network: &Network, pod: &str, others: &[&str]) -> Self {
        let machine = |pod: &str| network.field(&format!("pod/{pod}"), "{.spec.nodeName}").unwrap();
        let (own, parted) = (machine(pod), Self(cluster));
        for other in others.iter().copied().map(machine) {
            assert_ne!(own, other, "two nodes are on one machine and cannot be parted");
            cluster.part(&own, &other).unwrap();
        }
        parted
    }
}

impl Drop for Parted<'_> {
    fn drop(&mut self) {
        self.0.clear_losses();
    }
}

#[test]
fn a_killed_node_comes_back_with_everything_that_it_acknowledged() {
    let network = Network::ready("kill", 3);
    network.subscribe();
    let client = Client::of(&network, "client");
    let accepted: Vec<String> = (0..20).map(|n| client.submit("net-peer-1", &format!("entry {n}")).unwrap()).collect();
    let cluster = Cluster::attach().unwrap();
    // Nobody gives it again what it has lost.
    let parted = Parted::begin(&cluster, &network, "net-peer-1", &["net-peer-0", "net-peer-2"]);
    cluster.kill_pod(&network.namespace, "net-peer-1").unwrap();
    wait_for("the process is another", Duration::from_secs(60), || {
        let restarts = network.field("pod/net-peer-1", "{.status.containerStatuses[0].restartCount}")?;
        if restarts == "0" { Err(restarts) } else { Ok(()) }
    });
    for id in &accepted {
        client.wait_holds("net-peer-1", id, Duration::from_secs(60));
    }
    assert_eq!(client.links("net-peer-1").unwrap(), 0, "it was to be alone");
    let last = client.submit("net-peer-0", "while it was alone").unwrap();
    drop(parted);
    network.wait_pod_ready("net-peer-1", Duration::from_secs(60));
    client.wait_holds("net-peer-1", &last, Duration::from_secs(60));
}

#[test]
fn a_machine_that_was_cut_off_catches_up_and_gives_what_it_accepted() {
    let network = Network::ready("cut", 3);
    network.subscribe();
    let client = Client::of(&network, "client");
    let before = client.submit("net-peer-2", "before the cut").unwrap();
    let machine = network.field("pod/net-peer-2", "{.spec.nodeName}").unwrap();
    let cluster = Cluster::attach().unwrap();
    cluster.cut(&machine).unwrap();
    client.wait_links("net-peer-0", 1, Duration::from_secs(20));
    let mut during: Vec<String> =
        (0..10).map(|n| client.submit("net-peer-0", &format!("entry {n}")).unwrap()).collect();
    during.extend((0..10).map(|n| client.submit_on(&cluster, &machine, "net-peer-2", &format!("alone {n}")).unwrap()));
    cluster.heal(&machine).unwrap();
    kubectl(&["wait", "--for=condition=Ready", &format!("node/{machine}"), "--timeout=60s"]);
    for pod in ["net-peer-0", "net-peer-1", "net-peer-2"] {
        for id in during.iter().chain([&before]) {
            client.wait_holds(pod, id, Duration::from_secs(40));
        }
    }
    network.wait_ready(3);
}

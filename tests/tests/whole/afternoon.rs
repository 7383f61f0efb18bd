//! Everything that goes wrong in one afternoon, to one network: a slow and lossy cable, a cut, a pause, a crash.

use crate::{client::Client, network::Network};
use peerwright_cluster::{Cluster, Impairment};
use std::time::{Duration, Instant};

const PODS: [&str; 3] = ["net-peer-0", "net-peer-1", "net-peer-2"];

/// From a cut to the last other node that holds the peer unreachable, as curl sees it over a slow cable.
const CUT_KNOWN: Duration = Duration::from_secs(8);

/// The same for a pause. A detector that has just been wrong or alone waits longer, and a paused process' kernel still
/// answers for it.
const PAUSE_KNOWN: Duration = Duration::from_secs(15);

/// Redialling waits for a backoff, and the cable is slow.
const BACK: Duration = Duration::from_secs(30);

#[test]
fn a_bad_afternoon_is_noticed_in_time_and_every_accepted_transaction_is_on_every_node_once() {
    let network = Network::ready("afternoon", 3);
    network.subscribe();
    let client = Client::of(&network, "client");
    let cluster = Cluster::attach().unwrap();
    let machine = |pod: &str| network.field(&format!("pod/{pod}"), "{.spec.nodeName}").unwrap();
    let peers = PODS.map(|pod| client.own_peer(pod).unwrap());
    let mut accepted: Vec<String> = Vec::new();
    let submit = |pod: &str, what: &str| -> Vec<String> {
        (0..5).map(|number| client.submit(pod, &format!("{what} {number}")).unwrap()).collect()
    };

    let bad = Impairment { delay: Duration::from_millis(40), loss_percent: 1, ..Impairment::default() };
    cluster.delay_and_loss(&machine(PODS[1]), &bad).unwrap();
    accepted.extend(PODS.iter().flat_map(|pod| submit(pod, "over a bad cable")));

    let cut_off = machine(PODS[2]);
    cluster.cut(&cut_off).unwrap();
    noticed(&client, &[PODS[0], PODS[1]], &peers[2], "a cut", CUT_KNOWN);
    accepted.extend(submit(PODS[0], "without the one cut off"));
    accepted.extend((0..5).map(|n| client.submit_on(&cluster, &cut_off, PODS[2], &format!("alone {n}")).unwrap()));
    cluster.heal(&cut_off).unwrap();
    back(&client, &[PODS[0], PODS[1]], &peers[2]);

    let paused = Paused::new(&cluster, &network.namespace, PODS[0]);
    noticed(&client, &[PODS[1], PODS[2]], &peers[0], "a pause", PAUSE_KNOWN);
    accepted.extend(submit(PODS[2], "without the one paused"));
    drop(paused);
    back(&client, &[PODS[1], PODS[2]], &peers[0]);

    accepted.extend(submit(PODS[2], "before the crash"));
    cluster.kill_pod(&network.namespace, PODS[2]).unwrap();
    accepted.extend(submit(PODS[1], "during the crash"));
    network.wait_pod_ready(PODS[2], Duration::from_secs(60));

    cluster.clear_delay_and_loss(&machine(PODS[1])).unwrap();
    network.wait_ready(3);
    accepted.sort();
    for pod in PODS {
        for id in &accepted {
            client.wait_holds(pod, id, BACK);
        }
        let mut listed = client.listed(pod);
        listed.sort();
        assert_eq!(listed, accepted, "{pod} holds what was accepted, each once, and nothing else");
    }
}

/// A pod that goes on when this is dropped, also by a failure: a paused one could not be deleted.
struct Paused<'a> {
    cluster: &'a Cluster,
    namespace: &'a str,
    pod: &'a str,
}

impl<'a> Paused<'a> {
    fn new(cluster: &'a Cluster, namespace: &'a str, pod: &'a str) -> Self {
        cluster.freeze_pod(namespace, pod).unwrap();
        Self { cluster, namespace, pod }
    }
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        self.cluster.thaw_pod(self.namespace, self.pod).unwrap();
    }
}

/// Waits until all of `pods` hold the peer unreachable, none of them dead.
fn noticed(client: &Client<'_>, pods: &[&str], peer: &str, what: &str, limit: Duration) {
    let start = Instant::now();
    for pod in pods {
        client.wait_member(pod, peer, "unreachable", limit.saturating_sub(start.elapsed()));
    }
    println!("figure: {what} was known to all others after {:.1} s", start.elapsed().as_secs_f64());
}

/// Waits until all of `pods` hold the peer alive again.
fn back(client: &Client<'_>, pods: &[&str], peer: &str) {
    for pod in pods {
        client.wait_member(pod, peer, "alive", BACK);
    }
}

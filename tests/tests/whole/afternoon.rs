//! Everything that goes wrong in one afternoon, to one network: a slow and lossy cable, a cut, a pause, a crash.

use crate::{client::Client, network::Network};
use jiff::Timestamp;
use peerwright_cluster::{Cluster, Impairment};
use serde_json::Value;
use std::time::{Duration, Instant};

const PODS: [&str; 3] = ["net-peer-0", "net-peer-1", "net-peer-2"];

/// From a cut until curl has heard over a slow cable that the last other node holds the peer unreachable.
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

    let bad_cable = BadCable::new(&cluster, machine(PODS[1]));
    accepted.extend(PODS.iter().flat_map(|pod| submit(pod, "over a bad cable")));

    let cut_off = machine(PODS[2]);
    let began = Timestamp::now();
    cluster.cut(&cut_off).unwrap();
    unreachable(&client, &[PODS[0], PODS[1]], &peers[2], CUT_KNOWN);
    tell_known("a cut", &network, &[PODS[0], PODS[1]], &peers[2], began);
    accepted.extend(submit(PODS[0], "without the one cut off"));
    accepted.extend((0..5).map(|n| client.submit_on(&cluster, &cut_off, PODS[2], &format!("alone {n}")).unwrap()));
    cluster.heal(&cut_off).unwrap();
    back(&client, &[PODS[0], PODS[1]], &peers[2]);

    let began = Timestamp::now();
    let paused = Paused::new(&cluster, &network.namespace, PODS[0]);
    unreachable(&client, &[PODS[1], PODS[2]], &peers[0], PAUSE_KNOWN);
    tell_known("a pause", &network, &[PODS[1], PODS[2]], &peers[0], began);
    accepted.extend(submit(PODS[2], "without the one paused"));
    drop(paused);
    back(&client, &[PODS[1], PODS[2]], &peers[0]);

    accepted.extend(submit(PODS[2], "before the crash"));
    cluster.kill_pod(&network.namespace, PODS[2]).unwrap();
    accepted.extend(submit(PODS[1], "during the crash"));
    network.wait_pod_ready(PODS[2], Duration::from_secs(60));

    drop(bad_cable);
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

/// A machine behind a slow and lossy cable until this is dropped, also by a failure: the tests that follow use it too.
struct BadCable<'a> {
    cluster: &'a Cluster,
    machine: String,
}

impl<'a> BadCable<'a> {
    fn new(cluster: &'a Cluster, machine: String) -> Self {
        let bad = Impairment { delay: Duration::from_millis(40), loss_percent: 1, ..Impairment::default() };
        cluster.delay_and_loss(&machine, &bad).unwrap();
        Self { cluster, machine }
    }
}

impl Drop for BadCable<'_> {
    fn drop(&mut self) {
        self.cluster.clear_delay_and_loss(&self.machine).unwrap();
    }
}

/// A pod that goes on when this is dropped, also by a failure: a paused one could not be deleted.
pub(crate) struct Paused<'a> {
    cluster: &'a Cluster,
    namespace: &'a str,
    pod: &'a str,
}

impl<'a> Paused<'a> {
    pub(crate) fn new(cluster: &'a Cluster, namespace: &'a str, pod: &'a str) -> Self {
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
fn unreachable(client: &Client<'_>, pods: &[&str], peer: &str, limit: Duration) {
    let start = Instant::now();
    for pod in pods {
        client.wait_member(pod, peer, "unreachable", limit.saturating_sub(start.elapsed()));
    }
}

/// Tells how long after `began` the last of `pods` held the peer unreachable, by their logs: the machines share a clock.
fn tell_known(what: &str, network: &Network, pods: &[&str], peer: &str, began: Timestamp) {
    let verdicts = pods.iter().map(|pod| {
        let log = network.kubectl(&["logs", pod, "--since=60s"]);
        let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let verdict = lines.rfind(|line| line["message"] == "a member is unreachable" && line["peer"] == peer);
        let at = verdict.unwrap_or_else(|| panic!("{pod} says nothing of {peer}: {log}"))["timestamp"].clone();
        at.as_str().unwrap().parse::<Timestamp>().unwrap()
    });
    let after = verdicts.max().unwrap().duration_since(began).as_secs_f64();
    println!("figure: {what} was known to all others after {after:.1} s");
}

/// Waits until all of `pods` hold the peer alive again.
fn back(client: &Client<'_>, pods: &[&str], peer: &str) {
    for pod in pods {
        client.wait_member(pod, peer, "alive", BACK);
    }
}

//! The figures of `docs/figures.md` that need a cluster, printed and held to their goals.

use crate::{client::Client, kubectl::wait_for, network::Network};
use peerwright_cluster::Cluster;
use peerwright_tests::OPERATOR_NAMESPACE;
use std::time::{Duration, Instant};

/// Bans that the latency is taken of.
const BANS: usize = 50;
/// Transactions that the latency is taken of.
const COMMITS: usize = 100;

#[test]
fn bans_are_enforced_within_two_seconds_at_the_99th_percentile() {
    let network = Network::ready("latency", 3);
    let mut times: Vec<Duration> = (0..BANS)
        .map(|_| {
            let ban = network.ban("net-peer-2");
            let returned = Instant::now();
            // One watch, so that looking costs no more than what is looked for.
            network.kubectl(&["wait", "--for=condition=Enforced", &ban, "--timeout=10s"]);
            let time = returned.elapsed();
            network.kubectl(&["delete", &ban]);
            time
        })
        .collect();
    times.sort();
    let (median, last) = (times[BANS / 2], times[BANS * 99 / 100]);
    println!("figure: ban enforced on 3 nodes after kubectl returned, {BANS} bans: p50 {median:?}, p99 {last:?}");
    assert!(last < Duration::from_secs(2), "{times:?}");
}

/// Resident kilobytes of a pod's processes.
fn resident(cluster: &Cluster, namespace: &str, pod: &str) -> u64 {
    let processes = cluster.pod_processes(namespace, pod).unwrap();
    let of = |process: i32| {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    processes.iter().map(|(process, _)| of(*process)).sum()
}

#[test]
fn idle_programs_are_small() {
    let network = Network::ready("memory", 3);
    network.subscribe();
    let cluster = Cluster::attach().unwrap();
    let node = resident(&cluster, &network.namespace, "net-peer-0");
    let pods =
        crate::kubectl::kubectl(&["-n", OPERATOR_NAMESPACE, "get", "pods", "-o", "jsonpath={.items[*].metadata.name}"]);
    let operator = pods.split(' ').map(|pod| resident(&cluster, OPERATOR_NAMESPACE, pod)).max().unwrap();
    println!("figure: resident memory: node {node} KiB, operator {operator} KiB");
    assert!(node < 32 * 1024, "a node takes {node} KiB, its goal is 32 MiB");
    assert!(operator < 64 * 1024, "the operator takes {operator} KiB, its goal is 64 MiB");
}

#[test]
fn transactions_are_committed_in_a_second_and_a_killed_leader_is_replaced_in_a_few() {
    let network = Network::ready("commits", 4);
    let client = Client::of(&network, "client");
    let register = client.begin_register("net-peer-3", "ledger");
    network.subscribe_to(&register);
    wait_for("a first commit", Duration::from_secs(30), || client.commit("net-peer-3", &register, "first"));
    let commit = |text: &str| {
        let began = Instant::now();
        client.commit("net-peer-3", &register, text).map(|_| began.elapsed())
    };
    let mut times: Vec<Duration> = (0..COMMITS).map(|number| commit(&number.to_string()).unwrap()).collect();
    times.sort();
    let (median, last) = (times[COMMITS / 2], times[COMMITS * 99 / 100]);
    println!(
        "figure: handed in at a follower until committed and read there, 3 sealers, {COMMITS} one after another, curl \
         included: p50 {median:?}, p99 {last:?}"
    );
    assert!(last < Duration::from_secs(1), "{times:?}");

    let cluster = Cluster::attach().unwrap();
    let sealers = ["net-peer-0", "net-peer-1", "net-peer-2"];
    let mut gaps = Vec::new();
    for round in 0..3 {
        let pod = wait_for("somebody leads", Duration::from_secs(30), || network.sealing_leader(&sealers));
        let killed = Instant::now();
        cluster.kill_pod(&network.namespace, pod).unwrap();
        wait_for("a commit without the leader", Duration::from_secs(30), || commit(&format!("round {round}")));
        gaps.push(killed.elapsed());
        network.wait_pod_ready(pod, Duration::from_secs(60));
    }
    println!("figure: leader of 3 sealers killed until the next commit: {gaps:?}");
    assert!(gaps.iter().all(|gap| *gap < Duration::from_secs(5)), "{gaps:?}");
}

//! Registers of sealed dockets: begun, committed, followed, and not lost with a sealer.

use crate::{client::Client, kubectl::wait_for, network::Network};
use peerwright_cluster::Cluster;
use std::{collections::BTreeSet, time::Duration};

/// What is committed with one pod away, and then on the pod that comes back.
const PATIENCE: Duration = Duration::from_secs(60);

fn commit_soon(client: &Client<'_>, pod: &str, register: &str, text: &str) -> String {
    wait_for("it is committed", PATIENCE, || client.commit(pod, register, text))
}

fn wait_committed(client: &Client<'_>, pod: &str, register: &str, all: &BTreeSet<String>) {
    wait_for(&format!("{pod} holds every committed transaction once"), PATIENCE, || {
        let held = client.committed(pod, register)?;
        let once: BTreeSet<String> = held.iter().cloned().collect();
        if once.len() != held.len() {
            panic!("a transaction is committed twice: {held:?}");
        }
        if once.is_superset(all) { Ok(()) } else { Err(format!("{} of {}", once.len(), all.len())) }
    });
}

#[test]
fn three_of_four_nodes_seal_and_the_loss_of_one_with_its_volume_loses_nothing() {
    let network = Network::ready("seal", 4);
    let client = Client::of(&network, "client");
    let register = client.begin_register("net-peer-3", "ledger");
    network.subscribe_to(&register);
    let pods = ["net-peer-0", "net-peer-1", "net-peer-2", "net-peer-3"];
    let mut all: BTreeSet<String> =
        (0..12).map(|number| commit_soon(&client, pods[number % 4], &register, &format!("entry {number}"))).collect();
    for pod in pods {
        wait_committed(&client, pod, &register, &all);
    }

    // A crash of each sealer in turn, the leader among them.
    let cluster = Cluster::attach().unwrap();
    for pod in &pods[..3] {
        cluster.kill_pod(&network.namespace, pod).unwrap();
        all.insert(commit_soon(&client, "net-peer-3", &register, &format!("without {pod}")));
        network.wait_pod_ready(pod, PATIENCE);
        wait_committed(&client, pod, &register, &all);
    }

    // Pod and volume of a sealer: another member comes back under its name, and is taken in.
    network.kubectl(&["delete", "pvc/data-net-peer-1", "pod/net-peer-1", "--wait=false"]);
    all.insert(commit_soon(&client, "net-peer-3", &register, "without a volume"));
    wait_for("the sealers are three again, without the one that is gone", Duration::from_secs(120), || {
        let newcomer = client.own_peer("net-peer-1")?;
        let (_, found) = client.call("net-peer-3", "GET", &format!("/api/registers/{register}"), None)?;
        let sealers = found["sealers"]["members"].as_array().cloned().unwrap_or_default();
        let is_taken_in = sealers.len() == 3 && sealers.iter().any(|sealer| *sealer == newcomer);
        if is_taken_in { Ok(()) } else { Err(format!("{newcomer} is not among {sealers:?}")) }
    });
    all.insert(commit_soon(&client, "net-peer-1", &register, "taken in"));
    for pod in pods {
        wait_committed(&client, pod, &register, &all);
    }
}

#[test]
fn a_sealer_that_is_cut_off_commits_nothing_and_catches_up() {
    let network = Network::ready("sealcut", 3);
    let client = Client::of(&network, "client");
    let register = client.begin_register("net-peer-0", "ledger");
    network.subscribe_to(&register);
    let mut all = BTreeSet::from([commit_soon(&client, "net-peer-0", &register, "before the cut")]);
    let machine = network.field("pod/net-peer-2", "{.spec.nodeName}").unwrap();
    let cluster = Cluster::attach().unwrap();

    cluster.cut(&machine).unwrap();
    for number in 0..5 {
        all.insert(commit_soon(&client, "net-peer-0", &register, &format!("entry {number}")));
    }
    cluster.heal(&machine).unwrap();

    for pod in ["net-peer-0", "net-peer-1", "net-peer-2"] {
        wait_committed(&client, pod, &register, &all);
    }
}

//! Registers of sealed dockets: begun, committed, followed, and not lost with a sealer.

use crate::{client::Client, kubectl::wait_for, load, network::Network, operator::OperatorAway};
use peerwright_cluster::Cluster;
use std::{collections::BTreeSet, time::Duration};

/// What is committed with one pod away, and then on the pod that comes back.
const PATIENCE: Duration = Duration::from_secs(60);

/// Commits a transaction as soon as that is possible; gives its id.
pub(crate) fn commit_soon(client: &Client<'_>, pod: &str, register: &str, text: &str) -> String {
    wait_for("it is committed", PATIENCE, || client.commit(pod, register, text))
}

/// Waits until a node holds all of these, and nothing twice.
pub(crate) fn wait_committed(client: &Client<'_>, pod: &str, register: &str, all: &BTreeSet<String>) {
    wait_committed_within(client, pod, register, all, PATIENCE);
}

/// The same within a time of its own.
pub(crate) fn wait_committed_within(
    client: &Client<'_>,
    pod: &str,
    register: &str,
    all: &BTreeSet<String>,
    limit: Duration,
) {
    wait_for(&format!("{pod} holds every committed transaction once"), limit, || {
        let held = client.committed(pod, register)?;
        let once: BTreeSet<String> = held.iter().cloned().collect();
        if once.len() != held.len() {
            panic!("a transaction is committed twice: {held:?}");
        }
        if once.is_superset(all) {
            return Ok(());
        }
        let following = client.call(pod, "GET", "/api/registers/subscriptions", None)?;
        Err(format!("{} of {}; {following:?}", once.len(), all.len()))
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

#[test]
fn the_sealers_leader_dies_while_the_operator_is_away_and_commits_go_on() {
    let network = Network::ready("sealaway", 5);
    let client = Client::of(&network, "client");
    let register = client.begin_register("net-peer-4", "ledger");
    network.subscribe_to(&register);
    let mut all = BTreeSet::from([commit_soon(&client, "net-peer-4", &register, "before")]);
    let away = OperatorAway::begin();
    let sealers = ["net-peer-0", "net-peer-1", "net-peer-2"];
    let leader = wait_for("somebody leads", PATIENCE, || network.sealing_leader(&sealers));
    Cluster::attach().unwrap().kill_pod(&network.namespace, leader).unwrap();
    for number in 0..5 {
        all.insert(commit_soon(&client, "net-peer-4", &register, &format!("entry {number}")));
    }
    drop(away);
    for pod in ["net-peer-0", "net-peer-1", "net-peer-2", "net-peer-3", "net-peer-4"] {
        wait_committed(&client, pod, &register, &all);
    }
}

/// Until a node that was restarted under load holds everything: longer than it waits for a source that says nothing.
const CAUGHT_UP: Duration = Duration::from_secs(120);
/// The goal for a commit while all nodes are restarted one after another: slower ones are told with place and time.
const SLOW: Duration = Duration::from_secs(1);
/// Transactions a second meanwhile.
const LOAD: usize = 1_000;
/// Nodes of that network.
const MANY: u32 = 9;

#[test]
fn a_rolling_restart_under_load_commits_every_accepted_transaction_exactly_once() {
    let network = Network::ready("roll", MANY);
    let unlimited = r#"{"spec": {"limits": {"external": {"requestsPerMinute": 0, "megabytesPerMinute": 0,
        "transactionsPerMinute": 0}}}}"#;
    network.kubectl(&["patch", "pnet/net", "--type=merge", "-p", unlimited]);
    let client = Client::of(&network, "client");
    let register = client.begin_register("net-peer-8", "ledger");
    network.subscribe_to(&register);
    commit_soon(&client, "net-peer-8", &register, "first");
    let pods: Vec<String> = (0..MANY).map(|number| format!("net-peer-{number}")).collect();

    let mut handed = load::during(&network, &client, &register, &pods, LOAD, || {
        let patch = r#"[{"op": "add", "path": "/spec/nodeGroups/0/resources", "value": {"requests": {"cpu": "12m"}}}]"#;
        network.roll_out(patch, usize::try_from(MANY).unwrap());
    });

    let (median, last) = (handed.commit_time(500), handed.commit_time(990));
    println!(
        "figure: {MANY} nodes restarted one after another at {LOAD} transactions a second: {} accepted, {} calls failed; \
         {} handed in until committed: p50 {median:?}, p99 {last:?}; {} more left open by nodes that ended",
        handed.accepted.len(),
        handed.failed,
        handed.commits.len(),
        handed.open
    );
    for commit in handed.slow_commits(SLOW) {
        println!("figure: of these {:?} at {}, {:?} after the beginning", commit.took, commit.pod, commit.at);
    }
    wait_committed_within(&client, "net-peer-8", &register, &handed.accepted, CAUGHT_UP);
    wait_committed_within(&client, "net-peer-0", &register, &handed.accepted, CAUGHT_UP);
}

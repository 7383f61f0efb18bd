//! Hubs that hand dockets on: nodes take them from one, from the next when its process is killed, and serve what they
//! have while there is none.

use crate::{
    afternoon::Paused,
    client::Client,
    kept::Kept,
    kubectl::wait_for,
    load::Ending,
    network::Network,
    registers::{commit_soon, wait_committed},
};
use peerwright_cluster::Cluster;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    process::Child,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(60);
/// The sealer is apart, so that commits go on whatever happens to the hubs.
const GROUPS: [(&str, u32); 3] = [("core", 1), ("hub", 3), ("peer", 2)];
const SEALER: &str = "net-core-0";
const HUBS: [&str; 3] = ["net-hub-0", "net-hub-1", "net-hub-2"];
const PEERS: [&str; 2] = ["net-peer-0", "net-peer-1"];
/// Keepalives that a busy machine does not miss. The end of a process is noticed without them.
const KEEPALIVE_MILLISECONDS: u32 = 3_000;
/// Between two transactions while the active hub is killed: as often as there may be dockets.
const EVERY: Duration = Duration::from_millis(100);
/// From the last docket of the old hub to the first of the new one.
const GOAL: Duration = Duration::from_secs(3);
/// So many times slower than the goal a busy machine may be.
const SLOWER: u32 = 3;

/// A Ready network in which nodes go back to a better hub after a second.
fn ready() -> Network {
    let network = Network::namespace("hubs");
    network.apply_changed(&GROUPS, "Delete", |spec| {
        spec["topology"] = json!("Hub");
        spec["nodeGroups"][1]["role"] = json!("Hub");
        spec["hub"] = json!({ "keepaliveMilliseconds": KEEPALIVE_MILLISECONDS, "failbackSeconds": 1 });
        spec["sealing"] = json!({ "sealers": 1 });
        spec["limits"] = json!({
            "external": { "requestsPerMinute": 0, "megabytesPerMinute": 0, "transactionsPerMinute": 0 },
        });
    });
    network.wait_ready(GROUPS.iter().map(|(_, nodes)| nodes).sum());
    network
}

/// From now on nodes stay with the hub that they have: returns once the peers go by that.
fn let_them_stay(network: &Network) {
    let published = || -> Result<u64, String> {
        let revision = network.field("pnet/net", "{.status.policy.revision}")?;
        revision.parse().map_err(|_| revision)
    };
    let before = published().unwrap();
    network.kubectl(&["patch", "pnet/net", "--type=merge", "-p", r#"{"spec":{"hub":{"failbackSeconds":0}}}"#]);
    let revision = wait_for("the setting is published", PATIENCE, || match published()? {
        revision if revision > before => Ok(revision),
        revision => Err(revision.to_string()),
    });
    for peer in PEERS {
        wait_for(&format!("{peer} goes by revision {revision}"), PATIENCE, || {
            let metrics = network.metrics(peer);
            let mut values = metrics.lines().filter_map(|line| line.strip_prefix("peerwright_snapshot_revision "));
            let seen = values.next().and_then(|value| value.parse::<u64>().ok());
            if seen >= Some(revision) { Ok(()) } else { Err(format!("{seen:?}")) }
        });
    }
}

/// What a node says of its hubs.
fn standing(client: &Client<'_>, pod: &str) -> Result<Value, String> {
    client.get(pod, "/api/hub")
}

/// Waits until a node has an active hub of which `is_it` holds; gives it.
fn wait_active(client: &Client<'_>, pod: &str, what: &str, is_it: impl Fn(&str) -> bool) -> String {
    wait_for(&format!("{pod} takes its dockets from {what}"), PATIENCE, || {
        let seen = standing(client, pod)?;
        match seen["active"].as_str().filter(|active| is_it(active)) {
            Some(active) => Ok(active.to_owned()),
            None => Err(seen.to_string()),
        }
    })
}

/// Waits until a pod's process has been started again and is Ready.
fn wait_restarted(network: &Network, pod: &str) {
    let path = "{.status.containerStatuses[0].restartCount} {.status.conditions[?(@.type==\"Ready\")].status}";
    wait_for(&format!("{pod} is back"), PATIENCE, || {
        let seen = network.field(&format!("pod/{pod}"), path)?;
        if seen.ends_with(" True") && !seen.starts_with("0 ") { Ok(()) } else { Err(seen) }
    });
}

/// The newest docket of a register on a node.
fn head(client: &Client<'_>, pod: &str, register: &str) -> u64 {
    let found = client.get(pod, &format!("/api/registers/{register}")).unwrap();
    found["head"]["number"].as_u64().unwrap()
}

/// Hands in one transaction after the other at the sealer while `happens` runs; gives the ids of those it has accepted.
fn while_handing_in(
    network: &Network,
    client: &Client<'_>,
    register: &str,
    happens: impl FnOnce(),
) -> BTreeSet<String> {
    let (client, is_over) = (Kept::of(network, client), AtomicBool::new(false));
    thread::scope(|scope| {
        let handing_in = scope.spawn(|| {
            let (mut accepted, mut number) = (BTreeSet::new(), 0u64);
            while !is_over.load(Ordering::Relaxed) {
                number += 1;
                // What a busy node did not answer in time is not counted on.
                let answered = client.hand_in(SEALER, register, &[format!("entry {number}")]);
                accepted.extend(answered.unwrap_or_default());
                thread::sleep(EVERY);
            }
            accepted
        });
        let ending = Ending(&is_over);
        happens();
        drop(ending);
        handing_in.join().unwrap()
    })
}

/// The dockets that one node hands out, each with when it came, until this is dropped.
struct Followed {
    pod: &'static str,
    curl: Child,
    arrivals: Arc<Mutex<Vec<(u64, Instant)>>>,
    reader: Option<JoinHandle<()>>,
}

impl Followed {
    fn begin(client: &Client<'_>, pod: &'static str, register: &str) -> Self {
        let mut curl = client.follow(pod, register);
        let (printed, arrivals) = (curl.stdout.take().unwrap(), Arc::<Mutex<Vec<(u64, Instant)>>>::default());
        let arrived = Arc::clone(&arrivals);
        let reader = thread::spawn(move || {
            for line in BufReader::new(printed).lines().map_while(Result::ok) {
                let number = line.strip_prefix("id:").and_then(|number| number.trim().parse().ok());
                arrived.lock().unwrap().extend(number.map(|number| (number, Instant::now())));
            }
        });
        Self { pod, curl, arrivals, reader: Some(reader) }
    }

    /// Waits until a docket behind this one has come.
    fn wait_past(&self, number: u64) {
        wait_for(&format!("{} has a docket behind {number}", self.pod), PATIENCE, || {
            let newest = self.arrivals.lock().unwrap().last().map(|(newest, _)| *newest);
            if newest > Some(number) { Ok(()) } else { Err(format!("{newest:?}")) }
        });
    }

    /// The longest time between two dockets, of those that ended after `since`.
    fn longest_gap(&self, since: Instant) -> Duration {
        let arrivals = self.arrivals.lock().unwrap();
        let ended = arrivals.windows(2).filter(|pair| pair[1].1 > since);
        ended.map(|pair| pair[1].1.duration_since(pair[0].1)).max().unwrap()
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.curl.kill());
        drop(self.curl.wait());
        drop(self.reader.take().map(JoinHandle::join));
    }
}

#[test]
fn three_hubs_and_two_peers_fail_over_stay_and_go_on_after_a_time_without_any_hub() {
    let network = ready();
    let client = Client::of(&network, "client");
    let register = client.begin_register(SEALER, "ledger");
    network.subscribe_to(&register);
    let first = client.own_peer(HUBS[0]).unwrap();
    for peer in PEERS {
        wait_active(&client, peer, "the first hub", |active| active == first);
    }
    let_them_stay(&network);
    network.wait_condition("pnet/net", "HubsReached", "True", PATIENCE);
    let cluster = Cluster::attach().unwrap();

    // Every docket that was sealed after the kill comes from another hub.
    let mut gaps = Vec::new();
    let mut all = while_handing_in(&network, &client, &register, || {
        let followed = PEERS.map(|peer| Followed::begin(&client, peer, &register));
        followed.iter().for_each(|followed| followed.wait_past(0));
        let killing = Instant::now();
        cluster.kill_pod(&network.namespace, HUBS[0]).unwrap();
        let sealed = head(&client, SEALER, &register);
        followed.iter().for_each(|followed| followed.wait_past(sealed));
        gaps = followed.iter().map(|followed| followed.longest_gap(killing)).collect();
    });
    println!(
        "figure: the active hub of 3 killed while there are dockets every {EVERY:?} and the time of a curl: the longest \
         time between two at each of 2 peers: {gaps:?}"
    );
    assert!(gaps.iter().all(|gap| *gap < GOAL * SLOWER), "{gaps:?}");
    let chosen = PEERS.map(|peer| {
        wait_committed(&client, peer, &register, &all);
        wait_active(&client, peer, "another hub", |active| active != first)
    });

    // The first hub is back, and they stay.
    wait_restarted(&network, HUBS[0]);
    all.insert(commit_soon(&client, SEALER, &register, "the first hub is back"));
    wait_committed(&client, HUBS[0], &register, &all);
    for (peer, chosen) in PEERS.iter().zip(&chosen) {
        wait_committed(&client, peer, &register, &all);
        assert_eq!(standing(&client, peer).unwrap()["active"].as_str(), Some(chosen.as_str()), "{peer} stays");
    }

    // No hub at all.
    let began = Instant::now();
    let paused = HUBS.map(|hub| Paused::new(&cluster, &network.namespace, hub));
    let path = format!("/api/registers/{register}");
    let isolated = PEERS.map(|peer| {
        wait_for(&format!("{peer} reaches no hub"), PATIENCE, || {
            let seen = standing(&client, peer)?;
            seen["isolatedSince"].as_str().map(str::to_owned).ok_or_else(|| seen.to_string())
        })
    });
    println!("figure: all hubs paused until the peers know that none is left: {:?}", began.elapsed());
    network.wait_condition("pnet/net", "HubsReached", "False", PATIENCE);
    let missed = commit_soon(&client, SEALER, &register, "while no hub was there");
    for (peer, since) in PEERS.iter().zip(isolated) {
        let held: BTreeSet<String> = client.committed(peer, &register).unwrap().into_iter().collect();
        assert!(!held.contains(&missed), "{peer} has a docket that no hub gave it");
        assert!(held.is_superset(&all), "{peer} serves what it has");
        assert_eq!(client.header(peer, &path, "stale-since"), Ok(Some(since)), "{peer}");
    }

    // They are back, and so is what was missed.
    let back = Instant::now();
    drop(paused);
    all.insert(missed);
    for peer in PEERS {
        wait_active(&client, peer, "a hub again", |_| true);
        wait_committed(&client, peer, &register, &all);
        assert_eq!(client.header(peer, &path, "stale-since"), Ok(None), "{peer}");
    }
    println!("figure: hubs go on until the peers hold what they missed: {:?}", back.elapsed());
    network.wait_condition("pnet/net", "HubsReached", "True", PATIENCE);
}

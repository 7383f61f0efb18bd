//! Subscriptions on some nodes only: who holds the register, how far it is, and how its data goes.

use crate::{client::Client, kubectl::wait_for, network::Network};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const GROUPS: [(&str, u32); 3] = [("core", 3), ("edge", 2), ("spare", 1)];
const CORE: [&str; 3] = ["net-core-0", "net-core-1", "net-core-2"];
const EDGE: [&str; 2] = ["net-edge-0", "net-edge-1"];
const SPARE: &str = "net-spare-0";

/// A network of three sealers, two nodes at the edge and one that nothing is placed on.
fn ready(purpose: &str) -> Network {
    let network = Network::namespace(purpose);
    network.apply_groups(&GROUPS, "Delete");
    network.wait_ready(6);
    network
}

fn commit_soon(client: &Client<'_>, pod: &str, register: &str, text: &str) -> String {
    wait_for("it is committed", PATIENCE, || client.commit(pod, register, text))
}

fn wait_committed(client: &Client<'_>, pod: &str, register: &str, id: &str) {
    wait_for(&format!("{pod} holds {id}"), PATIENCE, || {
        let held = client.committed(pod, register)?;
        if held.iter().any(|held| held == id) { Ok(()) } else { Err(format!("{held:?}")) }
    });
}

/// Whether a node has dockets of the register.
fn dockets_are_on(client: &Client<'_>, pod: &str, register: &str) -> Result<bool, String> {
    match client.call(pod, "GET", &format!("/api/registers/{register}"), None)? {
        (200, _) => Ok(true),
        (404, _) => Ok(false),
        (status, answer) => Err(format!("{status} {answer}")),
    }
}

#[test]
fn a_register_is_held_by_the_sealers_and_the_nodes_of_its_placement_and_purged_from_the_latter() {
    let network = ready("placed");
    let client = Client::of(&network, "client");
    let register = client.begin_register(SPARE, "ledger");
    network.place("ledger", &register, &["edge"]);
    network.wait_condition("rsub/ledger", "Synced", "True", PATIENCE);

    let entry = commit_soon(&client, "net-edge-0", &register, "from the edge");
    for pod in CORE.iter().chain(&EDGE) {
        wait_committed(&client, pod, &register, &entry);
    }
    assert_eq!(dockets_are_on(&client, SPARE, &register), Ok(false), "it is not placed there");
    let path = format!("/api/registers/{register}/transactions");
    let (status, answer) = client.call(SPARE, "GET", &path, None).unwrap();
    assert_eq!((status, answer["code"].as_str()), (404, Some("not_subscribed")), "{answer}");

    network.wait_condition("rsub/ledger", "Current", "True", PATIENCE);
    wait_for("the status tells of the two nodes of the placement", PATIENCE, || {
        let fields = "{.status.state} {.status.progressPercent} {.status.nodes} {.status.syncedNodes}";
        let seen = network.field("rsub/ledger", fields)?;
        if seen == "FullyReplicated 100 2 2" { Ok(()) } else { Err(seen) }
    });

    network.kubectl(&["delete", "rsub/ledger", "--wait=true", "--timeout=60s"]);
    for pod in EDGE {
        assert_eq!(dockets_are_on(&client, pod, &register), Ok(false), "{pod} has purged it");
    }
    for pod in CORE {
        assert_eq!(dockets_are_on(&client, pod, &register), Ok(true), "{pod} seals it");
    }

    network.place("again", &register, &["edge"]);
    for pod in EDGE {
        wait_committed(&client, pod, &register, &entry);
    }
}

#[test]
fn a_register_is_not_purged_from_its_sealers() {
    let network = ready("quorum");
    let client = Client::of(&network, "client");
    let register = client.begin_register("net-core-0", "ledger");
    network.place("ledger", &register, &["core"]);
    network.wait_condition("rsub/ledger", "Synced", "True", PATIENCE);

    network.kubectl(&["delete", "rsub/ledger", "--wait=false"]);
    wait_for("the deletion is held", PATIENCE, || {
        let seen = network.condition("rsub/ledger", "Deleted")?;
        if seen == "False/WouldLoseQuorum" { Ok(()) } else { Err(seen) }
    });
    let entry = commit_soon(&client, "net-core-1", &register, "sealed all the same");
    for pod in CORE {
        wait_committed(&client, pod, &register, &entry);
    }

    network.kubectl(&["patch", "rsub/ledger", "--type=merge", "-p", r#"{"spec":{"deletionPolicy":"Retain"}}"#]);
    wait_for("the subscription alone is gone", PATIENCE, || match network.field("rsub/ledger", "{.metadata.name}") {
        Ok(name) => Err(name),
        Err(_) => Ok(()),
    });
    for pod in CORE {
        assert_eq!(dockets_are_on(&client, pod, &register), Ok(true), "{pod} seals it");
    }
}

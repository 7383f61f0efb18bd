//! Bans: links close, handshakes are refused both ways, and an unban restores.

use crate::{
    client::Client,
    kubectl::{kubectl, send, wait_for},
    member::Member,
    network::Network,
};
use serde_json::Value;
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// Who may dial has done so again within this time: seeds are resolved every 5 s, the first waits are of 1, 2 and 4 s.
const DIALLED_AGAIN: Duration = Duration::from_secs(12);

#[test]
fn a_ban_is_enforced_on_every_node_and_an_unban_restores() {
    let network = Network::ready("ban", 3);
    network.subscribe();
    let client = Client::of(&network, "client");
    client.wait_links("net-peer-0", 2, Duration::from_secs(15));
    let (banned, other) = (Member::of(&network, "net-peer-2"), Member::of(&network, "net-peer-0"));
    banned.services("net-peer-0").expect("a member until it is banned");

    let ban = network.ban("net-peer-2");
    let start = Instant::now();
    network.wait_condition(&ban, "Enforced", "True", Duration::from_secs(5));
    println!("ban enforced everywhere {:?} after kubectl returned", start.elapsed());
    network.wait_condition(&ban, "Accepted", "True", Duration::from_secs(1));
    client.wait_links("net-peer-0", 1, Duration::from_secs(2));
    client.wait_links("net-peer-1", 1, Duration::from_secs(2));
    wait_for("the banned node says so", Duration::from_secs(10), || {
        let seen = network.condition("pod/net-peer-2", "Ready")?;
        if seen.starts_with("False/") { Ok(()) } else { Err(seen) }
    });

    for pod in ["net-peer-0", "net-peer-1"] {
        let said = banned.handshake(pod);
        assert!(said.contains("access denied"), "{pod} lets the banned node in: {said}");
    }
    // A member is no stranger to the banned node, which gives a reason: nobody is linked to it.
    assert_eq!(other.goodbye("net-peer-2"), "banned");
    links_stay_closed(&client);

    let missed = client.submit("net-peer-0", "not for the banned").unwrap();
    client.wait_holds("net-peer-1", &missed, Duration::from_secs(2));
    let path = format!("/api/registers/{}/transactions/{missed}", crate::network::REGISTER);
    assert_eq!(client.call("net-peer-2", "GET", &path, None).unwrap().0, 404, "a banned node hears nothing");

    network.kubectl(&["delete", &ban]);
    client.wait_links("net-peer-0", 2, Duration::from_secs(20));
    client.wait_holds("net-peer-2", &missed, Duration::from_secs(20));
    network.wait_ready(3);
}

/// `net-peer-2` is banned: it is linked to nobody, whoever dials.
fn links_stay_closed(client: &Client<'_>) {
    let end = Instant::now() + DIALLED_AGAIN;
    while Instant::now() < end {
        for (pod, most) in [("net-peer-0", 1), ("net-peer-1", 1), ("net-peer-2", 0)] {
            let links = client.links(pod);
            assert!(!links.as_ref().is_ok_and(|links| *links > most), "{pod} has {links:?} links");
        }
        sleep(Duration::from_millis(500));
    }
    for (pod, links) in [("net-peer-0", 1), ("net-peer-1", 1), ("net-peer-2", 0)] {
        client.wait_links(pod, links, Duration::from_secs(5));
    }
}

#[test]
fn a_ban_that_would_leave_no_majority_is_not_accepted() {
    let network = Network::ready("isolate", 3);
    let first = network.ban("net-peer-0");
    network.wait_condition(&first, "Enforced", "True", Duration::from_secs(5));
    let second = network.ban("net-peer-1");
    wait_for("the second ban is refused", Duration::from_secs(5), || {
        let seen = network.condition(&second, "Accepted")?;
        if seen == "False/WouldIsolate" { Ok(()) } else { Err(seen) }
    });
    let client = Client::of(&network, "client");
    client.wait_links("net-peer-1", 1, Duration::from_secs(5));
}

#[test]
fn a_ban_survives_restarts_of_the_banned_node_and_of_the_others() {
    let network = Network::ready("banrestart", 3);
    let ban = network.ban("net-peer-2");
    network.wait_condition(&ban, "Enforced", "True", Duration::from_secs(5));
    network.kubectl(&["delete", "pod", "net-peer-1", "net-peer-2", "--wait=true"]);
    network.wait_pod_ready("net-peer-1", Duration::from_secs(60));
    let client = Client::of(&network, "client");
    client.wait_links("net-peer-0", 1, Duration::from_secs(20));
    client.wait_links("net-peer-1", 1, Duration::from_secs(20));
    network.wait_condition(&ban, "Enforced", "True", Duration::from_secs(20));
}

#[test]
fn a_ban_in_the_networks_own_manifest_is_enforced_and_its_removal_restores() {
    let network = Network::ready("manifest", 3);
    let client = Client::of(&network, "client");
    client.wait_links("net-peer-0", 2, Duration::from_secs(15));

    let ban = r#"{"spec": {"bans": [{"name": "second", "node": "net-peer-2", "reason": "test"}]}}"#;
    network.kubectl(&["patch", "pnet/net", "--type=merge", "-p", ban]);
    client.wait_links("net-peer-0", 1, Duration::from_secs(5));
    client.wait_links("net-peer-1", 1, Duration::from_secs(5));
    wait_for("the banned node says so", Duration::from_secs(10), || {
        let seen = network.readyz("net-peer-2");
        if seen.starts_with("banned") { Ok(()) } else { Err(seen) }
    });
    network.wait_policy_synced(Duration::from_secs(10));
    assert_eq!(network.field("pnet/net", "{.status.policy.bans}").unwrap(), "1");

    let unban = r#"[{"op": "remove", "path": "/spec/bans"}]"#;
    network.kubectl(&["patch", "pnet/net", "--type=json", "-p", unban]);
    client.wait_links("net-peer-0", 2, Duration::from_secs(20));
    client.wait_links("net-peer-1", 2, Duration::from_secs(20));
    network.wait_ready(3);
}

#[test]
fn an_older_snapshot_that_is_put_back_by_hand_lifts_no_ban() {
    let network = Network::ready("restored", 3);
    let client = Client::of(&network, "client");
    client.wait_links("net-peer-0", 2, Duration::from_secs(15));
    let mut before: Value = serde_json::from_str(&network.kubectl(&["get", "cm/net-snapshot", "-o", "json"])).unwrap();
    let ban = network.ban("net-peer-2");
    network.wait_condition(&ban, "Enforced", "True", Duration::from_secs(5));
    let revision = |network: &Network| network.field("pnet/net", "{.status.policy.revision}").unwrap();
    let banned_at: u64 = revision(&network).parse().unwrap();

    before["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    send(&["replace", "-f", "-"], &before);
    wait_for("the operator publishes a newer one", Duration::from_secs(20), || {
        let seen = revision(&network);
        if seen.parse().is_ok_and(|seen: u64| seen > banned_at) { Ok(()) } else { Err(seen) }
    });
    network.wait_condition(&ban, "Enforced", "True", Duration::from_secs(10));
    assert_eq!(client.links("net-peer-0").unwrap(), 1);

    // Nor on a node that starts with what the ConfigMap says.
    kubectl(&["-n", &network.namespace, "delete", "pod", "net-peer-1", "--wait=true"]);
    network.wait_pod_ready("net-peer-1", Duration::from_secs(60));
    client.wait_links("net-peer-0", 1, Duration::from_secs(20));
    client.wait_links("net-peer-1", 1, Duration::from_secs(20));
}

//! Bans: links close, handshakes are refused both ways, and an unban restores.

use crate::{client::Client, kubectl::wait_for, network::Network};
use std::time::{Duration, Instant};

#[test]
fn a_ban_is_enforced_on_every_node_and_an_unban_restores() {
    let network = Network::ready("ban", 3);
    network.subscribe();
    let client = Client::of(&network, "client");
    client.wait_links("net-peer-0", 2, Duration::from_secs(15));

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

    let missed = client.submit("net-peer-0", "not for the banned").unwrap();
    client.wait_holds("net-peer-1", &missed, Duration::from_secs(2));
    let path = format!("/api/registers/{}/transactions/{missed}", crate::network::REGISTER);
    assert_eq!(client.call("net-peer-2", "GET", &path, None).unwrap().0, 404, "a banned node hears nothing");

    network.kubectl(&["delete", &ban]);
    client.wait_links("net-peer-0", 2, Duration::from_secs(20));
    client.wait_holds("net-peer-2", &missed, Duration::from_secs(20));
    network.wait_ready(3);
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

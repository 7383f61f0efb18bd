//! The network's system register: begun by its sealers, once, and the blueprints in it.

use crate::{client::Client, kubectl::wait_for, network::Network, operator::OperatorAway};
use std::time::Duration;

const PODS: [&str; 4] = ["net-peer-0", "net-peer-1", "net-peer-2", "net-peer-3"];
/// Most sealers have told of the register, to an operator that comes back meanwhile.
const BEGUN: Duration = Duration::from_secs(120);
/// A pod that was deleted is Ready again.
const BACK: Duration = Duration::from_secs(60);
/// A blueprint that one node has committed is known on all.
const KNOWN: Duration = Duration::from_secs(30);

fn published(client: &Client<'_>, pod: &str, name: &str) -> Result<u64, String> {
    match client.call(pod, "PUT", &format!("/api/blueprints/{name}?ack=committed"), Some(r#"{"steps":["ask"]}"#))? {
        (200, answer) => answer["committed"]["docket"].as_u64().ok_or_else(|| answer.to_string()),
        (status, answer) => Err(format!("{status} {answer}")),
    }
}

#[test]
fn a_network_begins_its_system_register_once_whoever_goes_in_the_middle() {
    let network = Network::namespace("system");
    network.apply_changed(&[("peer", 4)], "Delete", |spec| spec["systemRegisterPolicy"] = "Create".into());
    network.wait_ready(4);
    drop(OperatorAway::begin());
    network.wait_condition("pnet/net", "SystemRegisterBegun", "True", BEGUN);
    let named = || network.field("pnet/net", "{.status.systemRegister}").unwrap();
    let register = named();
    assert_eq!(register.len(), 32, "{register}");

    let client = Client::of(&network, "client");
    let leader = wait_for("somebody leads", KNOWN, || network.sealing_leader(&PODS[..3]));
    network.kubectl(&["delete", &format!("pod/{leader}"), "--wait=true"]);
    network.wait_pod_ready(leader, BACK);
    drop(OperatorAway::begin());
    let version = wait_for("a blueprint is published", KNOWN, || published(&client, "net-peer-3", "loan"));
    for pod in PODS {
        wait_for(&format!("{pod} knows it"), KNOWN, || {
            let known = client.get(pod, "/api/blueprints/loan")?;
            if known["version"] == version { Ok(()) } else { Err(known.to_string()) }
        });
        let system = client.get(pod, "/api/system-register").unwrap();
        assert_eq!(system["register"], register.as_str(), "{pod}");
    }
    network.wait_condition("pnet/net", "SystemRegisterBegun", "True", BEGUN);
    assert_eq!(named(), register);
    for pod in &PODS[..3] {
        let metrics = network.metrics(pod);
        assert!(metrics.lines().any(|line| line == "peerwright_sealing_registers 1"), "{pod} seals another too");
    }
}

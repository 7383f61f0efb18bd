//! Most sealers are lost with their volumes: one goes on, by an operation that a person creates.

use crate::{
    client::Client,
    kubectl::wait_for,
    network::Network,
    operator::OperatorAway,
    registers::{commit_soon, wait_committed},
};
use serde_json::Value;
use std::{collections::BTreeSet, time::Duration};

const PODS: [&str; 5] = ["net-peer-0", "net-peer-1", "net-peer-2", "net-peer-3", "net-peer-4"];
/// A pod with another volume is there, and a member.
const REPLACED: Duration = Duration::from_secs(120);
/// The sealers have to be away for a minute before one may go on, and then it asks everybody for what they hold.
const GONE_ON: Duration = Duration::from_secs(300);
/// Newcomers are taken in.
const TAKEN_IN: Duration = Duration::from_secs(120);

fn sealers(client: &Client<'_>, register: &str) -> Result<Vec<Value>, String> {
    let found = client.get("net-peer-4", &format!("/api/registers/{register}"))?;
    Ok(found["sealers"]["members"].as_array().cloned().unwrap_or_default())
}

#[test]
fn one_of_three_sealers_goes_on_with_all_that_was_committed_when_the_others_are_lost_with_their_volumes() {
    let network = Network::ready("force", 5);
    let client = Client::of(&network, "client");
    // The node that begins it is lost with its key: the register's authority is the network's, which the operator keeps.
    let register = client.begin_register("net-peer-1", "ledger");
    network.subscribe_to(&register);
    let mut all: BTreeSet<String> =
        (0..10).map(|number| commit_soon(&client, PODS[number % 5], &register, &format!("entry {number}"))).collect();
    for pod in PODS {
        wait_committed(&client, pod, &register, &all);
    }

    // While a majority answers nothing is forced, and what was refused is not tried again.
    let refused = network.force_sealer("net-peer-0");
    wait_for("it is refused", Duration::from_secs(60), || {
        let seen = network.operation(&refused)?;
        if seen == "Refused SealersAnswer" { Ok(()) } else { Err(seen) }
    });

    let before = ["net-peer-1", "net-peer-2"].map(|pod| client.own_peer(pod).unwrap());
    network.kubectl(&[
        "delete",
        "pvc/data-net-peer-1",
        "pvc/data-net-peer-2",
        "pod/net-peer-1",
        "pod/net-peer-2",
        "--wait=false",
    ]);
    for (pod, was) in ["net-peer-1", "net-peer-2"].into_iter().zip(&before) {
        wait_for(&format!("{pod} is another member"), REPLACED, || {
            let is = client.own_peer(pod)?;
            if is == *was { Err(is) } else { Ok(()) }
        });
    }
    // They have nothing, and so elect nobody: what is accepted waits.
    let texts = ["while nobody leads".to_owned()];
    let waiting = client.hand_in("net-peer-3", &register, &texts).unwrap();
    assert!(network.sealing_leader(&PODS[..3]).is_err(), "nobody can lead");

    let ordered = network.force_sealer("net-peer-0");
    // The operator goes in the middle, and comes back.
    wait_for("it has begun", GONE_ON, || {
        let seen = network.operation(&ordered)?;
        if seen.starts_with("Running") || seen.starts_with("Succeeded") { Ok(()) } else { Err(seen) }
    });
    drop(OperatorAway::begin());
    wait_for("it has succeeded", GONE_ON, || {
        let seen = network.operation(&ordered)?;
        if seen == "Succeeded Succeeded" { Ok(()) } else { Err(seen) }
    });
    let status = |path: &str| network.field(&ordered, path).unwrap();
    assert_eq!(status("{.status.forceSealer.generation}"), "1");
    assert_eq!(status("{.status.forceSealer.stranded}"), "");
    let lost = status("{.status.forceSealer.lost}");
    for peer in &before {
        assert!(lost.contains(peer.as_str()), "{peer} is not in {lost}");
    }

    all.extend(waiting);
    all.insert(commit_soon(&client, "net-peer-3", &register, "after"));
    wait_for("the sealers are three again", TAKEN_IN, || {
        let sealers = sealers(&client, &register)?;
        if sealers.len() == 3 { Ok(()) } else { Err(format!("{sealers:?}")) }
    });
    for pod in PODS {
        all.insert(commit_soon(&client, pod, &register, &format!("taken in, by {pod}")));
    }
    for pod in PODS {
        wait_committed(&client, pod, &register, &all);
    }
    assert_eq!(network.operation(&refused).unwrap(), "Refused SealersAnswer");
}

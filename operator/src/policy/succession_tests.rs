use serde_json::json;

use super::*;
use crate::nodes::SealingReport;

fn peer(byte: u8) -> PeerId {
    PeerId::from_bytes([byte; 32])
}

fn network() -> PeerNetwork {
    let written = json!({
        "metadata": { "name": "demo", "namespace": "shop", "uid": "network" },
        "spec": { "nodeGroups": [] },
    });
    serde_json::from_value(written).unwrap()
}

fn operation(uid: &str, phase: &str, generation: i64) -> Arc<PeerOperation> {
    let written = json!({
        "metadata": { "name": "go-on", "namespace": "shop" },
        "spec": {
            "networkRef": { "name": "demo" },
            "forceSealer": { "node": "demo-peer-0", "acceptDataLoss": "WhatOnlyLostSealersHold" },
        },
        "status": {
            "phase": phase,
            "forceSealer": {
                "networkUid": uid,
                "generation": generation,
                "survivor": peer(1).to_string(),
                "lost": [peer(2).to_string(), peer(3).to_string()],
            },
        },
    });
    Arc::new(serde_json::from_value(written).unwrap())
}

fn says(generation: u64, led: bool) -> Vec<NodeReport> {
    let sealing = SealingReport { generation, led, ..SealingReport::default() };
    vec![NodeReport { seals: true, sealing: Some(sealing), ..NodeReport::silent("demo-peer-0", peer(1)) }]
}

const ORDER: Succession = Succession { generation: 1, survivor: PeerId::from_bytes([1; 32]) };

#[test]
fn an_order_stands_while_its_operation_runs_and_the_group_counts_once_it_is_led() {
    let (network, running) = (network(), [operation("network", "Running", 1)]);
    let nothing = Content::default();
    assert_eq!(succession(&network, &running, &nothing, &[]), (0, Some(ORDER)));
    let ordered = Content { succession: Some(ORDER), ..Content::default() };
    assert_eq!(succession(&network, &running, &ordered, &[]), (0, Some(ORDER)));
    assert_eq!(succession(&network, &running, &ordered, &says(0, false)), (0, Some(ORDER)));
    assert_eq!(succession(&network, &running, &ordered, &says(1, false)), (0, Some(ORDER)), "it does not lead yet");
    assert_eq!(succession(&network, &running, &ordered, &says(1, true)), (1, None));
    // That nobody was told to begin counts for nothing.
    assert_eq!(succession(&network, &[], &nothing, &says(1, true)), (0, None));
}

#[test]
fn what_was_begun_stays_whatever_becomes_of_the_operation_or_the_snapshot() {
    let network = network();
    let begun = Content { generation: 1, ..Content::default() };
    assert_eq!(succession(&network, &[], &begun, &[]), (1, None));
    assert_eq!(succession(&network, &[operation("network", "Running", 1)], &begun, &[]), (1, None));
    let done = [operation("network", "Succeeded", 1)];
    assert_eq!(succession(&network, &done, &Content::default(), &[]), (1, None));
    // Deleted before it was done: the order is taken back, unless the group is there.
    let ordered = Content { succession: Some(ORDER), ..Content::default() };
    assert_eq!(succession(&network, &[], &ordered, &[]), (0, None));
    assert_eq!(succession(&network, &[], &ordered, &says(1, true)), (1, None));
}

#[test]
fn an_operation_on_a_network_of_the_same_name_before_counts_for_nothing() {
    let before = [operation("before", "Succeeded", 4)];
    assert_eq!(succession(&network(), &before, &Content::default(), &[]), (0, None));
    assert!(lost(&network(), &before).is_empty());
}

#[test]
fn the_lost_are_shut_out_while_the_operation_exists() {
    let network = network();
    for phase in ["Running", "Succeeded"] {
        assert_eq!(lost(&network, &[operation("network", phase, 1)]), [peer(2), peer(3)].into());
    }
    assert!(lost(&network, &[]).is_empty());
}

//! Work that is done once.

use peerwright_tests::manifests::{operation, with, without};
use serde_json::json;

use super::{Attempt, Case, REFERENCE, case, change};

pub(super) fn operations() -> Vec<Case> {
    let plain = operation("go-on");
    let labelled = with(&plain, "metadata.labels", json!({ "seen": "yes" }));
    let on = |network: &str| {
        let named = with(&plain, "spec.networkRef.name", json!(network));
        Attempt::Create(with(&named, "spec.forceSealer.node", json!(format!("{network}-peer-0"))))
    };
    let of_node = |node: &str| Attempt::Create(with(&plain, "spec.forceSealer.node", json!(node)));
    vec![
        case(
            "PeerOperation",
            "",
            "an operation cannot change: delete it and create another",
            vec![change(&plain, &plain), change(&plain, &labelled)],
            vec![
                change(&plain, &with(&plain, "spec.forceSealer.node", json!("demo-peer-1"))),
                change(&plain, &with(&plain, "spec.networkRef.name", json!("demo-peer"))),
            ],
        ),
        case(
            "PeerOperation",
            "spec",
            "write exactly one kind of work: forceSealer",
            vec![Attempt::Create(plain.clone())],
            vec![Attempt::Create(without(&plain, "spec.forceSealer"))],
        ),
        case(
            "PeerOperation",
            "spec",
            "forceSealer.node names a node of the network in networkRef: write <network>-<group>-<number>, as in demo-peer-2",
            vec![of_node("demo-peer-2"), of_node("demo-x-y-0")],
            vec![of_node("other-peer-2"), of_node("demos-peer-2")],
        ),
        case(
            "PeerOperation",
            "spec.forceSealer.node",
            "write a node's name as <network>-<group>-<number>, as in demo-peer-2",
            vec![of_node("demo-peer-10")],
            vec![of_node("demo-peer"), of_node("demo-peer-"), of_node("demo-Peer-0")],
        ),
        case(
            "PeerOperation",
            "spec.networkRef.name",
            REFERENCE,
            vec![on("demo"), on("a-1")],
            ["", "Demo", "a.b", "default/demo", "a-"].map(on).into(),
        ),
    ]
}

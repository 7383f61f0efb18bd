//! Bans: those in a network's own manifest, and those that are objects of their own.

use peerwright_tests::manifests::{ban, network, with, without};
use serde_json::{Value, json};

use super::{Attempt, Case, case, change, references};

const PEER_ID: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const NODE_NAME: &str = "write a node's name as <network>-<group>-<number>, as in demo-peer-2";
const ONE_SUBJECT: &str = "write exactly one of node (a node's name), peerId, fingerprint (each 64 hex digits), spiffeId \
                           (spiffe://<trust domain>/node/<namespace>/<node>) and cidr (<address>/<length>)";
const SPIFFE_ID: &str = "write a SPIFFE id as spiffe://<trust domain>/node/<namespace>/<node>, in lower case";
const FINGERPRINT: &str = "write a fingerprint as 64 lower-case hex digits";
const RANGE: &str =
    "write a range as <address>/<length> without bits behind the length, as in 203.0.113.0/24 or 2001:db8::/32";
const PEER_ID_DIGITS: &str = "write a peer id as 64 lower-case hex digits";
const TIME: &str = "write a time as RFC 3339 with a zone, as in 2027-01-31T12:00:00Z";

pub(super) fn of_networks() -> Vec<Case> {
    let banning = |ban: Value| {
        Attempt::Create(with(&network("demo"), "spec.bans", json!([{ "name": "first", "peerId": PEER_ID }, ban])))
    };
    let nodes = |names: &[&str]| names.iter().map(|node| banning(json!({ "name": "a", "node": node }))).collect();
    let of = |path: &str, message: &str, accepted: Vec<Attempt>, refused: Vec<Attempt>| {
        case("PeerNetwork", path, message, accepted, refused)
    };
    vec![
        of(
            "",
            "spec.bans[].node names a node of this network: write <network>-<group>-<number>, as in demo-peer-2",
            nodes(&["demo-peer-2", "demo-x-y-0"]),
            nodes(&["other-peer-2", "dem-peer-2", "demos-peer-2", "d-0"]),
        ),
        of(
            "spec.bans[].name",
            "write a ban's name as lower-case letters, digits and dashes, not beginning or ending with a dash",
            ["a", "1", "a-b"].map(|name| banning(json!({ "name": name, "peerId": PEER_ID }))).into(),
            ["A", "-a", "a-", "a b"].map(|name| banning(json!({ "name": name, "peerId": PEER_ID }))).into(),
        ),
        of(
            "spec.bans[]",
            ONE_SUBJECT,
            vec![
                banning(json!({ "name": "a", "peerId": PEER_ID })),
                banning(json!({ "name": "a", "spiffeId": right_spiffe_ids()[0] })),
                banning(json!({ "name": "a", "fingerprint": PEER_ID })),
                banning(json!({ "name": "a", "cidr": "203.0.113.0/24" })),
                banning(json!({ "name": "a", "node": "demo-peer-0" })),
            ],
            vec![
                banning(json!({ "name": "a" })),
                banning(json!({ "name": "a", "node": "demo-peer-0", "peerId": PEER_ID })),
                banning(json!({ "name": "a", "cidr": "203.0.113.0/24", "fingerprint": PEER_ID })),
                banning(json!({ "name": "a", "spiffeId": right_spiffe_ids()[0], "node": "demo-peer-0" })),
            ],
        ),
        of(
            "spec.bans[].peerId",
            PEER_ID_DIGITS,
            vec![banning(json!({ "name": "a", "peerId": PEER_ID }))],
            wrong_peer_ids().into_iter().map(|id| banning(json!({ "name": "a", "peerId": id }))).collect(),
        ),
        of(
            "spec.bans[].spiffeId",
            SPIFFE_ID,
            right_spiffe_ids().map(|id| banning(json!({ "name": "a", "spiffeId": id }))).into(),
            wrong_spiffe_ids().map(|id| banning(json!({ "name": "a", "spiffeId": id }))).into(),
        ),
        of(
            "spec.bans[].fingerprint",
            FINGERPRINT,
            vec![banning(json!({ "name": "a", "fingerprint": PEER_ID }))],
            wrong_peer_ids().map(|id| banning(json!({ "name": "a", "fingerprint": id }))).into(),
        ),
        of(
            "spec.bans[].cidr",
            RANGE,
            right_ranges().map(|range| banning(json!({ "name": "a", "cidr": range }))).into(),
            wrong_ranges().map(|range| banning(json!({ "name": "a", "cidr": range }))).into(),
        ),
        of(
            "spec.bans[].node",
            NODE_NAME,
            nodes(&["demo-peer-0", "demo-x-10"]),
            nodes(&["demo-peer", "demo-peer-", "demo-Peer-0", "demo", "1-demo-0"]),
        ),
        of(
            "spec.bans[].expiresAt",
            TIME,
            right_times()
                .into_iter()
                .map(|time| banning(json!({ "name": "a", "peerId": PEER_ID, "expiresAt": time })))
                .collect(),
            wrong_times()
                .into_iter()
                .map(|time| banning(json!({ "name": "a", "peerId": PEER_ID, "expiresAt": time })))
                .collect(),
        ),
    ]
}

pub(super) fn bans() -> Vec<Case> {
    let by_node = ban("a");
    let by_peer = with(&without(&by_node, "spec.node"), "spec.peerId", json!(PEER_ID));
    let of_node = |node: &str| Attempt::Create(with(&by_node, "spec.node", json!(node)));
    let by = |kind: &str, value: &str| {
        Attempt::Create(with(&without(&by_node, "spec.node"), &format!("spec.{kind}"), json!(value)))
    };
    let labelled = with(&by_node, "metadata.labels.team", json!("a"));
    let changes = [
        ("spec.reason", json!("why")),
        ("spec.expiresAt", json!("2027-01-31T12:00:00Z")),
        ("spec.node", json!("demo-peer-1")),
        ("spec.networkRef.name", json!("dem")),
    ];
    vec![
        case(
            "PeerBan",
            "",
            "a ban cannot change: delete it and create another",
            vec![change(&by_node, &by_node), change(&by_node, &labelled)],
            changes.into_iter().map(|(path, value)| change(&by_node, &with(&by_node, path, value))).collect(),
        ),
        case(
            "PeerBan",
            "spec",
            ONE_SUBJECT,
            vec![
                Attempt::Create(by_node.clone()),
                Attempt::Create(by_peer.clone()),
                by("spiffeId", right_spiffe_ids()[0]),
                by("fingerprint", PEER_ID),
                by("cidr", "203.0.113.0/24"),
            ],
            vec![
                Attempt::Create(with(&by_peer, "spec.cidr", json!("203.0.113.0/24"))),
                Attempt::Create(with(&by_node, "spec.spiffeId", json!(right_spiffe_ids()[0]))),
                Attempt::Create(with(&by_peer, "spec.fingerprint", json!(PEER_ID))),
                Attempt::Create(without(&by_node, "spec.node")),
                Attempt::Create(with(&by_node, "spec.peerId", json!(PEER_ID))),
            ],
        ),
        case(
            "PeerBan",
            "spec",
            "node names a node of the network in networkRef: write <network>-<group>-<number>, as in demo-peer-2",
            vec![of_node("demo-peer-2"), of_node("demo-x-y-0")],
            vec![of_node("other-peer-2"), of_node("demos-peer-2")],
        ),
        case(
            "PeerBan",
            "spec.peerId",
            PEER_ID_DIGITS,
            vec![Attempt::Create(by_peer.clone())],
            wrong_peer_ids().into_iter().map(|id| Attempt::Create(with(&by_peer, "spec.peerId", json!(id)))).collect(),
        ),
        case(
            "PeerBan",
            "spec.spiffeId",
            SPIFFE_ID,
            right_spiffe_ids().map(|id| by("spiffeId", id)).into(),
            wrong_spiffe_ids().map(|id| by("spiffeId", id)).into(),
        ),
        case(
            "PeerBan",
            "spec.fingerprint",
            FINGERPRINT,
            vec![by("fingerprint", PEER_ID)],
            wrong_peer_ids().map(|id| by("fingerprint", &id)).into(),
        ),
        case(
            "PeerBan",
            "spec.cidr",
            RANGE,
            right_ranges().map(|range| by("cidr", range)).into(),
            wrong_ranges().map(|range| by("cidr", range)).into(),
        ),
        case(
            "PeerBan",
            "spec.node",
            NODE_NAME,
            vec![of_node("demo-peer-10")],
            vec![of_node("demo-peer"), of_node("demo-peer-"), of_node("demo-Peer-0")],
        ),
        case(
            "PeerBan",
            "spec.expiresAt",
            TIME,
            right_times()
                .into_iter()
                .map(|time| Attempt::Create(with(&by_peer, "spec.expiresAt", json!(time))))
                .collect(),
            wrong_times()
                .into_iter()
                .map(|time| Attempt::Create(with(&by_peer, "spec.expiresAt", json!(time))))
                .collect(),
        ),
        references("PeerBan", &by_peer),
    ]
}

fn wrong_peer_ids() -> [String; 4] {
    [String::new(), "abc".to_owned(), "AB".repeat(32), "g0".repeat(32)]
}

fn right_spiffe_ids() -> [&'static str; 2] {
    ["spiffe://demo.default.peerwright.internal/node/default/demo-peer-2", "spiffe://a_b/node/c/d.e"]
}

fn wrong_spiffe_ids() -> [&'static str; 6] {
    ["", "demo-peer-2", "https://a/node/b/c", "spiffe://a/node/b", "spiffe://a/node/b/c/d", "spiffe://Demo/node/b/c"]
}

fn right_ranges() -> [&'static str; 5] {
    ["203.0.113.0/24", "203.0.113.7/32", "0.0.0.0/0", "2001:db8::/32", "::1/128"]
}

fn wrong_ranges() -> [&'static str; 7] {
    ["", "203.0.113.0", "203.0.113.7/24", "203.0.113.0/33", "2001:db8::1/32", "2001:db8::/129", "a range"]
}

fn right_times() -> [&'static str; 4] {
    ["2027-01-31T12:00:00Z", "2028-02-29T23:59:59+14:00", "2027-01-31T12:00:00.123456789-05:30", "1970-01-01T00:00:01Z"]
}

fn wrong_times() -> [&'static str; 9] {
    [
        "",
        "tomorrow",
        "2027-01-31",
        "2027-01-31T12:00:00",
        "2027-01-31 12:00:00Z",
        "2027-02-30T12:00:00Z",
        "2027-13-01T12:00:00Z",
        "2027-01-31T24:00:00Z",
        "1969-12-31T23:59:59Z",
    ]
}

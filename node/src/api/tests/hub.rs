//! The hub as REST shows it.

use super::{Api, node::REGISTER};
use crate::{
    api::Node,
    registers::{HubRow, HubStanding, HubState},
};
use peerwright_secure::PeerId;
use peerwright_snapshot::Topology;
use serde_json::json;

const ONE: PeerId = PeerId::from_bytes([1; 32]);
const OTHER: PeerId = PeerId::from_bytes([2; 32]);

#[tokio::test]
async fn a_mesh_has_no_hubs() {
    let api = Api::new().await;
    let answer = api.get("/api/hub").await;
    let expected = json!({
        "topology": "Mesh", "role": "Peer", "active": null, "standby": null, "isolatedSince": null, "hubs": [],
    });
    assert_eq!(answer.assert_ok(), &expected);
}

#[tokio::test]
async fn the_active_hub_is_shown_with_the_others_in_their_order() {
    let api = Api::new().await;
    api.node.change_snapshot(|content| content.topology = Topology::Hub);
    let row = |hub, state, missed| HubRow { hub, state, missed };
    api.node.registers().hubs.tell(HubStanding {
        active: Some(OTHER),
        hubs: vec![row(ONE, HubState::Lost, 0), row(OTHER, HubState::Active, 1)],
        ..HubStanding::default()
    });

    let answer = api.get("/api/hub").await;

    let hubs = json!([
        { "id": ONE.to_string(), "state": "lost", "missed": 0 },
        { "id": OTHER.to_string(), "state": "active", "missed": 1 },
    ]);
    let body = answer.assert_ok();
    assert_eq!((&body["topology"], &body["active"]), (&json!("Hub"), &json!(OTHER.to_string())));
    assert_eq!((&body["hubs"], &body["standby"]), (&hubs, &json!(null)));
}

#[tokio::test]
async fn what_is_read_of_registers_says_since_when_no_hub_is_reached() {
    let api = Api::new().await;
    let path = format!("/api/registers/{REGISTER}/transactions");
    let stale = async |path: &str| {
        let answer = api.get(path).await;
        answer.assert_ok();
        answer.headers.get("stale-since").map(|since| since.to_str().unwrap().to_owned())
    };
    assert_eq!(stale(&path).await, None);

    api.node.registers().hubs.tell(HubStanding { isolated_since: Some(1_800_000_000_000_000), ..Default::default() });
    assert_eq!(stale(&path).await.as_deref(), Some("2027-01-15T08:00:00Z"));
    assert_eq!(stale("/api/members").await, None);
    assert_eq!(api.get("/api/hub").await.body["isolatedSince"], json!("2027-01-15T08:00:00Z"));
}

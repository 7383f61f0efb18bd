//! Bans by a moderator, on one node.

use super::Api;
use crate::api::{LocalBans, Node};
use peerwright_engine::BanView;
use peerwright_secure::PeerId;
use peerwright_snapshot::Ban;
use serde_json::json;

fn peer() -> PeerId {
    PeerId::from_bytes([3; 32])
}

fn path() -> String {
    format!("/api/peers/{}/ban", peer())
}

/// The peer is known because the network bans it.
async fn banned_by_network() -> Api {
    let api = Api::new().await;
    api.node.change_snapshot(|content| {
        content.bans.insert(peer(), Ban::default());
    });
    api.node.view.lock().unwrap().bans =
        vec![BanView { peer: peer(), expires_at: None, by_policy: true, by_node: false }];
    api
}

#[tokio::test]
async fn a_ban_is_made_shown_kept_and_lifted() {
    let api = banned_by_network().await;
    let made = api.call_as("moderator", "POST", &path(), r#"{"reason": "floods us"}"#).await;
    assert_eq!(made.assert_ok()["reason"], json!("floods us"));
    let shown = api.get(&format!("/api/peers/{}", peer())).await;
    let ban = &shown.assert_ok()["ban"];
    assert_eq!(
        (&ban["byNode"], &ban["bannedBy"], &ban["reason"]),
        (&json!(true), &json!("moderator"), &json!("floods us"))
    );

    let after_restart = LocalBans::load(api.node.store()).await.unwrap();
    assert_eq!(after_restart.records().await.iter().map(|ban| ban.peer).collect::<Vec<_>>(), [peer()]);

    let lifted = api.call_as("moderator", "DELETE", &path(), "").await;
    assert_eq!(lifted.assert_ok()["banned"], json!(true), "the network's ban stays");
    let shown = api.get(&format!("/api/peers/{}", peer())).await;
    assert_eq!((&shown.body["ban"]["byNode"], &shown.body["banned"]), (&json!(false), &json!(true)));
    assert!(LocalBans::load(api.node.store()).await.unwrap().records().await.is_empty());
}

#[tokio::test]
async fn a_second_ban_and_a_lift_without_ban_conflict() {
    let api = banned_by_network().await;
    let lift = api.call_as("moderator", "DELETE", &path(), "").await;
    assert!(lift.assert_refused(409, "not_banned").contains("PeerBan"));
    api.call_as("moderator", "POST", &path(), "").await.assert_ok();
    api.call_as("moderator", "POST", &path(), "").await.assert_refused(409, "already_banned");
}

#[tokio::test]
async fn a_peer_that_nobody_knows_is_not_found() {
    let api = Api::new().await;
    for method in ["POST", "DELETE"] {
        api.call_as("moderator", method, &path(), "").await.assert_refused(404, "peer_unknown");
    }
}

#[tokio::test]
async fn bad_requests_are_named() {
    let api = banned_by_network().await;
    let own = format!("/api/peers/{}/ban", api.node.identity().peer_id);
    api.call_as("moderator", "POST", &own, "").await.assert_refused(409, "own_peer");
    let unknown = api.call_as("moderator", "POST", &path(), r#"{"why": "x"}"#).await;
    assert!(unknown.assert_refused(400, "json_invalid").contains("why"));
    let long = json!({"reason": "x".repeat(257)}).to_string();
    api.call_as("moderator", "POST", &path(), &long).await.assert_refused(400, "json_invalid");
}

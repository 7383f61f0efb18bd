//! Bans by a moderator, on one node.

use super::Api;
use crate::api::{LocalBans, Node};
use axum::{
    body::Body,
    extract::{ConnectInfo, Request},
};
use peerwright_engine::{AutoBan, BanView, EvidenceDigest, Misbehaviour, Offence};
use peerwright_secure::PeerId;
use peerwright_snapshot::Ban;
use serde_json::json;
use std::net::SocketAddr;

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
        content.bans.insert(peer().into(), Ban::default());
    });
    api.node.view.lock().unwrap().bans =
        vec![BanView { subject: peer().into(), expires_at: None, by_policy: true, by_node: false, automatic: false }];
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
    assert_eq!(after_restart.records().await.into_iter().map(|ban| ban.subject).collect::<Vec<_>>(), [peer().into()]);

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

#[tokio::test]
async fn a_moderator_bans_by_any_kind_of_subject_and_everybody_sees_it() {
    let api = Api::new().await;
    let fingerprint = "ab".repeat(32);
    for (kind, value) in [
        ("peerId", "cd".repeat(32)),
        ("spiffeId", "spiffe://demo.default.peerwright.internal/node/default/demo-peer-7".to_owned()),
        ("fingerprint", fingerprint.clone()),
        ("cidr", "203.0.113.0/24".to_owned()),
    ] {
        let body = json!({ kind: value, "reason": "floods us" }).to_string();
        let made = api.call_as("moderator", "POST", "/api/bans", &body).await;
        assert_eq!(made.assert_ok()[kind], json!(value));
        api.call_as("moderator", "POST", "/api/bans", &body).await.assert_refused(409, "already_banned");
        let shown = api.get("/api/bans").await;
        let rows = shown.assert_ok().as_array().unwrap();
        let row = rows.iter().find(|row| row[kind] == json!(value)).unwrap();
        assert_eq!(
            (&row["byNode"], &row["bannedBy"], &row["reason"]),
            (&json!(true), &json!("moderator"), &json!("floods us"))
        );
        let restarted = LocalBans::load(api.node.store()).await.unwrap().records().await;
        assert_eq!(
            restarted.iter().map(|ban| (ban.subject.kind(), ban.subject.value())).collect::<Vec<_>>(),
            [(kind, value.clone())]
        );
        let lift = format!("/api/bans?{kind}={value}");
        assert_eq!(api.call_as("moderator", "DELETE", &lift, "").await.assert_ok()["banned"], json!(false));
        api.call_as("moderator", "DELETE", &lift, "").await.assert_refused(409, "not_banned");
    }
    assert_eq!(api.get("/api/bans").await.assert_ok(), &json!([]));
}

#[tokio::test]
async fn a_ban_needs_one_readable_subject_and_a_moderator() {
    let api = Api::new().await;
    for body in [
        json!({}),
        json!({ "peerId": "cd".repeat(32), "cidr": "203.0.113.0/24" }),
        json!({ "cidr": "203.0.113.1/24" }),
        json!({ "peerId": "CD".repeat(32) }),
        json!({ "spiffeId": "spiffe://demo/pod" }),
    ] {
        api.call_as("moderator", "POST", "/api/bans", &body.to_string()).await.assert_refused(400, "subject_invalid");
    }
    api.call_as("moderator", "DELETE", "/api/bans", "").await.assert_refused(400, "subject_invalid");
    api.call_as("moderator", "DELETE", "/api/bans?node=x", "").await.assert_refused(400, "query_invalid");
    let body = json!({ "cidr": "203.0.113.0/24" }).to_string();
    api.call_as("writer", "POST", "/api/bans", &body).await.assert_refused(403, "role_required");
}

#[tokio::test]
async fn a_moderator_bans_neither_this_node_nor_the_way_back() {
    let api = Api::new().await;
    let own = api.node.identity();
    let name = format!("spiffe://{}/node/{}/{}", own.trust_domain, own.namespace, own.node);
    for body in [json!({ "peerId": own.peer_id.to_string() }), json!({ "spiffeId": name })] {
        api.call_as("moderator", "POST", "/api/bans", &body.to_string()).await.assert_refused(409, "own_peer");
    }
    let token = api.issuer.token("moderator");
    let request = Request::post("/api/bans").header("authorization", format!("Bearer {token}"));
    let mut request = request.body(Body::from(r#"{"cidr": "203.0.113.0/24"}"#)).unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([203, 0, 113, 9], 40_000))));
    api.call(request).await.assert_refused(409, "own_address");
}

fn automatic(expires: Option<u64>) -> AutoBan {
    let evidence = EvidenceDigest::from_bytes([9; 32]);
    AutoBan {
        peer: peer(),
        group: None,
        reason: Misbehaviour::Spam,
        evidence,
        since: 1_700_000_000,
        expires,
        count: 2,
        lifted: None,
        offences: vec![Offence { at: 1_699_999_999, kind: Misbehaviour::Spam, evidence }],
    }
}

#[tokio::test]
async fn a_ban_that_the_node_made_by_itself_is_shown_with_its_evidence_and_lifted() {
    let api = Api::new().await;
    {
        let mut view = api.node.view.lock().unwrap();
        view.auto_bans = vec![automatic(Some(1_700_000_100)), automatic(None)];
        view.bans = vec![BanView {
            subject: peer().into(),
            expires_at: None,
            by_policy: false,
            by_node: false,
            automatic: true,
        }];
    }
    let shown = api.get(&format!("/api/peers/{}", peer())).await;
    let ban = &shown.assert_ok()["ban"];
    assert_eq!((&ban["automatic"], &ban["reason"]), (&json!(true), &json!("spam")));
    assert_eq!(ban["bannedAt"], json!("2023-11-14T22:13:20Z"));

    let history = api.get("/api/bans/automatic").await;
    let [over, in_force] = history.assert_ok().as_array().unwrap().as_slice() else { panic!("two bans") };
    assert_eq!((&over["inForce"], &in_force["inForce"]), (&json!(false), &json!(true)));
    assert_eq!((&in_force["count"], &in_force["evidence"]), (&json!(2), &json!("09".repeat(32))));
    assert_eq!(in_force["offences"][0]["kind"], json!("spam"));

    let lifted = api.call_as("moderator", "DELETE", &path(), "").await;
    assert_eq!((&lifted.assert_ok()["banned"], &lifted.body["reason"]), (&json!(false), &json!("spam")));
    let history = api.get("/api/bans/automatic").await;
    assert_eq!(history.assert_ok().as_array().unwrap().len(), 2, "it is remembered");
    assert!(history.body[1]["liftedAt"].is_string());
    api.node.view.lock().unwrap().scores.clear();
    let again = format!("/api/bans?peerId={}", peer());
    api.call_as("moderator", "DELETE", &again, "").await.assert_refused(409, "not_banned");
}

#[tokio::test]
async fn one_lift_ends_the_moderators_ban_and_the_nodes_own() {
    let api = Api::new().await;
    let body = json!({ "peerId": peer().to_string(), "reason": "floods us" }).to_string();
    api.call_as("moderator", "POST", "/api/bans", &body).await.assert_ok();
    api.node.view.lock().unwrap().auto_bans = vec![automatic(None)];
    let lifted = api.call_as("moderator", "DELETE", &path(), "").await;
    assert_eq!(lifted.assert_ok()["reason"], json!("floods us"));
    assert!(api.node.view.lock().unwrap().auto_bans[0].lifted.is_some());
    assert!(LocalBans::load(api.node.store()).await.unwrap().records().await.is_empty());
}

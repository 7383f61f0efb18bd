//! The peers as REST shows them.

use super::Api;
use peerwright_engine::{
    AddressView, BanView, Direction, LinkId, Micros, PeerView, Rating, ScoreView, breaker::BreakerStatistics,
};
use peerwright_secure::PeerId;
use peerwright_snapshot::Role;
use serde_json::json;
use std::time::Duration;

fn peer(number: u8) -> PeerId {
    PeerId::from_bytes([number; 32])
}

fn score(number: u8, points: u8) -> ScoreView {
    ScoreView {
        peer: peer(number),
        score: points,
        rating: Rating::of(points),
        reliability: 90,
        performance: 80,
        behaviour: 70,
        shortest_round_trip: Some(Duration::from_millis(1)),
        mean_round_trip: Some(Duration::from_micros(1_500)),
        longest_round_trip: Some(Duration::from_millis(2)),
        answered_percent: None,
        successes: 7,
        failures: 1,
        delivered_bytes: 900,
        last_seen: Micros(0),
    }
}

/// Peer 1 is linked, peer 2 was reached and is gone, peer 3 is banned by the network; an address is this node's own.
async fn with_peers() -> Api {
    let api = Api::new().await;
    let mut view = api.node.view.lock().unwrap();
    view.peers = vec![PeerView {
        peer: peer(1),
        link: LinkId(1),
        incarnation: 9,
        direction: Direction::Outbound,
        address: Some("10.0.0.1:5000".parse().unwrap()),
        since: Micros(view.now.0 - 60_000_000),
        last_heard: view.now,
        round_trip: Some(Duration::from_micros(1_500)),
        ready: Some(true),
        registers: 1,
        messages: 10,
        missing: 0,
        sent_bytes: 5,
        received_bytes: 6,
        active: true,
        listens_at: None,
    }];
    let address = |last: u8, peer, own, failures| AddressView {
        host: "demo-peers".to_owned(),
        socket: format!("10.0.0.{last}:5000").parse().unwrap(),
        listed: last != 2,
        own,
        peer,
        failures,
    };
    let own = api.node.key.peer_id();
    view.addresses =
        vec![address(1, Some(peer(1)), false, 0), address(2, Some(peer(2)), false, 4), address(9, Some(own), true, 0)];
    view.bans = vec![BanView {
        subject: peer(3).into(),
        expires_at: Some(1_900_000_000),
        by_policy: true,
        by_node: false,
        automatic: false,
    }];
    view.statistics.links.round_trip_micros = 1_500;
    view.statistics.links.dial_failures = 4;
    view.statistics.submit.queued = 2;
    view.breakers = BreakerStatistics { total: 8, open: 1, half_open: 2, closed: 5 };
    drop(view);
    api
}

#[tokio::test]
async fn linked_reached_and_banned_peers_are_listed_and_the_node_itself_is_not() {
    let api = with_peers().await;
    let list = api.get("/api/peers").await;
    let rows = list.assert_ok().as_array().unwrap();
    assert_eq!(rows.len(), 3);
    let linked = &rows[0];
    assert_eq!(linked["id"], json!(peer(1).to_string()));
    assert_eq!((&linked["address"], &linked["port"]), (&json!("10.0.0.1"), &json!(5000)));
    assert_eq!((&linked["connected"], &linked["link"]["direction"]), (&json!(true), &json!("outbound")));
    assert_eq!(linked["link"]["latencyMillis"], json!(1.5));
    let at = |field: &str| linked["link"][field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(at("lastSeen").duration_since(at("since")).as_secs(), 60);
    assert_eq!((&rows[1]["connected"], &rows[1]["failures"]), (&json!(false), &json!(4)));
    assert_eq!((&rows[2]["banned"], &rows[2]["ban"]["byNetwork"]), (&json!(true), &json!(true)));
    assert_eq!(rows[2]["ban"]["expiresAt"], json!("2030-03-17T17:46:40Z"));
}

#[tokio::test]
async fn one_peer_is_found_by_its_id() {
    let api = with_peers().await;
    assert_eq!(api.get(&format!("/api/peers/{}", peer(2))).await.assert_ok()["failures"], json!(4));
    api.get(&format!("/api/peers/{}", peer(8))).await.assert_refused(404, "peer_unknown");
    api.get("/api/peers/demo-peer-2").await.assert_refused(400, "peer_invalid");
}

#[tokio::test]
async fn statistics_and_health_count_the_same_peers() {
    let api = with_peers().await;
    let statistics = api.get("/api/peers/stats").await;
    assert_eq!(
        statistics.assert_ok()["peers"],
        json!({
            "total": 3, "healthy": 1, "unhealthy": 2, "seeds": 1, "averageLatencyMillis": 1.5, "totalFailures": 4
        })
    );
    assert_eq!(statistics.body["queue"], json!({"size": 2, "empty": false}));
    assert_eq!(statistics.body["breakers"], json!({"total": 8, "open": 1, "halfOpen": 2, "closed": 5}));
    assert_eq!(
        *api.get("/api/peers/health").await.assert_ok(),
        json!({"total": 3, "healthy": 1, "unhealthy": 2, "healthPercent": 33, "healthyPeers": [peer(1).to_string()]})
    );
}

#[tokio::test]
async fn a_node_without_peers_has_no_health() {
    let api = Api::new().await;
    assert_eq!(api.get("/api/peers/health").await.assert_ok()["healthPercent"], json!(0));
}

#[tokio::test]
async fn who_is_connected_is_for_callers_with_a_token_how_many_for_all_who_may_read() {
    let api = with_peers().await;
    api.node.change_snapshot(|content| content.api.anonymous_role = Role::Reader);
    let named = api.get("/api/peers/connected").await;
    assert_eq!(named.assert_ok()["peers"][0]["id"], json!(peer(1).to_string()));
    let request = axum::http::Request::get("/api/peers/connected").body(axum::body::Body::empty()).unwrap();
    assert_eq!(*api.call(request).await.assert_ok(), json!({"count": 1}));
}

#[tokio::test]
async fn what_the_node_thinks_of_its_peers_is_told_and_why() {
    let api = with_peers().await;
    api.node.view.lock().unwrap().scores = vec![score(1, 84), score(2, 39), score(4, 12)];
    let list = api.get("/api/peers").await;
    let rows = list.assert_ok().as_array().unwrap();
    assert_eq!(rows.len(), 4, "peer 4 has neither link nor address, but is remembered");
    assert_eq!(
        (&rows[0]["score"], &rows[0]["rating"], &rows[0]["seed"]),
        (&json!(84), &json!("excellent"), &json!(true))
    );
    assert_eq!((&rows[1]["rating"], &rows[1]["seed"]), (&json!("poor"), &json!(false)));
    assert_eq!(rows[2]["score"], json!(null), "nothing is known of it");

    let one = api.get(&format!("/api/peers/{}", peer(1))).await;
    let quality = &one.assert_ok()["quality"];
    assert_eq!(quality["factors"], json!({"reliability": 90, "performance": 80, "behaviour": 70}));
    assert_eq!(quality["latencyMillis"], json!({"min": 1.0, "average": 1.5, "max": 2.0}));
    assert_eq!((&quality["successes"], &quality["failures"]), (&json!(7), &json!(1)));
    let all = api.get("/api/peers/quality").await;
    assert_eq!(all.assert_ok()[0]["score"], quality["score"]);

    let statistics = api.get("/api/peers/stats").await;
    assert_eq!(
        statistics.assert_ok()["quality"],
        json!({
            "tracked": 3, "excellent": 1, "good": 0, "fair": 0, "poor": 1, "veryPoor": 1, "averageScore": 45.0
        })
    );
}

#[tokio::test]
async fn a_moderator_has_failures_forgotten() {
    let api = with_peers().await;
    let path = format!("/api/peers/{}/reset", peer(2));
    let reset = api.call_as("moderator", "POST", &path, "").await;
    assert_eq!(*reset.assert_ok(), json!({"peer": peer(2).to_string(), "failureCount": 0, "previousFailureCount": 4}));
    assert_eq!(api.get(&format!("/api/peers/{}", peer(2))).await.assert_ok()["failures"], json!(0));
    api.call_as("writer", "POST", &path, "").await.assert_refused(403, "role_required");
    let unknown = format!("/api/peers/{}/reset", peer(8));
    api.call_as("moderator", "POST", &unknown, "").await.assert_refused(404, "peer_unknown");
}

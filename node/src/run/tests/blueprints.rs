//! Blueprints between whole nodes: published on one, known on all, told to who follows.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::registers::{begin, sealed};
use crate::{
    RunningNode,
    api::{Access, ApiState, LocalBans, Node, router},
    limits::{LimitSettings, RateLimits},
    telemetry::Telemetry,
    testing::{authority, eventually, publish},
};
use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use http_body_util::BodyExt;
use peerwright_ledger::RegisterId;
use serde_json::{Value, json};
use std::sync::Arc;
use tower::ServiceExt;

/// A node's routes, for whoever asks.
async fn routes(node: &RunningNode) -> (Router, Arc<Telemetry>) {
    let handle: Arc<dyn Node> = node.handle().clone();
    let bans = Arc::new(LocalBans::load(handle.store()).await.unwrap());
    let limits = Arc::new(RateLimits::new(LimitSettings::default()));
    let telemetry = Arc::<Telemetry>::default();
    (router(ApiState::new(handle, telemetry.clone(), bans, Access::Open, limits)), telemetry)
}

async fn call(routes: &Router, method: &str, path: &str, body: &Value) -> (StatusCode, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = Request::builder().method(method).uri(path).body(Body::from(body)).unwrap();
    let response = routes.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

/// The changes that are told next, by version.
async fn next(events: &mut Body, text: &mut String) -> Value {
    loop {
        while let Some((event, rest)) = text.split_once("\n\n") {
            let (event, rest) = (event.to_owned(), rest.to_owned());
            *text = rest;
            if event.lines().any(|line| line == "event: blueprints") {
                let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
                return serde_json::from_str(data).unwrap();
            }
        }
        let frame = events.frame().await.unwrap().unwrap().into_data().unwrap();
        text.push_str(std::str::from_utf8(&frame).unwrap());
    }
}

/// A sealer and two that follow it; the register is the network's system register.
async fn network() -> (Vec<RunningNode>, RegisterId) {
    let authority = authority();
    let nodes = sealed(&authority, 3, 1).await;
    let register = begin(&authority, &nodes).await;
    publish(&authority, &nodes.iter().collect::<Vec<_>>(), |content| content.system = Some(*register.as_bytes()));
    (nodes, register)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blueprint_that_one_node_publishes_is_known_on_all_and_told_to_who_follows_once_by_version() {
    let (nodes, register) = network().await;
    let ((here, _), (there, telemetry)) = (routes(&nodes[1]).await, routes(&nodes[2]).await);
    eventually("both know the register and hold it", async || {
        let mut is_read = true;
        for routes in [&here, &there] {
            let (status, body) = call(routes, "GET", "/api/system-register", &Value::Null).await;
            is_read &= status == StatusCode::OK && body["through"].is_u64();
        }
        is_read
    })
    .await;
    let request = Request::get("/api/system-register/follow?from=0").body(Body::empty()).unwrap();
    let response = there.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let (mut events, mut text) = (response.into_body(), String::new());

    let mut versions = Vec::new();
    for (method, path, body, change, state) in [
        ("PUT", "/api/blueprints/loan?ack=committed", json!({ "steps": 1 }), "published", "active"),
        ("PUT", "/api/blueprints/loan?ack=committed", json!({ "steps": 2 }), "updated", "active"),
        ("DELETE", "/api/blueprints/loan?ack=committed", Value::Null, "deprecated", "deprecated"),
    ] {
        let (status, answer) = call(&here, method, path, &body).await;
        assert_eq!((status, &answer["register"]), (StatusCode::OK, &json!(register.to_string())), "{answer}");
        let version = answer["committed"]["docket"].as_u64().unwrap();
        let told = next(&mut events, &mut text).await;
        assert_eq!((&told["version"], &told["changes"][0]["change"]), (&json!(version), &json!(change)));
        assert_eq!(told["changes"][0]["transactionId"], answer["transactionId"]);
        eventually("the other node knows it", async || {
            let (_, one) = call(&there, "GET", "/api/blueprints/loan", &Value::Null).await;
            one["version"] == json!(version) && one["state"] == json!(state)
        })
        .await;
        versions.push(version);
    }
    assert!(versions.is_sorted_by(|earlier, later| earlier < later), "{versions:?}");

    // What it was is still to be had; who asks for what is newer than it knows hears of nothing old.
    let (_, one) = call(&there, "GET", "/api/blueprints/loan", &Value::Null).await;
    assert_eq!((&one["definition"], &one["firstVersion"]), (&json!({ "steps": 2 }), &json!(versions[0])));
    let (_, page) = call(&there, "GET", &format!("/api/blueprints?after={}", versions[1]), &Value::Null).await;
    assert_eq!((&page["blueprints"][0]["blueprint"], &page["next"]), (&json!("loan"), &json!(versions[2])));
    let (_, page) = call(&there, "GET", &format!("/api/blueprints?after={}", versions[2]), &Value::Null).await;
    assert_eq!(page, json!({ "blueprints": [], "next": versions[2] }));
    let metrics = telemetry.encode();
    assert!(metrics.contains("peerwright_blueprint_changes_told_total 3"), "{metrics}");
    telemetry.observe_registers(&nodes[2].handle().registers);
    assert!(telemetry.encode().contains("peerwright_blueprints{state=\"deprecated\"} 1"));
}

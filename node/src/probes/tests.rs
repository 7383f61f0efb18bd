//! What the kubelet and Prometheus see.

use super::{ProbeState, Readiness, Reason, router};
use crate::{api::Node, api::tests::node::TestNode, telemetry::Telemetry};
use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use http_body_util::BodyExt;
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;
use tower::ServiceExt;

fn state() -> (ProbeState, watch::Sender<Readiness>) {
    let (sender, readiness) = watch::channel(Readiness::Waiting(Reason::Starting));
    (ProbeState { readiness, telemetry: Arc::new(Telemetry::default()), node: Arc::new(OnceLock::new()) }, sender)
}

async fn get(state: &ProbeState, path: &str) -> (StatusCode, String) {
    let response = router(state.clone()).oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn readiness_is_told_by_status_and_first_word() {
    let (state, sender) = state();
    for (reason, word) in [
        (Reason::Starting, "starting"),
        (Reason::WaitingForOperator, "waiting-for-operator"),
        (Reason::Banned, "banned"),
        (Reason::Syncing, "syncing"),
        (Reason::Draining, "draining"),
        (Reason::Failed, "failed"),
    ] {
        sender.send_replace(Readiness::Waiting(reason));
        let (status, body) = get(&state, "/readyz").await;
        assert_eq!((status, body.split_whitespace().next().unwrap()), (StatusCode::SERVICE_UNAVAILABLE, word));
    }
    sender.send_replace(Readiness::Ready { alone: false });
    assert_eq!(get(&state, "/readyz").await, (StatusCode::OK, "ready\n".to_owned()));
    sender.send_replace(Readiness::Ready { alone: true });
    let (status, body) = get(&state, "/readyz").await;
    assert!(status == StatusCode::OK && body.starts_with("ready alone"), "{body}");
}

#[tokio::test]
async fn a_process_that_starts_is_alive_and_has_metrics() {
    let (state, _sender) = state();
    assert_eq!(get(&state, "/livez").await.0, StatusCode::OK);
    let (status, metrics) = get(&state, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(metrics.contains("peerwright_ready 0") && !metrics.contains("peerwright_links{"), "{metrics}");
}

#[tokio::test]
async fn metrics_include_the_node_once_there_is_one() {
    let (state, _sender) = state();
    let node: Arc<dyn Node> = Arc::new(TestNode::new());
    assert!(state.node.set(node).is_ok());
    let (_, metrics) = get(&state, "/metrics").await;
    assert!(metrics.contains("peerwright_links{") && metrics.contains("peerwright_snapshot_revision"), "{metrics}");
}

#[tokio::test]
async fn nothing_else_is_served() {
    let (state, _sender) = state();
    for path in ["/", "/api/peers", "/metrics/", "/livez/x"] {
        assert_eq!(get(&state, path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

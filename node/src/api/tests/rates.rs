//! How much one caller may ask for.

use super::{Api, node::REGISTER};
use crate::limits::{Ask, Asker};
use serde_json::json;

/// The subject `reader` has made ten minutes' calls, if it is measured at all.
fn use_up(api: &Api) {
    api.state.limits.charge(&Asker::Subject("reader".to_owned()), Ask { requests: 10_000, ..Ask::default() });
}

#[tokio::test]
async fn a_subject_that_has_made_its_calls_is_told_when_to_come_back_and_others_are_served() {
    let api = Api::new().await;
    api.get("/api/health").await.assert_ok();
    use_up(&api);
    let refused = api.get("/api/health").await;
    refused.assert_refused(429, "rate_limited");
    let seconds: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((480..=541).contains(&seconds), "{seconds}");
    api.call_as("admin", "GET", "/api/health", "").await.assert_ok();
    let metrics = api.telemetry.encode();
    assert!(metrics.contains("rate_limited_total{profile=\"external\",measure=\"requests\"} 1"), "{metrics}");
}

#[tokio::test]
async fn transactions_are_counted_one_by_one_also_in_lists() {
    let api = Api::new().await;
    let path = format!("/api/registers/{REGISTER}/transactions");
    let list = |count: usize| json!(vec![json!({ "payloads": [{ "text": "one" }] }); count]);
    let accepted = api.post(&path, &list(64)).await;
    assert_eq!(accepted.status.as_u16(), 202, "{}", accepted.body);
    api.post(&path, &list(64)).await.assert_refused(429, "rate_limited");
    let accepted = api.post(&path, &list(30)).await;
    assert_eq!(accepted.status.as_u16(), 202, "what was refused was not taken: {}", accepted.body);
}

#[tokio::test]
async fn who_may_not_call_is_told_so_and_leaves_nothing_behind() {
    let api = Api::new().await;
    api.call_as("reader", "POST", "/api/peers/x/ban", "").await.assert_refused(403, "role_required");
    use_up(&api);
    api.get("/api/health").await.assert_ok();
}

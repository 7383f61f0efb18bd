//! Lists, single transactions, and what the node says of itself.

use super::{Api, node::REGISTER};
use crate::probes::{Readiness, Reason};
use peerwright_engine::RegisterView;
use serde_json::json;

async fn filled(count: usize) -> (Api, Vec<String>) {
    let api = Api::new().await;
    let mut ids = Vec::new();
    for number in 0..count {
        let path = format!("/api/registers/{REGISTER}/transactions");
        let answer = api.post(&path, &json!({"payloads": [{"json": number}]})).await;
        ids.push(answer.body["transactionId"].as_str().unwrap().to_owned());
    }
    (api, ids)
}

#[tokio::test]
async fn a_register_is_read_page_by_page() {
    let (api, ids) = filled(7).await;
    let path = format!("/api/registers/{REGISTER}/transactions?limit=3");
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("{path}{after}")).await.assert_ok().clone();
        let rows = page["transactions"].as_array().unwrap();
        assert!(rows.len() <= 3 && rows.iter().all(|row| row["origin"] == json!(api.node.key.peer_id().to_string())));
        found.extend(rows.iter().map(|row| row["transactionId"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(found, ids);
}

#[tokio::test]
async fn a_page_has_bounds_and_a_query_known_names() {
    let api = Api::new().await;
    for (query, named) in [("limit=0", "limit"), ("limit=1001", "1000"), ("limit=x", "limit"), ("afer=1", "afer")] {
        let answer = api.get(&format!("/api/registers/{REGISTER}/transactions?{query}")).await;
        let error = answer.assert_refused(400, "query_invalid");
        assert!(error.contains(named), "{error}");
    }
    api.get(&format!("/api/registers/{REGISTER}/transactions?limit=1000")).await.assert_ok();
}

#[tokio::test]
async fn a_transaction_that_is_not_held_is_not_found() {
    let api = Api::new().await;
    let path = format!("/api/registers/{REGISTER}/transactions");
    api.get(&format!("{path}/{}", "0".repeat(64))).await.assert_refused(404, "transaction_unknown");
    api.get(&format!("{path}/first")).await.assert_refused(400, "transaction_invalid");
}

#[tokio::test]
async fn subscriptions_show_how_far_they_are() {
    let (api, _) = filled(2).await;
    api.node.view.lock().unwrap().registers = vec![RegisterView { register: REGISTER, messages: 2, synced: false }];
    assert_eq!(
        *api.get("/api/registers/subscriptions").await.assert_ok(),
        json!([{"register": REGISTER.to_string(), "state": "Syncing", "messages": 2, "transactions": 2, "dockets": 0}])
    );
}

#[tokio::test]
async fn the_node_says_who_it_is() {
    let api = Api::new().await;
    let answer = api.get("/").await;
    let service = answer.assert_ok();
    assert_eq!(service["service"], json!("peerwright-node"));
    assert_eq!(service["peerId"], json!(api.node.key.peer_id().to_string()));
    assert_eq!(service["trustDomain"], json!("demo.default.peerwright.internal"));
    assert_eq!(service["snapshot"], json!("1.2"));
}

#[tokio::test]
async fn health_follows_readiness() {
    let api = Api::new().await;
    assert_eq!(api.get("/api/health").await.assert_ok()["status"], json!("ready"));
    *api.node.readiness.lock().unwrap() = Readiness::Waiting(Reason::Syncing);
    let answer = api.get("/api/health").await;
    assert_eq!((answer.status.as_u16(), &answer.body["status"]), (503, &json!("syncing")));
}

#[tokio::test]
async fn unknown_routes_and_methods_are_told_apart() {
    let api = Api::new().await;
    api.get("/api/nothing").await.assert_refused(404, "no_route");
    api.call_as("admin", "DELETE", "/api/peers", "").await.assert_refused(405, "method_not_allowed");
}

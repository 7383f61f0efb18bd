//! Blueprints, as far as no docket is needed for them; `run::tests::blueprints` has whole nodes.

use super::{Api, node::REGISTER};
use crate::api::Node;
use serde_json::json;

async fn api() -> Api {
    let api = Api::new().await;
    api.node.registers().blueprints.begin(Some(REGISTER));
    api
}

#[tokio::test]
async fn a_network_without_a_system_register_has_no_blueprints() {
    let api = Api::new().await;
    for (method, path) in [
        ("GET", "/api/system-register"),
        ("GET", "/api/system-register/follow"),
        ("GET", "/api/blueprints"),
        ("GET", "/api/blueprints/loan"),
        ("PUT", "/api/blueprints/loan"),
        ("DELETE", "/api/blueprints/loan"),
    ] {
        let answer = api.call_as("writer", method, path, "{}").await;
        answer.assert_refused(404, "no_system_register");
    }
}

#[tokio::test]
async fn what_is_no_blueprint_is_refused_and_hands_nothing_in() {
    let api = api().await;
    for (path, body, code) in [
        ("/api/blueprints/a.b", "{}", "blueprint_invalid"),
        ("/api/blueprints/loan", "[]", "json_invalid"),
        ("/api/blueprints/loan", "{", "json_invalid"),
        ("/api/blueprints/loan?ack=soon", "{}", "query_invalid"),
    ] {
        api.call_as("writer", "PUT", path, body).await.assert_refused(400, code);
    }
    api.call_as("writer", "DELETE", "/api/blueprints/loan", "").await.assert_refused(404, "blueprint_unknown");
    api.get("/api/blueprints?limit=0").await.assert_refused(400, "query_invalid");
    assert_eq!(api.node.submitted.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_definition_is_handed_in_as_a_transaction_of_the_system_register() {
    let api = api().await;
    let answer = api.call_as("writer", "PUT", "/api/blueprints/loan", r#"{"steps":["ask"]}"#).await;
    assert_eq!((answer.status.as_u16(), &answer.body["register"]), (202, &json!(REGISTER.to_string())));
    let id = answer.body["transactionId"].as_str().unwrap();
    let transaction = api.get(&format!("/api/registers/{REGISTER}/transactions/{id}")).await;
    let body = transaction.assert_ok();
    assert_eq!(body["metadata"]["blueprint"], json!("loan"));
    assert_eq!(body["metadata"]["action"], json!("publish"));
    assert_eq!(body["payloads"][0]["json"], json!({ "steps": ["ask"] }));
    // It is one once a docket has it.
    api.get("/api/blueprints/loan").await.assert_refused(404, "blueprint_unknown");
    let expected = json!({
        "register": REGISTER.to_string(), "through": null, "active": 0, "deprecated": 0, "passedOver": 0,
    });
    assert_eq!(api.get("/api/system-register").await.assert_ok(), &expected);
}

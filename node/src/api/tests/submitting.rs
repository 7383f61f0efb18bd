//! Handing in transactions and reading them back.

use super::{Api, node::REGISTER};
use crate::{api::SubmitRefused, registers::OutboxFull, testing::text_body};
use base64::{Engine, engine::general_purpose::STANDARD};
use peerwright_engine::SubmitRefusal;
use peerwright_ledger::{Kind, RegisterId, Transaction, TransactionBody};
use peerwright_secure::NodeKey;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

fn path() -> String {
    format!("/api/registers/{REGISTER}/transactions")
}

async fn read_back(api: &Api, accepted: &Value) -> Value {
    let id = accepted["transactionId"].as_str().unwrap();
    api.get(&format!("{}/{id}", path())).await.assert_ok().clone()
}

/// A transaction that a client has signed itself.
pub(super) fn signed_by_client(register: RegisterId, kind: Kind, valid_micros: u64) -> Transaction {
    let key = NodeKey::from_seed([99; 32]);
    let now = crate::api::time::now_micros();
    let valid = now - 10..now - 10 + valid_micros;
    let body = text_body(register, &key.public(), valid, "signed by its author");
    TransactionBody { kind, ..body }.sign(&key).unwrap()
}

fn signed(transaction: &Transaction) -> Value {
    json!({"signed": STANDARD.encode(transaction.encoded())})
}

#[tokio::test]
async fn a_described_transaction_is_signed_for_the_subject_accepted_and_read_back_whole() {
    let api = Api::new().await;
    let previous = "cd".repeat(32);
    let answer = api
        .post(
            &path(),
            &json!({
                "type": "Participant",
                "payloads": [
                    {"json": {"b": 1, "a": [null, "ü"]}},
                    {"text": "hello", "access": ["bob", "alice"]},
                    {"data": "AAEC", "contentType": "application/x-bits", "contentEncoding": "none", "challenge": "/w=="},
                    {"json": null}
                ],
                "recipients": ["carol"],
                "previous": previous,
                "metadata": {"blueprint": "loan", "instance": "i-1", "action": "apply", "nextAction": "check", "tracking": {"k": "v"}},
                "validForSeconds": 60
            }),
        )
        .await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(answer.body["accepted"], json!(true));
    let back = read_back(&api, &answer.body).await;
    assert_eq!(back["transactionId"], answer.body["transactionId"]);
    assert_eq!(back["validUntil"], answer.body["validUntil"]);
    for (field, expected) in [
        ("register", json!(REGISTER.to_string())),
        ("type", json!("Participant")),
        ("previous", json!(previous)),
        ("subject", json!("writer")),
        ("recipients", json!(["carol"])),
        ("author", json!(peerwright_encoding::to_lower_hex(api.node.key.public().as_bytes()))),
        ("origin", json!(api.node.key.peer_id().to_string())),
        (
            "metadata",
            json!({"blueprint": "loan", "instance": "i-1", "action": "apply", "nextAction": "check", "tracking": {"k": "v"}}),
        ),
    ] {
        assert_eq!(back[field], expected, "{field}");
    }
    let payloads = back["payloads"].as_array().unwrap();
    assert_eq!(payloads[0]["json"], json!({"b": 1, "a": [null, "ü"]}));
    assert_eq!(payloads[0]["data"], json!(STANDARD.encode(r#"{"b":1,"a":[null,"ü"]}"#)));
    assert_eq!((&payloads[1]["text"], &payloads[1]["access"]), (&json!("hello"), &json!(["alice", "bob"])));
    assert_eq!(payloads[1]["contentType"], json!("text/plain; charset=utf-8"));
    assert_eq!((&payloads[2]["data"], &payloads[2]["challenge"]), (&json!("AAEC"), &json!("/w==")));
    assert_eq!(payloads[2].get("text").or(payloads[2].get("json")), None);
    assert_eq!(payloads[3]["data"], json!(STANDARD.encode("null")));
}

#[tokio::test]
async fn validity_is_the_network_s_unless_the_client_says() {
    let api = Api::new().await;
    for (body, seconds) in [
        (json!({"payloads": []}), 1_800),
        (json!({"payloads": [], "validForSeconds": 86_400}), 86_400),
        (json!({"payloads": [], "validForSeconds": 1}), 1),
    ] {
        let back = read_back(&api, &api.post(&path(), &body).await.body).await;
        let at = |field: &str| back[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
        assert_eq!(at("validUntil") - at("createdAt"), seconds);
    }
    for seconds in [0, 86_401] {
        let answer = api.post(&path(), &json!({"payloads": [], "validForSeconds": seconds})).await;
        assert!(answer.assert_refused(400, "json_invalid").contains("validForSeconds"));
    }
}

#[tokio::test]
async fn a_large_transaction_comes_back_whole_and_a_larger_one_is_refused() {
    let api = Api::new().await;
    let data = STANDARD.encode(vec![7; 250_000]);
    let answer = api.post(&path(), &json!({"payloads": [{"data": data}]})).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(read_back(&api, &answer.body).await["payloads"][0]["data"], json!(data));
    let above = json!({"payloads": [{"data": STANDARD.encode(vec![7; 300_001])}]});
    api.post(&path(), &above).await.assert_refused(413, "too_large");
}

#[tokio::test]
async fn what_is_wrong_in_the_json_is_named_with_its_place() {
    let api = Api::new().await;
    for (body, named) in [
        (r#"{"payloads": [], "colour": 1}"#, vec!["colour", "unknown field", "line 1"]),
        (r#"{"payloads": [{"text": "a"}, {"txt": "b"}]}"#, vec!["payloads[1]", "txt", "unknown field"]),
        (r#"[{"payloads": []}, {"payloads": [], "x": 1}]"#, vec!["[1]", "unknown field `x`"]),
        (r#"{"payloads": [{"text": "a", "data": "AA=="}]}"#, vec!["payloads[0]", "exactly one of"]),
        (r#"{"payloads": [{}]}"#, vec!["payloads[0]", "exactly one of"]),
        (r#"{"payloads": [{"data": "a"}]}"#, vec!["payloads[0].data", "base64"]),
        (r#"{"payloads": [], "type": "Acton"}"#, vec!["type", "Acton", "Participant"]),
        (r#"{"payloads": [], "previous": "12"}"#, vec!["previous", "64 lower-case hex digits"]),
        (r#"{"payloads": [], "metadata": {"nextaction": "x"}}"#, vec!["metadata", "nextaction"]),
        (r#"{"type": "Action"}"#, vec!["payloads is missing"]),
        (r#"{"signed": "AA==", "type": "Action"}"#, vec!["signed stands alone"]),
        (r#"{"payloads": ["#, vec!["line 1"]),
        ("", vec!["EOF"]),
    ] {
        let answer = api.call_as("writer", "POST", &path(), body).await;
        let error = answer.assert_refused(400, "json_invalid");
        for word in named {
            assert!(error.contains(word), "{word} is missing for {body}: {error}");
        }
    }
    assert_eq!(api.node.submitted.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_transaction_signed_by_a_client_is_accepted_as_it_is_and_again() {
    let api = Api::new().await;
    let transaction = signed_by_client(REGISTER, Kind::Action, 60_000_000);
    for _ in 0..2 {
        let answer = api.post(&path(), &signed(&transaction)).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["transactionId"]),
            (202, &json!(transaction.id().to_string()))
        );
    }
    assert_eq!(api.node.submitted.load(Ordering::Relaxed), 1);
    let back = read_back(&api, &json!({"transactionId": transaction.id().to_string()})).await;
    assert_eq!(back["subject"], Value::Null);
    assert_eq!(back["signature"], json!(STANDARD.encode(transaction.signature().as_bytes())));
}

#[tokio::test]
async fn a_signed_transaction_at_fault_is_refused_by_its_code() {
    let api = Api::new().await;
    let mut forged = signed_by_client(REGISTER, Kind::Action, 60_000_000).encoded().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    for (body, status, code) in [
        (json!({"signed": STANDARD.encode(forged)}), 422, "signature_invalid"),
        (json!({"signed": "AAAA"}), 400, "malformed"),
        (signed(&signed_by_client(RegisterId::from_bytes([1; 16]), Kind::Action, 60_000_000)), 422, "other_register"),
        (signed(&signed_by_client(REGISTER, Kind::Action, 5)), 422, "expired"),
        (signed(&signed_by_client(REGISTER, Kind::Action, 90_000_000_000)), 422, "lifetime_too_long"),
        (signed(&signed_by_client(REGISTER, Kind::Docket, 60_000_000)), 422, "type_reserved"),
        (json!({"type": "Control", "payloads": []}), 422, "type_reserved"),
    ] {
        api.post(&path(), &body).await.assert_refused(status, code);
        assert!(api.telemetry.encode().contains(&format!("peerwright_transactions_refused_total{{code=\"{code}\"}}")));
    }
}

#[tokio::test]
async fn a_batch_is_answered_one_by_one() {
    let api = Api::new().await;
    let all_good: Vec<Value> = (0..64).map(|number| json!({"payloads": [{"json": number}]})).collect();
    let answer = api.post(&path(), &json!(all_good)).await;
    assert_eq!((answer.status.as_u16(), answer.body["results"].as_array().unwrap().len()), (202, 64));
    let third = read_back(&api, &answer.body["results"][3]).await;
    assert_eq!(third["payloads"][0]["json"], json!(3));

    let mixed = json!([{"payloads": []}, signed(&signed_by_client(REGISTER, Kind::Action, 5))]);
    let answer = api.post(&path(), &mixed).await;
    assert_eq!(answer.status, 207);
    assert_eq!(answer.body["results"][0]["accepted"], json!(true));
    assert_eq!(answer.body["results"][1]["accepted"], json!(false));
    assert_eq!(answer.body["results"][1]["code"], json!("expired"));

    for count in [0, 65] {
        let batch = vec![json!({"payloads": []}); count];
        api.post(&path(), &json!(batch)).await.assert_refused(400, "batch_size");
    }
}

#[tokio::test]
async fn a_register_that_is_not_subscribed_is_not_found() {
    let api = Api::new().await;
    let elsewhere = format!("/api/registers/{}/transactions", "0".repeat(32));
    let answer = api.post(&elsewhere, &json!({"payloads": []})).await;
    assert!(answer.assert_refused(404, "not_subscribed").contains("RegisterSubscription"));
    api.post("/api/registers/orders/transactions", &json!({})).await.assert_refused(400, "register_invalid");
}

#[tokio::test]
async fn what_the_node_refuses_has_its_status() {
    let api = Api::new().await;
    for (refusal, status, code) in [
        (SubmitRefusal::Overloaded, 503, "overloaded"),
        (SubmitRefusal::Draining, 503, "draining"),
        (SubmitRefusal::WaitingForOperator, 503, "waiting_for_operator"),
        (SubmitRefusal::NotSubscribed, 404, "not_subscribed"),
        (SubmitRefusal::TooLarge, 413, "too_large"),
        (SubmitRefusal::Banned, 503, "banned"),
        (SubmitRefusal::Store, 503, "store_failed"),
    ] {
        *api.node.refusal.lock().unwrap() = Some(SubmitRefused::Node(refusal));
        api.post(&path(), &json!({"payloads": []})).await.assert_refused(status, code);
    }
    *api.node.refusal.lock().unwrap() = Some(SubmitRefused::OutboxFull(OutboxFull(10_000)));
    let full = api.post(&path(), &json!({"payloads": []})).await;
    assert!(full.assert_refused(503, "outbox_full").contains("10000"));
    assert_eq!(full.headers["retry-after"], "1");
}

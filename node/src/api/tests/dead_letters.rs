//! What this node accepted and no docket will hold.

use super::{Api, node::REGISTER};
use crate::api::Node;
use base64::{Engine, engine::general_purpose::STANDARD};
use peerwright_ledger::{Kind, Transaction, TransactionId};
use peerwright_store::{DeadLetter, Store};
use serde_json::json;
use std::sync::atomic::Ordering;

fn path() -> String {
    format!("/api/registers/{REGISTER}")
}

/// Accepted, and refused by the sealers for this reason.
async fn dead(api: &Api, transaction: &Transaction, reason: &str) -> TransactionId {
    let body = json!({"signed": STANDARD.encode(transaction.encoded())});
    assert_eq!(api.post(&format!("{}/transactions", path()), &body).await.status, 202);
    let (id, reason) = (transaction.id(), reason.to_owned());
    let letter = DeadLetter { register: REGISTER, id, reason, died_at: 1_800_000_000_000_000 };
    api.node.store.bury(vec![letter]).await.unwrap();
    api.node.registers().outbox.tell_dead(REGISTER, id);
    id
}

fn transaction(seconds: u64) -> Transaction {
    super::submitting::signed_by_client(REGISTER, Kind::Action, seconds * 1_000_000)
}

#[tokio::test]
async fn a_dead_letter_is_listed_and_read_with_its_reason() {
    let api = Api::new().await;
    let refused = dead(&api, &transaction(60), "control_refused").await;
    let expired = dead(&api, &transaction(61), "expired").await;

    let first = api.get(&format!("{}/deadletters?limit=1", path())).await.assert_ok().clone();
    let row = &first["deadLetters"][0];
    assert_eq!((&row["transactionId"], &row["status"]), (&json!(refused.to_string()), &json!("refused")));
    assert_eq!((&row["reason"], &row["diedAt"]), (&json!("control_refused"), &json!("2027-01-15T08:00:00Z")));
    let next = first["next"].as_str().unwrap();
    let rest = api.get(&format!("{}/deadletters?after={next}", path())).await.assert_ok().clone();
    let row = &rest["deadLetters"][0];
    assert_eq!((&row["transactionId"], &row["status"]), (&json!(expired.to_string()), &json!("expired")));
    assert_eq!((row.get("reason"), &rest["next"]), (None, &json!(null)));

    for (id, status, reason) in [(refused, "refused", json!("control_refused")), (expired, "expired", json!(null))] {
        let read = api.get(&format!("{}/transactions/{id}", path())).await.assert_ok().clone();
        assert_eq!((&read["status"], &read["reason"]), (&json!(status), &reason));
    }
}

#[tokio::test]
async fn a_dead_letter_is_handed_in_anew_and_is_none_any_more() {
    let api = Api::new().await;
    let id = dead(&api, &transaction(60), "control_refused").await;

    let answer = api.call_as("writer", "POST", &format!("{}/deadletters/{id}/replay", path()), "").await;

    assert_eq!((answer.status.as_u16(), &answer.body["accepted"]), (202, &json!(true)), "{}", answer.body);
    assert_eq!(api.node.submitted.load(Ordering::Relaxed), 2);
    assert_eq!(api.get(&format!("{}/transactions/{id}", path())).await.assert_ok()["status"], json!("pending"));
    let again = api.call_as("writer", "POST", &format!("{}/deadletters/{id}/replay", path()), "").await;
    again.assert_refused(404, "dead_letter_unknown");
}

#[tokio::test]
async fn handing_in_a_dead_letter_again_is_handing_it_in_anew() {
    let api = Api::new().await;
    let transaction = transaction(60);
    let id = dead(&api, &transaction, "control_refused").await;
    let body = json!({"signed": STANDARD.encode(transaction.encoded())});
    assert_eq!(api.post(&format!("{}/transactions", path()), &body).await.status, 202);
    assert_eq!(api.get(&format!("{}/transactions/{id}", path())).await.assert_ok()["status"], json!("pending"));
}

#[tokio::test]
async fn what_is_no_longer_valid_is_not_handed_in_anew() {
    let api = Api::new().await;
    let expired = super::submitting::signed_by_client(REGISTER, Kind::Action, 5);
    let message = api.node.message(&expired);
    api.node.store.append(vec![message], 1).await.unwrap();
    let letter = DeadLetter { register: REGISTER, id: expired.id(), reason: "expired".to_owned(), died_at: 1 };
    api.node.store.bury(vec![letter]).await.unwrap();

    let id = expired.id();
    let answer = api.call_as("writer", "POST", &format!("{}/deadletters/{id}/replay", path()), "").await;

    answer.assert_refused(422, "expired");
    assert_eq!(api.get(&format!("{}/transactions/{id}", path())).await.assert_ok()["status"], json!("expired"));
}

#[tokio::test]
async fn a_dead_letter_is_let_go_and_what_is_none_is_named() {
    let api = Api::new().await;
    let id = dead(&api, &transaction(60), "control_refused").await;
    let letter = format!("{}/deadletters/{id}", path());
    assert_eq!(api.call_as("writer", "DELETE", &letter, "").await.status, 204);
    api.call_as("writer", "DELETE", &letter, "").await.assert_refused(404, "dead_letter_unknown");
    assert_eq!(api.get(&format!("{}/deadletters", path())).await.assert_ok()["deadLetters"], json!([]));

    api.get(&format!("{}/deadletters?limit=0", path())).await.assert_refused(400, "query_invalid");
    api.get("/api/registers/orders/deadletters").await.assert_refused(400, "register_invalid");
    let odd = format!("{}/deadletters/first", path());
    api.call_as("writer", "DELETE", &odd, "").await.assert_refused(400, "transaction_invalid");
}

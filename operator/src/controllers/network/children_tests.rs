//! Against an API server made of canned answers.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Request, Response, StatusCode};
use k8s_openapi::{api::core::v1::ServiceAccount, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kube::{Client, ResourceExt, api::ObjectMeta, client::Body};
use serde_json::{Value, json};

use super::{APPLIED, Children, digest};
use crate::{
    api::Writer,
    cache::Cache,
    controllers::{ReconcileError, network::plan::Hold},
    leadership::Leadership,
};

type Calls = Arc<Mutex<Vec<String>>>;

/// A client whose every GET finds `found`, and whose every PATCH succeeds unless `refuses`.
fn client(found: Option<Value>, refuses: bool) -> (Client, Calls) {
    let calls = Calls::default();
    let heard = Arc::clone(&calls);
    let service = tower::service_fn(move |request: Request<Body>| {
        heard.lock().unwrap().push(format!("{} {}", request.method(), request.uri().path()));
        let is_get = request.method() == http::Method::GET;
        let found = found.clone();
        async move {
            let (status, body) = match (is_get, found) {
                (true, Some(found)) => (StatusCode::OK, found),
                (true, None) => (StatusCode::NOT_FOUND, failure(404, "NotFound")),
                (false, _) if refuses => (StatusCode::FORBIDDEN, failure(403, "Forbidden")),
                (false, _) => {
                    let sent = request.into_body().collect_bytes().await.unwrap();
                    (StatusCode::OK, serde_json::from_slice(&sent).unwrap())
                }
            };
            let answer = Response::builder().status(status).body(Body::from(serde_json::to_vec(&body).unwrap()));
            Ok::<_, std::convert::Infallible>(answer.unwrap())
        }
    });
    (Client::new(service, "shop"), calls)
}

fn failure(code: u16, reason: &str) -> Value {
    json!({ "kind": "Status", "status": "Failure", "message": reason, "reason": reason, "code": code })
}

fn account(controller: Option<&str>) -> ServiceAccount {
    let owner = controller.map(|uid| OwnerReference {
        api_version: "peerwright.dev/v1alpha1".into(),
        kind: "PeerNetwork".into(),
        name: "demo".into(),
        uid: uid.into(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    });
    let metadata = ObjectMeta {
        name: Some("demo".into()),
        namespace: Some("shop".into()),
        owner_references: owner.map(|owner| vec![owner]),
        ..ObjectMeta::default()
    };
    ServiceAccount { metadata, automount_service_account_token: Some(false), ..ServiceAccount::default() }
}

/// As the API server would give it back.
fn applied(account: &ServiceAccount) -> ServiceAccount {
    let mut live = account.clone();
    live.annotations_mut().insert(APPLIED.to_owned(), digest(account));
    live
}

async fn apply(
    live: Option<ServiceAccount>,
    found: Option<ServiceAccount>,
    leads_for: Duration,
) -> (Result<super::Outcome, ReconcileError>, Vec<String>) {
    let (client, calls) = client(found.map(|found| serde_json::to_value(found).unwrap()), false);
    let writer = Writer::new(client, Leadership::held_for(leads_for));
    let mut children = Children::new(&writer, "ours");
    children.apply(account(Some("ours")), &Cache::holding(live)).await;
    let calls = std::mem::take(&mut *calls.lock().unwrap());
    (children.finish(), calls)
}

const LONG: Duration = Duration::from_secs(60);
const PATH: &str = "/api/v1/namespaces/shop/serviceaccounts/demo";

#[tokio::test]
async fn what_is_as_it_should_be_is_left_alone() {
    let (outcome, calls) = apply(Some(applied(&account(Some("ours")))), None, LONG).await;
    assert!(outcome.unwrap().holds.is_empty());
    assert!(calls.is_empty(), "{calls:?}");
}

#[tokio::test]
async fn drift_and_what_an_older_operator_set_are_applied_again() {
    let mut drifted = applied(&account(Some("ours")));
    drifted.automount_service_account_token = Some(true);
    assert_eq!(apply(Some(drifted), None, LONG).await.1, [format!("PATCH {PATH}")]);
    let mut older = applied(&account(Some("ours")));
    older.annotations_mut().insert(APPLIED.to_owned(), "another".to_owned());
    assert_eq!(apply(Some(older), None, LONG).await.1, [format!("PATCH {PATH}")]);
}

#[tokio::test]
async fn a_free_name_is_taken() {
    let (outcome, calls) = apply(None, None, LONG).await;
    assert!(outcome.unwrap().holds.is_empty());
    assert_eq!(calls, [format!("GET {PATH}"), format!("PATCH {PATH}")]);
}

#[tokio::test]
async fn somebody_elses_object_is_a_collision_and_is_not_touched() {
    let collision = Hold::NameCollision { kind: "ServiceAccount".into(), name: "demo".into() };
    for foreign in [account(Some("theirs")), account(None)] {
        let (outcome, calls) = apply(None, Some(foreign), LONG).await;
        assert_eq!(outcome.unwrap().holds, std::slice::from_ref(&collision));
        assert_eq!(calls, [format!("GET {PATH}")]);
    }
    let (outcome, calls) = apply(Some(account(Some("theirs"))), None, LONG).await;
    assert_eq!(outcome.unwrap().holds, [collision]);
    assert!(calls.is_empty());
}

#[tokio::test]
async fn our_own_object_without_our_labels_is_mended() {
    let (_, calls) = apply(None, Some(account(Some("ours"))), LONG).await;
    assert_eq!(calls, [format!("GET {PATH}"), format!("PATCH {PATH}")]);
}

#[tokio::test]
async fn a_replica_that_does_not_lead_writes_nothing() {
    let (outcome, calls) = apply(None, None, Duration::ZERO).await;
    assert!(matches!(outcome, Err(ReconcileError::NotLeading)));
    assert!(calls.is_empty(), "{calls:?}");
}

#[tokio::test]
async fn a_refused_child_does_not_keep_the_next_from_being_tried() {
    let (client, calls) = client(None, true);
    let writer = Writer::new(client, Leadership::held_for(LONG));
    let (mut children, cache) = (Children::new(&writer, "ours"), Cache::holding([]));
    children.apply(account(Some("ours")), &cache).await;
    children.apply(account(Some("ours")), &cache).await;
    assert_eq!(children.finish().unwrap().errors.len(), 2);
    assert_eq!(calls.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn only_what_the_network_controls_is_deleted() {
    let (client, calls) = client(None, false);
    let writer = Writer::new(client, Leadership::held_for(LONG));
    let mut children = Children::new(&writer, "ours");
    let key = crate::cache::ObjectKey::new("shop", "demo");
    children.delete(&key, &Cache::holding([account(Some("theirs"))])).await;
    assert!(calls.lock().unwrap().is_empty());
    children.delete(&key, &Cache::holding([account(Some("ours"))])).await;
    assert_eq!(*calls.lock().unwrap(), [format!("DELETE {PATH}")]);
}

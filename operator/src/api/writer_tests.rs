use std::sync::{Arc, Mutex};

use http::{Request, Response};
use kube::client::Body;
use peerwright_crds::{PeerBan, PeerBanStatus};
use serde_json::{Value, json};

use super::*;

/// A writer, and the bodies that it sends. Every call is answered with `code` and `answer`.
fn writer(code: u16, answer: Value) -> (Writer, Arc<Mutex<Vec<Value>>>) {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&sent);
    let service = tower::service_fn(move |request: Request<Body>| {
        let (heard, answer) = (Arc::clone(&heard), answer.clone());
        async move {
            let body = request.into_body().collect_bytes().await.unwrap();
            heard.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
            let answer = Response::builder().status(code).body(Body::from(answer.to_string().into_bytes()));
            Ok::<_, std::convert::Infallible>(answer.unwrap())
        }
    });
    let leadership = Leadership::held_for(Duration::from_secs(60));
    (Writer::new(Client::new(service, "shop"), leadership), sent)
}

fn failure(code: u16) -> Value {
    json!({ "kind": "Status", "status": "Failure", "message": "no", "reason": "no", "code": code })
}

#[tokio::test]
async fn an_eviction_names_the_uid_of_the_pod_that_it_means() {
    let (writer, sent) = writer(201, json!({ "kind": "Status", "status": "Success", "code": 201 }));
    assert!(writer.evict("shop", "demo-peer-0", "pod-uid").await.unwrap());
    let sent = sent.lock().unwrap();
    assert_eq!(sent[0]["deleteOptions"]["preconditions"]["uid"], "pod-uid", "{sent:?}");
    assert_eq!(sent[0]["metadata"]["name"], "demo-peer-0");
}

#[tokio::test]
async fn an_eviction_that_is_not_to_be_now_is_tried_again_and_one_of_a_pod_that_is_gone_is_done() {
    for (code, done) in [(404, true), (409, false), (429, false)] {
        assert_eq!(writer(code, failure(code)).0.evict("shop", "a", "uid").await.unwrap(), done, "{code}");
    }
    assert!(writer(403, failure(403)).0.evict("shop", "a", "uid").await.is_err());
}

#[tokio::test]
async fn a_status_is_for_the_object_that_it_was_made_from() {
    let mut ban = PeerBan::new("one", peerwright_crds::PeerBanSpec::default());
    ban.metadata.namespace = Some("shop".into());
    ban.metadata.uid = Some("ban-uid".into());
    let (writer, sent) = writer(200, serde_json::to_value(&ban).unwrap());
    writer.apply_status(&ban, &PeerBanStatus::default()).await.unwrap();
    assert_eq!(sent.lock().unwrap()[0]["metadata"], json!({ "name": "one", "uid": "ban-uid" }));
}

#[tokio::test]
async fn finalizers_are_replaced_on_the_object_as_it_was_read_and_nothing_else_is() {
    let mut ban = PeerBan::new("one", peerwright_crds::PeerBanSpec::default());
    ban.metadata.namespace = Some("shop".into());
    ban.metadata.uid = Some("ban-uid".into());
    ban.metadata.resource_version = Some("7".into());
    let (writer, sent) = writer(200, serde_json::to_value(&ban).unwrap());
    assert!(writer.set_finalizers(&ban, &["a.example/b".to_owned()]).await.unwrap().is_some());
    let metadata = json!({ "uid": "ban-uid", "resourceVersion": "7", "finalizers": ["a.example/b"] });
    assert_eq!(sent.lock().unwrap()[0], json!({ "metadata": metadata }));

    let gone = self::writer(404, failure(404)).0;
    assert!(gone.set_finalizers(&ban, &[]).await.unwrap().is_none());
    let changed = self::writer(409, failure(409)).0;
    assert_eq!(changed.set_finalizers(&ban, &[]).await.unwrap_err().code(), Some(409));
}

#[tokio::test]
async fn a_replica_whose_time_is_over_sends_nothing() {
    let (mut writer, sent) = writer(201, json!({}));
    writer.leadership = Leadership::held_for(Duration::ZERO);
    assert!(matches!(writer.evict("shop", "a", "uid").await, Err(WriteError::NotLeading)));
    assert!(sent.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_silent_api_server_is_not_waited_for_past_the_end_of_a_lease() {
    let silent = |_: Request<Body>| std::future::pending::<Result<Response<Body>, std::convert::Infallible>>();
    let client = Client::new(tower::service_fn(silent), "shop");
    let writer = Writer::new(client, Leadership::held_for(Duration::from_secs(60)));
    assert!(matches!(writer.evict("shop", "a", "uid").await, Err(WriteError::Timeout { .. })));
}

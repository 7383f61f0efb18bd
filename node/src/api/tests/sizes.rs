//! Calls that bring too much.

use super::{Api, node::MAX_TRANSACTION_BYTES};
use axum::{
    body::{Body, Bytes},
    http::Request,
};
use futures::stream;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

const SUBMIT: &str = "/api/registers/abababababababababababababababab/transactions";
const CHUNK: usize = 16 * 1024;

/// A body without an announced length, and how many of its chunks were read.
fn endless() -> (Body, Arc<AtomicUsize>) {
    let read = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&read);
    let chunks = stream::iter(0..10_000).map_chunks(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        Bytes::from(vec![b' '; CHUNK])
    });
    (Body::from_stream(chunks), read)
}

trait MapChunks: stream::Stream + Sized {
    fn map_chunks(
        self,
        chunk: impl Fn() -> Bytes + Send + 'static,
    ) -> stream::BoxStream<'static, std::io::Result<Bytes>>
    where
        Self: Send + 'static,
    {
        Box::pin(futures::StreamExt::map(self, move |_| Ok(chunk())))
    }
}

impl<S: stream::Stream> MapChunks for S {}

fn submit_with(api: &Api, subject: &str) -> axum::http::request::Builder {
    Request::post(SUBMIT).header("authorization", format!("Bearer {}", api.issuer.token(subject)))
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_refused_before_it_is_read() {
    let api = Api::new().await;
    let (body, read) = endless();
    let request = submit_with(&api, "writer").header("content-length", "50000000").body(body).unwrap();
    let answer = api.call(request).await;
    assert!(answer.assert_refused(413, "body_too_large").contains("at most"));
    assert_eq!(read.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_body_that_announces_nothing_is_read_up_to_the_limit_and_no_further() {
    let api = Api::new().await;
    let (body, read) = endless();
    let answer = api.call(submit_with(&api, "writer").body(body).unwrap()).await;
    answer.assert_refused(413, "body_too_large");
    let limit = MAX_TRANSACTION_BYTES as usize / 3 * 4 + 256 * 1024;
    assert!(read.load(Ordering::Relaxed) <= limit / CHUNK + 2, "{read:?}");
}

#[tokio::test]
async fn a_network_without_a_limit_of_its_own_has_the_format_s() {
    let api = Api::new().await;
    let body = format!("{{\"payloads\": []}}{}", " ".repeat(1_000_000));
    api.call_as("writer", "POST", SUBMIT, &body).await.assert_refused(413, "body_too_large");
    api.node.change_snapshot(|content| content.settings.set(peerwright_snapshot::SettingId::MaxTransactionBytes, 0));
    assert_eq!(api.call_as("writer", "POST", SUBMIT, &body).await.status, 202);
}

#[tokio::test]
async fn small_bodies_are_the_rule_elsewhere() {
    let api = Api::new().await;
    let path = "/api/peers/0707070707070707070707070707070707070707070707070707070707070707/ban";
    let answer = api.call_as("moderator", "POST", path, &" ".repeat(65 * 1024)).await;
    answer.assert_refused(413, "body_too_large");
}

#[tokio::test]
async fn who_may_not_call_hears_that_first_whatever_the_size() {
    let api = Api::new().await;
    let request = submit_with(&api, "reader").header("content-length", "50000000").body(endless().0).unwrap();
    api.call(request).await.assert_refused(403, "role_required");
}

#[tokio::test]
async fn long_queries_and_headers_are_refused() {
    let api = Api::new().await;
    let query = "x".repeat(2_049);
    api.get(&format!("/api/peers?{query}")).await.assert_refused(414, "query_too_long");
    let request = Request::get("/").header("authorization", format!("Bearer {}", api.issuer.token("reader")));
    let request = request.header("x-long", "x".repeat(8_192)).body(Body::empty()).unwrap();
    api.call(request).await.assert_refused(431, "headers_too_large");
}

#[tokio::test]
async fn bodies_of_all_calls_share_a_budget() {
    let api = Api::new().await;
    let taken = api.state.bodies.take(64 << 20).unwrap();
    let busy = api.post(SUBMIT, &serde_json::json!({"payloads": []})).await;
    busy.assert_refused(503, "overloaded");
    assert_eq!(busy.headers["retry-after"], "1");
    drop(taken);
    assert_eq!(api.post(SUBMIT, &serde_json::json!({"payloads": []})).await.status, 202);
}

//! Refusals that come before the end of a body, on HTTP/2.

use super::Api;
use crate::api::router;
use axum::{
    body::{Body, Bytes, HttpBody},
    http::{Request, Version, header},
};
use http_body_util::BodyExt;
use std::time::Duration;
use tokio::{sync::mpsc, time::Instant};
use tower::ServiceExt;

/// A call without a token whose body comes as it is sent.
async fn refused(api: &Api, version: Version) -> (axum::response::Response, mpsc::Sender<std::io::Result<Bytes>>) {
    let (sender, receiver) = mpsc::channel(1);
    let body = Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(receiver));
    let request = Request::post("/api/peers").version(version).body(body).unwrap();
    (router(api.state.clone()).oneshot(request).await.unwrap(), sender)
}

#[tokio::test(start_paused = true)]
async fn the_answer_is_whole_at_once_and_the_stream_stays_open_for_a_moment() {
    let api = Api::new().await;
    let (response, _sender) = refused(&api, Version::HTTP_2).await;
    let begun = Instant::now();
    let length: usize = response.headers()[header::CONTENT_LENGTH].to_str().unwrap().parse().unwrap();
    let mut body = response.into_body();
    let answer = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!((answer.len(), begun.elapsed()), (length, Duration::ZERO));
    assert!(!body.is_end_stream());
    assert!(body.frame().await.is_none());
    assert_eq!(begun.elapsed(), Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn the_stream_ends_as_soon_as_the_client_has_sent_its_body() {
    let api = Api::new().await;
    let (response, sender) = refused(&api, Version::HTTP_2).await;
    let begun = Instant::now();
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    sender.send(Ok(Bytes::from_static(b"{}"))).await.unwrap();
    drop(sender);
    assert!(body.frame().await.is_none());
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_a_small_body_is_thrown_away() {
    let api = Api::new().await;
    let (response, sender) = refused(&api, Version::HTTP_2).await;
    let sending = tokio::spawn(async move {
        let mut sent = 0;
        while sender.send(Ok(Bytes::from(vec![0; 16 * 1024]))).await.is_ok() {
            sent += 1;
        }
        sent
    });
    drop(response.into_body().collect().await.unwrap());
    // Four were taken; one waits in the channel.
    assert_eq!(sending.await.unwrap(), 5);
}

#[tokio::test(start_paused = true)]
async fn on_http_1_the_answer_ends_at_once() {
    let api = Api::new().await;
    let (response, _sender) = refused(&api, Version::HTTP_11).await;
    let begun = Instant::now();
    response.into_body().collect().await.unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

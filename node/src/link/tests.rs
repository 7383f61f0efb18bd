//! What goes out on a link, in which order, and how it ends.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{
    hello::{self, HelloRefused},
    queue::{Full, Outgoing, Queue},
};
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use peerwright_engine::Class;
use peerwright_proto::v1::{LinkMessage, link_message::Kind};
use std::sync::Arc;

fn outgoing() -> (Arc<Queue>, Outgoing) {
    let queue = Arc::new(Queue::default());
    let outgoing = Outgoing::new(hello::message(&[1; 16], 5), queue.clone());
    (queue, outgoing)
}

fn now(outgoing: &mut Outgoing) -> Option<Option<LinkMessage>> {
    outgoing.next().now_or_never()
}

/// Payloads in the order in which they leave; the numbers must count.
fn sent(outgoing: &mut Outgoing) -> Vec<Bytes> {
    let mut payloads = Vec::new();
    while let Some(Some(LinkMessage { kind: Some(Kind::Frame(frame)) })) = now(outgoing) {
        payloads.push(frame.payload);
        assert_eq!(frame.number, payloads.len() as u64);
    }
    payloads
}

#[test]
fn hello_comes_first_then_control_before_gossip_before_bulk() {
    let (queue, mut outgoing) = outgoing();
    for (class, text) in
        [(Class::Bulk, "bulk"), (Class::Gossip, "gossip 1"), (Class::Control, "control"), (Class::Gossip, "gossip 2")]
    {
        queue.push(class, text.into()).unwrap();
    }
    assert!(matches!(now(&mut outgoing), Some(Some(LinkMessage { kind: Some(Kind::Hello(_)) }))));
    assert_eq!(sent(&mut outgoing), ["control", "gossip 1", "gossip 2", "bulk"]);
}

#[test]
fn bulk_never_stands_still() {
    let (queue, mut outgoing) = outgoing();
    queue.push(Class::Bulk, "bulk".into()).unwrap();
    for _ in 0..100 {
        queue.push(Class::Gossip, "gossip".into()).unwrap();
    }
    assert!(now(&mut outgoing).is_some());
    let place = sent(&mut outgoing).iter().position(|payload| payload == "bulk").unwrap();
    assert!(place < 20, "bulk left after {place} others");
}

#[test]
fn a_queue_without_room_refuses_and_has_room_again_once_it_is_read() {
    let (queue, mut outgoing) = outgoing();
    let megabyte = Bytes::from(vec![0; 1024 * 1024]);
    for _ in 0..8 {
        queue.push(Class::Bulk, megabyte.clone()).unwrap();
    }
    assert_eq!(queue.push(Class::Control, "one more".into()), Err(Full));
    assert_eq!(queue.bytes(), 8 * 1024 * 1024);
    assert!(now(&mut outgoing).is_some());
    assert_eq!(sent(&mut outgoing).len(), 8);
    queue.push(Class::Control, "one more".into()).unwrap();
}

#[test]
fn goodbye_comes_behind_what_waits_and_is_the_last() {
    let (queue, mut outgoing) = outgoing();
    queue.push(Class::Gossip, "last words".into()).unwrap();
    queue.close("draining", false);
    queue.push(Class::Gossip, "too late".into()).unwrap();
    assert!(now(&mut outgoing).is_some());
    assert!(
        matches!(now(&mut outgoing), Some(Some(LinkMessage { kind: Some(Kind::Frame(frame)) })) if frame.payload == "last words")
    );
    assert!(
        matches!(now(&mut outgoing), Some(Some(LinkMessage { kind: Some(Kind::Goodbye(goodbye)) })) if goodbye.reason == "draining")
    );
    assert_eq!(now(&mut outgoing), Some(None));
    assert!(!queue.emptied().is_cancelled());
    drop(outgoing);
    assert!(queue.emptied().is_cancelled());
}

#[test]
fn a_banned_peer_hears_goodbye_and_nothing_else() {
    let (queue, mut outgoing) = outgoing();
    queue.push(Class::Gossip, "secret".into()).unwrap();
    queue.close("banned", true);
    assert!(now(&mut outgoing).is_some());
    assert!(matches!(now(&mut outgoing), Some(Some(LinkMessage { kind: Some(Kind::Goodbye(_)) }))));
}

#[tokio::test]
async fn a_frame_wakes_the_connection_that_waits_for_it() {
    let (queue, mut outgoing) = outgoing();
    outgoing.next().await.unwrap();
    let waiting = tokio::spawn(async move { outgoing.next().await });
    tokio::task::yield_now().await;
    queue.push(Class::Gossip, "news".into()).unwrap();
    assert!(
        matches!(waiting.await.unwrap(), Some(LinkMessage { kind: Some(Kind::Frame(frame)) }) if frame.payload == "news")
    );
}

#[test]
fn hello_agrees_on_a_version_and_on_the_session() {
    let hello = |change: fn(&mut peerwright_proto::v1::Hello)| {
        let mut message = hello::message(&[1; 16], 5);
        if let Some(Kind::Hello(hello)) = &mut message.kind {
            change(hello);
        }
        Some(message)
    };
    assert_eq!(hello::read(hello(|_| {}), Some(&[1; 16])), Ok(([1; 16], 5)));
    assert_eq!(hello::read(hello(|hello| hello.version_max = 9), None), Ok(([1; 16], 5)));
    assert_eq!(hello::read(hello(|hello| hello.version_min = 2), None), Err(HelloRefused::Version));
    assert_eq!(hello::read(hello(|hello| hello.session = "short".into()), None), Err(HelloRefused::Session));
    assert_eq!(hello::read(hello(|_| {}), Some(&[2; 16])), Err(HelloRefused::Session));
    assert_eq!(hello::read(None, None), Err(HelloRefused::Missing));
}

//! What goes out on a link, in which order, and how it ends.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::super::{
    hello::{self, Greeting, HelloRefused},
    outgoing::Outgoing,
    queue::{Attaching, Full, Queue},
};
use super::{
    super::{CarrierEnd, LinkEvent},
    context,
};
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use peerwright_engine::{
    Class, DownReason, LinkId,
    session::{Carrier, SessionBroken, Window},
};
use peerwright_proto::v1::{Batch, LinkMessage, link_message::Kind};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const GREETING: Greeting = Greeting { session: [1; 16], incarnation: 5, carrier: 1, received: 0 };

fn attach(queue: &Arc<Queue>, number: u64, received: u64) -> Result<Outgoing, HelloRefused> {
    let attaching =
        Attaching { number, kind: Carrier::Stream, received, cut: CancellationToken::new(), expires: i64::MAX };
    queue.attach(attaching)?;
    let answered = CancellationToken::new();
    answered.cancel();
    Ok(Outgoing::new(hello::message(&GREETING), queue.clone(), number, answered))
}

fn outgoing() -> (Arc<Queue>, Outgoing) {
    let queue = Arc::new(Queue::new(Window::default()));
    let outgoing = attach(&queue, 1, 0).unwrap();
    (queue, outgoing)
}

fn now(outgoing: &mut Outgoing) -> Option<Option<LinkMessage>> {
    outgoing.next().now_or_never()
}

/// Payloads in the order in which they leave; the numbers must count on from `first`.
fn sent_from(outgoing: &mut Outgoing, first: u64) -> Vec<Bytes> {
    let mut payloads = Vec::new();
    while let Some(Some(LinkMessage { kind: Some(Kind::Batch(batch)) })) = now(outgoing) {
        assert_eq!(batch.first, first + payloads.len() as u64);
        payloads.extend(batch.payloads);
    }
    payloads
}

fn sent(outgoing: &mut Outgoing) -> Vec<Bytes> {
    sent_from(outgoing, 1)
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
    // Half of it fits into the session, which keeps it until it is acknowledged.
    assert_eq!((sent(&mut outgoing).len(), queue.bytes()), (4, 8 * 1024 * 1024));
    let context = context();
    let acknowledgement = Batch { first: 1, acknowledged: 4, payloads: Vec::new() };
    let message = LinkMessage { kind: Some(Kind::Batch(acknowledgement)) };
    queue.hand_on(&context.0, LinkId(1), 1, message).now_or_never().unwrap().unwrap();
    assert_eq!((sent_from(&mut outgoing, 5).len(), queue.bytes()), (4, 4 * 1024 * 1024));
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
        matches!(now(&mut outgoing), Some(Some(LinkMessage { kind: Some(Kind::Batch(batch)) })) if batch.payloads == ["last words"])
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
        matches!(waiting.await.unwrap(), Some(LinkMessage { kind: Some(Kind::Batch(batch)) }) if batch.payloads == ["news"])
    );
}

#[tokio::test]
async fn a_new_carrier_goes_on_where_the_peer_stands_and_the_old_one_ends() {
    let (queue, mut old) = outgoing();
    assert!(now(&mut old).is_some());
    for text in ["one", "two", "three"] {
        queue.push(Class::Gossip, text.into()).unwrap();
    }
    assert_eq!(sent(&mut old).len(), 3);
    let waiting = tokio::spawn(async move { old.next().await });
    tokio::task::yield_now().await;
    let mut new = attach(&queue, 2, 1).unwrap();
    assert_eq!(waiting.await.unwrap(), None);
    assert!(now(&mut new).is_some());
    assert_eq!(sent_from(&mut new, 2), ["two", "three"]);
    assert!(matches!(attach(&queue, 2, 1), Err(HelloRefused::Superseded)));
    assert!(matches!(attach(&queue, 3, 9), Err(HelloRefused::Broken(SessionBroken::Ahead))));
}

#[tokio::test]
async fn frames_are_handed_on_once_and_a_hole_breaks_the_session() {
    let (queue, _outgoing) = outgoing();
    let (context, mut events) = context();
    let take = async |first, payloads: &[&'static str]| {
        let payloads = payloads.iter().map(|text| Bytes::from_static(text.as_bytes())).collect();
        let message = LinkMessage { kind: Some(Kind::Batch(Batch { first, acknowledged: 0, payloads })) };
        queue.hand_on(&context, LinkId(1), 1, message).await
    };
    take(1, &["one", "two"]).await.unwrap();
    take(1, &["one", "two", "three"]).await.unwrap();
    assert_eq!(take(5, &["five"]).await, Err(CarrierEnd::Over(DownReason::Broken)));
    let mut handed = Vec::new();
    while let Ok(LinkEvent::Frame { payload, .. }) = events.try_recv() {
        handed.push(payload);
    }
    assert_eq!(handed, ["one", "two", "three"]);
}

#[tokio::test]
async fn what_an_old_carrier_still_brings_after_another_took_its_place_is_left() {
    let (queue, _outgoing) = outgoing();
    let (context, mut events) = context();
    let _new = attach(&queue, 2, 0).unwrap();
    let batch = Batch { first: 1, acknowledged: 0, payloads: vec!["late".into()] };
    let message = LinkMessage { kind: Some(Kind::Batch(batch)) };
    assert_eq!(queue.hand_on(&context, LinkId(1), 1, message).await, Err(CarrierEnd::Replaced));
    assert!(events.try_recv().is_err());
}

#[test]
fn hello_agrees_on_a_version_and_on_the_session() {
    let hello = |change: fn(&mut peerwright_proto::v1::Hello)| {
        let mut message = hello::message(&GREETING);
        if let Some(Kind::Hello(hello)) = &mut message.kind {
            change(hello);
        }
        Some(message)
    };
    let other = Greeting { session: [2; 16], ..GREETING };
    assert_eq!(hello::read(hello(|_| {}), Some(&GREETING)), Ok(GREETING));
    // The next release speaks its own version and this one, and has features that this one does not know.
    assert_eq!(hello::read(hello(|hello| (hello.version_max, hello.features) = (2, 0xff)), None), Ok(GREETING));
    assert_eq!(hello::read(hello(|hello| hello.version_min = 2), None), Err(HelloRefused::Version));
    assert_eq!(hello::read(hello(|hello| hello.session = "short".into()), None), Err(HelloRefused::Session));
    assert_eq!(hello::read(hello(|hello| hello.carrier = 0), None), Err(HelloRefused::Session));
    assert_eq!(hello::read(hello(|_| {}), Some(&other)), Err(HelloRefused::Session));
    assert_eq!(hello::read(None, None), Err(HelloRefused::Missing));
}

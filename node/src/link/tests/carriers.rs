//! A link outlives the connections that carry it, and finds the carrier that gets through.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{
    super::LinkSettings,
    end::{End, Options, Pair, soon},
};
use crate::testing::{authority, eventually, proxy::Proxy};
use peerwright_engine::{
    breaker::BreakerState,
    session::{Carrier, LadderSettings},
};
use std::time::Duration;
use tokio::time::interval;

fn options(settings: LinkSettings) -> Options {
    Options { settings, ..Options::default() }
}

/// Two ends that are not linked yet, the second of which differs by `acceptor`.
async fn ends(dialler: LinkSettings, acceptor: Options) -> (End, End) {
    let authority = authority();
    let dialler = End::start(&authority, "demo-peer-0", options(dialler)).await;
    (dialler, End::start(&authority, "demo-peer-1", acceptor).await)
}

/// A pair with a proxy between.
async fn through_a_proxy(dialler: LinkSettings, acceptor: Options) -> (Pair, Proxy) {
    let (dialler, acceptor) = ends(dialler, acceptor).await;
    let proxy = Proxy::to(acceptor.address).await;
    (Pair::linked(dialler, acceptor, proxy.address).await, proxy)
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_proxy_that_kills_streams_after_two_seconds_every_frame_arrives_once_and_in_order() {
    let (dialler, acceptor) = ends(soon(), options(soon())).await;
    let proxy = Proxy::that_kills_after(Duration::from_secs(2), acceptor.address).await;
    let mut pair = Pair::linked(dialler, acceptor, proxy.address).await;
    let mut often = interval(Duration::from_millis(5));
    // Three deaths of the stream, three of the calls, and once both connections of the posts.
    while proxy.killed_so_far() < 8 {
        often.tick().await;
        pair.talk(20, || {}).await;
    }
    assert_eq!(pair.near.queue.carrier(), Carrier::Https);
    pair.talk(100, || {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn carriers_that_die_as_soon_as_they_are_open_are_opened_less_and_less_often() {
    let (dialler, acceptor) = ends(soon(), options(soon())).await;
    let proxy = Proxy::that_kills_after(Duration::from_millis(100), acceptor.address).await;
    let pair = Pair::linked(dialler, acceptor, proxy.address).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let killed = proxy.killed_so_far();
    assert!((1..=20).contains(&killed), "{killed} connections, {:?}", pair.near.queue.goodbye());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_no_handshake_gets_through_no_carrier_is_blamed() {
    let (mut pair, proxy) = through_a_proxy(soon(), options(soon())).await;
    proxy.shut_out();
    proxy.kill();
    eventually("several tries have failed", async || proxy.shut_out_so_far() >= 5).await;
    proxy.release();
    pair.talk(100, || {}).await;
    assert_eq!(pair.near.queue.carrier(), Carrier::Stream);
    let peer = pair.acceptor.membership.peer_id();
    assert_eq!(pair.dialler.context.paths.state(&peer), Some(BreakerState::Closed));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_arrives_once_and_in_order_although_connections_are_killed_again_and_again() {
    let (mut pair, proxy) = through_a_proxy(soon(), options(soon())).await;
    assert_eq!(pair.near.queue.carrier(), Carrier::Stream);
    let mut carriers = Vec::new();
    for _ in 0..8 {
        pair.talk(500, || proxy.kill()).await;
        // A round that got through before the kill is followed by one that did not.
        pair.talk(10, || {}).await;
        carriers.push(pair.near.queue.carrier());
    }
    // Three deaths led to calls, three more to POST: there is no other way down.
    assert!(carriers.is_sorted(), "{carriers:?}");
    assert_eq!(carriers.last(), Some(&Carrier::Https));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_stream_method_is_off_calls_carry_the_link() {
    let settings = LinkSettings { carriers: vec![Carrier::Unary, Carrier::Https], ..soon() };
    let (mut pair, proxy) = through_a_proxy(soon(), options(settings)).await;
    assert_eq!((pair.near.queue.carrier(), pair.far.queue.carrier()), (Carrier::Unary, Carrier::Unary));
    assert_eq!(pair.dialler.context.paths.carrier(proxy.address), Some(Carrier::Unary));
    for _ in 0..5 {
        pair.talk(1_000, || {}).await;
    }
    pair.talk(500, || proxy.kill()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_speaks_http2_posts_carry_the_link() {
    let acceptor = Options { without_http2: true, ..options(soon()) };
    let (mut pair, proxy) = through_a_proxy(soon(), acceptor).await;
    assert_eq!((pair.near.queue.carrier(), pair.far.queue.carrier()), (Carrier::Https, Carrier::Https));
    for _ in 0..5 {
        pair.talk(1_000, || {}).await;
    }
    pair.talk(500, || proxy.kill()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_the_other_side_are_not_late_on_any_carrier() {
    for carrier in Carrier::ALL {
        let settings = LinkSettings { carriers: vec![carrier], poll_for: Duration::from_secs(20), ..soon() };
        let (mut pair, _proxy) = through_a_proxy(soon(), options(settings)).await;
        // Each of these would wait for the end of a poll if it were not for the call that waits.
        let started = tokio::time::Instant::now();
        for _ in 0..20 {
            pair.talk(1, || {}).await;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{}: {:?}", carrier.label(), started.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_climbs_back_to_the_stream_without_losing_a_frame() {
    let ladder = LadderSettings { deaths: 1, within: Duration::from_millis(50), probe: Duration::from_secs(3) };
    let (mut pair, proxy) = through_a_proxy(LinkSettings { ladder, ..soon() }, options(soon())).await;
    pair.talk(200, || proxy.kill()).await;
    assert_ne!(pair.near.queue.carrier(), Carrier::Stream);
    while pair.near.queue.carrier() != Carrier::Stream {
        pair.talk(50, || {}).await;
    }
    pair.talk(200, || {}).await;
    pair.far.carried_by(Carrier::Stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_whose_carrier_is_gone_ends_at_once_when_nobody_listens_any_more() {
    let (dialler, acceptor) = ends(soon(), options(soon())).await;
    let address = acceptor.address;
    let mut pair = Pair::linked(dialler, acceptor, address).await;
    pair.talk(10, || {}).await;
    let started = tokio::time::Instant::now();
    pair.acceptor.die();
    assert_eq!(pair.dialler.down().await.label(), "broken");
    // The time in which a session may be without a carrier is five seconds here.
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

//! Peers that cannot be reached are left alone, each for itself.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{
    super::{LinkEvent, LinkSettings},
    end::{End, Options, soon},
};
use crate::testing::{authority, eventually};
use peerwright_engine::{
    DialFailure,
    breaker::{BreakerSettings, BreakerState, BreakerStatistics},
    session::Carrier,
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::net::TcpListener;

async fn end(authority: &std::sync::Arc<crate::dev::Authority>, node: &str, settings: LinkSettings) -> End {
    End::start(authority, node, Options { settings, ..Options::default() }).await
}

/// An address where nobody listens.
async fn nowhere() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap()
}

async fn fails(dialler: &mut End, address: SocketAddr) -> (DialFailure, &'static str) {
    dialler.dial(address);
    match dialler.event().await {
        LinkEvent::DialFailed { reason, code, .. } => (reason, code),
        other => panic!("expected a failed dial, got {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dials_that_really_fail_open_the_breaker_of_that_peer_alone() {
    let authority = authority();
    let mut dialler = end(&authority, "demo-peer-0", soon()).await;
    let (gone, other) = (nowhere().await, nowhere().await);
    for _ in 0..5 {
        assert_eq!(fails(&mut dialler, gone).await, (DialFailure::Unreachable, "unreachable"));
    }
    // The code of the failure that opened it is kept.
    assert_eq!(fails(&mut dialler, gone).await, (DialFailure::BreakerOpen, "unreachable"));
    assert_eq!(fails(&mut dialler, other).await, (DialFailure::Unreachable, "unreachable"));
    let statistics = dialler.context.paths.statistics();
    assert_eq!(statistics, BreakerStatistics { total: 8, open: 1, half_open: 0, closed: 7 });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_breaker_lets_one_probe_through_and_its_success_closes_it() {
    let authority = authority();
    let breaker =
        BreakerSettings { failures: 3, first_wait: Duration::from_millis(1), reset: Duration::from_millis(1) };
    let mut dialler = end(&authority, "demo-peer-0", LinkSettings { breaker, ..soon() }).await;
    let mut acceptor = end(&authority, "demo-peer-1", soon()).await;
    let proxy = crate::testing::proxy::Proxy::to(nowhere().await).await;
    for _ in 0..3 {
        let (reason, _) = fails(&mut dialler, proxy.address).await;
        assert_eq!(reason, DialFailure::Handshake);
    }
    proxy.turn_to(acceptor.address);
    tokio::time::sleep(Duration::from_millis(2)).await;
    dialler.dial(proxy.address);
    dialler.up().await;
    acceptor.up().await;
    let peer = acceptor.membership.peer_id();
    assert_eq!(dialler.context.paths.state(&peer), Some(BreakerState::Closed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_links_by_itself_or_a_reset_by_hand_closes_its_breaker() {
    let authority = authority();
    let mut dialler = end(&authority, "demo-peer-0", soon()).await;
    let mut acceptor = end(&authority, "demo-peer-1", soon()).await;
    let peer = acceptor.membership.peer_id();
    let proxy = crate::testing::proxy::Proxy::to(acceptor.address).await;
    for by_hand in [true, false] {
        proxy.turn_to(acceptor.address);
        dialler.dial(proxy.address);
        let link = dialler.up().await;
        acceptor.up().await;
        link.queue.close("draining", false);
        acceptor.down().await;
        proxy.turn_to(nowhere().await);
        while fails(&mut dialler, proxy.address).await.0 != DialFailure::BreakerOpen {}
        assert_eq!(dialler.context.paths.state(&peer), Some(BreakerState::Open));
        if by_hand {
            assert_eq!(dialler.context.paths.reset(&peer), 1);
        } else {
            acceptor.dial(dialler.address);
            acceptor.up().await;
            dialler.up().await;
        }
        let is_closed = async || dialler.context.paths.state(&peer) == Some(BreakerState::Closed);
        eventually("its breaker is closed", is_closed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_opens_no_breaker() {
    let authority = authority();
    let mut dialler = end(&authority, "demo-peer-0", soon()).await;
    let mut acceptor = end(&authority, "demo-peer-1", soon()).await;
    let peer = acceptor.membership.peer_id();
    dialler.membership.replace_local_bans([(peer.into(), crate::testing::ban_forever())].into());
    for _ in 0..10 {
        assert_eq!(fails(&mut dialler, acceptor.address).await, (DialFailure::Banned, "banned"));
    }
    dialler.membership.replace_local_bans([].into());
    dialler.dial(acceptor.address);
    dialler.up().await;
    acceptor.up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_open_breaker_of_a_carrier_leads_to_the_next_carrier() {
    let authority = authority();
    let mut dialler = end(&authority, "demo-peer-0", soon()).await;
    let carriers = vec![Carrier::Unary, Carrier::Https];
    let mut acceptor = end(&authority, "demo-peer-1", LinkSettings { carriers, ..soon() }).await;
    let paths = dialler.context.paths.clone();
    for _ in 0..6 {
        // As the first of a life: the carrier that works is not remembered.
        paths.forget(acceptor.address);
        dialler.dial(acceptor.address);
        let link = dialler.up().await;
        assert_eq!(link.queue.carrier(), Carrier::Unary);
        acceptor.up().await;
        link.queue.close("draining", false);
        acceptor.down().await;
    }
    assert_eq!(paths.statistics().open, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_settings_hold_for_addresses_that_are_known() {
    let mut dialler = end(&authority(), "demo-peer-0", soon()).await;
    let gone = nowhere().await;
    assert_eq!(fails(&mut dialler, gone).await.0, DialFailure::Unreachable);
    let mut settings = dialler.context.paths.settings();
    settings.breaker.failures = 3;
    dialler.context.paths.tune(settings.clone());
    assert_eq!(*dialler.context.settings(), settings);
    for _ in 0..2 {
        assert_eq!(fails(&mut dialler, gone).await.0, DialFailure::Unreachable);
    }
    assert_eq!(fails(&mut dialler, gone).await.0, DialFailure::BreakerOpen);
}

//! How links end: bans, certificates, slow readers, other processes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{
    super::{Full, LinkSettings},
    end::{End, Options, Pair, renew, soon},
};
use crate::{
    dev::Authority,
    testing::{authority, ban_forever, eventually, proxy::Proxy},
};
use peerwright_engine::{Class, DownReason, session::Carrier};
use std::{sync::Arc, time::Duration};

async fn end(authority: &Arc<Authority>, node: &str) -> End {
    End::start(authority, node, Options { settings: soon(), ..Options::default() }).await
}

async fn through_a_proxy() -> (Pair, Proxy) {
    let authority = authority();
    let (dialler, acceptor) = (end(&authority, "demo-peer-0").await, end(&authority, "demo-peer-1").await);
    let proxy = Proxy::to(acceptor.address).await;
    (Pair::linked(dialler, acceptor, proxy.address).await, proxy)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_between_two_carriers_is_enforced_by_the_side_that_accepts() {
    let (mut pair, proxy) = through_a_proxy().await;
    pair.talk(10, || {}).await;
    proxy.hold();
    proxy.kill();
    let banned = pair.dialler.membership.peer_id();
    pair.acceptor.membership.replace_local_bans([(banned.into(), ban_forever())].into());
    proxy.release();
    // Whether the dialling side hears why depends on who of the two hangs up first.
    let ended = pair.dialler.down().await;
    assert!(matches!(ended, DownReason::Banned | DownReason::Broken), "{ended}");
    assert_eq!(pair.acceptor.down().await, DownReason::Broken);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_between_two_carriers_is_enforced_by_the_side_that_dials() {
    let (mut pair, proxy) = through_a_proxy().await;
    pair.talk(10, || {}).await;
    proxy.hold();
    proxy.kill();
    let banned = pair.acceptor.membership.peer_id();
    pair.dialler.membership.replace_local_bans([(banned.into(), ban_forever())].into());
    proxy.release();
    assert_eq!(pair.dialler.down().await, DownReason::Banned);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_ends_when_the_certificate_of_its_peer_expires() {
    let authority = authority();
    let dialler = end(&authority, "demo-peer-0").await;
    let options = Options { settings: soon(), leaf_seconds: Some(3), ..Options::default() };
    let acceptor = End::start(&authority, "demo-peer-1", options).await;
    let address = acceptor.address;
    let mut pair = Pair::linked(dialler, acceptor, address).await;
    pair.talk(10, || {}).await;
    assert_eq!(pair.dialler.down().await, DownReason::Expired);
    assert_eq!(pair.acceptor.down().await, DownReason::Expired);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_ends_when_the_certificate_of_the_peer_that_dialled_expires() {
    let authority = authority();
    let options = Options { settings: soon(), leaf_seconds: Some(3), ..Options::default() };
    let dialler = End::start(&authority, "demo-peer-0", options).await;
    let acceptor = end(&authority, "demo-peer-1").await;
    let address = acceptor.address;
    let mut pair = Pair::linked(dialler, acceptor, address).await;
    assert_eq!(pair.acceptor.down().await, DownReason::Expired);
    assert_eq!(pair.dialler.down().await, DownReason::Expired);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_keeps_the_link() {
    let authority = authority();
    let dialler = end(&authority, "demo-peer-0").await;
    let options = Options { settings: soon(), leaf_seconds: Some(6), ..Options::default() };
    let acceptor = End::start(&authority, "demo-peer-1", options).await;
    let address = acceptor.address;
    let mut pair = Pair::linked(dialler, acceptor, address).await;
    renew(&authority, &pair.acceptor.membership, "demo-peer-1");
    let expires = pair.near.queue.expires();
    eventually("a new carrier shows the new certificate", async || pair.near.queue.expires() > expires).await;
    pair.talk(100, || {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_does_not_read_ends_the_link_as_overload() {
    let (mut pair, _proxy) = through_a_proxy().await;
    let frame = bytes::Bytes::from(vec![0; 60_000]);
    let mut pushed = 0u32;
    let full = loop {
        match pair.near.queue.push(Class::Bulk, frame.clone()) {
            Ok(()) => pushed += 1,
            Err(full) => break full,
        }
        assert!(pair.near.queue.bytes() <= 8 * 1024 * 1024);
        assert!(pushed < 10_000, "nothing is ever full");
        tokio::task::yield_now().await;
    };
    assert_eq!(full, Full);
    // As the driver does.
    pair.near.queue.close(DownReason::Overload.label(), true);
    let ended = pair.acceptor.down().await;
    assert!(matches!(ended, DownReason::Goodbye | DownReason::Broken), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_of_the_peer_does_not_go_on_with_the_session() {
    let authority = authority();
    let (dialler, acceptor) = (end(&authority, "demo-peer-0").await, end(&authority, "demo-peer-1").await);
    let proxy = Proxy::to(acceptor.address).await;
    let mut pair = Pair::linked(dialler, acceptor, proxy.address).await;
    let restarted = end(&authority, "demo-peer-1").await;
    proxy.turn_to(restarted.address);
    proxy.kill();
    assert_eq!(pair.dialler.down().await, DownReason::Broken);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_a_carrier_is_lost_after_its_time() {
    let authority = authority();
    let settings = LinkSettings { resume_within: Duration::from_millis(200), ..soon() };
    let options = || Options { settings: settings.clone(), ..Options::default() };
    let dialler = End::start(&authority, "demo-peer-0", options()).await;
    let acceptor = End::start(&authority, "demo-peer-1", options()).await;
    let proxy = Proxy::to(acceptor.address).await;
    let mut pair = Pair::linked(dialler, acceptor, proxy.address).await;
    proxy.hold();
    proxy.kill();
    assert_eq!(pair.dialler.down().await, DownReason::Broken);
    assert_eq!(pair.acceptor.down().await, DownReason::Broken);
    // What comes next is a link of its own.
    proxy.release();
    pair.dialler.dial(proxy.address);
    let (near, far) = (pair.dialler.up().await, pair.acceptor.up().await);
    near.say(0..10);
    pair.acceptor.hear(&far, 0..10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_link_says_goodbye_behind_what_waits_on_every_carrier() {
    let authority = authority();
    for carrier in Carrier::ALL {
        for dialler_closes in [true, false] {
            let settings = LinkSettings { carriers: vec![carrier], ..soon() };
            let dialler = end(&authority, "demo-peer-0").await;
            let acceptor = End::start(&authority, "demo-peer-1", Options { settings, ..Options::default() }).await;
            let address = acceptor.address;
            let mut pair = Pair::linked(dialler, acceptor, address).await;
            let (closing, hearing, of) = if dialler_closes {
                (&pair.near, &mut pair.acceptor, &pair.far)
            } else {
                (&pair.far, &mut pair.dialler, &pair.near)
            };
            closing.say(0..100);
            closing.queue.close(DownReason::Duplicate.label(), false);
            hearing.hear(of, 0..100).await;
            assert_eq!(hearing.down().await, DownReason::Duplicate, "{}", carrier.label());
        }
    }
}

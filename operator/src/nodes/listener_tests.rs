use std::time::SystemTime;

use peerwright_proto::v1::{Acknowledgement, HeartbeatDigest, watch_request::Kind};
use peerwright_snapshot::{Content, SettingId, Version};
use rustls::{
    HandshakeKind,
    version::{TLS12, TLS13},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::fixtures::{Harness, SOON, eventually, refusal_of};
use super::*;
use crate::identity::{Authority, LEAF_LIFETIME, fixtures::Keys};

const POD: &str = "demo-peer-0";

/// Whether the server lets a connection live: in TLS 1.3 a refused client hears so only when it reads.
async fn is_let_in(harness: &Harness, config: rustls::ClientConfig) -> bool {
    let Ok(mut stream) = harness.dial(Arc::new(config)).await else { return false };
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    stream.write_all(preface).await.is_ok() && matches!(timeout(SOON, stream.read_u8()).await, Ok(Ok(_)))
}

#[tokio::test]
async fn member_and_newcomer_are_let_in() {
    let (harness, keys) = (Harness::leader().await, Keys::of(1));

    let member = harness.client_config(&TLS13, Some((harness.leaf(&keys, POD), &keys)));
    assert!(is_let_in(&harness, member).await);
    assert!(is_let_in(&harness, harness.client_config(&TLS13, None)).await);
}

#[tokio::test]
async fn strangers_are_refused_at_the_handshake() {
    let (harness, keys) = (Harness::leader().await, Keys::of(1));
    let of_authority = |uid: &str| {
        let authority = Authority::generate(uid).expect("an authority");
        keys.leaf(&authority, &harness.network, POD, SystemTime::now())
    };
    let long_ago = SystemTime::now() - Duration::from_secs(80 * 3600);
    let expired = keys.leaf(&harness.authority, &harness.network, POD, long_ago);
    let stolen = harness.leaf(&Keys::of(2), POD);
    for (name, certificate) in [
        ("of another authority", of_authority("other-uid")),
        ("of an authority by the same name", of_authority("demo-uid")),
        ("expired", expired),
        ("stolen", stolen),
    ] {
        let config = harness.client_config(&TLS13, Some((certificate, &keys)));
        assert!(!is_let_in(&harness, config).await, "{name}");
    }
    assert!(!is_let_in(&harness, harness.client_config(&TLS12, None)).await, "TLS 1.2");
    let metrics = harness.metrics();
    for (reason, times) in [("unknown_issuer", 1), ("bad_signature", 2), ("expired", 1), ("incompatible", 1)] {
        let line = format!("node_handshakes_refused_total{{reason=\"{reason}\"}} {times}");
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
}

#[tokio::test]
async fn nothing_is_resumed() {
    let (harness, keys) = (Harness::leader().await, Keys::of(1));
    let config = Arc::new(harness.client_config(&TLS13, Some((harness.leaf(&keys, POD), &keys))));

    for _ in 0..2 {
        let mut stream = harness.dial(config.clone()).await.expect("connected");
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("sent");
        stream.read_u8().await.expect("let in");
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(stream.get_ref().1.tls13_tickets_received(), 0);
    }
}

#[tokio::test]
async fn watch_needs_a_certificate() {
    let harness = Harness::leader().await;
    let (_sender, requests) = tokio::sync::mpsc::channel(1);

    let refused = harness.client(None).watch(tokio_stream::wrappers::ReceiverStream::new(requests)).await;

    assert_eq!(refusal_of(&refused.expect_err("refused")), "certificate_required");
    let line = "node_refusals_total{rpc=\"watch\",reason=\"certificate_required\"} 1";
    assert!(harness.metrics().contains(line), "{}", harness.metrics());
}

#[tokio::test]
async fn node_gets_what_is_newer_and_what_comes_and_is_heard() {
    let (harness, keys) = (Harness::leader().await, Keys::of(1));
    let first = harness.publish(2, &[]);
    let mut stream = harness.watch(harness.leaf(&keys, POD), &keys, 1).await.expect("opened");

    assert_eq!(stream.snapshot().await, first.bytes, "at once, because it has revision 1");
    let second = harness.publish(3, &[keys.node.peer_id()]);
    assert_eq!(stream.snapshot().await, second.bytes, "a banned member still hears the operator");

    stream
        .send(Kind::Acknowledgement(Acknowledgement { epoch: 1, revision: 3, digest: second.digest.to_vec().into() }))
        .await;
    stream.send(Kind::Heartbeat(HeartbeatDigest { links: 2, ready: true, ..HeartbeatDigest::default() })).await;
    eventually("the report", || {
        let report = harness.registry.report("demo-uid");
        report.first().is_some_and(|node| {
            node.acknowledged == Some(Version { epoch: 1, revision: 3 })
                && node.waits_for.is_empty()
                && node.peer_id == keys.node.peer_id()
        })
    })
    .await;

    drop(stream);
    eventually("the end", || !harness.registry.report("demo-uid")[0].connected).await;
}

#[tokio::test]
async fn node_that_has_the_newest_gets_nothing_until_there_is_more() {
    let (harness, keys) = (Harness::leader().await, Keys::of(1));
    let mut stream = harness.watch(harness.leaf(&keys, POD), &keys, 1).await.expect("opened");
    eventually("connected", || !harness.registry.report("demo-uid").is_empty()).await;
    assert_eq!(harness.registry.report("demo-uid")[0].acknowledged, Some(Version { epoch: 1, revision: 1 }));

    let next = harness.publish(2, &[]);

    assert_eq!(stream.snapshot().await, next.bytes);
}

#[tokio::test]
async fn broken_protocol_ends_the_stream() {
    let (harness, keys) = (Harness::leader().await, Keys::of(1));
    let wrong_digest = Acknowledgement { epoch: 1, revision: 1, digest: vec![0; 32].into() };
    let second_hello = peerwright_proto::v1::WatchHello::default();
    for kind in [Kind::Acknowledgement(wrong_digest), Kind::Hello(second_hello)] {
        let mut stream = harness.watch(harness.leaf(&keys, POD), &keys, 1).await.expect("opened");
        stream.send(kind).await;
        assert_eq!(stream.refusal().await, "malformed");
    }
}

#[tokio::test]
async fn second_stream_of_a_pod_ends_the_first() {
    let (harness, keys) = (Harness::leader().await, Keys::of(1));
    let mut first = harness.watch(harness.leaf(&keys, POD), &keys, 1).await.expect("opened");
    eventually("connected", || !harness.registry.report("demo-uid").is_empty()).await;

    let _second = harness.watch(harness.leaf(&keys, POD), &keys, 1).await.expect("opened");

    assert_eq!(first.refusal().await, "superseded");
}

#[tokio::test]
async fn silent_node_is_sent_away_after_three_heartbeats() {
    let (harness, keys) = (Harness::leader().await, Keys::of(1));
    let mut content = Content::default();
    content.settings.set(SettingId::HeartbeatInterval, 1);
    harness.publish_content(2, content);
    let mut stream = harness.watch(harness.leaf(&keys, POD), &keys, 2).await.expect("opened");

    let opened = std::time::Instant::now();
    assert_eq!(stream.refusal().await, "silent");

    assert!(opened.elapsed() > Duration::from_secs(2));
    assert!(!harness.registry.report("demo-uid")[0].connected);
}

#[tokio::test]
async fn stream_ends_with_its_leaf() {
    let (harness, keys) = (Harness::leader().await, Keys::of(1));
    let almost_over = SystemTime::now() + Duration::from_secs(2) - LEAF_LIFETIME;
    let leaf = keys.leaf(&harness.authority, &harness.network, POD, almost_over);

    let mut stream = harness.watch(leaf, &keys, 1).await.expect("opened");

    assert_eq!(stream.refusal().await, "leaf_ended");
}

#[tokio::test]
async fn the_end_of_the_duty_ends_every_connection() {
    let (mut harness, keys) = (Harness::leader().await, Keys::of(1));
    let mut stream = harness.watch(harness.leaf(&keys, POD), &keys, 1).await.expect("opened");
    let mut newcomer = harness.dial(Arc::new(harness.client_config(&TLS13, None))).await.expect("connected");
    newcomer.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("sent");

    harness.on_duty = None;

    assert_eq!(stream.refusal().await, "not_leader");
    let mut rest = Vec::new();
    let _reset = timeout(SOON, newcomer.read_to_end(&mut rest)).await.expect("closed in time");
    let again = harness.watch(harness.leaf(&keys, POD), &keys, 1).await.map(drop).expect_err("refused");
    assert_eq!(refusal_of(&again), "not_leader");
}

#[tokio::test]
async fn streams_end_with_their_network() {
    let (harness, keys) = (Harness::leader().await, Keys::of(1));
    let mut stream = harness.watch(harness.leaf(&keys, POD), &keys, 1).await.expect("opened");
    eventually("connected", || !harness.registry.report("demo-uid").is_empty()).await;

    harness.networks.remove("demo-uid");

    assert_eq!(stream.refusal().await, "network_unknown");
    let member = harness.client_config(&TLS13, Some((harness.leaf(&keys, POD), &keys)));
    assert!(!is_let_in(&harness, member).await);
}

#[tokio::test]
async fn standby_hears_members_and_says_that_it_does_not_lead() {
    let (harness, keys) = (Harness::standby().await, Keys::of(1));
    harness.networks.remove("demo-uid");

    let watched = harness.watch(harness.leaf(&keys, POD), &keys, 1).await.map(drop).expect_err("refused");
    let certified = harness.certify(&keys, "token").await.expect_err("refused");

    assert_eq!(refusal_of(&watched), "not_leader");
    assert_eq!((refusal_of(&certified).as_str(), certified.code()), ("not_leader", tonic::Code::FailedPrecondition));
}

#[tokio::test]
async fn fresh_leader_says_that_it_does_not_lead_until_it_has_looked_at_every_network() {
    let (mut harness, keys) = (Harness::fresh_leader().await, Keys::of(1));
    let known = harness.networks.get("demo-uid").expect("known");
    harness.networks.remove("demo-uid");

    let watched = harness.watch(harness.leaf(&keys, POD), &keys, 1).await.map(drop).expect_err("refused");
    let certified = harness.certify(&keys, "token").await.expect_err("refused");
    assert_eq!((refusal_of(&watched).as_str(), refusal_of(&certified).as_str()), ("not_leader", "not_leader"));

    harness.networks.put(known.facts.clone(), known.authority.clone());
    harness.on_duty = Some(harness.duty.begin());
    eventually("on duty", || harness.duty.is_on()).await;
    harness.watch(harness.leaf(&keys, POD), &keys, 1).await.expect("opened");
}

#[tokio::test]
async fn shutdown_ends_streams_and_every_task() {
    let (harness, keys) = (Harness::leader().await, Keys::of(1));
    let mut stream = harness.watch(harness.leaf(&keys, POD), &keys, 1).await.expect("opened");
    eventually("connected", || !harness.registry.report("demo-uid").is_empty()).await;
    let (address, registry) = (harness.address, harness.registry.clone());

    harness.stop().await;

    assert_eq!(stream.refusal().await, "not_leader");
    assert!(!registry.report("demo-uid")[0].connected);
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

//! Sessions that are not one's own, and connections that only cost time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{
    super::{
        LinkSettings,
        hello::{self, Greeting},
    },
    end::{End, Options, soon},
};
use crate::{dev::Authority, testing::authority};
use peerwright_engine::{DialFailure, session::Carrier};
use peerwright_proto::v1::{Batch, LinkCall, LinkMessage, link_client::LinkClient, link_message::Kind};
use rustls_pki_types::ServerName;
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsConnector;

const GREETING: Greeting = Greeting { session: [7; 16], incarnation: 1, carrier: 1, received: 0 };

async fn end(authority: &Arc<Authority>, node: &str) -> End {
    End::start(authority, node, Options { settings: soon(), ..Options::default() }).await
}

/// Makes one call as this member.
async fn call(member: &End, socket: SocketAddr, call: LinkCall) -> Result<LinkMessage, String> {
    let dialler = &member.dialler;
    let name = ServerName::try_from("localhost").unwrap();
    let dialled = dialler.dialler.dial(socket, name, dialler.h2.clone()).await.unwrap();
    let origin = http::Uri::from_static("https://localhost/");
    let answer = LinkClient::with_origin(dialled.connection, origin).exchange(call).await;
    answer.map(tonic::Response::into_inner).map_err(|status| status.message().to_owned())
}

async fn greet(member: &End, socket: SocketAddr, greeting: Greeting) -> Result<LinkMessage, String> {
    call(member, socket, LinkCall { message: Some(hello::message(&greeting)), ..LinkCall::default() }).await
}

fn batch(acknowledged: u64) -> LinkCall {
    let message = LinkMessage { kind: Some(Kind::Batch(Batch { first: 1, acknowledged, payloads: vec!["x".into()] })) };
    LinkCall { session: vec![7; 16].into(), carrier: 1, wait: false, message: Some(message) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_gone_on_with_by_nobody_but_the_process_that_began_it() {
    let authority = authority();
    let (owner, thief) = (end(&authority, "demo-peer-0").await, end(&authority, "demo-peer-1").await);
    let mut acceptor = end(&authority, "demo-peer-2").await;
    let socket = acceptor.address;
    greet(&owner, socket, GREETING).await.unwrap();
    acceptor.up().await;
    let next = Greeting { carrier: 2, ..GREETING };
    let refused = |answer: Result<LinkMessage, String>| answer.unwrap_err().split(':').next().unwrap().to_owned();
    assert_eq!(refused(greet(&thief, socket, next).await), "session_unknown");
    assert_eq!(refused(call(&thief, socket, batch(0)).await), "session_unknown");
    assert_eq!(refused(greet(&owner, socket, Greeting { incarnation: 2, ..next }).await), "session");
    assert_eq!(refused(greet(&owner, socket, GREETING).await), "session");
    call(&owner, socket, batch(0)).await.unwrap();
    greet(&owner, socket, next).await.unwrap();
    assert_eq!(refused(call(&owner, socket, batch(0)).await), "superseded");
    // Whoever claims frames that were never sent has lost the session.
    assert_eq!(refused(greet(&owner, socket, Greeting { carrier: 3, received: 5, ..GREETING }).await), "session_ahead");
    acceptor.down().await;
    let gone = async || refused(greet(&owner, socket, Greeting { carrier: 4, ..GREETING }).await) == "session_unknown";
    crate::testing::eventually("the session is gone", gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_has_no_more_sessions_than_its_share() {
    let authority = authority();
    let member = end(&authority, "demo-peer-0").await;
    let acceptor = end(&authority, "demo-peer-1").await;
    for number in 0..8 {
        greet(&member, acceptor.address, Greeting { session: [number; 16], ..GREETING }).await.unwrap();
    }
    let refused = greet(&member, acceptor.address, Greeting { session: [8; 16], ..GREETING }).await.unwrap_err();
    assert!(refused.starts_with("full"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_comes_byte_by_byte_is_ended() {
    let authority = authority();
    let settings = LinkSettings {
        hello_within: Duration::from_millis(300),
        poll_for: Duration::from_millis(100),
        ..LinkSettings::default()
    };
    let member = end(&authority, "demo-peer-0").await;
    let acceptor = End::start(&authority, "demo-peer-1", Options { settings, ..Options::default() }).await;
    let stream = TcpStream::connect(acceptor.address).await.unwrap();
    let connector = TlsConnector::from(member.dialler.http1.clone());
    let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
    stream.write_all(b"POST /link HTTP/1.1\r\nhost: node\r\ncontent-length: 1000\r\n\r\n").await.unwrap();
    let (mut read, mut write) = tokio::io::split(stream);
    let trickling = tokio::spawn(async move {
        // As fast as they are taken: what matters is that the body never ends.
        while write.write_all(b"").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if write.write_all(b"x").await.is_err() || write.flush().await.is_err() {
                return;
            }
        }
    });
    let mut answer = [0; 12];
    read.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    trickling.abort();
}

#[tokio::test(start_paused = true)]
async fn a_dial_that_nobody_answers_ends() {
    let authority = authority();
    let mut dialler = end(&authority, "demo-peer-0").await;
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    dialler.dial(silent.local_addr().unwrap());
    match dialler.event().await {
        super::super::LinkEvent::DialFailed { reason, code, .. } => {
            assert_eq!((reason, code), (DialFailure::Timeout, "timeout"));
        }
        other => panic!("expected a failed dial, got {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_hello_is_never_answered_gives_way_to_calls() {
    let authority = authority();
    let settings = LinkSettings { hello_within: Duration::from_millis(300), ..soon() };
    let mut dialler = End::start(&authority, "demo-peer-0", Options { settings, ..Options::default() }).await;
    let acceptor = End::start(&authority, "demo-peer-1", Options { stalls_streams: true, ..Options::default() }).await;
    dialler.dial(acceptor.address);
    let link = dialler.up().await;
    assert_eq!(link.queue.carrier(), Carrier::Unary);
}

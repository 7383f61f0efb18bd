//! How a port closes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{Limits, Listener, Security, TcpListener, TcpStream};
use crate::testing::eventually;
use axum::{Router, routing::get};
use std::{net::Ipv4Addr, sync::Arc, time::Duration};
use tokio::{io::AsyncWriteExt, sync::watch};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_port_that_stops_refuses_newcomers_at_once_while_its_last_request_is_served() {
    let (asked, mut was_asked) = watch::channel(false);
    let endless = move || async move {
        asked.send_replace(true);
        std::future::pending::<()>().await;
    };
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let address = socket.local_addr().unwrap();
    let patience = Duration::from_secs(60);
    let limits = Limits { connections: 8, handshakes: 8, streams: 8, silence: patience, first_request: patience };
    let listener = Listener {
        name: "test",
        socket,
        security: Security::Plain,
        router: Router::new().route("/", get(endless)),
        limits,
        observer: Arc::new(|_, _| {}),
    };
    let (stop, end) = (CancellationToken::new(), CancellationToken::new());
    let serving = tokio::spawn(listener.serve(stop.clone(), end.clone()));
    let mut asking = TcpStream::connect(address).await.unwrap();
    asking.write_all(b"GET / HTTP/1.1\r\nhost: node\r\n\r\n").await.unwrap();
    was_asked.wait_for(|asked| *asked).await.unwrap();
    stop.cancel();
    eventually("newcomers are refused", async || TcpStream::connect(address).await.is_err()).await;
    assert!(!serving.is_finished(), "the request is still served");
    end.cancel();
    serving.await.unwrap();
}

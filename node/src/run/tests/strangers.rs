//! Port 5000 as others see it: gRPC for members, nothing for anybody else.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::{
    RunningNode,
    dev::Authority,
    identity::Volume,
    testing::{REGISTER, authority, membership, start_nodes, transaction},
    tls::Profiles,
    transport::{DialError, Dialled, Dialler},
};
use bytes::Bytes;
use http::Uri;
use peerwright_proto::v1::{
    GetTransactionRequest, SubmitRequest, registers_client::RegistersClient, submit_result::Outcome,
};
use rustls_pki_types::ServerName;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

/// Dials port 5000 as a member that `issuer` has enrolled.
pub(super) async fn dial(node: &RunningNode, issuer: &Authority, name: &str) -> Result<Dialled, DialError> {
    dial_at(node.peer_address(), node, issuer, name).await
}

/// Dials one of a node's ports as a member that `issuer` has enrolled.
pub(super) async fn dial_at(
    address: SocketAddr,
    node: &RunningNode,
    issuer: &Authority,
    name: &str,
) -> Result<Dialled, DialError> {
    let member = membership(issuer, name, Volume::forgetful());
    issuer.enroll(&member).unwrap();
    let trusted = node.handle().membership.snapshot().unwrap().snapshot.content.trust.clone();
    member.anchors().replace(trusted.iter().map(Vec::as_slice)).unwrap();
    let profiles = Profiles::new(
        member.spiffe().trust_domain().to_owned(),
        member.anchors().clone(),
        member.bans().clone(),
        member.leaf().clone(),
    );
    let dialler = Dialler::new(TaskTracker::new(), CancellationToken::new());
    let name = ServerName::try_from("localhost").unwrap();
    dialler.dial(address, name, profiles.unwrap().members_outbound).await
}

pub(super) fn origin() -> Uri {
    Uri::from_static("https://localhost/")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_lists_the_services_asks_for_health_submits_and_reads() {
    let authority = authority();
    let nodes = start_nodes(&authority, 1).await;
    let dialled = dial(&nodes[0], &authority, "demo-peer-9").await.unwrap();

    let question = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::with_origin(dialled.connection.clone(), origin());
    let mut answers = reflection.server_reflection_info(tokio_stream::iter([question])).await.unwrap().into_inner();
    let Some(MessageResponse::ListServicesResponse(services)) =
        answers.message().await.unwrap().unwrap().message_response
    else {
        panic!("a list of services")
    };
    let names: Vec<_> = services.service.into_iter().map(|service| service.name).collect();
    for name in ["peerwright.v1.Link", "peerwright.v1.Registers", "grpc.health.v1.Health"] {
        assert!(names.iter().any(|found| found == name), "{name} is not among {names:?}");
    }

    let mut health = HealthClient::with_origin(dialled.connection.clone(), origin());
    crate::testing::eventually("health says serving", async || {
        let mut health = health.clone();
        let answer = health.check(HealthCheckRequest { service: String::new() }).await.unwrap().into_inner();
        answer.status() == ServingStatus::Serving
    })
    .await;
    let unknown = health.check(HealthCheckRequest { service: "nobody".to_owned() }).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);

    let good = transaction(&nodes[0], "by gRPC");
    let register_id = Bytes::copy_from_slice(REGISTER.as_bytes());
    let mut registers = RegistersClient::with_origin(dialled.connection, origin());
    let request = SubmitRequest {
        acknowledgement: 0,
        register_id: register_id.clone(),
        transactions: vec![good.encoded().clone(), "rubbish".into()],
    };
    let results = registers.submit(request).await.unwrap().into_inner().results;
    assert_eq!(results[0].outcome(), Outcome::Accepted);
    assert_eq!((results[1].outcome(), results[1].reason.as_str()), (Outcome::Refused, "malformed"));
    let mut request =
        GetTransactionRequest { register_id, transaction_id: Bytes::copy_from_slice(good.id().as_bytes()) };
    let found = registers.get_transaction(request.clone()).await.unwrap().into_inner();
    assert_eq!(&found.transaction, good.encoded());
    request.transaction_id = vec![0; 32].into();
    assert_eq!(registers.get_transaction(request).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_another_authority_reaches_no_service() {
    let (ours, theirs) = (authority(), authority());
    let nodes = start_nodes(&ours, 1).await;
    let refused = match dial(&nodes[0], &theirs, "demo-peer-9").await {
        Err(_) => true,
        // In TLS 1.3 the dialling side hears of the refusal with its first request.
        Ok(dialled) => {
            let mut health = HealthClient::with_origin(dialled.connection, origin());
            health.check(HealthCheckRequest { service: String::new() }).await.is_err()
        }
    };
    assert!(refused);
    crate::testing::eventually("the refusal is counted", async || {
        nodes[0]
            .telemetry()
            .encode()
            .contains("handshakes_refused_total{port=\"peer\",direction=\"inbound\",reason=\"untrusted\"} 1")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_on_a_tls_port_is_closed_and_the_probe_port_answers() {
    let authority = authority();
    let nodes = start_nodes(&authority, 1).await;
    let ask = async |address| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        // A reset is an answer, too.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    assert!(ask(nodes[0].probe_address()).await.starts_with("HTTP/1.1 200"));
    for address in [nodes[0].peer_address(), nodes[0].api_address()] {
        assert!(!ask(address).await.contains("HTTP/1.1"));
    }
    crate::testing::eventually("each refusal is counted for its port", async || {
        let metrics = nodes[0].telemetry().encode();
        let counted =
            |port| metrics.contains(&format!("handshakes_refused_total{{port=\"{port}\",direction=\"inbound\""));
        counted("peer") && counted("api") && !counted("probe")
    })
    .await;
}

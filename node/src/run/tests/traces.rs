//! Traces reach a collector that speaks OTLP over gRPC.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::{
    RunningNode,
    api::Node,
    run::Backing,
    testing::{all_have_links, authority, bind_nodes, holds, options, transaction},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::Span,
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

/// Passes on what it is sent.
struct Collector(mpsc::Sender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.send(request.into_inner()).await.map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

async fn collector() -> (SocketAddr, mpsc::Receiver<ExportTraceServiceRequest>) {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    let (sender, received) = mpsc::channel(64);
    let serving = Server::builder().add_service(TraceServiceServer::new(Collector(sender)));
    tokio::spawn(serving.serve_with_incoming(TcpListenerStream::new(socket)));
    (address, received)
}

fn attribute<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a Value> {
    attributes.iter().find(|attribute| attribute.key == name)?.value.as_ref()?.value.as_ref()
}

fn text<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a str> {
    match attribute(attributes, name)? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dials_heartbeats_and_catching_up_are_traced_to_the_collector() {
    let (address, mut received) = collector().await;
    let authority = authority();
    let mut bound = bind_nodes(2).await;
    let (second_configuration, second_sockets) = bound.pop().unwrap();
    let (mut configuration, sockets) = bound.pop().unwrap();
    configuration.otlp_endpoint = Some(address.into());
    configuration.seeds = [second_sockets.peer_address, (Ipv4Addr::LOCALHOST, 9).into()].map(Into::into).to_vec();
    let options = options(&authority, Backing::Memory);
    let second = RunningNode::start(&second_configuration, &options, second_sockets).await.unwrap();
    let early = transaction(&second, "before the other came");
    second.handle().submit(early.clone()).await.unwrap();
    let first = RunningNode::start(&configuration, &options, sockets).await.unwrap();
    all_have_links(&[&first, &second], 1).await;
    crate::testing::eventually("it has caught up", async || holds(&first, early.id()).await).await;
    let second_id = second.handle().identity.peer_id.to_string();
    first.drain(Duration::from_secs(2)).await;

    let mut spans: Vec<(Resource, Span)> = Vec::new();
    while let Ok(batch) = received.try_recv() {
        for of_resource in batch.resource_spans {
            let resource = of_resource.resource.unwrap();
            let of_scopes = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            spans.extend(of_scopes.map(|span| (resource.clone(), span)));
        }
    }
    let named = |name: &'static str| spans.iter().map(|(_, span)| span).filter(move |span| span.name == name);
    let to_second = |span: &&Span| text(&span.attributes, "node_id") == Some(&second_id);
    let (resource, _) = spans.first().expect("spans were exported");
    assert_eq!(text(&resource.attributes, "service.name"), Some("peerwright-node"));
    assert_eq!(text(&resource.attributes, "service.instance.id"), Some("demo-peer-0"));

    let mut dials = named("peer.connection.connect");
    let dial = dials.find(to_second).expect("the dial that led to a link");
    assert_eq!(attribute(&dial.attributes, "success"), Some(&Value::BoolValue(true)));
    assert!(dial.start_time_unix_nano < dial.end_time_unix_nano);
    let refused = named("peer.connection.connect")
        .find(|span| text(&span.attributes, "error.type").is_some())
        .expect("the dial where nobody listens");
    assert_eq!(attribute(&refused.attributes, "success"), Some(&Value::BoolValue(false)));
    let heartbeat = named("peer.heartbeat.send").find(to_second).expect("a heartbeat");
    assert_eq!(attribute(&heartbeat.attributes, "sequence"), Some(&Value::IntValue(1)));
    let sync = named("peer.sync.full").find(to_second).expect("the first catching up");
    assert_eq!(text(&sync.attributes, "sync_type"), Some("full"));
}

//! Nodes of one cable find each other by multicast DNS; the cable is this machine's loopback.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::{
    RunningNode,
    discovery::{Interfaces, MulticastDns},
    run::{Backing, StartOptions},
    testing::{authority, configuration, eventually, links, options, start_node},
};
use mdns_sd::{IfKind, ServiceDaemon, ServiceEvent, ServiceInfo};
use std::{
    net::{SocketAddr, TcpListener, UdpSocket},
    path::Path,
    time::Duration,
};
use tokio::time::timeout;

const LOOPBACK: &str = "lo";
const SERVICE: &str = "_peerwright._tcp.local.";

/// A port for multicast DNS that nothing else on this machine listens to.
fn own_cable() -> MulticastDns {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    MulticastDns { interfaces: Interfaces::Named(vec![LOOPBACK.to_owned()]), port }
}

async fn start(options: &StartOptions, node: &str, cable: &MulticastDns) -> RunningNode {
    let mut configuration = configuration(node, Path::new("/nowhere"));
    configuration.multicast_dns = cable.clone();
    // The network's owner declares this machine to be its network: else nobody's word leads there.
    configuration.own_ranges = vec!["127.0.0.0/8".parse().unwrap()];
    start_node(&configuration, options).await
}

/// What a node of another network says of itself.
fn of_another_network(listening: SocketAddr) -> ServiceInfo {
    let properties = [("network", "another"), ("peer", "somebody")];
    ServiceInfo::new(SERVICE, "stranger", "stranger.local.", listening.ip(), listening.port(), &properties[..]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_one_cable_find_each_other_and_a_draining_one_withdraws() {
    let authority = authority();
    let options = options(&authority, Backing::Memory);
    let cable = own_cable();
    let watcher = ServiceDaemon::new_with_port(cable.port).unwrap();
    watcher.disable_interface(IfKind::All).unwrap();
    watcher.enable_interface(IfKind::Name(LOOPBACK.to_owned())).unwrap();
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    stranger.set_nonblocking(true).unwrap();
    watcher.register(of_another_network(stranger.local_addr().unwrap())).unwrap();
    let events = watcher.browse(SERVICE).unwrap();

    let first = start(&options, "demo-peer-0", &cable).await;
    let second = start(&options, "demo-peer-1", &cable).await;
    for node in [&first, &second] {
        eventually("both have a link, without a seed", async || links(node).await == 1).await;
    }
    assert!(stranger.accept().is_err(), "the node of another network is passed over");
    let peer = second.handle().identity.peer_id.to_string();
    let is_told = |event: &ServiceEvent| match event {
        ServiceEvent::ServiceResolved(service) => service.get_property_val_str("peer") == Some(peer.as_str()),
        _ => false,
    };
    let is_withdrawn = |event: &ServiceEvent| match event {
        ServiceEvent::ServiceRemoved(_, name) => name.starts_with(&peer[..32]),
        _ => false,
    };
    let wait = Duration::from_secs(60);
    let until = async |is_it: &dyn Fn(&ServiceEvent) -> bool| {
        while !is_it(&events.recv_async().await.unwrap()) {}
    };
    timeout(wait, until(&is_told)).await.unwrap();
    second.drain(Duration::from_secs(5)).await;
    timeout(wait, until(&is_withdrawn)).await.unwrap();
    let _ended = watcher.shutdown().unwrap().recv_async().await;
}

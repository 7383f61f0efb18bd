//! Who is not a member gets nowhere; a member may list the services.

use crate::network::Network;
use peerwright_cluster::Cluster;
use std::{io::Write, process::Command};

/// What `openssl s_client` says of a handshake with a node's peer port.
fn handshake(address: &str, arguments: &[&str]) -> String {
    let output = Command::new("timeout")
        .args(["5", "openssl", "s_client", "-connect", &format!("{address}:5000"), "-alpn", "h2"])
        .args(arguments)
        .output()
        .unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_client_without_a_certificate_and_one_with_tls_1_2_are_refused() {
    let network = Network::ready("stranger", 1);
    let address = network.address("net-peer-0");
    let said = handshake(&address, &["-tls1_3"]);
    assert!(said.contains("certificate required"), "{said}");
    let said = handshake(&address, &["-tls1_2"]);
    assert!(said.contains("protocol version"), "{said}");
}

#[test]
fn a_member_lists_the_services_with_grpcurl() {
    let network = Network::ready("member", 2);
    let cluster = Cluster::attach().unwrap();
    // The certificate and key of net-peer-1, from its volume.
    let volume = network.field("pvc/data-net-peer-1", "{.spec.volumeName}").unwrap();
    let folder = network.field(&format!("pv/{volume}"), "{.spec.hostPath.path}{.spec.local.path}").unwrap();
    let machine = network.field("pod/net-peer-1", "{.spec.nodeName}").unwrap();
    let mut member = tempfile::NamedTempFile::new().unwrap();
    member.write_all(cluster.run_on(&machine, &["cat", &format!("{folder}/tls.pem")]).unwrap().as_bytes()).unwrap();
    let trust = network.trust();
    let output = Command::new("grpcurl")
        .arg("-cacert")
        .arg(trust.path())
        .arg("-cert")
        .arg(member.path())
        .arg("-key")
        .arg(member.path())
        .args(["-authority", &format!("net-peer-0.net-peers.{}.svc", network.namespace)])
        .args([&format!("{}:5000", network.address("net-peer-0")), "list"])
        .output()
        .expect("grpcurl is on the PATH");
    let services = String::from_utf8_lossy(&output.stdout);
    for service in ["grpc.health.v1.Health", "peerwright.v1.Link", "peerwright.v1.Registers"] {
        assert!(services.contains(service), "{services}{}", String::from_utf8_lossy(&output.stderr));
    }
}

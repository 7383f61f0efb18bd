//! Who is not a member gets nowhere; a member may list the services.

use crate::{
    forgery::Forgery,
    kubectl::wait_for,
    member::{Member, handshake},
    network::Network,
};
use peerwright_cluster::Cluster;
use std::time::Duration;

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
fn a_client_of_another_authority_and_one_whose_certificate_has_expired_are_refused() {
    let network = Network::ready("forged", 2);
    let address = network.address("net-peer-0");
    let forgery = Forgery::of(&network, "net-peer-1");
    let said = |certificate: &str| {
        let (certificate, key) = (forgery.path(certificate), forgery.path("member.pem"));
        handshake(&address, &["-tls1_3", "-cert", &certificate, "-key", &key])
    };

    forgery.sign_again("valid.pem", "authority", Forgery::YEARS);
    let valid = said("valid.pem");
    assert!(!valid.contains("alert"), "only issuer and dates tell the others from this one: {valid}");

    forgery.make_authority("other");
    forgery.sign_again("foreign.pem", "other", Forgery::YEARS);
    let foreign = said("foreign.pem");
    assert!(foreign.contains("unknown ca"), "{foreign}");

    forgery.sign_again("expired.pem", "authority", Forgery::LONG_AGO);
    let expired = said("expired.pem");
    assert!(expired.contains("certificate expired"), "{expired}");
}

#[test]
fn a_second_peer_id_for_the_same_volume_claim_gets_no_certificate_until_the_first_is_back() {
    let network = Network::ready("identity", 2);
    let cluster = Cluster::attach().unwrap();
    let (machine, folder) = network.volume("net-peer-1");
    let move_key = |from: &str, to: &str| {
        let (from, to) = (format!("{folder}/{from}"), format!("{folder}/{to}"));
        cluster.run_on(&machine, &["mv", &from, &to]).unwrap();
        cluster.kill_pod(&network.namespace, "net-peer-1").unwrap();
    };

    move_key("node.key", "node.key.kept");
    wait_for("the node is refused and says why", Duration::from_secs(60), || {
        let log = network.kubectl(&["logs", "net-peer-1", "--tail=50"]);
        let readyz = network.readyz("net-peer-1");
        let says_so = log.contains("identity_changed") && readyz.starts_with("waiting-for-operator");
        if says_so { Ok(()) } else { Err(format!("{readyz} {log}")) }
    });

    move_key("node.key.kept", "node.key");
    network.wait_ready(2);
}

#[test]
fn a_member_lists_the_services_with_grpcurl() {
    let network = Network::ready("member", 2);
    let services = Member::of(&network, "net-peer-1").services("net-peer-0").unwrap();
    for service in ["grpc.health.v1.Health", "peerwright.v1.Link", "peerwright.v1.Registers"] {
        assert!(services.contains(service), "{services}");
    }
}

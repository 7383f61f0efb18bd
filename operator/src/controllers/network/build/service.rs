//! How nodes and clients reach the nodes: two Services, and the ServiceAccount that the pods run as.

use k8s_openapi::{
    api::core::v1::{Service, ServiceAccount, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{child_meta, pod_selector, port};
use crate::controllers::network::validate::ValidNetwork;

/// Headless, and it names nodes that are not Ready: they have to find each other to become Ready.
pub(super) fn peers(network: &ValidNetwork<'_>) -> Service {
    Service {
        metadata: child_meta(network.network, network.network.peers_service_name()),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            publish_not_ready_addresses: Some(true),
            selector: Some(pod_selector(network.network)),
            ports: Some(vec![service_port("peer", port::PEER)]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// For clients of the REST interface: Ready nodes only.
pub(super) fn api(network: &ValidNetwork<'_>) -> Service {
    Service {
        metadata: child_meta(network.network, network.network.api_service_name()),
        spec: Some(ServiceSpec {
            selector: Some(pod_selector(network.network)),
            ports: Some(vec![service_port("api", port::API)]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// Names the pods towards `Certify`; it has no rights, and no token is mounted by itself.
pub(super) fn service_account(network: &ValidNetwork<'_>) -> ServiceAccount {
    ServiceAccount {
        metadata: child_meta(network.network, network.name.clone()),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

fn service_port(name: &str, number: i32) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: number,
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::String(name.to_owned())),
        ..ServicePort::default()
    }
}

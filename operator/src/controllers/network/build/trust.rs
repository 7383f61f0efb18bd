//! The public certificates that a network's nodes trust, for the nodes to mount and for clients to read.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use peerwright_crds::PeerNetwork;

use super::child_meta;

/// The network's trust anchors, and the install root by which nodes know the operator.
pub fn trust_config_map(network: &PeerNetwork, trust_pem: &str, install_root_pem: &str) -> ConfigMap {
    let files = [("ca.pem", trust_pem), ("install-root.pem", install_root_pem)];
    let data: BTreeMap<_, _> = files.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    ConfigMap {
        metadata: child_meta(network, network.trust_config_map_name()),
        data: Some(data),
        ..ConfigMap::default()
    }
}

//! Networks for tests.

use kube::api::ObjectMeta;
use peerwright_crds::{NodeGroup, PeerNetwork, PeerNetworkSpec};

/// A network in the namespace `shop` with these groups, as an API server would give it.
pub(crate) fn network(name: &str, groups: &[(&str, i32)]) -> PeerNetwork {
    let groups = groups.iter().map(|(name, replicas)| NodeGroup {
        name: (*name).to_owned(),
        replicas: *replicas,
        ..NodeGroup::default()
    });
    PeerNetwork {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some("shop".to_owned()),
            uid: Some(format!("00000000-0000-4000-8000-{:012}", name.len())),
            generation: Some(1),
            ..ObjectMeta::default()
        },
        spec: PeerNetworkSpec { node_groups: groups.collect(), ..PeerNetworkSpec::default() },
        status: None,
    }
}

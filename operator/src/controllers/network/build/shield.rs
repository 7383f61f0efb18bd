//! What keeps the nodes from harm: the disruption budget and the network policy.

use k8s_openapi::{
    api::{
        networking::v1::{
            NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
        },
        policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};
use peerwright_crds::NetworkPolicyMode;

use super::{child_meta, pod_selector};
use crate::controllers::network::validate::ValidNetwork;

/// One node at a time may be down on purpose. Banned nodes are never Ready and come on top, else one ban would hold up
/// every drain and every rollout. A node that is not Ready may always be evicted.
pub(super) fn disruption_budget(network: &ValidNetwork<'_>, banned: usize) -> PodDisruptionBudget {
    let banned = i32::try_from(banned).unwrap_or(i32::MAX);
    PodDisruptionBudget {
        metadata: child_meta(network.network, network.name.clone()),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(banned.saturating_add(1))),
            selector: Some(nodes(network)),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    }
}

/// Lets in what nodes serve: peers from the network itself, clients and probes from anywhere. What nodes may call is not
/// restricted.
pub(super) fn network_policy(network: &ValidNetwork<'_>) -> Option<NetworkPolicy> {
    if network.network.spec.network_policy == Some(NetworkPolicyMode::Disabled) {
        return None;
    }
    let peers = NetworkPolicyPeer { pod_selector: Some(nodes(network)), ..NetworkPolicyPeer::default() };
    Some(NetworkPolicy {
        metadata: child_meta(network.network, network.name.clone()),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(nodes(network)),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ingress: Some(vec![ingress(&["peer"], Some(vec![peers])), ingress(&["api", "probe"], None)]),
            egress: None,
        }),
    })
}

fn nodes(network: &ValidNetwork<'_>) -> LabelSelector {
    LabelSelector { match_labels: Some(pod_selector(network.network)), match_expressions: None }
}

fn ingress(ports: &[&str], from: Option<Vec<NetworkPolicyPeer>>) -> NetworkPolicyIngressRule {
    let port = |name: &&str| NetworkPolicyPort {
        port: Some(IntOrString::String((*name).to_owned())),
        protocol: Some("TCP".to_owned()),
        end_port: None,
    };
    NetworkPolicyIngressRule { from, ports: Some(ports.iter().map(port).collect()) }
}

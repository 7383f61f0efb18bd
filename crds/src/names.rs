//! Names and labels of what a network owns, in one place for the operator and the tests.

use std::collections::BTreeMap;

use kube::ResourceExt;

use crate::{NodeGroup, PeerNetwork};

/// Label with the name of the application.
pub const NAME_LABEL: &str = "app.kubernetes.io/name";
/// Label with the network's name, by the common convention.
pub const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";
/// Label with the node group's name, by the common convention.
pub const COMPONENT_LABEL: &str = "app.kubernetes.io/component";
/// Label that says who keeps an object.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// Label with the network's name.
pub const NETWORK_LABEL: &str = "peerwright.dev/network";
/// Label with the node group's name.
pub const GROUP_LABEL: &str = "peerwright.dev/group";
/// Value of [`NAME_LABEL`].
pub const NODE_APP: &str = "peerwright-node";
/// Value of [`MANAGED_BY_LABEL`].
pub const MANAGED_BY: &str = "peerwright-operator";

impl PeerNetwork {
    /// Trust domain in force: the spec's, or `<name>.<namespace>.peerwright.internal`.
    pub fn trust_domain(&self) -> String {
        match &self.spec.trust_domain {
            Some(trust_domain) => trust_domain.clone(),
            None => format!("{}.{}.peerwright.internal", self.name_any(), self.namespace().unwrap_or_default()),
        }
    }

    /// Audience of the tokens with which nodes ask for certificates.
    pub fn certify_audience(&self) -> String {
        format!("{}/certify", self.trust_domain())
    }

    /// StatefulSet of a group: `<network>-<group>`.
    pub fn stateful_set_name(&self, group: &str) -> String {
        format!("{}-{group}", self.name_any())
    }

    /// Node, and pod, number `ordinal` of a group: `<network>-<group>-<number>`.
    pub fn node_name(&self, group: &str, ordinal: i32) -> String {
        format!("{}-{group}-{ordinal}", self.name_any())
    }

    /// Every node that the network should have, group by group.
    pub fn node_names(&self) -> Vec<String> {
        let groups = self.spec.node_groups.iter();
        groups.flat_map(|group| (0..group.replicas).map(|ordinal| self.node_name(&group.name, ordinal))).collect()
    }

    /// Group and number of the node called `node`, if the network has the group; the number may be out of its range.
    pub fn locate_node(&self, node: &str) -> Option<(&NodeGroup, i32)> {
        let (stateful_set, ordinal) = node.rsplit_once('-')?;
        let group = stateful_set.strip_prefix(self.metadata.name.as_deref()?)?.strip_prefix('-')?;
        let number = ordinal.parse().ok().filter(|number: &i32| number.to_string() == ordinal)?;
        Some((self.node_group(group)?, number))
    }

    /// Headless Service by which the nodes find each other.
    pub fn peers_service_name(&self) -> String {
        format!("{}-peers", self.name_any())
    }

    /// Service in front of the nodes' REST API.
    pub fn api_service_name(&self) -> String {
        format!("{}-api", self.name_any())
    }

    /// ConfigMap with the signed snapshot.
    pub fn snapshot_config_map_name(&self) -> String {
        format!("{}-snapshot", self.name_any())
    }

    /// ConfigMap with the public certificates that nodes trust.
    pub fn trust_config_map_name(&self) -> String {
        format!("{}-trust", self.name_any())
    }

    /// Labels of everything that the network owns.
    pub fn labels_of_children(&self) -> BTreeMap<String, String> {
        let name = self.name_any();
        [
            (NAME_LABEL, NODE_APP.to_owned()),
            (INSTANCE_LABEL, name.clone()),
            (MANAGED_BY_LABEL, MANAGED_BY.to_owned()),
            (NETWORK_LABEL, name),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
    }

    /// Labels of a group's StatefulSet and pods.
    pub fn labels_of_group(&self, group: &str) -> BTreeMap<String, String> {
        let mut labels = self.labels_of_children();
        labels.insert(COMPONENT_LABEL.to_owned(), group.to_owned());
        labels.insert(GROUP_LABEL.to_owned(), group.to_owned());
        labels
    }
}

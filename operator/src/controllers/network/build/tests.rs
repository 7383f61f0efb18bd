use peerwright_crds::{NetworkPolicyMode, ReclaimPolicy};

use super::{Install, build, trust_config_map};
use crate::controllers::network::{testing::network, validate::validate};

fn install() -> Install {
    Install {
        namespace: "peerwright-system".to_owned(),
        cluster_domain: "cluster.local".to_owned(),
        pod_ranges: String::new(),
        node_traces: String::new(),
        install_root_sha256: "a1".repeat(32),
    }
}

#[test]
fn everything_that_a_network_owns_is_as_recorded() {
    let network = network("demo", &[("peer", 3)]);
    let children = build(&validate(&network, "node:1".to_owned()).unwrap(), &install(), 0);
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_yaml_snapshot!("service_account", children.service_account);
        insta::assert_yaml_snapshot!("peers_service", children.peers_service);
        insta::assert_yaml_snapshot!("api_service", children.api_service);
        insta::assert_yaml_snapshot!("disruption_budget", children.disruption_budget);
        insta::assert_yaml_snapshot!("network_policy", children.network_policy);
        insta::assert_yaml_snapshot!("stateful_set", children.stateful_sets[0]);
        insta::assert_yaml_snapshot!("trust", trust_config_map(&network, "network\n", "install\n"));
    });
}

#[test]
fn what_the_spec_says_reaches_the_stateful_set() {
    let mut network = network("demo", &[("peer", 3), ("edge", 1)]);
    network.spec.storage.reclaim_policy = Some(ReclaimPolicy::Delete);
    network.spec.storage.storage_class_name = Some("fast".to_owned());
    network.spec.storage.size = "5Gi".to_owned();
    network.spec.network_policy = Some(NetworkPolicyMode::Disabled);
    let children = build(&validate(&network, "node:1".to_owned()).unwrap(), &install(), 0);
    assert!(children.network_policy.is_none());
    let sets = serde_json::to_value(&children.stateful_sets).unwrap();
    assert_eq!(sets[1]["metadata"]["name"], "demo-edge");
    assert_eq!(sets[1]["spec"]["replicas"], 1);
    for set in sets.as_array().unwrap() {
        let claim = &set["spec"]["volumeClaimTemplates"][0]["spec"];
        assert_eq!(claim["resources"]["requests"]["storage"], "5Gi");
        assert_eq!(claim["storageClassName"], "fast");
        assert_eq!(set["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"], "Delete");
        assert_eq!(set["spec"]["persistentVolumeClaimRetentionPolicy"]["whenScaled"], "Retain");
    }
}

#[test]
fn a_banned_node_does_not_use_up_the_disruption_budget() {
    let network = network("demo", &[("peer", 5)]);
    let children = build(&validate(&network, "node:1".to_owned()).unwrap(), &install(), 2);
    let budget = serde_json::to_value(&children.disruption_budget).unwrap();
    assert_eq!(budget["spec"]["maxUnavailable"], 3);
}

#[test]
fn what_the_install_declares_reaches_the_nodes_and_nothing_changes_nothing() {
    let network = network("demo", &[("peer", 3)]);
    let valid = validate(&network, "node:1".to_owned()).unwrap();
    let told = |install: &Install, name: &str| {
        let set = serde_json::to_value(&build(&valid, install, 0).stateful_sets[0]).unwrap();
        let environment = set["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap().clone();
        environment.iter().find(|variable| variable["name"] == name).map(|found| found["value"].clone())
    };
    let (ranges, collector) = ("10.244.0.0/16,fd00::/8", "collector.monitoring:4317");
    let declared = Install { pod_ranges: ranges.to_owned(), node_traces: collector.to_owned(), ..install() };
    for (name, value) in [("PEERWRIGHT_OWN_RANGES", ranges), ("PEERWRIGHT_OTLP_ENDPOINT", collector)] {
        assert_eq!(told(&install(), name), None);
        assert_eq!(told(&declared, name).unwrap(), value);
    }
}

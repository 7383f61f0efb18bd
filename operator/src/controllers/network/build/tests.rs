use peerwright_crds::{NetworkPolicyMode, ReclaimPolicy};
use serde_json::{Value, json};

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

/// A network whose nodes keep their registers in a database.
fn in_database(postgres: Value) -> Value {
    let mut network = network("demo", &[("peer", 3)]);
    network.spec.storage.postgres = Some(serde_json::from_value(postgres).unwrap());
    let children = build(&validate(&network, "node:1".to_owned()).unwrap(), &install(), 0);
    serde_json::to_value(&children.stateful_sets[0]).unwrap()["spec"].clone()
}

/// What the pod of a StatefulSet has and the pod of a network without a database has not: variables, mounts, volumes.
fn added(spec: &Value) -> [Vec<Value>; 3] {
    let network = network("demo", &[("peer", 3)]);
    let plain = build(&validate(&network, "node:1".to_owned()).unwrap(), &install(), 0);
    let plain = serde_json::to_value(&plain.stateful_sets[0]).unwrap()["spec"].clone();
    let container = "/template/spec/containers/0";
    [format!("{container}/env"), format!("{container}/volumeMounts"), "/template/spec/volumes".to_owned()].map(|path| {
        let of = |spec: &Value| spec.pointer(&path).and_then(Value::as_array).unwrap().clone();
        let known = of(&plain);
        of(spec).into_iter().filter(|item| !known.contains(item)).collect()
    })
}

#[test]
fn a_database_named_by_its_parts_is_told_without_its_password() {
    let spec = in_database(json!({
        "host": "db.shop.svc", "database": "registers", "user": "peerwright", "schemaPrefix": "shop",
        "passwordSecretRef": { "name": "database", "key": "password" },
        "tls": { "caConfigMapRef": { "name": "authorities", "key": "ca.crt" } }
    }));
    let [environment, mounts, volumes] = added(&spec);
    let url = "postgres://peerwright@db.shop.svc:5432/registers?sslmode=require";
    assert_eq!(
        environment,
        [
            json!({ "name": "PEERWRIGHT_STORAGE_URL", "value": url }),
            json!({ "name": "PEERWRIGHT_STORAGE_PASSWORD_FILE", "value": "/etc/peerwright/database/password" }),
            json!({ "name": "PEERWRIGHT_STORAGE_AUTHORITIES_FILE", "value": "/etc/peerwright/database/authorities.pem" }),
            json!({ "name": "PEERWRIGHT_STORAGE_SCHEMA_PREFIX", "value": "shop" }),
        ]
    );
    assert_eq!(mounts, [json!({ "name": "database", "mountPath": "/etc/peerwright/database", "readOnly": true })]);
    assert_eq!(
        volumes,
        [json!({ "name": "database", "projected": { "defaultMode": 0o440, "sources": [
        { "secret": { "name": "database", "items": [{ "key": "password", "path": "password" }] } },
        { "configMap": { "name": "authorities", "items": [{ "key": "ca.crt", "path": "authorities.pem" }] } },
    ] } })]
    );
    assert_eq!(spec["volumeClaimTemplates"][0]["metadata"]["name"], "data", "keys and certificate stay on a volume");
}

#[test]
fn a_url_that_a_secret_holds_is_mounted_and_stands_nowhere_else() {
    let [environment, mounts, volumes] = added(&in_database(json!({
        "urlSecretRef": { "name": "database-app", "key": "uri" },
        "tls": { "caSecretRef": { "name": "database-ca", "key": "ca.crt" } }
    })));
    assert_eq!(
        environment,
        [
            json!({ "name": "PEERWRIGHT_STORAGE_URL_FILE", "value": "/etc/peerwright/database/url" }),
            json!({ "name": "PEERWRIGHT_STORAGE_AUTHORITIES_FILE", "value": "/etc/peerwright/database/authorities.pem" }),
        ]
    );
    assert_eq!(mounts.len(), 1);
    assert_eq!(
        volumes[0]["projected"]["sources"],
        json!([
            { "secret": { "name": "database-app", "items": [{ "key": "uri", "path": "url" }] } },
            { "secret": { "name": "database-ca", "items": [{ "key": "ca.crt", "path": "authorities.pem" }] } },
        ])
    );
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

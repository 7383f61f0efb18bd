//! From apply to delete: pods over the machines, scaling, self-healing, volumes.

use crate::{
    kubectl::{wait_for, wait_until},
    network::{Network, READY},
};
use peerwright_tests::OPERATOR_NAMESPACE;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// Drift heals within this time.
const HEAL: Duration = Duration::from_secs(5);

#[test]
fn apply_gives_ready_pods_one_on_each_machine() {
    let network = Network::namespace("apply");
    let start = Instant::now();
    network.apply(3, "Delete");
    network.wait_ready(3);
    println!("kubectl apply to Ready: {:?}", start.elapsed());
    let machines = network.kubectl(&["get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}"]);
    assert_eq!(machines.split(' ').collect::<BTreeSet<_>>().len(), 3, "{machines}");
    let columns = network.kubectl(&["get", "pnet", "--no-headers"]);
    assert_eq!(columns.split_whitespace().take(4).collect::<Vec<_>>(), ["net", "3", "3", "True"], "{columns}");
}

#[test]
fn a_network_scales_up_and_down() {
    let network = Network::ready("scale", 3);
    network.apply(5, "Delete");
    network.wait_ready(5);
    network.apply(3, "Delete");
    network.wait_ready(3);
    wait_until("two pods are gone", Duration::from_secs(60), || {
        network.kubectl(&["get", "pods", "-o", "name"]).lines().count() == 3
    });
}

#[test]
fn drift_heals() {
    let network = Network::ready("drift", 1);
    network.kubectl(&["scale", "statefulset/net-peer", "--replicas=0"]);
    wait_for("the StatefulSet is scaled back", HEAL, || {
        let replicas = network.field("sts/net-peer", "{.spec.replicas}")?;
        if replicas == "1" { Ok(()) } else { Err(replicas) }
    });
    for service in ["svc/net-peers", "svc/net-api"] {
        let before = network.field(service, "{.metadata.uid}").unwrap();
        network.kubectl(&["delete", service]);
        wait_for(&format!("{service} is back"), HEAL, || {
            let uid = network.field(service, "{.metadata.uid}")?;
            if uid == before { Err("the same".to_owned()) } else { Ok(()) }
        });
    }
    network.wait_ready(1);
}

#[test]
fn delete_leaves_nothing_when_the_volumes_go_with_the_network() {
    let network = Network::ready("delete", 1);
    let uid = network.field("pnet/net", "{.metadata.uid}").unwrap();
    let of_namespace = format!("{{.items[?(@.spec.claimRef.namespace=='{}')].metadata.name}}", network.namespace);
    let volumes = || network.kubectl(&["get", "pv", "-o", &format!("jsonpath={of_namespace}")]);
    assert_ne!(volumes(), "", "the volume of its node");
    network.delete();
    let kinds = "statefulset,service,configmap,pvc,pdb,networkpolicy,serviceaccount";
    wait_for("all that it owned is gone", Duration::from_secs(60), || {
        let left = network.kubectl(&["get", kinds, "-o", "name"]);
        let left = left
            .lines()
            .filter(|name| {
                ![
                    "configmap/kube-root-ca.crt",
                    "serviceaccount/default",
                    "serviceaccount/client",
                    "serviceaccount/stranger",
                ]
                .contains(name)
            })
            .collect::<Vec<_>>();
        if left.is_empty() { Ok(()) } else { Err(left.join(" ")) }
    });
    wait_for("its volumes are gone", Duration::from_secs(90), || match volumes() {
        left if left.is_empty() => Ok(()),
        left => Err(left),
    });
    wait_for("its authority is gone", Duration::from_secs(30), || {
        let left = crate::kubectl::kubectl(&["-n", OPERATOR_NAMESPACE, "get", "secret,configmap", "-o", "name"]);
        if left.contains(&uid) { Err(left) } else { Ok(()) }
    });
}

#[test]
fn retained_volumes_are_refused_by_name_in_a_network_made_anew() {
    let network = Network::namespace("retain");
    network.apply(1, "Retain");
    network.wait_ready(1);
    network.delete();
    assert_eq!(network.kubectl(&["get", "pvc", "-o", "name"]), "persistentvolumeclaim/data-net-peer-0");
    network.apply(1, "Retain");
    wait_for("the node stops with one line that says why", READY, || {
        let log = crate::kubectl::try_kubectl(&["-n", &network.namespace, "logs", "net-peer-0", "--tail=5"])?;
        if log.contains("this volume belongs to network") { Ok(()) } else { Err(log) }
    });
}

#[test]
fn a_changed_template_restarts_one_node_at_a_time() {
    let network = Network::ready("rollout", 3);
    let patch = r#"[{"op": "add", "path": "/spec/nodeGroups/0/resources", "value": {"requests": {"cpu": "12m"}}}]"#;
    let fewest = network.roll_out(patch, 3);
    assert!(fewest >= 2, "never more than one away, but {fewest} were ready");
    network.wait_ready(3);
}

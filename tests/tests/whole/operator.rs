//! The operator away, frozen, replaced: the data plane goes on, bans stay in force, a stale leader publishes nothing.

use crate::{
    client::Client,
    kubectl::{kubectl, try_kubectl, wait_for, wait_until},
    network::Network,
};
use peerwright_cluster::Cluster;
use peerwright_tests::OPERATOR_NAMESPACE;
use serde_json::Value;
use std::{thread::sleep, time::Duration};

const DEPLOYMENT: &str = "deployment/peerwright-operator";

/// Scales the operator to nothing for as long as this lives.
pub(crate) struct OperatorAway {
    replicas: String,
}

impl OperatorAway {
    pub(crate) fn begin() -> Self {
        let replicas = kubectl(&["-n", OPERATOR_NAMESPACE, "get", DEPLOYMENT, "-o", "jsonpath={.spec.replicas}"]);
        kubectl(&["-n", OPERATOR_NAMESPACE, "scale", DEPLOYMENT, "--replicas=0"]);
        wait_until("the operator is away", Duration::from_secs(60), || {
            kubectl(&["-n", OPERATOR_NAMESPACE, "get", "pods", "-o", "name"]).is_empty()
        });
        Self { replicas }
    }
}

impl Drop for OperatorAway {
    fn drop(&mut self) {
        kubectl(&["-n", OPERATOR_NAMESPACE, "scale", DEPLOYMENT, &format!("--replicas={}", self.replicas)]);
        kubectl(&["-n", OPERATOR_NAMESPACE, "rollout", "status", DEPLOYMENT, "--timeout=60s"]);
    }
}

#[test]
fn nodes_restart_without_the_operator_with_bans_in_force_and_new_ones_wait() {
    let network = Network::ready("away", 4);
    let ban = network.ban("net-peer-2");
    network.wait_condition(&ban, "Enforced", "True", Duration::from_secs(5));
    let client = Client::of(&network, "client");
    let away = OperatorAway::begin();

    Cluster::attach().unwrap().kill_pod(&network.namespace, "net-peer-3").unwrap();
    network.kubectl(&["delete", "pod", "net-peer-1", "--wait=true"]);
    network.wait_pod_ready("net-peer-1", Duration::from_secs(60));
    network.wait_pod_ready("net-peer-3", Duration::from_secs(60));
    client.wait_links("net-peer-3", 2, Duration::from_secs(20));
    client.wait_links("net-peer-1", 2, Duration::from_secs(20));
    client.wait_links("net-peer-0", 2, Duration::from_secs(20));

    network.kubectl(&["scale", "statefulset/net-peer", "--replicas=5"]);
    wait_for("the new node waits and says so", Duration::from_secs(60), || {
        let body = network.readyz("net-peer-4");
        if body.starts_with("waiting-for-operator") { Ok(()) } else { Err(body) }
    });

    drop(away);
    wait_until("the extra pod is gone", Duration::from_secs(60), || {
        try_kubectl(&["-n", &network.namespace, "get", "pod/net-peer-4"]).is_err()
    });
    network.wait_condition(&ban, "Enforced", "True", Duration::from_secs(20));
}

/// Name of the pod that leads.
fn leader() -> String {
    kubectl(&["-n", OPERATOR_NAMESPACE, "get", "lease", "peerwright-operator", "-o", "jsonpath={.spec.holderIdentity}"])
}

/// Writes by a pod in the audit log, its Lease and token reviews aside.
fn writes_of(cluster: &Cluster, pod: &str) -> Vec<String> {
    let log = std::fs::read_to_string(cluster.audit_log()).unwrap();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|event| event["user"]["extra"]["authentication.kubernetes.io/pod-name"][0] == pod)
        .filter(|event| !["leases", "tokenreviews"].iter().any(|kind| event["objectRef"]["resource"] == *kind))
        .map(|event| format!("{} {}", event["verb"], event["requestURI"]))
        .collect()
}

#[test]
fn a_leader_that_was_frozen_past_its_lease_writes_nothing_when_it_thaws() {
    let network = Network::ready("stale", 3);
    let cluster = Cluster::attach().unwrap();
    let old = leader();
    cluster.freeze_pod(OPERATOR_NAMESPACE, &old).unwrap();
    wait_for("another replica leads", Duration::from_secs(40), || {
        let seen = leader();
        if seen == old || seen.is_empty() { Err(seen) } else { Ok(()) }
    });
    let ban = network.ban("net-peer-2");
    network.wait_condition(&ban, "Enforced", "True", Duration::from_secs(30));
    let snapshot = network.field("cm/net-snapshot", "{.metadata.resourceVersion}").unwrap();
    let before = writes_of(&cluster, &old).len();
    cluster.thaw_pod(OPERATOR_NAMESPACE, &old).unwrap();
    // Nothing is to be seen of nothing: long enough for whatever was in its queues.
    sleep(Duration::from_secs(8));
    let after = writes_of(&cluster, &old);
    assert_eq!(after.len(), before, "wrote after it thawed: {:?}", after.get(before..));
    assert_eq!(network.field("cm/net-snapshot", "{.metadata.resourceVersion}").unwrap(), snapshot);
    network.wait_condition(&ban, "Enforced", "True", Duration::from_secs(1));
    kubectl(&["-n", OPERATOR_NAMESPACE, "rollout", "status", DEPLOYMENT, "--timeout=90s"]);
}

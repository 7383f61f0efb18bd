//! A network in a namespace of its own, as a test's scene.

use crate::kubectl::{kubectl, send, try_kubectl, wait_for, wait_until, watch};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::Write,
    process::Command,
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tempfile::NamedTempFile;

/// From apply to Ready, with time for a busy machine.
pub(crate) const READY: Duration = Duration::from_secs(90);

/// A machine that was cut off is taken for present again within this time.
const MACHINES: Duration = Duration::from_secs(60);
/// A restart of one node of a rollout, with time for a busy machine.
const ROLLED: Duration = Duration::from_secs(40);

/// The register that [`Network::subscribe`] subscribes to.
pub(crate) const REGISTER: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A `PeerNetwork` named `net` in a namespace that goes with this value.
pub(crate) struct Network {
    pub(crate) namespace: String,
}

impl Network {
    /// A namespace where the strictest pod security holds, with the client account that may write.
    pub(crate) fn namespace(purpose: &str) -> Self {
        wait_for("every machine takes pods", MACHINES, || {
            // One that a test has cut off is shunned for a while: two pods would share another.
            let shunned = try_kubectl(&["get", "nodes", "-o", "jsonpath={.items[*].spec.taints[*].key}"])?;
            if shunned.is_empty() { Ok(()) } else { Err(shunned) }
        });
        let unique = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() % 100_000_000;
        let namespace = format!("test-{purpose}-{unique}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        kubectl(&["create", "namespace", &namespace]);
        kubectl(&["label", "namespace", &namespace, "pod-security.kubernetes.io/enforce=restricted"]);
        kubectl(&["-n", &namespace, "create", "serviceaccount", "client"]);
        kubectl(&["-n", &namespace, "create", "serviceaccount", "stranger"]);
        Self { namespace }
    }

    /// A Ready network of `replicas` nodes whose volumes go with it.
    pub(crate) fn ready(purpose: &str, replicas: u32) -> Self {
        let network = Self::namespace(purpose);
        network.apply(replicas, "Delete");
        network.wait_ready(replicas);
        network
    }

    /// Applies the network.
    pub(crate) fn apply(&self, replicas: u32, reclaim: &str) {
        self.apply_groups(&[("peer", replicas)], reclaim);
    }

    /// Applies the network with these groups, each with its number of nodes.
    pub(crate) fn apply_groups(&self, groups: &[(&str, u32)], reclaim: &str) {
        self.apply_changed(groups, reclaim, |_| {});
    }

    /// As [`Network::apply_groups`], with what else is written into the spec.
    pub(crate) fn apply_changed(&self, groups: &[(&str, u32)], reclaim: &str, change: impl FnOnce(&mut Value)) {
        let namespace = &self.namespace;
        let subject = format!("system:serviceaccount:{namespace}:client");
        let group = |(name, replicas): &(&str, u32)| json!({ "name": name, "replicas": replicas });
        let mut spec = json!({
            "nodeGroups": groups.iter().map(group).collect::<Vec<_>>(),
            "storage": { "size": "64Mi", "reclaimPolicy": reclaim },
            "api": { "access": [{ "subject": subject, "role": "Moderator" }] },
        });
        change(&mut spec);
        send(&["apply", "-f", "-"], &self.object("PeerNetwork", json!({ "name": "net" }), &spec));
    }

    /// Subscribes the network to [`REGISTER`].
    pub(crate) fn subscribe(&self) {
        let spec = json!({ "networkRef": { "name": "net" }, "registerId": REGISTER, "displayName": "orders" });
        send(&["apply", "-f", "-"], &self.object("RegisterSubscription", json!({ "name": "orders" }), &spec));
        self.wait_condition("rsub/orders", "Synced", "True", Duration::from_secs(20));
    }

    /// Subscribes the network to a register that one of its nodes has begun.
    pub(crate) fn subscribe_to(&self, register: &str) {
        let spec = json!({ "networkRef": { "name": "net" }, "registerId": register, "displayName": "ledger" });
        send(&["apply", "-f", "-"], &self.object("RegisterSubscription", json!({ "name": "ledger" }), &spec));
        self.wait_condition("rsub/ledger", "Synced", "True", Duration::from_secs(20));
    }

    /// Subscribes nodes of the groups named to a register, with data that goes when the subscription goes.
    pub(crate) fn place(&self, name: &str, register: &str, groups: &[&str]) {
        let spec = json!({
            "networkRef": { "name": "net" },
            "registerId": register,
            "placement": { "groups": groups },
            "deletionPolicy": "Delete",
        });
        send(&["apply", "-f", "-"], &self.object("RegisterSubscription", json!({ "name": name }), &spec));
    }

    /// Bans a node by its pod's name; gives the PeerBan's resource name.
    pub(crate) fn ban(&self, node: &str) -> String {
        let spec = json!({ "networkRef": { "name": "net" }, "node": node, "reason": "test" });
        let ban = self.object("PeerBan", json!({ "generateName": "ban-" }), &spec);
        send(&["create", "-o", "name", "-f", "-"], &ban)
    }

    /// Has one sealer go on without the others; gives the operation's resource name.
    pub(crate) fn force_sealer(&self, node: &str) -> String {
        let force = json!({ "node": node, "acceptDataLoss": "WhatOnlyLostSealersHold" });
        let spec = json!({ "networkRef": { "name": "net" }, "forceSealer": force });
        let operation = self.object("PeerOperation", json!({ "generateName": "go-on-" }), &spec);
        send(&["create", "-o", "name", "-f", "-"], &operation)
    }

    /// Phase of an operation, and the reason of its condition.
    pub(crate) fn operation(&self, operation: &str) -> Result<String, String> {
        let reason = "{.status.conditions[?(@.type==\"Complete\")].reason}";
        self.field(operation, &format!("{{.status.phase}} {reason}"))
    }

    /// One of our objects in this namespace.
    fn object(&self, kind: &str, mut metadata: Value, spec: &Value) -> Value {
        metadata["namespace"] = self.namespace.as_str().into();
        json!({ "apiVersion": "peerwright.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec })
    }

    /// kubectl in this namespace.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        kubectl(&[&["-n", &self.namespace], arguments].concat())
    }

    /// One field of an object, by JSON path; an error when the object is not there.
    pub(crate) fn field(&self, object: &str, path: &str) -> Result<String, String> {
        try_kubectl(&["-n", &self.namespace, "get", object, "-o", &format!("jsonpath={path}")])
    }

    /// Status and reason of a condition, as `True/Ready`.
    pub(crate) fn condition(&self, object: &str, kind: &str) -> Result<String, String> {
        self.field(object, &status_and_reason(&item(kind)))
    }

    /// Waits until a condition has a status.
    pub(crate) fn wait_condition(&self, object: &str, kind: &str, status: &str, limit: Duration) {
        wait_for(&format!("{object} {kind}={status}"), limit, || {
            let seen = self.condition(object, kind)?;
            if seen.starts_with(&format!("{status}/")) { Ok(()) } else { Err(seen) }
        });
    }

    /// Waits until every node goes by the network as it was applied last.
    pub(crate) fn wait_policy_synced(&self, limit: Duration) {
        let item = item("PolicySynced");
        let said = format!("{} of {{{item}.observedGeneration}}", status_and_reason(&item));
        wait_for("every node goes by what was applied last", limit, || {
            let generation = self.field("pnet/net", "{.metadata.generation}")?;
            let said = self.field("pnet/net", &said)?;
            if said == format!("True/Acknowledged of {generation}") { Ok(()) } else { Err(said) }
        });
    }

    /// Waits until the network says that `replicas` nodes are Ready.
    pub(crate) fn wait_ready(&self, replicas: u32) {
        wait_for("the network is Ready", READY, || {
            let seen = format!(
                "{} {} {}",
                self.field("pnet/net", "{.status.nodes}")?,
                self.field("pnet/net", "{.status.readyNodes}")?,
                self.condition("pnet/net", "Ready")?
            );
            if seen.starts_with(&format!("{replicas} {replicas} True/")) { Ok(()) } else { Err(seen) }
        });
    }

    /// Waits until a pod is Ready.
    pub(crate) fn wait_pod_ready(&self, pod: &str, limit: Duration) {
        self.wait_condition(&format!("pod/{pod}"), "Ready", "True", limit);
    }

    /// The address of a pod.
    pub(crate) fn address(&self, pod: &str) -> String {
        wait_for(&format!("{pod} has an address"), READY, || {
            let address = self.field(&format!("pod/{pod}"), "{.status.podIP}")?;
            if address.is_empty() { Err("none".to_owned()) } else { Ok(address) }
        })
    }

    /// What the probe port of a pod says of its readiness; empty when nothing answers.
    pub(crate) fn readyz(&self, pod: &str) -> String {
        self.probe(pod, "readyz")
    }

    /// The metrics of a pod; empty when nothing answers.
    pub(crate) fn metrics(&self, pod: &str) -> String {
        self.probe(pod, "metrics")
    }

    fn probe(&self, pod: &str, path: &str) -> String {
        let url = format!("http://{}:8080/{path}", self.address(pod));
        let output = Command::new("curl").args(["--silent", "--max-time", "2", &url]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The pod that leads the sealers, by its metrics.
    pub(crate) fn sealing_leader(&self, pods: &[&'static str]) -> Result<&'static str, String> {
        let leads = |pod: &str| self.metrics(pod).lines().any(|line| line == "peerwright_sealing_leading 1");
        pods.iter().copied().find(|pod| leads(pod)).ok_or_else(|| "nobody leads".to_owned())
    }

    /// Changes the template of the group `peer` by a JSON patch of the network, and waits until all its `count` pods have
    /// restarted with it; gives how many were Ready at the least.
    pub(crate) fn roll_out(&self, patch: &str, count: usize) -> usize {
        let revision = self.field("sts/net-peer", "{.status.updateRevision}").unwrap();
        self.kubectl(&["patch", "pnet/net", "--type=json", "-p", patch]);
        let told = "jsonpath={.metadata.name} {.metadata.labels.controller-revision-hash} \
                    {.status.conditions[?(@.type==\"Ready\")].status}{.metadata.deletionTimestamp}{\"\\n\"}";
        let (lines, _watching) = watch(&["-n", &self.namespace, "get", "pods", "-o", told]);
        let (tell, heard) = mpsc::sync_channel(count);
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| tell.send(line)));
        let end = Instant::now() + ROLLED * u32::try_from(count).unwrap();
        let (mut pods, mut fewest) = (BTreeMap::new(), count);
        loop {
            let line = heard.recv_timeout(end.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|error| panic!("not every pod has the new template ({error}): {pods:?}"));
            let [pod, of, readiness] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else { continue };
            // Of a pod that is to be deleted the time of that follows: it does not count as ready any more.
            pods.insert(pod.to_owned(), (of != revision, readiness == "True"));
            let ready = pods.values().filter(|(_, is_ready)| *is_ready).count();
            // Until it has told of all, it tells of what is there.
            if pods.len() == count {
                fewest = fewest.min(ready);
            }
            if pods.values().filter(|pod| **pod == (true, true)).count() == count {
                return fewest;
            }
        }
    }

    /// Machine and folder of a node's volume.
    pub(crate) fn volume(&self, pod: &str) -> (String, String) {
        let volume = self.field(&format!("pvc/data-{pod}"), "{.spec.volumeName}").unwrap();
        let folder = self.field(&format!("pv/{volume}"), "{.spec.hostPath.path}{.spec.local.path}").unwrap();
        (self.field(&format!("pod/{pod}"), "{.spec.nodeName}").unwrap(), folder)
    }

    /// The trust domain of the network, audience of its clients' tokens.
    pub(crate) fn trust_domain(&self) -> String {
        format!("net.{}.peerwright.internal", self.namespace)
    }

    /// The network's trust anchors, in a file.
    pub(crate) fn trust(&self) -> NamedTempFile {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(self.field("cm/net-trust", "{.data.ca\\.pem}").unwrap().as_bytes()).unwrap();
        file
    }

    /// Deletes the network and waits until its pods are gone.
    pub(crate) fn delete(&self) {
        self.kubectl(&["delete", "pnet/net", "--wait=true", "--timeout=60s"]);
        wait_until("the pods are gone", Duration::from_secs(90), || {
            self.kubectl(&["get", "pods", "-o", "name"]).is_empty()
        });
    }
}

/// A condition of an object, in jsonpath.
fn item(kind: &str) -> String {
    format!(".status.conditions[?(@.type==\"{kind}\")]")
}

/// As `True/Ready`.
fn status_and_reason(item: &str) -> String {
    format!("{{{item}.status}}/{{{item}.reason}}")
}

impl Drop for Network {
    fn drop(&mut self) {
        let deleted = try_kubectl(&["delete", "namespace", &self.namespace, "--wait=false"]);
        if let Err(error) = deleted {
            eprintln!("namespace {} stays: {error}", self.namespace);
        }
    }
}
